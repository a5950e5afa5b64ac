"""`riskmon export-state` and `riskmon import-state`: from one process into a cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from monitor.cli.failure import Failure
from monitor.cli.output import configured, data_folder, failures


def export_state(
    out: Annotated[Path, typer.Option(help="file to write; it is a riskmon.db, and serves as a backup")],
    data: Annotated[Path | None, typer.Option(help="data directory; default: from the settings")] = None,
    config: Annotated[Path | None, typer.Option(help="settings file; default: config/monitor.yaml")] = None,
) -> None:
    """Write a stopped monitor's journal, ledger, alerts and states into one file."""
    from monitor.moving import MoveError, steps
    from monitor.moving import export_state as export

    settings, _ = configured(config)
    folder = data_folder(data or Path(settings.data.dir))
    with failures(folder):
        try:
            moved = export(folder, out, settings)
        except MoveError as error:
            raise Failure(str(error)) from None
    for line in steps(moved):
        typer.echo(line)
    typer.echo(f"written to {out}; next: riskmon import-state {out} --config config/profiles/cluster.yaml")


def import_state(
    file: Annotated[Path, typer.Argument(help="what `riskmon export-state` wrote")],
    config: Annotated[Path | None, typer.Option(help="settings of the cluster")] = None,
) -> None:
    """Fill the empty database and topics of a cluster, before its desk is started for the first time."""
    from monitor.moving import MoveError, steps
    from monitor.moving import import_state as fill
    from streams.runners.kafka.moving import NotEmptyError
    from streams.runners.kafka.topics import TopicsError

    settings, _ = configured(config)
    if settings.storage.kind != "postgres":
        hint = "give --config config/profiles/cluster.yaml"
        raise Failure(f"storage.kind: expected postgres, was {settings.storage.kind}\n  hint: {hint}")
    with _bars() as bars, failures():
        try:
            moved = fill(file, settings, _shown(bars))
        except (MoveError, NotEmptyError, TopicsError) as error:
            raise Failure(str(error)) from None
    for line in steps(moved):
        typer.echo(line)
    typer.echo("moved; start `riskmon desk` and `riskmon worker`: they go on where the file ends")


def _bars() -> Progress:
    columns = (TextColumn("{task.description:<18}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


def _shown(bars: Progress) -> Callable[[str, int, int], None]:
    tasks: dict[str, TaskID] = {}

    def show(name: str, done: int, total: int) -> None:
        if name not in tasks:
            tasks[name] = bars.add_task(name, total=total)
        bars.update(tasks[name], completed=done)

    return show
