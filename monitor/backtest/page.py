"""The report of a back-test as one page: no other file, no script, nothing asked of a network."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment

from monitor.backtest.plots import columns, rows
from monitor.backtest.plots import steps as moved_steps
from monitor.backtest.report import AFTER, BEFORE
from monitor.backtest.table import percent

_MOST_BARS = 25
"""Rules in the picture of rules: those with the most alerts."""
_COLOURS = (
    '<rect width="100%" height="100%" fill="#ffffff"/><style>text{fill:#555c69}.grid{stroke:#d9dce2}'
    ".mark{stroke:#16191f;stroke-dasharray:4 4}.line0,.line1,.line2{fill:none;stroke-width:2}"
    ".line0{stroke:#0b4fb3}.line1{stroke:#c2410c}.line2{stroke:#15803d}.dot0,text.name0,.side1{fill:#0b4fb3}"
    ".dot1,text.name1{fill:#c2410c}.dot2,text.name2{fill:#15803d}.side0{fill:#a9afba}</style>"
)


def page(report: Mapping[str, Any]) -> str:
    """Return the page of a report. The same report gives the same bytes."""
    sides = [name for name in (BEFORE, AFTER) if name in report["sides"]]
    days = [(row["day"], [row[side] for side in sides]) for row in report["days"]]
    bars = [(row["rule"], [row[side]["alerts"] for side in sides]) for row in report["rules"]]
    loud = sorted((bar for bar in bars if any(bar[1])), key=lambda bar: (-max(bar[1]), bar[0]))[:_MOST_BARS]
    return rendered(
        "report.html",
        report=report,
        sides=sides,
        both=len(sides) == 2,
        day_plot=columns(days),
        rule_plot=rows(loud),
    )


def rendered(name: str, **values: Any) -> str:
    """Return a page of this package, with the style of the inbox inside."""
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["percent"] = percent
    here = files("monitor.backtest")
    style = (files("alerts.inbox") / "static" / "inbox.css").read_text(encoding="utf-8")
    own = (here / "page.css").read_text(encoding="utf-8")
    template = environment.from_string((here / name).read_text(encoding="utf-8"))
    return template.render(style=style + own, **values)


def step_picture(found: Mapping[str, Any]) -> str:
    """Return a picture of a threshold moved in steps (`monitor.backtest.line`), a file of its own."""
    steps = found["steps"]
    lines = [(name, [step[name] for step in steps]) for name in ("hits", "alerts", "confirmed")]
    marked = next(number for number, step in enumerate(steps) if step["step"] == 0)
    return standing_alone(moved_steps([step["figure"] for step in steps], lines, marked))


def standing_alone(picture: str) -> str:
    """Return a picture with its colours inside, as a file."""
    head, _, rest = picture.partition(">")
    return f'{head} font-family="sans-serif" font-size="11">{_COLOURS}{rest}\n'
