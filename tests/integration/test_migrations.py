"""Every migration goes up from an empty database, and the result is what the stores expect."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
from alembic import command

from monitor.app import SCHEMAS
from monitor.database import PostgresDatabase, connect_postgres
from monitor.migrations import SchemaTooNewError, migrate
from streams.ports import DataInUseError
from streams.stores.postgres import open_postgres
from streams.stores.sqlite import open_database

pytestmark = pytest.mark.postgres

EMBEDDED = {"journal_index", "states", "row_seals", "queue_messages", "queue_groups", "queue_pending"}
"""Tables of SQLite that a cluster does without."""
CLUSTER = {"refusals", "alembic_version"}
TYPES = {"INTEGER": "bigint", "TEXT": "text", "BLOB": "bytea"}


def embedded_tables() -> dict[str, list[tuple[str, str, bool, int]]]:
    """Name, type, whether NULL is refused, and place in the key, of every column."""
    with closing(open_database(":memory:")) as db:
        for schema in SCHEMAS:
            db.executescript(schema)
        names = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        return {
            table: [
                (name, TYPES[kind], bool(required or key), key)
                for _, name, kind, required, _, key in db.execute(f"PRAGMA table_info({table})")
            ]
            for (table,) in names
            if table not in EMBEDDED and not table.startswith("sqlite_")
        }


def tables(db: PostgresDatabase) -> dict[str, list[tuple[str, str, bool, int]]]:
    found: dict[str, list[tuple[str, str, bool, int]]] = {}
    query = """
        SELECT c.table_name, c.column_name, c.data_type, c.is_nullable = 'NO', COALESCE(k.ordinal_position, 0)
        FROM information_schema.columns c
        LEFT JOIN information_schema.table_constraints t
            ON t.table_name = c.table_name AND t.constraint_type = 'PRIMARY KEY'
        LEFT JOIN information_schema.key_column_usage k
            ON k.constraint_name = t.constraint_name AND k.column_name = c.column_name
        WHERE c.table_schema = 'public' ORDER BY c.table_name, c.ordinal_position
    """
    for table, *column in db.execute(query):
        found.setdefault(table, []).append(tuple(column))
    return found


def test_the_newest_schema_has_the_tables_and_columns_of_the_embedded_one(migrated_url: str) -> None:
    with closing(connect_postgres(migrated_url)) as db:
        found = tables(db)
    journal: Any = found["journal"]
    assert journal.pop() == ("customer_id", "text", False, 0)
    assert {name: columns for name, columns in found.items() if name not in CLUSTER} == embedded_tables()


def test_texts_are_ordered_byte_by_byte_as_in_sqlite(migrated_url: str) -> None:
    query = (
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        " AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C' ORDER BY 1"
    )
    with closing(connect_postgres(migrated_url)) as db:
        assert db.execute(query).fetchall() == [("refusals", "message")]  # never compared


def test_every_version_goes_up_from_the_one_before(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade, done = command.upgrade, []
    monkeypatch.setattr(command, "upgrade", lambda config, _: upgrade(config, "+1"))
    newest = migrate(postgres_url)
    while not done or done[-1] != newest:
        with closing(connect_postgres(postgres_url)) as db:
            done.append(db.execute("SELECT version_num FROM alembic_version").fetchone()[0])
        migrate(postgres_url)
    assert done == sorted(done)
    assert done[0] == "0001"
    with closing(connect_postgres(postgres_url)) as db:
        found = tables(db)
    assert embedded_tables().keys() <= found.keys()


def test_migrating_again_changes_nothing(migrated_url: str) -> None:
    with closing(connect_postgres(migrated_url)) as db:
        db.execute("INSERT INTO meta VALUES ('a', 'kept')")
        assert migrate(migrated_url) == migrate(migrated_url)
        assert db.execute("SELECT value FROM meta").fetchall() == [(b"kept",)]


def test_a_migration_that_fails_leaves_nothing(postgres_url: str) -> None:
    with closing(connect_postgres(postgres_url)) as db:
        db.execute("CREATE TABLE artifacts (mine TEXT)")
        with pytest.raises(Exception, match="already exists"):
            migrate(postgres_url)
        assert tables(db).keys() == {"artifacts"}


def test_a_database_of_a_newer_program_is_refused(migrated_url: str) -> None:
    with closing(connect_postgres(migrated_url)) as db:
        db.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(
        SchemaTooNewError, match=r"expected schema \d+ or an older one, was 9999\n  hint: run"
    ):
        migrate(migrated_url)


def test_a_database_on_which_a_desk_runs_is_not_migrated(postgres_url: str) -> None:
    with (
        closing(open_postgres(postgres_url)) as desk,
        pytest.raises(DataInUseError, match="cannot be migrated, it is in use\n  hint: stop the desk"),
    ):
        migrate(postgres_url)
    assert desk.is_lost
    migrate(postgres_url)


def test_a_url_with_a_percent_sign_and_settings_is_understood(postgres_url: str) -> None:
    migrate(f"{postgres_url}?application_name=100%25&options=-c%20statement_timeout%3D60s")
