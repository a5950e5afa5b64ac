"""Row seals: a check value beside every row that neither a chain nor recomputation proves.

The triggers are temporary: they belong to the writing connection, which has the functions they
call, and leave the schema of the file free of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

SCHEMA = "CREATE TABLE IF NOT EXISTS row_seals(name TEXT PRIMARY KEY, seal BLOB NOT NULL) WITHOUT ROWID"

RECOMPUTED = ("alerts", "alert_customers", "alert_grades", "alert_hits", "alert_steps")
"""Tables of other rooms that a replay of the journal gives again, row by row."""
PROVEN = frozenset({"journal", "journal_index", "states", "ledger", "row_seals", *RECOMPUTED})
"""Tables that need no seals: they are chained or recomputed."""


def seal(*values: object) -> bytes:
    """Return the check value of a row.

    Examples
    --------
    >>> seal("a", 1) == seal("a", 1), seal("a", 1) == seal("a", "1")
    (True, False)
    """
    return blake2b(repr(values).encode(), digest_size=8).digest()


def row_name(*values: object) -> str:
    """Return the name of a row: its table and primary key.

    Examples
    --------
    >>> row_name("meta", "progress")
    "('meta', 'progress')"
    """
    return repr(values)


def guard(db: sqlite3.Connection) -> None:
    """Create the triggers for every table that needs them, and seal the schema. Repeating is safe."""
    db.execute(SCHEMA)
    db.create_function("seal", -1, seal, deterministic=True)
    db.create_function("row_name", -1, row_name, deterministic=True)
    for table in guarded_tables(db):
        _create_triggers(db, table)
    rows = [(row_name("schema", name), seal(sql)) for name, sql in schema(db)]
    db.executemany("INSERT OR REPLACE INTO row_seals(name, seal) VALUES(?, ?)", rows)


def guarded_tables(db: sqlite3.Connection) -> list[str]:
    """Return the names of the tables whose rows are sealed, in order."""
    names = db.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
    )
    return sorted(name for (name,) in names if name not in PROVEN)


def schema(db: sqlite3.Connection) -> list[tuple[str, str | None]]:
    """Return every definition in the file as (type and name, text)."""
    rows = db.execute("SELECT type || ' ' || name || ' on ' || tbl_name, sql FROM sqlite_schema ORDER BY 1")
    return [(name, sql) for name, sql in rows]


def expected_seals(db: sqlite3.Connection) -> Iterator[tuple[str, bytes]]:
    """Give the name and seal that each row now in the file should have."""
    for name, sql in schema(db):
        yield row_name("schema", name), seal(sql)
    for table in guarded_tables(db):
        names, keys = columns(db, table)
        places = [names.index(key) for key in keys]
        query = f"SELECT {', '.join(names)} FROM {table}"  # noqa: S608 (names from the schema)
        for row in db.execute(query):
            yield row_name(table, *(row[place] for place in places)), seal(*row)


def columns(db: sqlite3.Connection, table: str) -> tuple[list[str], list[str]]:
    """Return the quoted column names of a table and, of these, its primary key, else `rowid`."""
    info: list[Any] = db.execute(f"PRAGMA table_info({table})").fetchall()
    names = [f'"{row[1]}"' for row in info]
    keys = [f'"{row[1]}"' for row in sorted(info, key=lambda row: row[5]) if row[5]]
    return (names, keys) if keys else (["rowid", *names], ["rowid"])


def _create_triggers(db: sqlite3.Connection, table: str) -> None:
    names, keys = columns(db, table)

    def of(row: str, parts: list[str]) -> str:
        return ", ".join(f"{row}.{part}" for part in parts)

    put = (
        f"INSERT OR REPLACE INTO row_seals(name, seal)"
        f" VALUES(row_name('{table}', {of('NEW', keys)}), seal({of('NEW', names)}));"
    )
    drop = f"DELETE FROM row_seals WHERE name = row_name('{table}', {of('OLD', keys)});"  # noqa: S608
    for verb, body in (("INSERT", put), ("UPDATE", drop + put), ("DELETE", drop)):
        name = f"seal_{table}_{verb}"
        db.execute(f"CREATE TEMP TRIGGER IF NOT EXISTS {name} AFTER {verb} ON main.{table} BEGIN {body} END")
