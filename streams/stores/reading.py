"""What readers ask of a journal and its bookkeeping, in SQLite and PostgreSQL alike."""

from __future__ import annotations

import sqlite3
from typing import cast

from monitor.database import Database
from streams.stores.index import find


def event_body(db: Database, ref: int) -> bytes | None:
    """Return the journaled record of an event by its reference, or None; works on any connection."""
    if isinstance(db, sqlite3.Connection):
        row = db.execute("SELECT body FROM journal WHERE seq = ?", (find(db, ref),)).fetchone()
    else:
        row = db.execute("SELECT body FROM journal WHERE ref = ?", (ref,)).fetchone()
    return cast(bytes, row[0]) if row else None


def artifact(db: Database, kind: str, digest: str) -> bytes | None:
    """Return an archived rulebook, list or model by its hash, or None."""
    row = db.execute("SELECT body FROM artifacts WHERE kind = ? AND hash = ?", (kind, digest)).fetchone()
    return cast(bytes, row[0]) if row else None


def artifacts(db: Database, kind: str) -> list[bytes]:
    """Return everything archived of a kind, by hash."""
    rows = db.execute("SELECT body FROM artifacts WHERE kind = ? ORDER BY hash", (kind,))
    return [bytes(row[0]) for row in rows]
