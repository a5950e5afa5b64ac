"""`riskmon rules shadow`: what shadow rules recorded, beside what live rules alerted."""

from __future__ import annotations

from typing import Any

import typer

from monitor.cli.rules_backtest import AsJson, From, To, period, wide_console
from monitor.cli.rules_diff import Config, Data


def shadow(
    from_: From = "", to: To = "", as_json: AsJson = False, data: Data = None, config: Config = None
) -> None:
    """Compare the rules in shadow with the live ones, by their recorded hits."""
    from monitor.backtest.past import Past
    from monitor.backtest.shadow import shadow_report
    from monitor.backtest.verdicts import verdicts_of
    from monitor.candidates import Known
    from monitor.cli.output import failures, show_json
    from monitor.cli.source import source

    with source(data, config).reading() as db, failures():
        configuration = Known.of(db).in_force
        meant = period(db, from_, to, "")
        verdicts = verdicts_of(db, Past(db), meant, configuration)
        found = shadow_report(db, configuration, meant, verdicts)
    if as_json:
        show_json(found)
    else:
        _print(found)


def _print(found: dict[str, Any]) -> None:
    from rich.table import Table

    typer.echo(f"{found['period']['from']} to {found['period']['to']} ({found['period']['days']:,.1f} days)")
    table = Table(box=None)
    names = ("rule", "title", "hits", "a day", "customers", "also alerted", "alone", "confirmed", "refuted")
    for name in names:
        table.add_column(name, justify="left" if name in ("rule", "title") else "right")
    for row in found["rules"]:
        counts = (row[name] for name in ("customers", "also_alerted", "alone", "confirmed", "refuted"))
        table.add_row(
            row["rule"],
            row["title"],
            f"{row['hits']:,}",
            f"{row['hits_a_day']:,.2f}",
            *(f"{count:,}" for count in counts),
        )
    console = wide_console()
    console.print(table)
    for row in found["rules"]:
        if row["hits"]:
            near = ", ".join(f"{rule} ({both})" for rule, both in row["neighbours"])
            same = f" Same customers as {near}." if near else ""
            console.print(f"{row['rule']}: {row['says']}{same}", highlight=False, markup=False)
    silent = [row["rule"] for row in found["rules"] if not row["hits"]]
    if silent:
        console.print(f"without a hit: {', '.join(silent)}", highlight=False, markup=False)
