"""The rating register: one line a customer, in the terms of the authority's data format."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson

from monitor.database import Database

COLUMNS: Final = ("customer", "grade", "first", "basis", "date")
FIRST: Final = "11"
LATER: Final = "12"
PREFIX: Final = "customer:"
LATEST_MS: Final = 2**62
_ROWS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Line:
    """A customer's grade as it stood at the moment asked for."""

    customer: str
    grade: int
    """10 high, 11 medium-high, 12 medium, 13 medium-low, 14 low."""
    first: str
    """11: the customer's first rating; 12: a later one."""
    basis: str
    """The scoring standard with its points, or the reason of a grade that was given directly."""
    date: str
    """When the grade was given, a date of the institution's calendar."""


def register(
    db: Database,
    zone: str,
    at_ms: int = LATEST_MS,
    moved: Callable[[int], None] = lambda rows: None,
) -> Iterator[Line]:
    """Give the register as it stood at a moment, by customer.

    It is read from the ledger, a page at a time: what it says is what was decided.

    Parameters
    ----------
    zone
        IANA name; dates are of this calendar.
    moved
        Called with the number of entries read since the last call.
    """
    calendar = ZoneInfo(zone)
    last: tuple[str, int, bytes] | None = None
    for subject, time_ms, body in _entries(db, at_ms, moved):
        if last is not None and last[0] != subject:
            yield _line(*last, calendar)
        last = subject, time_ms, body
    if last is not None:
        yield _line(*last, calendar)


def size(db: Database, at_ms: int = LATEST_MS) -> int:
    """Return how many entries a register is made from."""
    query = "SELECT COUNT(*) FROM ledger WHERE kind = 'rating' AND time_ms <= ?"
    row = db.execute(query, (at_ms,)).fetchone()
    return int(row[0]) if row else 0


def basis(change: dict[str, Any]) -> str:
    """Return what a grade rests on, from its ledger entry.

    Examples
    --------
    >>> parts = [{"name": "profile", "kind": "inherent", "points": 7.5, "dimension": None}]
    >>> basis({"score": 7.5, "parts": parts, "reason": "first", "parameters": "1 noisy_or"})
    'score 7.50 = profile 7.50; parameters 1 noisy_or'
    >>> floor = {"name": "listed_party", "kind": "floor", "points": 72.5, "dimension": None}
    >>> basis({"score": 80.0, "parts": [*parts, floor], "limits": ["listed_party"]})
    'given directly: listed_party; score 80.00 = profile 7.50 + listed_party 72.50'
    """
    direct = [
        part["name"] for part in change["parts"] if part["kind"] == "floor" and not part.get("dimension")
    ]
    sum_of = " + ".join(f"{part['name']} {part['points']:.2f}" for part in change["parts"])
    lines = [f"given directly: {', '.join(direct)}"] if direct else []
    lines.append(f"score {change['score']:.2f} = {sum_of}".replace("+ -", "- "))
    if change.get("reason") == "officer":
        lines.append("after a decision of an officer")
    if change.get("parameters"):
        lines.append(f"parameters {change['parameters']}")
    return "; ".join(lines)


def _line(subject: str, time_ms: int, body: bytes, zone: ZoneInfo) -> Line:
    change = orjson.loads(body)
    day = datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(zone).date().isoformat()
    first = FIRST if change["previous_grade"] is None else LATER
    return Line(subject.removeprefix(PREFIX), change["grade"], first, basis(change), day)


def _entries(db: Database, at_ms: int, moved: Callable[[int], None]) -> Iterator[tuple[str, int, bytes]]:
    query = (
        "SELECT subject, time_ms, seq, body FROM ledger WHERE kind = 'rating' AND time_ms <= ?"
        " AND (subject, time_ms, seq) > (?, ?, ?) ORDER BY subject, time_ms, seq LIMIT ?"
    )
    after: tuple[str, int, int] = ("", 0, 0)
    while True:
        rows = db.execute(query, (at_ms, *after, _ROWS)).fetchall()
        for subject, time_ms, seq, body in rows:
            after = subject, time_ms, seq
            yield subject, time_ms, bytes(body)
        moved(len(rows))
        if len(rows) < _ROWS:
            return
