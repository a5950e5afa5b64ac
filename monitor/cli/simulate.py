"""`riskmon simulate`: a deterministic bank into a file."""

from __future__ import annotations

import csv
import gzip
import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import IO, Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from monitor.cli.failure import Failure
from monitor.simulate import START, STORIES, ZONE, Label, Simulation

_FORMATS = (".jsonl", ".jsonl.gz")
_MOST_CUSTOMERS = 5_000_000


def simulate(
    out: Annotated[Path, typer.Option(help="File to write: .jsonl or .jsonl.gz.")],
    customers: Annotated[int, typer.Option(help="Number of customers.")] = 1000,
    days: Annotated[int, typer.Option(help="Number of days.")] = 30,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 1,
    start: Annotated[str, typer.Option(help="First day, YYYY-MM-DD.")] = START.isoformat(),
    stories: Annotated[str, typer.Option(help="Risk stories, comma-separated; `all` or `none`.")] = "all",
    labels: Annotated[Path | None, typer.Option(help="File for the labels of the stories, CSV.")] = None,
    zone: Annotated[str, typer.Option(help="IANA time zone of the bank.")] = ZONE,
) -> None:
    """Write the events of a made-up bank, and the risk stories among them, to a file.

    The same arguments write the same bytes. About 8 events a customer and day.
    """
    faults = [
        *_number_faults(customers, days),
        *_text_faults(start, stories, zone),
        *_path_faults(out, labels),
    ]
    if faults:
        raise Failure("\n".join(faults))
    simulation = Simulation(customers, days, seed, date.fromisoformat(start), zone, _names(stories))
    try:
        written = _write_events(simulation, out, days)
        if labels is not None:
            _write_labels(simulation.labels(), labels)
    except OSError as error:
        reason = error.strerror or str(error)
        raise Failure(f"{error.filename or out}: cannot be written: {reason}") from None
    typer.echo(f"{out}: {written:,} events, {len(simulation.labels()):,} labels", err=True)


def _number_faults(customers: int, days: int) -> Iterator[str]:
    if not 1 <= customers <= _MOST_CUSTOMERS:
        yield f"--customers: expected 1 to {_MOST_CUSTOMERS}, was {customers}"
    if days < 1:
        yield f"--days: expected at least 1, was {days}"


def _text_faults(start: str, stories: str, zone: str) -> Iterator[str]:
    try:
        date.fromisoformat(start)
    except ValueError:
        yield f"--start: expected a date YYYY-MM-DD, was {start!r}"
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield f"--zone: unknown zone {zone!r}\n  hint: write an IANA name, e.g. Europe/Berlin"
    for name in _names(stories):
        if name not in STORIES:
            close = get_close_matches(name, STORIES, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"write some of {', '.join(STORIES)}"
            yield f"--stories: unknown story {name!r}\n  hint: {hint}"


def _path_faults(out: Path, labels: Path | None) -> Iterator[str]:
    if not out.name.endswith(_FORMATS):
        yield f"--out: expected a name ending in {' or '.join(_FORMATS)}, was {out.name!r}"
    for option, path in (("--out", out), ("--labels", labels)):
        if path is None:
            continue
        if path.is_dir():
            yield f"{option}: {path} is a directory\n  hint: write the name of a file"
        elif not path.parent.is_dir():
            yield f"{option}: {path.parent} is no directory\n  hint: make it first"


def _names(stories: str) -> tuple[str, ...]:
    """Return the names of the stories asked for, each once, in the order of the table."""
    if stories == "all":
        return tuple(STORIES)
    if stories == "none":
        return ()
    asked = dict.fromkeys(name.strip().replace("-", "_") for name in stories.split(","))
    return tuple(name for name in STORIES if name in asked) + tuple(n for n in asked if n not in STORIES)


def _write_events(simulation: Simulation, out: Path, days: int) -> int:
    """Write all records; the file has its name only when it is whole."""
    part = out.with_name(out.name + ".part")
    written = 0
    try:
        with _opened(part, compress=out.suffix == ".gz") as file, _bar() as bar:
            task = bar.add_task("simulating", total=days)
            for day, _, record in simulation.placed():
                file.write(record + b"\n")
                written += 1
                if bar.tasks[0].completed != day:
                    bar.update(task, completed=day)
            bar.update(task, completed=days)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return written


@contextmanager
def _opened(path: Path, *, compress: bool) -> Iterator[IO[bytes]]:
    """Open a file for records; compressed, it carries neither its name nor the hour."""
    with path.open("wb", buffering=1 << 20) as raw:
        if not compress:
            yield raw
            return
        with (
            gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as packed,
            io.BufferedWriter(packed, 1 << 20) as buffered,
        ):
            yield buffered


def _bar() -> Progress:
    """Return a progress bar on stderr, silent where that is no terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("days"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())


def _write_labels(labels: Sequence[Label], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("event_id", "customer_id", "story", "role", "episode"))
        rows.writerows((one.event_id, one.customer_id, one.story, one.role, one.episode) for one in labels)
