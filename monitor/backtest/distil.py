"""What a run found, taken from its ledger into tables that can be compared by SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import orjson

from monitor.backtest.job import Period
from monitor.database import Database, streamed

SCHEMA = """
CREATE TABLE found_hits(
  rule TEXT NOT NULL, subject TEXT NOT NULL, event TEXT NOT NULL, time_ms INTEGER NOT NULL,
  ref INTEGER NOT NULL, status TEXT NOT NULL, say TEXT NOT NULL, saw TEXT NOT NULL,
  PRIMARY KEY(rule, subject, event, time_ms)) WITHOUT ROWID;
CREATE TABLE found_customers(
  rule TEXT NOT NULL, customer TEXT NOT NULL, PRIMARY KEY(rule, customer)) WITHOUT ROWID;
CREATE TABLE found_grades(
  customer TEXT PRIMARY KEY, last INTEGER NOT NULL, peak INTEGER NOT NULL) WITHOUT ROWID;
"""

Hit = tuple[int, str, dict[str, Any]]
"""Time, subject (`customer:C-1`) and the ledger's body."""


def distil(db: sqlite3.Connection, period: Period) -> None:
    """Write what happened in a period into the tables of `SCHEMA`."""
    db.executescript(SCHEMA)
    db.execute("BEGIN")
    for time_ms, subject, body in hits_of(db, period.from_ms, period.to_ms):
        row = (body["rule"], subject, body["event"], time_ms, body["ref"], body["status"], body["say"])
        saw = orjson.dumps(body["saw"], option=orjson.OPT_SORT_KEYS).decode()
        db.execute("INSERT OR IGNORE INTO found_hits VALUES(?, ?, ?, ?, ?, ?, ?, ?)", (*row, saw))
        concerned = [(body["rule"], customer) for customer in customers_of(subject, body)]
        db.executemany("INSERT OR IGNORE INTO found_customers VALUES(?, ?)", concerned)
    grades = ((customer, *both) for customer, both in grades_of(db, period).items())
    db.executemany("INSERT INTO found_grades VALUES(?, ?, ?)", grades)
    db.execute("COMMIT")


def hits_of(db: Database, from_ms: int, to_ms: int) -> Iterator[Hit]:
    """Give the hits that a ledger holds of a period, in its order."""
    query = (
        "SELECT time_ms, subject, body FROM ledger"
        " WHERE kind = 'hit' AND time_ms >= ? AND time_ms < ? ORDER BY seq"
    )
    for time_ms, subject, body in streamed(db, query, (from_ms, to_ms)):
        yield time_ms, subject, orjson.loads(body)


def customers_of(subject: str, body: dict[str, Any]) -> list[str]:
    """Return the customers a hit is about: the subject itself, or those an entity was seen with."""
    kind, _, name = subject.partition(":")
    return [name] if kind == "customer" else list(body["customers"])


def grades_of(db: Database, period: Period) -> dict[str, tuple[int, int]]:
    """Return each customer's grade at the end of a period, and the riskiest one within it."""
    found: dict[str, tuple[int, int]] = {}
    query = "SELECT time_ms, subject, body FROM ledger WHERE kind = 'rating' AND time_ms < ? ORDER BY seq"
    for time_ms, subject, body in streamed(db, query, (period.to_ms,)):
        customer, grade = subject.partition(":")[2], int(orjson.loads(body)["grade"])
        peak = found[customer][1] if customer in found and time_ms >= period.from_ms else grade
        found[customer] = grade, min(peak, grade)
    return found
