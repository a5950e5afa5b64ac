"""The schema of PostgreSQL and its versions: `migrate` brings a database to the newest one.

Alembic carries the versions out. To change the schema, add a module to `versions/`, and change the
`SCHEMA` of the store that reads the table, from which SQLite makes its own; a test compares the two.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from monitor.database import native_connection
from streams.ports import DataInUseError
from streams.stores.postgres import LOCK


class SchemaTooNewError(RuntimeError):
    """The database was brought to a version that this program does not know."""


def migrate(url: str) -> str:
    """Bring an empty or older database to the newest version; return its name.

    All versions that are missing are carried out in one transaction, under the lock of the desk: no
    desk writes meanwhile. A database that is at the newest version is only looked at.

    Parameters
    ----------
    url
        As `monitor.database.connect_postgres` takes it; the user must be allowed to create tables.

    Raises
    ------
    SchemaTooNewError
        A newer program was here.
    DataInUseError
        There is something to do, and a desk runs on the database.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    script = ScriptDirectory.from_config(config)
    newest, known = script.get_current_head(), {version.revision for version in script.walk_revisions()}
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: native_connection(url), poolclass=sqlalchemy.NullPool
    )
    with engine.begin() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        if current is not None and current not in known:
            hint = "run the riskmon that migrated it, or a later one"
            raise SchemaTooNewError(
                f"database: expected schema {newest} or an older one, was {current}\n  hint: {hint}"
            )
        if current != newest:
            if not connection.exec_driver_sql(f"SELECT pg_try_advisory_xact_lock({LOCK})").scalar():
                hint = "stop the desk that runs on it, then start again"
                raise DataInUseError(f"database: cannot be migrated, it is in use\n  hint: {hint}")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    assert newest is not None  # there is always a first version
    return newest
