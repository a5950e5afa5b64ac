"""`riskmon rules peers`: what is usual among customers alike, written as a table rules look up."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.failure import Failure
from monitor.cli.rules_diff import Config, Data

if TYPE_CHECKING:
    from monitor.configuration import Configuration
    from monitor.peers import Peers

_ASKED = re.compile(r"""peer\(\s*["']([a-z0-9_]+)["']""")
OUT = Path("config/lists/peers.yaml")


def peers(
    figures: Annotated[
        list[str] | None,
        typer.Argument(help="Names of the packs to measure; default: those the rules ask for."),
    ] = None,
    out: Annotated[Path, typer.Option(help="File to write.")] = OUT,
    at: Annotated[str, typer.Option(help="Time of the figures, RFC 3339; default: the last event.")] = "",
    packs: Annotated[list[str] | None, typer.Option(help="Packs that name the figures; repeatable.")] = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Measure figures of all customers of the journal and write their quantiles by group.

    Groups of fewer than 10 customers are not told. The table is a list: it is in force with the next
    configuration, and stays as it is until it is written again.
    """
    from monitor.backtest.past import Past
    from monitor.cli.moments import time_ms
    from monitor.cli.output import configured, failures
    from monitor.cli.source import source
    from monitor.peers import measure

    configuration = configured(config, packs)[1]
    names = sorted(set(figures or _asked_for(configuration)))
    if not names:
        raise Failure('no rule asks for a peer figure\n  hint: name figures, or write peer("name", 0.99)')
    with source(data, config).reading() as db, failures(), _Bar() as bar:
        past = Past(db)
        at_ms = time_ms(at, "--at")
        found = measure(
            configuration, past, names, past.progress.stream_time_ms if at_ms is None else at_ms, bar.move
        )
    try:
        out.write_text(found.text(), encoding="utf-8")
    except OSError as error:
        raise Failure(f"{out}: cannot be written: {error.strerror}\n  hint: --out FILE") from None
    _tell(found, names, out)


def _asked_for(configuration: Configuration) -> set[str]:
    import orjson

    text = orjson.dumps([rule["content"] for rule in configuration.plain["rules"]]).decode()
    return set(_ASKED.findall(text.replace('\\"', '"')))


def _tell(found: Peers, names: list[str], out: Path) -> None:
    for name in names:
        groups = sum(row[0] == f'"{name}"' for row in found.rows)
        small = found.held_back[name]
        typer.echo(f"{name}: {found.customers[name]} customers, {groups} groups told, {small} too small")
    typer.echo(f"written to {out}")


class _Bar:
    """Shows on a terminal how far the replay is."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True)
        self._progress = Progress(console=console, disable=not console.is_terminal)
        self._task = self._progress.add_task("journal", total=None)

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def move(self, done: int, total: int) -> None:
        """Show how far it is, in journal rows."""
        self._progress.update(self._task, completed=done, total=total)
