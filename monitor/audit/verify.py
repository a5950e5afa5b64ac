"""Proving a database: whole, chained, and equal to what its journal gives when it is recomputed.

The rooms above hand in what they know (`Check`); this module runs the checks, survives what a
damaged file does to its reader, and names the table, the row and what differs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from monitor.audit.ledger import Entry
from monitor.audit.ledger import verify as verify_chain
from monitor.database import ERRORS, Database, streamed

FEW = 20
"""Findings told of one check; one flipped byte can make every later row differ."""

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in the database that is not as it should be."""

    table: str
    row: str
    """Its key; empty where the whole table is meant."""
    problem: str

    def __str__(self) -> str:
        """Return `table row: problem`."""
        return f"{self.table} {self.row}: {self.problem}" if self.row else f"{self.table}: {self.problem}"


@dataclass(frozen=True, slots=True)
class Check:
    """One question to the database."""

    name: str
    """What the progress bar says, and the table named where the file itself fails."""
    run: Callable[[Database], Iterable[Finding]]


def reading(db: sqlite3.Connection) -> sqlite3.Connection:
    """Make a connection read damaged text as it is, instead of failing on it; returns the connection."""
    db.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    return db


def verify(
    db: Database, checks: Sequence[Check], progress: Callable[[str], None] = lambda name: None
) -> list[Finding]:
    """Return everything the checks find, in their order; nothing where the database is proven.

    Parameters
    ----------
    db
        See `reading` for SQLite.
    progress
        Called with the name of every check before it runs.
    """
    found: list[Finding] = []
    for check in checks:
        progress(check.name)
        try:
            found += islice(check.run(db), FEW)
        except (*ERRORS, ValueError, TypeError, KeyError, OverflowError, LookupError) as error:
            found.append(Finding(check.name, "", f"cannot be read: {type(error).__name__}: {error}"))
    return found


def file_findings(db: Database) -> Iterator[Finding]:
    """Let SQLite check the file: pages, order of rows, indexes."""
    for (problem,) in db.execute("PRAGMA integrity_check(20)"):
        if problem != "ok":
            yield Finding("file", "", problem.replace("\n", " "))


def ledger_findings(db: Database) -> Iterator[Finding]:
    """Check the chain of the ledger."""
    rows = streamed(db, "SELECT seq, time_ms, kind, subject, body, hash FROM ledger ORDER BY seq")
    broken = verify_chain(Entry(*row) for row in rows)
    if broken:
        yield Finding("ledger", str(broken.seq), broken.reason)


def differences(
    table: str, columns: Sequence[str], stored: Iterable[Row], fresh: Iterable[Row]
) -> Iterator[Finding]:
    """Compare stored rows with recomputed ones.

    Parameters
    ----------
    columns
        Names; the first is the key.
    stored, fresh
        Rows in order of their key.

    Examples
    --------
    >>> stored, fresh = [("a", 1), ("c", 2)], [("a", 2), ("b", 5), ("c", 2)]
    >>> for finding in differences("alerts", ("id", "hits"), stored, fresh):
    ...     print(finding)
    alerts a: hits: expected 2, was 1
    alerts b: is missing
    """
    left, right = iter(stored), iter(fresh)
    one, other = next(left, None), next(right, None)
    while one is not None or other is not None:
        if other is None or (one is not None and _order(one[0]) < _order(other[0])):
            assert one is not None
            yield Finding(table, _shown(one[0]), "does not follow from the journal")
            one = next(left, None)
        elif one is None or _order(other[0]) < _order(one[0]):
            yield Finding(table, _shown(other[0]), "is missing")
            other = next(right, None)
        else:
            yield from _columns(table, columns, one, other)
            one, other = next(left, None), next(right, None)


def unequal(table: str, row: str, expected: Mapping[str, Any], was: Mapping[str, Any]) -> Iterator[Finding]:
    """Compare named values of one row."""
    for name, value in expected.items():
        if was.get(name) != value:
            yield Finding(table, row, f"{name}: expected {_shown(value)}, was {_shown(was.get(name))}")


def _columns(table: str, columns: Sequence[str], one: Row, other: Row) -> Iterator[Finding]:
    if one != other:
        expected, was = (dict(zip(columns, row, strict=True)) for row in (other, one))
        yield from unequal(table, _shown(one[0]), expected, was)


def _order(key: Any) -> tuple[str, Any]:
    # A damaged key may have another type than its neighbours.
    return type(key).__name__, key


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, bytes) else str(value)
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= 80 else f"{text[:77]}..."
