"""The report of a back-test as one page: no other file, no script, nothing asked of a network."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment

from monitor.backtest.plots import columns, rows
from monitor.backtest.report import AFTER, BEFORE
from monitor.backtest.table import percent

_MOST_BARS = 25
"""Rules in the picture of rules: those with the most alerts."""


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
