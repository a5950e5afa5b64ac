"""`riskmon rules sample`: a threshold moved in steps, and samples just above and below the line."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated, Any

import typer

from monitor.cli.failure import Failure
from monitor.cli.rules_backtest import AsJson, From, Pace, To, WarmUp, origin, period, wide_console
from monitor.cli.rules_diff import Config, Data

COLUMNS = ("side", "band", "subject", "time", "event", "say", "known", "verdict", "reviewer", "remark")
"""Of `sample.csv`; the last three are for the reviewer."""


def sample(
    rule: Annotated[str, typer.Argument(help="The rule.")],
    param: Annotated[str, typer.Option(help="The parameter to move.")] = "",
    comparison: Annotated[
        str, typer.Option(help="Or a comparison with one figure, as the rule writes it: 'times >= 5'.")
    ] = "",
    steps: Annotated[int, typer.Option(min=1, max=20, help="Steps down, and as many up.")] = 5,
    by: Annotated[str, typer.Option(help="Of each step: a share, or a size in the figure's unit.")] = "10%",
    count: Annotated[int, typer.Option("--sample", min=0, help="Hits drawn on each side of the line.")] = 20,
    seed: Annotated[int, typer.Option(help="Another seed draws others.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Folder for tables, samples and the plot.")] = None,
    from_: From = "",
    to: To = "",
    warm_up: WarmUp = "",
    as_json: AsJson = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Move a threshold around its value: hits, alerts and verdicts of each step; draw samples to review."""
    from monitor.backtest.line import Line, moved_line
    from monitor.backtest.threshold import ThresholdError
    from monitor.candidates import Known
    from monitor.cli.output import failures, show_json
    from monitor.cli.source import source

    if bool(param) == bool(comparison):
        raise Failure("name one threshold\n  hint: give --param minimum, or --comparison 'times >= 5'")
    line = Line(rule=rule, param=param, comparison=comparison, steps=steps, by=by, sample=count, seed=seed)
    where = source(data, config)
    with where.reading() as db:
        with failures():
            configuration = Known.of(db).in_force
        meant = period(db, from_, to, warm_up)
        try:
            with failures(), Pace(meant) as pace:
                found = moved_line(db, origin(where), configuration, meant, line, pace.move)
        except (ThresholdError, ValueError) as error:
            raise Failure(str(error)) from None
    if out is not None:
        _write(out, found)
    if as_json:
        show_json(found)
    else:
        _print(found)
    pace.tell()


def _print(found: dict[str, Any]) -> None:
    from rich.table import Table

    from monitor.backtest.table import percent

    console = wide_console()
    table = Table(title=f"{found['rule']}: {found['threshold']}", title_justify="left", box=None)
    names = ("figure", "hits", "alerts", "a day", "customers", "confirmed", "refuted", "precision", "recall")
    for name in names:
        table.add_column(name, justify="right")
    for step in found["steps"]:
        counts = (step[name] for name in ("customers", "confirmed", "refuted"))
        table.add_row(
            f"{'> ' if not step['step'] else ''}{step['figure']}",
            f"{step['hits']:,}",
            f"{step['alerts']:,}",
            f"{step['alerts_a_day']:,.2f}",
            *(f"{one:,}" for one in counts),
            percent(step["precision"]),
            percent(step["recall"]),
        )
    console.print(table)
    for side in ("above", "below"):
        drawn, known = found[side], [one["verdict"] for one in found[side]]
        console.print(
            f"{side} the line: {len(drawn)} of {found[f'{side}_in_all']:,} hits drawn, "
            f"{known.count('confirmed')} confirmed and {known.count('refuted')} refuted by now",
            highlight=False,
        )
    console.print(f"seed {found['seed']}, content {found['hash'][:16]}", highlight=False)


def _write(folder: Path, found: dict[str, Any]) -> None:
    import orjson

    from monitor.backtest.page import step_picture

    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "sample.json").write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
        (folder / "steps.svg").write_text(step_picture(found), encoding="utf-8")
        with (folder / "steps.csv").open("w", encoding="utf-8", newline="") as file:
            steps = csv.DictWriter(file, list(found["steps"][0]))
            steps.writeheader()
            steps.writerows(found["steps"])
        with (folder / "sample.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(COLUMNS)
            rows.writerows(_rows(found))
    except OSError as error:
        raise Failure(
            f"{folder}: cannot be written: {error.strerror}\n  hint: name a folder that is yours"
        ) from None


def _rows(found: dict[str, Any]) -> list[list[Any]]:
    return [
        [side, *(one[name] for name in ("band", "subject", "time", "event", "say")), one["verdict"] or ""]
        + [""] * 3
        for side in ("above", "below")
        for one in found[side]
    ]
