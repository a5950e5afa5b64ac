"""Proving the ledger's entries about configurations: each follows from a person's step in the journal."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import orjson

from monitor.audit.verify import Finding, differences
from monitor.core.rule_life import ENTRY, TAKEN
from monitor.database import Database

_COLUMNS = ("entry", "time_ms", "subject", "body")


def compare_steps(db: Database, fresh: sqlite3.Connection) -> Iterator[Finding]:
    """Compare stored entries about configurations with recomputed ones, newest first.

    A database of a day before they were written down lacks the first ones, in which a service took
    what its files held; nothing else may be missing.
    """
    stored, expected = _entries(db), _entries(fresh)
    while len(expected) > len(stored) and orjson.loads(expected[-1][3])["action"] == TAKEN:
        expected.pop()
    yield from differences("ledger", _COLUMNS, stored, expected)


def _entries(db: Database) -> list[tuple[Any, ...]]:
    query = (
        "SELECT ROW_NUMBER() OVER (ORDER BY seq DESC), time_ms, subject, body FROM ledger"
        " WHERE kind = ? ORDER BY seq DESC"
    )
    return [tuple(row) for row in db.execute(query, (ENTRY,)).fetchall()]
