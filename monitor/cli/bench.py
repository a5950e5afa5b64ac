"""`riskmon bench`: what an event costs, as ratios that hold across machines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from monitor.bench import Figure, Report, run_cluster
from monitor.bench import run as measure
from monitor.cli.failure import Failure
from monitor.cli.output import configured, show_json
from monitor.settings import Settings

MARKS = {True: "[green]reached[/]", False: "[red]missed[/]", None: ""}


def bench(
    quick: Annotated[
        bool, typer.Option("--quick", help="a tenth of the events: for a look, not a claim")
    ] = False,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="a cluster on the empty servers that --config names, instead")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="write the results as JSON")] = None,
    config: Annotated[Path | None, typer.Option(help="settings file")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
) -> None:
    """Measure the monitor on this machine."""
    settings, configuration = configured(config)
    console = Console(stderr=True)
    with console.status("measuring") as status:

        def tell(row: str) -> None:
            status.update(f"measuring: {row}")

        if cluster:
            report = run_cluster(settings, _of_a_cluster(settings, config), quick=quick, tell=tell)
        else:
            report = measure(settings, configuration, quick=quick, tell=tell)
    if out is not None:
        out.write_bytes(orjson.dumps(report.plain(), option=orjson.OPT_INDENT_2) + b"\n")
    if as_json:
        show_json(report.plain())
    else:
        _tell(report)


def _of_a_cluster(settings: Settings, config: Path | None) -> Path:
    if config is None or settings.storage.kind != "postgres":
        hint = "give --config with a database, a kafka.prefix and a Redis that hold nothing yet"
        raise Failure(f"--cluster: expected the settings of a cluster\n  hint: {hint}")
    return config


def _tell(report: Report) -> None:
    unit = f"U = {report.unit_us:.3f} us (one orjson.loads of the standard event)"
    table = Table(title=f"{unit}; {report.machine['processor']}, {report.machine['cores']} cores")
    for column in ("what", "measured", "to reach", "", "note"):
        table.add_column(column, justify="right" if column in ("measured", "to reach") else "left")
    for figure in report.figures:
        table.add_row(
            figure.name, _amount(figure.value, figure), _reach(figure), MARKS[figure.is_reached], figure.note
        )
    Console().print(table)


def _amount(value: float, figure: Figure) -> str:
    return f"{value:,.2f} {figure.unit}" if figure.unit in ("U", "x", "ms") else f"{value:,.0f} {figure.unit}"


def _reach(figure: Figure) -> str:
    if figure.reach is None:
        return ""
    return f"{'>=' if figure.more_is_better else '<='} {_amount(figure.reach, figure)}"
