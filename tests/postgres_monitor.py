"""The one-process monitor over PostgreSQL: what a cluster writes there, without queues and workers."""

from __future__ import annotations

from dataclasses import dataclass

from alerts.desk import Desk
from alerts.stores.sql import SqlAlertStore
from monitor.app import CONFIGURATION, HOUR_MS, archived_rulebooks, desk_settings
from monitor.audit.ledger import Ledger
from monitor.configuration import Configuration, build_codec, build_engine
from monitor.database import PostgresDatabase
from streams.deadletter import DeadLetters
from streams.findings import gather_findings
from streams.processor import Processor
from streams.stores.postgres import PostgresStore, open_postgres
from streams.stores.sqlite import SqliteStore
from streams.testing import CountingEngine, JsonCodec

STATES = """
CREATE TABLE IF NOT EXISTS states (
    kind TEXT, id TEXT, seq BIGINT, due_ms BIGINT, packed BYTEA, PRIMARY KEY (kind, id)
)
"""


class WithStates(PostgresStore):
    """The store with the table that the workers of a cluster do without."""

    def __init__(self, db: PostgresDatabase) -> None:
        super().__init__(db)
        db.execute(STATES)

    state = SqliteStore.state
    put_states = SqliteStore.put_states
    timers = SqliteStore.timers


@dataclass
class Opened:
    processor: Processor
    store: WithStates
    configuration: Configuration

    def close(self) -> None:
        self.store.db.close()


def open_monitor(url: str, configuration: Configuration) -> Opened:
    """Open the monitor on a migrated database, as `monitor.app.open_data` does on a directory."""
    db = open_postgres(url)
    store = WithStates(db)
    store.archive(CONFIGURATION, configuration.hash, configuration.archive)
    codec = build_codec(configuration)
    gather_findings(store, codec.decode)
    ledger = Ledger(db)
    desk = Desk(SqlAlertStore(db), ledger, desk_settings(configuration))
    processor = Processor(
        build_engine(configuration),
        codec,
        store,
        desk,
        ledger,
        DeadLetters(db),
        tick_every_ms=HOUR_MS,
        rulebooks=archived_rulebooks(db, desk, fills=False),
    )
    return Opened(processor, store, configuration)


def open_counting(url: str) -> Processor:
    """Return the processor of `streams.testing` on a migrated database."""
    db = open_postgres(url)
    ledger, alerts = Ledger(db), SqlAlertStore(db)
    desk = Desk(alerts, ledger)
    return Processor(
        CountingEngine(), JsonCodec(), WithStates(db), desk, ledger, DeadLetters(db), tick_every_ms=HOUR_MS
    )
