"""`riskmon rules costs`: what each rule costs before it is in force."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from monitor.cli.rulebooks import AsJson, Folders, Lists, Packs, cases_in, chosen, mistakes_told
from monitor.cli.rules_test import bench_of


@mistakes_told()
def costs(
    folders: Folders = None,
    packs: Packs = None,
    lists: Lists = None,
    a_day: Annotated[float, typer.Option("--a-day", help="Events a day of a subject.", min=0.01)] = 3.0,
    most: Annotated[int, typer.Option("--most", help="Only so many, the dearest.", min=1)] = 20,
    as_json: AsJson = False,
) -> None:
    """Say what rules cost: bytes of state a subject, and time an event, measured on their own test cases.

    Time is in U, the cost of reading one standard event (`riskmon bench`).
    """
    from rich.console import Console
    from rich.progress import track
    from rich.table import Table

    from monitor.cli.output import show_json
    from monitor.rulecosts import costs as measured

    meant = chosen(folders, packs)
    bench = bench_of(meant, lists)
    found = list(
        track(
            measured(bench, cases_in(meant), a_day),
            description="measuring",
            total=len(bench.rules),
            transient=True,
            console=Console(stderr=True),
        )
    )
    found.sort(key=lambda one: (-one.state_bytes, one.rule))
    if as_json:
        show_json([asdict(one) for one in found])
        return
    table = Table(box=None)
    for name in ("rule", "remembers", "bytes a subject", "U an event"):
        table.add_column(name, justify="left" if name == "rule" else "right")
    for one in found[:most]:
        units = "no test" if one.units is None else f"{one.units:.2f}"
        table.add_row(one.rule, str(one.windows), f"{one.state_bytes:,}", units)
    Console().print(table)
    told = f"the {most} dearest of {len(found)} rules" if most < len(found) else f"{len(found)} rules"
    typer.echo(f"{told}, at {a_day:g} events a day; what rules share is counted with each")
