"""Several recorded files as one stream, merged by event time; the same files give the same stream."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from heapq import heappop, heappush, merge
from itertools import count, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import orjson

from rules.vocabulary import Vocabulary
from streams.codec import encode
from streams.faults import Fault, Rejection
from streams.mapping import Mapping, row_bytes
from streams.mapping_shapes import ROW_NUMBER
from streams.mapping_values import CONVERTERS, Unmappable
from streams.ports import Record
from streams.sources.files import BadRow, Row, check_file, count_rows, rows

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_OCCURRED = re.compile(rb'"occurred_at"\s*:\s*"([^"]{10,40})"')
_BEGINNING = -(1 << 62)

Item = tuple[int, bytes, Rejection | None, int]
"""Sort time, record, rejection, row number (from 1)."""


class MergedFiles:
    """Records of several files by event time; ties by the order of the files, then of their rows.

    A file is taken in its own order: a row older than the one before it does not move back, and is
    told of in `unsorted`. Further events of a row (a mapping may make several) wait for their own
    time. A row that cannot be read or mapped comes out in its place, as a record with a rejection.

    Parameters
    ----------
    paths
        `.jsonl`, `.csv` (both also `.gz`) and `.parquet`.
    vocabulary
        For rows without a mapping: which fields are numbers and truths.
    mapping
        Without it rows are events already: columns are fields, dotted names nested objects.

    Raises
    ------
    SourceError
        At once for a file that is missing or of an unknown suffix; later for one that breaks off.
    """

    def __init__(self, paths: Sequence[Path], vocabulary: Vocabulary, mapping: Mapping | None = None) -> None:
        for path in paths:
            check_file(path)
        self._paths = tuple(paths)
        self._vocabulary = vocabulary
        self._mapping = mapping
        self.name = " ".join([*(path.name for path in paths), *([f"({mapping.name})"] if mapping else [])])
        """What it is: the same name goes on where it stopped."""
        self.unsorted: dict[str, int] = {}
        """File name to the first row that is older than a row before it, as far as was read."""

    @cached_property
    def total(self) -> int:
        """Rows of all files: for a progress bar (a mapping may make more or fewer records of them)."""
        return sum(count_rows(path) for path in self._paths)

    def records(self, position: Any = None) -> Iterable[Record]:
        """Give the records after a position (that of a record, or None for all).

        The position is the number of records given so far; to go on, that many are made again and
        thrown away, which takes a few microseconds each.
        """
        done = int(position or 0)
        return self._numbered(islice(self._merged(), done, None), done)

    def _numbered(self, items: Iterable[tuple[int, int, Item]], done: int) -> Iterator[Record]:
        names = [path.name for path in self._paths]
        for number, (_, file, (_, body, rejection, row)) in enumerate(items, done + 1):
            yield Record(body, f"{names[file]}:{row}", 0, number, rejection)

    def _merged(self) -> Iterator[tuple[int, int, Item]]:
        streams = [self._keyed(file, path) for file, path in enumerate(self._paths)]
        return merge(*streams, key=itemgetter(0)) if len(streams) > 1 else streams[0]

    def _keyed(self, file: int, path: Path) -> Iterator[tuple[int, int, Item]]:
        for item in self._ordered(path):
            yield item[0], file, item

    def _ordered(self, path: Path) -> Iterator[Item]:
        """Yield the records of one file with times that never go back."""
        read = _Reader(self._vocabulary, self._mapping, timed=len(self._paths) > 1)
        latest = _BEGINNING
        waiting: list[tuple[int, int, Item]] = []
        serial = count()
        for number, row in enumerate(rows(path), 1):
            found = read(row, number)
            if isinstance(found, Rejection):
                yield latest, found.record, found, number
                continue
            for place, (own_ms, body) in enumerate(found):
                time_ms = latest if own_ms is None else own_ms
                if place and time_ms > latest:
                    heappush(waiting, (time_ms, next(serial), (time_ms, body, None, number)))
                    continue
                if time_ms < latest and not place:
                    self.unsorted.setdefault(path.name, number)
                latest = max(latest, time_ms)
                while waiting and waiting[0][0] <= latest:
                    yield heappop(waiting)[2]
                yield latest, body, None, number
        while waiting:
            yield heappop(waiting)[2]


class _Reader:
    """Rows to records with their times; a time that is not known (or not needed) is None."""

    def __init__(self, vocabulary: Vocabulary, mapping: Mapping | None, *, timed: bool) -> None:
        self._fields = vocabulary.fields
        self._convert = mapping.compile_timed() if mapping is not None else None
        self._timed = timed

    def __call__(self, row: Row, number: int) -> Sequence[tuple[int | None, bytes]] | Rejection:
        """Return the records of a row, or why there are none."""
        if isinstance(row, BadRow):
            return Rejection(row.raw, "malformed", (Fault("$", row.problem),))
        if isinstance(row, bytes):
            if self._convert is None:
                return [(_time_of(row) if self._timed else None, row)]
            return self._json(row, number)
        try:
            return self._native(row) if self._convert is None else self._mapped(row, number)
        except TypeError as error:  # text that is no UTF-8
            return Rejection(row_bytes(row), "malformed", (Fault("$", f"row {number}: {error}"),))

    def _json(self, line: bytes, number: int) -> Sequence[tuple[int | None, bytes]] | Rejection:
        try:
            row = orjson.loads(line)
        except ValueError as error:
            return Rejection(line, "malformed", (Fault("$", f"is no JSON: {error}"),))
        if not isinstance(row, dict):
            return Rejection(
                line, "malformed", (Fault("$", f"expected an object, was {type(row).__name__}"),)
            )
        return self._mapped(row, number)

    def _mapped(self, row: dict[str, Any], number: int) -> Sequence[tuple[int | None, bytes]] | Rejection:
        assert self._convert is not None
        row[ROW_NUMBER] = number
        found = self._convert(row)
        if isinstance(found, Fault):
            return Rejection(row_bytes(row), "unmappable", (found,))
        return [(time_ms, orjson.dumps(record)) for time_ms, record in found]

    def _native(self, row: dict[str, Any]) -> Sequence[tuple[int | None, bytes]]:
        record: dict[str, Any] = {}
        for name, value in row.items():
            if value is not None:
                outer, dot, inner = name.partition(".")
                put = self._typed(name, value)
                (record.setdefault(outer, {}) if dot else record)[inner or outer] = put
        body = encode(record)
        return [(_time_of(body) if self._timed else None, body)]

    def _typed(self, name: str, value: Any) -> Any:
        """Return a CSV cell as its field wants it; what does not fit is left for the codec to tell."""
        known = self._fields.get(name)
        convert = _CELLS.get(known.type) if known is not None and isinstance(value, str) else None
        if convert is None:
            return value
        try:
            return convert(value)
        except Unmappable:
            return value


_CELLS: dict[str, Callable[[str], Any]] = {
    name: CONVERTERS[name]("cell") for name in ("count", "bool", "number")
}


def _time_of(record: bytes) -> int | None:
    """Return the event time written in a record, None where there is none to be read."""
    match = _OCCURRED.search(record)
    try:
        found = datetime.fromisoformat(match[1].decode()) if match is not None else None
    except ValueError:
        return None
    if found is None or found.tzinfo is None:
        return None
    return (found - _EPOCH) // _MILLISECOND
