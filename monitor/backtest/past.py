"""The journal as a back-test reads it: in order, beside a running service, from either database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from monitor.database import Database
from streams.ports import JournalRow
from streams.progress import progress_of
from streams.scoring import Parts, name_at, parts_of
from streams.stores.index import find
from streams.stores.reading import artifact

_CHUNK = 2_000
_TIMED = 1_000
"""Rows at the beginning among which the oldest event is looked for: the journal is in order of arrival."""


class Past:
    """Reads a journal and what belonged to it.

    Rows are read a chunk at a time, each by a query of its own: a long transaction would keep a running
    service from tidying up. The journal only grows, so the rows up to a position are always the same.

    Parameters
    ----------
    db
        A reader's connection, which nobody else uses meanwhile.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self.progress = progress_of(db)

    def rows(self, last: int, first: int = 1) -> Iterator[JournalRow]:
        """Give the rows from one position to another, in order, without their answers."""
        query = (
            "SELECT seq, ref, received_ms, facts, body FROM journal WHERE seq >= ? AND seq <= ?"
            " ORDER BY seq LIMIT ?"
        )
        while chunk := self._db.execute(query, (first, last, _CHUNK)).fetchall():
            for seq, ref, received_ms, facts, body in chunk:
                yield JournalRow(seq, ref, received_ms, b"", facts, None, body)
            first = chunk[-1][0] + 1

    def scoring(self, seq: int) -> str:
        """Return the name of the versions of models that scored the event at a position."""
        return name_at(self.progress, seq)

    def parts(self, name: str) -> Parts:
        """Return the versions that a name stands for."""
        return parts_of(name, lambda kind, digest: artifact(self._db, kind, digest))

    def body(self, ref: int, before: int) -> bytes | None:
        """Return the record of an event that was journaled before a position, or None."""
        db = self._db
        name, value = ("seq", find(db, ref)) if isinstance(db, sqlite3.Connection) else ("ref", ref)
        query = f"SELECT seq, body FROM journal WHERE {name} = ?"  # noqa: S608 (one of two names)
        found = db.execute(query, (value,)).fetchone()
        return bytes(found[1]) if found is not None and found[0] < before else None

    def span(self) -> tuple[int, int]:
        """Return when the oldest event happened, and the newest; (0, 0) where there are none."""
        times = [moment(row.body) for row in self.rows(min(_TIMED, self.progress.head))]
        return min(times, default=0), self.progress.stream_time_ms


class _Head(msgspec.Struct):
    occurred_at: Any


_heads = msgspec.json.Decoder(_Head)


def moment(body: bytes) -> int:
    """Return when the event of a record happened, epoch milliseconds.

    Examples
    --------
    >>> moment(b'{"event_id": "e1", "occurred_at": "1970-01-01T00:00:01.500Z"}')
    1500
    """
    return round(datetime.fromisoformat(_heads.decode(body).occurred_at).timestamp() * 1000)
