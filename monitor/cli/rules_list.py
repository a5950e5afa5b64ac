"""`riskmon rules list`: the rules by pack and, of a monitor's data, how often each was right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.rulebooks import AsJson, Packs, chosen, loaded, mistakes_told

if TYPE_CHECKING:
    from monitor.precision import Precision
    from rules.model import Rule

Data = Annotated[
    Path | None, typer.Option(help="Data directory: show what payments that each rule hit turned out to be.")
]
Config = Annotated[
    Path | None, typer.Option(help="Settings file: the same, of the database that the settings name.")
]

_NAMES = (
    "id", "title", "dimension", "severity", "points", "status", "subject", "events", "verification",
)  # fmt: skip
_JUDGED = ("judged", "fraud", "genuine", "precision")
_BESIDE = ("id", "title", "severity", "points", "status", *_JUDGED)
"""What is shown with a monitor's data: all of it has room on a terminal."""
_RIGHT = ("points", *_JUDGED)
"""Columns of numbers."""
_MODELS = "models"
"""Under which title their alerts stand, which have no rule file."""


@mistakes_told()
def list_(packs: Packs = None, data: Data = None, config: Config = None, as_json: AsJson = False) -> None:
    """List rules by pack; with a monitor's data, also how many payments that a rule hit were fraud."""
    rules = sorted(loaded(chosen(None, packs)), key=lambda rule: (rule.pack, rule.id))
    rows = [rule_row(rule) for rule in rules]
    is_judged = data is not None or config is not None
    if is_judged:
        rows = _with_precision(rows, data, config)
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    _print(rows, _BESIDE if is_judged else _NAMES)
    typer.echo(f"{len(rules)} rules")
    if is_judged:
        typer.echo("judged: payments the rule hit live and somebody judged; the others count neither way")


def rule_row(rule: Rule) -> dict[str, Any]:
    """Return what is listed of a rule, as plain data."""
    return {
        "pack": rule.pack, "id": rule.id, "title": rule.title, "dimension": rule.dimension,
        "severity": [band.severity for band in rule.bands], "points": [band.points for band in rule.bands],
        "status": rule.status, "subject": rule.subject, "events": list(rule.on),
        "verification": rule.verification,
        "version": rule.version,
    }  # fmt: skip


def _with_precision(
    rows: list[dict[str, Any]], data: Path | None, config: Path | None
) -> list[dict[str, Any]]:
    from monitor.cli.failure import Failure
    from monitor.cli.source import source
    from monitor.core.notable import DIMENSION, SEVERITY, TITLES
    from monitor.precision import NOBODY_JUDGED, precisions
    from streams.findings import are_findings_kept

    place = source(data, config)
    with place.reading() as db:
        if not are_findings_kept(db):
            hint = "start the service once: it gathers them from the journal"
            raise Failure(f"{place}: made before findings were kept\n  hint: {hint}")
        found = precisions(db)
    models = [
        {
            "pack": _MODELS,
            "id": name,
            "title": TITLES[name],
            "dimension": DIMENSION,
            "severity": [SEVERITY[name]],
        }
        for name in TITLES
        if name in found
    ]
    return [{**row, **_judged(found.get(row["id"], NOBODY_JUDGED))} for row in (*rows, *models)]


def _judged(one: Precision) -> dict[str, Any]:
    """Return the figures of a rule; None where nothing was judged, which is not 0."""
    if not one.judged:
        return dict.fromkeys(_JUDGED)
    return {"judged": one.judged, "fraud": one.fraud, "genuine": one.genuine, "precision": one.precision}


def _print(rows: list[dict[str, Any]], names: tuple[str, ...]) -> None:
    from rich.table import Table

    from monitor.cli.rules_backtest import wide_console

    console = wide_console()
    for pack in dict.fromkeys(row["pack"] for row in rows):
        table = Table(title=pack, title_justify="left", box=None)
        for name in names:
            table.add_column(name, justify="right" if name in _RIGHT else "left")
        for row in rows:
            if row["pack"] == pack:
                table.add_row(*(_cell(name, row.get(name)) for name in names))
        console.print(table)


def _cell(name: str, value: Any) -> str:
    from monitor.precision import percent_text

    if value is None:
        return ""
    if name == "precision":
        return percent_text(value)
    if isinstance(value, list):
        return " ".join(f"{one:g}" if isinstance(one, float) else str(one) for one in value)
    return f"{value:,}" if isinstance(value, int) else str(value)
