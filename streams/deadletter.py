"""Records that are no events: kept with every fault until somebody sends them again or throws them away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from monitor.database import Database
from streams.faults import Fault, Rejection

SCHEMA = """
CREATE TABLE IF NOT EXISTS dead_letters (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  received_ms INTEGER NOT NULL,
  source TEXT NOT NULL,
  reason TEXT NOT NULL,
  event_id TEXT,
  faults TEXT NOT NULL,
  record BLOB NOT NULL,
  status TEXT NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'redriven', 'discarded'))
);
CREATE INDEX IF NOT EXISTS dead_letters_by_status ON dead_letters (status, reason);
"""
STATUSES = ("waiting", "redriven", "discarded")
_COLUMNS = "id, received_ms, source, reason, event_id, faults, record, status"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One record that could not become an event."""

    id: int
    received_ms: int
    """Wall clock at arrival, 0 for a recording."""
    source: str
    """Where it came from: `http`, a file and row, ..."""
    reason: str
    """One of `streams.faults.REASONS`."""
    event_id: str | None
    """The id the record claims, where one could be read."""
    faults: tuple[Fault, ...]
    record: bytes
    """As received; of a mapped file, the row as JSON."""
    status: str
    """`waiting`, `redriven` or `discarded`."""


class DeadLetters:
    """The dead letters of a database.

    `add` and `mark` write inside the caller's transaction: a letter is there if and only if the
    batch it came with is.

    Parameters
    ----------
    db
        A connection with `SCHEMA` in place; for `add` and `mark` one that may write.

    Examples
    --------
    >>> import sqlite3
    >>> db = sqlite3.connect(":memory:")
    >>> _ = db.executescript(SCHEMA)
    >>> letters = DeadLetters(db)
    >>> letters.add(b"x", Rejection(b"x", "malformed", (Fault("$", "is no JSON"),)), "http", 5)
    1
    >>> letters.counts(), letters.mark([1, 1, 2], "redriven"), letters.counts()
    ({'malformed': 1}, 1, {})
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, record: bytes, rejection: Rejection, source: str, received_ms: int) -> int:
        """Keep a record with the reasons; return the letter's id. The same record again is a new letter."""
        # Letters are never taken out, so the number after the largest is new, in either database.
        row = self._db.execute(
            "INSERT INTO dead_letters (id, received_ms, source, reason, event_id, faults, record)"
            " VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM dead_letters), ?, ?, ?, ?, ?, ?) RETURNING id",
            (
                received_ms,
                _clean(source),
                rejection.reason,
                None if rejection.event_id is None else _clean(rejection.event_id),
                _encoded(rejection.faults),
                record,
            ),
        ).fetchone()
        return int(row[0])

    def select(
        self,
        *,
        ids: Sequence[int] | None = None,
        reason: str | None = None,
        status: str | None = "waiting",
        limit: int = 50,
    ) -> list[DeadLetter]:
        """Return letters, newest first; None as reason or status means any."""
        asked = {"reason = ?": reason, "status = ?": status}
        wanted = {condition: value for condition, value in asked.items() if value is not None}
        rows = []
        for lot in [()] if ids is None else _lots(ids):
            among = [_among(lot)] if lot else []
            where = f"WHERE {' AND '.join([*wanted, *among])}" if wanted or among else ""
            query = f"SELECT {_COLUMNS} FROM dead_letters {where} ORDER BY id DESC LIMIT ?"  # noqa: S608 - constants
            rows += self._db.execute(query, (*wanted.values(), *lot, limit)).fetchall()
        rows.sort(reverse=True)
        return [_letter(row) for row in rows[:limit]]

    def get(self, letter_id: int) -> DeadLetter | None:
        """Return one letter whatever its status, or None."""
        found = self.select(ids=[letter_id], status=None)
        return found[0] if found else None

    def counts(self, status: str = "waiting") -> dict[str, int]:
        """Return the number of letters by reason."""
        rows = self._db.execute(
            "SELECT reason, count(*) FROM dead_letters WHERE status = ? GROUP BY reason ORDER BY reason",
            (status,),
        )
        return {str(reason): int(number) for reason, number in rows}

    def mark(self, ids: Iterable[int], status: str) -> int:
        """Set the status of waiting letters; return how many changed. What is not waiting stays as it is."""
        query = "UPDATE dead_letters SET status = ? WHERE status = 'waiting' AND {}".format
        return sum(self._db.execute(query(_among(lot)), (status, *lot)).rowcount for lot in _lots(ids))


def _lots(ids: Iterable[int]) -> Iterator[tuple[int, ...]]:
    # A statement takes only so many values.
    remaining = iter(sorted(set(ids)))
    while lot := tuple(islice(remaining, 500)):
        yield lot


def _among(ids: Sequence[int]) -> str:
    return f"id IN ({', '.join('?' * len(ids))})"


def _letter(row: Sequence[Any]) -> DeadLetter:
    names = ("id", "received_ms", "source", "reason", "event_id", "faults", "record", "status")
    plain = dict(zip(names, row, strict=True))
    plain["faults"] = tuple(Fault(*fault) for fault in orjson.loads(plain["faults"]))
    return DeadLetter(**plain)


def _encoded(faults: Iterable[Fault]) -> str:
    plain = [[_clean(fault.path), _clean(fault.problem), _clean(fault.hint)] for fault in faults]
    return orjson.dumps(plain).decode()


def _clean(text: str) -> str:
    """Return a text that every database takes: what the sender wrote may hold NUL or half a character."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
