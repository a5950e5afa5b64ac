"""Proving a database: every decision recomputed under the configuration of its day."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from alerts.desk import Desk
from alerts.stores.sql import SqlAlertStore
from monitor.app import DATABASE, SCHEMAS, archive, archived_rulebooks, desk_settings
from monitor.audit.ledger import Ledger
from monitor.audit.verify import Finding, reading, verify
from monitor.configuration import Configuration, build_codec, build_engine
from monitor.database import ERRORS, Database, PostgresDatabase
from streams.deadletter import DeadLetters
from streams.processor import Processor
from streams.states import StateCache
from streams.stores.sqlite import SqliteStore, read_only
from streams.verification import checks, postgres_checks


def proof(
    data: Path,
    begun: Callable[[str], None] = lambda name: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Finding]:
    """Return everything wrong with a data directory; nothing where it is proven.

    Works beside a running service: it reads one consistent moment.

    Parameters
    ----------
    begun, progress
        Called with each check's name, and while recomputing with journal rows done and in all.

    Raises
    ------
    FileNotFoundError
        Where there is no database.
    """
    with closing(reading(read_only(data / DATABASE))) as db:
        return proof_of(db, begun, progress)


def proof_of(
    db: Database,
    begun: Callable[[str], None] = lambda name: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Finding]:
    """Return everything wrong with a database, embedded or of a cluster; for the rest see `proof`.

    Parameters
    ----------
    db
        A reader's connection (`monitor.database.connect_postgres`), which nobody else uses meanwhile.
    """
    again = _Again(db)
    every = postgres_checks if isinstance(db, PostgresDatabase) else checks
    try:
        db.execute("BEGIN")
        found = verify(db, every(again.build, again.adopt, progress), begun)
        db.execute("ROLLBACK")
    except ERRORS as error:
        return [Finding("file", "", str(error))]
    return found


class _Again:
    """Makes the parts anew, by the archive of each time."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def build(self, store: SqliteStore, digest: str, states: type[StateCache]) -> Processor:
        """Return a processor over an empty store, by the first configuration."""
        for schema in SCHEMAS:
            store.db.executescript(schema)
        configuration = self._configuration(digest)
        ledger = Ledger(store.db)
        desk = Desk(SqlAlertStore(store.db), ledger, desk_settings(configuration))
        is_cluster = isinstance(self._db, PostgresDatabase)
        return Processor(
            build_engine(configuration),
            build_codec(configuration),
            store,
            desk,
            ledger,
            DeadLetters(store.db),
            states=states,
            # Of the database that is proven: what is recomputed has no archive of its own.
            rulebooks=archived_rulebooks(self._db, desk, fills=not is_cluster),
        )

    def adopt(self, processor: Processor, digest: str) -> None:
        """Go on by a later configuration."""
        configuration = self._configuration(digest)
        processor.adopt(build_engine(configuration), build_codec(configuration))

    def _configuration(self, digest: str) -> Configuration:
        archived = archive(self._db, digest)
        if sha256(archived).hexdigest() != digest:
            # Before it is read: what was changed may be no configuration any more.
            raise ValueError(f"artifacts: configuration {digest[:12]} is not what its hash is of")
        return Configuration.of_archive(archived)
