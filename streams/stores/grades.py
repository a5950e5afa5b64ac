"""Customers by grade, counted once for a database that was made before they were counted."""

from __future__ import annotations

import sqlite3

import msgspec
import orjson

from streams.ports import Counters


def count_grades(db: sqlite3.Connection) -> None:
    """Add the counts to the progress from the ledger's rating entries; nothing where they are there.

    Call it before anything else writes to the database. Takes a second or two for a million entries.
    """
    row = db.execute("SELECT value FROM meta WHERE key = 'progress'").fetchone()
    if row is None or "grades" in orjson.loads(row[0]).get("counters", {}):
        return
    plain = orjson.loads(row[0])
    plain["counters"]["grades"] = _counted(db)
    db.execute("UPDATE meta SET value = ? WHERE key = 'progress'", (msgspec.json.encode(plain),))


def _counted(db: sqlite3.Connection) -> dict[int, int]:
    counters = Counters()
    for (body,) in db.execute("SELECT body FROM ledger WHERE kind = 'rating' ORDER BY seq"):
        change = orjson.loads(body)
        counters.regrade(change["previous_grade"], change["grade"])
    return counters.grades
