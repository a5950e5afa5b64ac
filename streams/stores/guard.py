"""Row seals: a second copy of every row that neither a chain nor recomputation proves.

Triggers of plain SQL keep it, so it is kept whoever writes: the processor, the relay of the outbox,
the queue. A byte that changes in the file changes one of the two copies alone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

# With row numbers: without them the tree of names is searched through seals, some of them megabytes.
SCHEMA = "CREATE TABLE IF NOT EXISTS row_seals(name TEXT PRIMARY KEY, seal TEXT NOT NULL)"

RECOMPUTED = ("alerts", "alert_customers", "alert_grades", "alert_hits", "alert_steps", "findings")
"""Tables, most of other rooms, that a replay of the journal gives again, row by row."""
PROVEN = frozenset({"journal", "journal_index", "states", "ledger", "row_seals", *RECOMPUTED})
"""Tables that need no seals: they are chained or recomputed."""


def guard(db: sqlite3.Connection) -> None:
    """Create the triggers of every table that needs them, and seal the schema. Repeating is safe."""
    db.execute(SCHEMA)
    for table in guarded_tables(db):
        if _create_triggers(db, table):
            name, seal = _expressions(db, table, f"{table}.")
            db.execute(f"INSERT OR REPLACE INTO row_seals SELECT {name}, {seal} FROM {table}")  # noqa: S608
    db.execute("DELETE FROM row_seals WHERE name LIKE 'schema %'")
    db.executemany("INSERT INTO row_seals(name, seal) VALUES(?, ?)", list(_schema(db)))


def guarded_tables(db: sqlite3.Connection) -> list[str]:
    """Return the names of the tables whose rows are sealed, in order."""
    query = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
    return sorted(name for (name,) in db.execute(query) if name not in PROVEN)


def expected_seals(db: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """Give the name (table and key) and the seal that each row now in the file should have."""
    yield from _schema(db)
    for table in guarded_tables(db):
        name, seal = _expressions(db, table, f"{table}.")
        yield from db.execute(f"SELECT {name}, {seal} FROM {table}")  # noqa: S608 (names from the schema)


def columns(db: sqlite3.Connection, table: str) -> tuple[list[str], list[str]]:
    """Return the quoted column names of a table and, of these, its primary key, else `rowid`."""
    info = db.execute(f"PRAGMA table_info({table})").fetchall()
    names = [f'"{row[1]}"' for row in info]
    keys = [f'"{row[1]}"' for row in sorted(info, key=lambda row: int(row[5])) if row[5]]
    return (names, keys) if keys else (["rowid", *names], ["rowid"])


def _schema(db: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    query = "SELECT 'schema ' || type || ' ' || name || ' ' || tbl_name, COALESCE(sql, '') FROM sqlite_schema"
    yield from db.execute(query).fetchall()


def _create_triggers(db: sqlite3.Connection, table: str) -> bool:
    """Create what is missing or outdated; return whether anything was."""
    (new_name, new_seal), (old_name, _) = (_expressions(db, table, row) for row in ("NEW.", "OLD."))
    # No OR REPLACE here: the conflict clause of the outer statement would win over it.
    drop = "DELETE FROM row_seals WHERE name = {};".format
    put = f"{drop(new_name)} INSERT INTO row_seals(name, seal) VALUES({new_name}, {new_seal});"
    bodies = {"INSERT": put, "UPDATE": f"{drop(old_name)} {put}", "DELETE": drop(old_name)}
    changed = False
    for verb, body in bodies.items():
        name = f"seal_{table}_{verb.lower()}"
        sql = f"CREATE TRIGGER {name} AFTER {verb} ON {table} BEGIN {body} END"
        if db.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (name,)).fetchone() != (sql,):
            db.execute(f"DROP TRIGGER IF EXISTS {name}")
            db.execute(sql)
            changed = True
    return changed


def _expressions(db: sqlite3.Connection, table: str, row: str) -> tuple[str, str]:
    """Return SQL for the name and the seal of a row."""
    names, keys = columns(db, table)

    def quoted(parts: list[str]) -> str:
        return " || ' ' || ".join(f"quote({row}{part})" for part in parts)

    return f"'{table} ' || {quoted(keys)}", quoted(names)
