"""`riskmon rules backtest`: the past under other rules, compared with the past."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.failure import Failure
from monitor.cli.rules_diff import Config, Data

if TYPE_CHECKING:
    from rich.console import Console

    from monitor.backtest.job import Origin, Period
    from monitor.candidates import Known
    from monitor.cli.source import Source
    from monitor.configuration import Configuration
    from monitor.database import Database

_DAYS = re.compile(r"([1-9][0-9]{0,4})d")
From = Annotated[str, typer.Option("--from", help="Beginning, RFC 3339; default: 30 days before the end.")]
To = Annotated[str, typer.Option("--to", help="End, RFC 3339; default: the last event.")]
WarmUp = Annotated[str, typer.Option(help="How much is replayed before it, e.g. 400d; default: everything.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Names = list[str] | None


def backtest(
    from_: From = "",
    to: To = "",
    candidate: Annotated[
        Names, typer.Option(help="Its whole rulebook: packs, folders or a hash; repeatable.")
    ] = None,
    with_: Annotated[
        list[Path] | None, typer.Option("--with", help="Folder of rules added, or put in place; repeatable.")
    ] = None,
    without: Annotated[Names, typer.Option(help="Rule left out; repeatable.")] = None,
    baseline: Annotated[
        Names, typer.Option(help="What it is compared with; default: what is in force at the end.")
    ] = None,
    warm_up: WarmUp = "",
    officers: Annotated[
        int | None, typer.Option(min=1, help="Officers who share the alerts; default: those of the settings.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with plots.")] = None,
    as_json: AsJson = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Replay the journal by two rulebooks and tell what a change would have done.

    Without a candidate, the rules in force are told alone: what each adds, what overlaps, what is silent.
    It works beside a running service and writes nothing but what it is asked to.
    """
    from monitor.backtest.bench import Request
    from monitor.backtest.bench import backtest as compare
    from monitor.backtest.processes import RunFailedError
    from monitor.candidates import Known
    from monitor.cli.output import failures, show_json
    from monitor.cli.source import source

    where = source(data, config)
    with where.reading() as db:
        with failures():
            known = Known.of(db)
            old = known.chosen(baseline or ["in-force"])
            new = _candidate(known, old, candidate, with_, without)
        request = Request(
            origin=origin(where),
            period=period(db, from_, to, warm_up),
            baseline=old,
            candidate=new,
            officers=officers or count_officers(config),
        )
        try:
            with failures(), Pace(request.period) as pace:
                found = compare(db, request, pace.move)
        except (RunFailedError, ValueError) as error:
            raise Failure(str(error)) from None
    if html is not None:
        write_page(html, found)
    if as_json:
        show_json(found)
    else:
        _print(found)
    pace.tell()


def period(db: Database, from_: str, to: str, warm_up: str) -> Period:
    """Return the period that is meant.

    Raises
    ------
    Failure
        It is none, or holds nothing of the journal.
    """
    from monitor.backtest.past import Past
    from monitor.backtest.run import period_of
    from monitor.cli.moments import moment, time_ms

    length = _DAYS.fullmatch(warm_up)
    if warm_up and not length:
        raise Failure(f"--warm-up: expected days, was {warm_up!r}\n  hint: write 90d")
    past = Past(db)
    warm_up_ms = int(length[1]) * 86_400_000 if length else None
    found = period_of(past, time_ms(from_, "--from"), time_ms(to, "--to"), warm_up_ms)
    first, last = past.span()
    if not first <= found.to_ms or found.from_ms > last or found.from_ms >= found.to_ms:
        ends = f"{moment(first)} to {moment(last)}"
        raise Failure(f"the period holds nothing of the journal\n  hint: the journal goes from {ends}")
    return found


def origin(where: Source) -> Origin:
    """Return where runs read the journal."""
    from monitor.backtest.job import Origin

    return Origin(where.folder, where.url)


def count_officers(config: Path | None) -> int:
    """Return how many users have the role of an officer, at least one."""
    from monitor.cli.output import read_settings

    users = read_settings(config).http.users
    return max(1, sum("officer" in user.roles for user in users))


def write_page(path: Path, found: dict[str, Any]) -> None:
    """Write the page of a report, or fail."""
    from monitor.backtest.page import page

    try:
        path.write_text(page(found), encoding="utf-8")
    except OSError as error:
        raise Failure(
            f"{path}: cannot be written: {error.strerror}\n  hint: name a file in a folder that is yours"
        ) from None


class Pace:
    """Shows on a terminal how far runs are, and tells at the end how fast they were."""

    def __init__(self, period: Period) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._period = period
        self._console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=self._console, disable=not self._console.is_terminal)
        self._tasks: dict[str, Any] = {}
        self._seconds = 0.0

    def __enter__(self) -> Pace:
        from time import perf_counter

        self._started = perf_counter()
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        from time import perf_counter

        self._seconds = perf_counter() - self._started
        self._progress.stop()

    def move(self, name: str, done: int, total: int) -> None:
        """Show how far a run is."""
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total)
        self._progress.update(self._tasks[name], completed=done)

    def tell(self) -> None:
        """Say how fast it was, on standard error: the report itself is the same every time."""
        days, seconds = self._period.days, self._seconds
        rate = days * 86_400 / seconds if seconds else 0.0
        said = f"{days:,.1f} days in {seconds:,.1f} s: {rate:,.0f} x real time"
        self._console.print(said, highlight=False, markup=False)


def _candidate(
    known: Known, old: Configuration, names: Names, folders: list[Path] | None, without_rules: Names
) -> Configuration | None:
    from monitor.candidates import overlaid, without

    if not (names or folders or without_rules):
        return None
    found = known.chosen(names) if names else old
    for folder in folders or ():
        if not folder.is_dir():
            raise Failure(f"--with: {folder}: no such folder\n  hint: name a folder of rules")
    if folders:
        found = overlaid(found, folders)
    return without(found, without_rules) if without_rules else found


def wide_console() -> Console:
    """Return standard output for tables: as wide as the terminal, or wide where it is a file."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=200)


def _print(found: dict[str, Any]) -> None:
    from monitor.backtest.table import show

    show(found, wide_console())
