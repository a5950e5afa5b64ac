"""Recorded files as rows: JSON lines, CSV and Parquet, plain or gzipped, read as they are needed."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any, cast

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

SUFFIXES = (".jsonl", ".jsonl.gz", ".csv", ".csv.gz", ".parquet")
_BATCH = 8_192
_CHUNK = 1 << 20
_SAMPLE_DELIMITERS = (",", ";", "\t", "|")


class SourceError(Exception):
    """A file that cannot be read (any further); the message names it and says what to do."""

    def __init__(self, path: Path, problem: str, hint: str) -> None:
        super().__init__(path, problem, hint)  # so that it can be sent to another process
        self.path = path

    def __str__(self) -> str:
        """Return `path: problem` and the hint."""
        path, problem, hint = self.args
        return f"{path}: {problem}\n  hint: {hint}"


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot even be read; its neighbours can."""

    raw: bytes
    problem: str


Row = dict[str, Any] | bytes | BadRow
"""Columns by name; or the bytes of one JSON line."""


def check_file(path: Path) -> str:
    """Return the suffix that says how to read a file.

    Raises
    ------
    SourceError
        For a file that is not there, no file, or of another suffix.
    """
    suffix = next((one for one in SUFFIXES if path.name.endswith(one)), None)
    if suffix is None:
        raise SourceError(path, "has no known suffix", f"expected one of {', '.join(SUFFIXES)}")
    if not path.exists():
        raise SourceError(path, "is not there", "check the path")
    if not path.is_file():
        raise SourceError(path, "is no file", "name the files one by one")
    return suffix


def rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a file in its order, reading as it goes.

    Empty cells of a CSV are None. Timestamps of a Parquet file become RFC 3339 text. Blank lines of JSON
    lines are passed over.

    Raises
    ------
    SourceError
        Where the file is missing or broken; rows before the broken place have been given.
    """
    suffix = check_file(path)
    with _told(path):
        if suffix == ".parquet":
            yield from _parquet(path)
        elif suffix.startswith(".csv"):
            yield from _csv(path)
        else:
            yield from _lines(path)


def count_rows(path: Path) -> int:
    """Return the number of rows, reading no more than needed; of a CSV: of lines below the header."""
    suffix = check_file(path)
    with _told(path):
        if suffix == ".parquet":
            with pq.ParquetFile(path) as file:
                return int(file.metadata.num_rows)
        lines, last = 0, b"\n"
        with _binary(path) as stream:
            while chunk := stream.read(_CHUNK):
                lines += chunk.count(b"\n")
                last = chunk
    lines += not last.endswith(b"\n")
    return max(lines - 1, 0) if suffix.startswith(".csv") else lines


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what libraries raise into one sentence with the file's name."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        hint = "fetch it again; check with `gzip -t`"
        raise SourceError(path, f"is no complete gzip file: {error}", hint) from error
    except pa.ArrowException as error:
        raise SourceError(path, f"is no complete Parquet file: {error}", "fetch or write it again") from error
    except OSError as error:
        raise SourceError(
            path, f"cannot be read: {error.strerror or error}", "check its permissions"
        ) from error


def _binary(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path, "rb")) if path.name.endswith(".gz") else path.open("rb")


def _lines(path: Path) -> Iterator[Row]:
    with _binary(path) as stream:
        for line in stream:
            record = line.strip()
            if record:
                yield record


def _csv(path: Path) -> Iterator[Row]:
    with _binary(path) as stream:
        # A byte that is no UTF-8 spoils its own row only: that is found when the row is written as JSON.
        text = TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
        first = text.readline()
        delimiter = max(_SAMPLE_DELIMITERS, key=first.count)
        header = next(csv.reader([first], delimiter=delimiter), [])
        if not header:
            return
        reader = csv.reader(text, delimiter=delimiter)
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield BadRow(b"", f"is no CSV row: {error}")
                continue
            if cells:
                yield _named(header, cells)


def _named(header: list[str], cells: list[str]) -> Row:
    if len(cells) != len(header):
        raw = orjson.dumps([cell.encode("utf-8", "replace").decode() for cell in cells])
        return BadRow(raw, f"has {len(cells)} cells, expected {len(header)}")
    return {name: cell or None for name, cell in zip(header, cells, strict=True)}


def _parquet(path: Path) -> Iterator[Row]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_BATCH):
            names = batch.schema.names
            columns = [_readable(column) for column in batch.columns]
            for values in zip(*columns, strict=True):
                yield dict(zip(names, values, strict=True))


def _readable(column: Any) -> list[Any]:
    """Return a column as Python values; times become text in Arrow, ten times as fast as one by one."""
    if not pa.types.is_timestamp(column.type):
        return cast("list[Any]", column.to_pylist())
    form = "%Y-%m-%dT%H:%M:%SZ" if column.type.tz is not None else "%Y-%m-%dT%H:%M:%S"
    return cast("list[Any]", pc.strftime(_coarsest(column), format=form).to_pylist())


def _coarsest(column: Any) -> Any:
    """Return timestamps in the coarsest unit that loses nothing, so that their text stays short."""
    for unit in ("s", "ms", "us"):
        try:
            return column.cast(pa.timestamp(unit))
        except pa.ArrowInvalid:
            continue
    return column
