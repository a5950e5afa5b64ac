"""Records that are no events: kept with every fault until somebody sends them again or throws them away."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

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
    >>> db = sqlite3.connect(":memory:")
    >>> _ = db.executescript(SCHEMA)
    >>> letters = DeadLetters(db)
    >>> letters.add(b"x", Rejection(b"x", "malformed", (Fault("$", "is no JSON"),)), "http", 5)
    1
    >>> letters.counts(), letters.mark([1, 1, 2], "redriven"), letters.counts()
    ({'malformed': 1}, 1, {})
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add(self, record: bytes, rejection: Rejection, source: str, received_ms: int) -> int:
        """Keep a record with the reasons; return the letter's id. The same record again is a new letter."""
        cursor = self._db.execute(
            "INSERT INTO dead_letters (received_ms, source, reason, event_id, faults, record)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                received_ms,
                _clean(source),
                rejection.reason,
                None if rejection.event_id is None else _clean(rejection.event_id),
                _encoded(rejection.faults),
                record,
            ),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def select(
        self,
        *,
        ids: Sequence[int] | None = None,
        reason: str | None = None,
        status: str | None = "waiting",
        limit: int = 50,
    ) -> list[DeadLetter]:
        """Return letters, newest first; None as reason or status means any."""
        wanted = orjson.dumps(list(ids)).decode() if ids is not None else None
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM dead_letters"  # noqa: S608 - a constant
            " WHERE (?1 IS NULL OR id IN (SELECT value FROM json_each(?1)))"
            " AND (?2 IS NULL OR reason = ?2) AND (?3 IS NULL OR status = ?3)"
            " ORDER BY id DESC LIMIT ?4",
            (wanted, reason, status, limit),
        )
        return [_letter(row) for row in rows]

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
        wanted = orjson.dumps(sorted(set(ids))).decode()
        return self._db.execute(
            "UPDATE dead_letters SET status = ?"
            " WHERE status = 'waiting' AND id IN (SELECT value FROM json_each(?))",
            (status, wanted),
        ).rowcount


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
