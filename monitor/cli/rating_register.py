"""`riskmon rating list` and `export`: everybody's grade, now or as it stood at a moment."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, astuple
from pathlib import Path
from typing import IO, Annotated

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from monitor.cli.failure import Failure
from monitor.cli.moments import At, time_ms
from monitor.cli.output import read_settings, show_json
from monitor.cli.source import Config, Data, source
from monitor.register import COLUMNS, LATEST_MS, Line, register, size

FORMATS = ("csv", "jsonl")


def list_ratings(
    grade: Annotated[str, typer.Option(help="comma-separated, e.g. 10,11; default: all")] = "",
    at: At = "",
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="how many lines")] = 50,
    data: Data = None,
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
) -> None:
    """List customers with their grades, and how many have each."""
    wanted, shown, counts = _grades(grade), list[Line](), Counter[int]()
    with _register(data, config, at) as lines:
        for line in lines:
            counts[line.grade] += 1
            if len(shown) < limit and (not wanted or line.grade in wanted):
                shown.append(line)
    if as_json:
        show_json(
            {"customers": counts.total(), "grades": dict(counts), "items": [asdict(one) for one in shown]}
        )
        return
    for line in shown:
        typer.echo(f"{line.grade}  {line.date}  {line.customer}  {line.basis}")
    typer.echo(_totals(counts))


def export(
    out: Annotated[str, typer.Argument(help="file to write; - for standard output")],
    kind: Annotated[
        str, typer.Option("--format", help="csv or jsonl; default: by the name of the file")
    ] = "",
    at: At = "",
    data: Data = None,
    config: Config = None,
) -> None:
    """Write the rating register: customer, grade, first, basis, date; one line a customer, by customer."""
    chosen = kind or ("jsonl" if out.endswith((".jsonl", ".ndjson")) else "csv")
    if chosen not in FORMATS:
        raise Failure(f"--format: expected {' or '.join(FORMATS)}, was {kind!r}")
    counts = Counter[int]()
    with _register(data, config, at) as lines, _written(out) as file:
        write = _WRITERS[chosen](file)
        for line in lines:
            counts[line.grade] += 1
            write(line)
    typer.echo(f"{'standard output' if out == '-' else out}: {_totals(counts)}", err=True)


@contextmanager
def _register(data: Path | None, config: Path | None, at: str) -> Iterator[Iterator[Line]]:
    """Give the register with a progress bar on the terminal; nothing where nobody looks."""
    moment = time_ms(at)
    at_ms = LATEST_MS if moment is None else moment
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    zone = read_settings(config).institution.zone
    with (
        source(data, config).reading() as db,
        Progress(*columns, console=console, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task("ratings", total=size(db, at_ms))
        yield register(db, zone, at_ms, lambda rows: progress.advance(task, rows))


@contextmanager
def _written(out: str) -> Iterator[IO[str]]:
    """Give the file to write; one that could not be finished leaves what was there before."""
    if out == "-":
        yield sys.stdout
        return
    path, part = Path(out), Path(f"{out}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
        part.replace(path)
    except OSError as error:
        raise Failure(
            f"{out}: cannot be written: {error.strerror}\n  hint: name a folder that is yours"
        ) from None
    finally:
        part.unlink(missing_ok=True)


def _csv(file: IO[str]) -> Callable[[Line], object]:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    return lambda line: writer.writerow(astuple(line))


def _jsonl(file: IO[str]) -> Callable[[Line], object]:
    return lambda line: file.write(orjson.dumps(asdict(line)).decode() + "\n")


_WRITERS: dict[str, Callable[[IO[str]], Callable[[Line], object]]] = {"csv": _csv, "jsonl": _jsonl}


def _grades(text: str) -> set[int]:
    try:
        return {int(part) for part in text.split(",") if part.strip()}
    except ValueError:
        raise Failure(f"--grade: expected numbers such as 10,11, was {text!r}") from None


def _totals(counts: Counter[int]) -> str:
    each = ", ".join(f"{grade}: {counts[grade]:,}" for grade in sorted(counts))
    return f"{counts.total():,} customers{f' ({each})' if each else ''}"
