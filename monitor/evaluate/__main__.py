"""`python -m monitor.evaluate`: the table of detection figures, and its plots."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

from monitor.evaluate.sets import Row, amlsim, berka, cards, sffsd

VARIABLE = "RISKMON_DATASETS"
HEAD = ("", "AUC ROC", "average precision", "card precision at 100")


def main() -> None:
    """Write the table to the terminal and to a file, passing over sets that are not there."""
    parser = argparse.ArgumentParser(prog="python -m monitor.evaluate", description=__doc__)
    parser.add_argument("--datasets", type=Path, default=Path(os.environ.get(VARIABLE, "../shared/data")))
    parser.add_argument("--work", type=Path, default=Path("var/evaluate"), help="where replays are kept")
    parser.add_argument("--plots", type=Path, default=Path("docs/images"))
    options = parser.parse_args()
    data, work = options.datasets, options.work
    parts: dict[str, tuple[str, Callable[[], list[Row]]]] = {
        "handbook": ("Fraud Detection Handbook", lambda: cards(data, work, options.plots)),
        "sffsd": ("S-FFSD", lambda: sffsd(data, work)),
        "amlsim": ("AMLSim", lambda: amlsim(data, work)),
        "berka": ("Czech bank", lambda: berka(data, work)),
    }
    told = [_part(data, name, title, work_out) for name, (title, work_out) in parts.items()]
    work.mkdir(parents=True, exist_ok=True)
    (work / "detection.md").write_text("\n".join(told), encoding="utf-8")


def _part(data: Path, name: str, title: str, figures: Callable[[], list[Row]]) -> str:
    if not (data / name).is_dir():
        text = f"### {title}\n\nNot measured: {data / name} is not there; name the folder by {VARIABLE}.\n"
    else:
        lines = [HEAD, ("---", "---:", "---:", "---:"), *figures()]
        text = f"### {title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
    print(text, flush=True)  # noqa: T201  what the command is for
    return text


if __name__ == "__main__":
    main()
