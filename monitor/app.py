"""The composition root: where parts are put together, and the only place that names concrete ones."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import orjson

from alerts.deadlines import Calendar
from alerts.desk import Desk, DeskSettings
from alerts.notify.webhook import Webhook, WebhookSettings
from alerts.outbox import SCHEMA as OUTBOX_SCHEMA
from alerts.outbox import Channel, QueueChannel, Relay, connect
from alerts.ports import AlertQueue
from alerts.stores.queue_redis import RedisQueue
from alerts.stores.queue_sqlite import SCHEMA as QUEUE_SCHEMA
from alerts.stores.queue_sqlite import SqliteQueue
from alerts.stores.sql import SCHEMA as ALERTS_SCHEMA
from alerts.stores.sql import SqlAlertStore
from monitor.audit.ledger import SCHEMA as LEDGER_SCHEMA
from monitor.audit.ledger import Ledger
from monitor.configuration import Configuration, build_codec, build_engine, needs_approval
from monitor.core.engine import Engine
from monitor.database import Database
from monitor.rulebooks import ArchivedRulebooks, archived_parts
from monitor.settings import Settings
from streams import aside
from streams.deadletter import SCHEMA as DEAD_LETTER_SCHEMA
from streams.deadletter import DeadLetters
from streams.findings import gather_findings
from streams.learners import Learners, Learning
from streams.learning_process import LearningProcess
from streams.memory import prepare_memory
from streams.ports import Outcome, Record, Sensor
from streams.processor import Limits, Processor
from streams.progress import progress_of
from streams.scoring import parts_of
from streams.stores.grades import count_grades
from streams.stores.reading import artifact
from streams.stores.sqlite import SqliteStore, open_database

log = logging.getLogger(__name__)
DATABASE = "riskmon.db"
SERVICE = "service.json"
SCHEMAS = (LEDGER_SCHEMA, ALERTS_SCHEMA, OUTBOX_SCHEMA, QUEUE_SCHEMA, DEAD_LETTER_SCHEMA)
CONFIGURATION = "configuration"
"""Kind of artifact under which a configuration is archived."""
HOUR_MS = 3_600_000
TAIL_EVENTS = {"full": 50_000, "normal": 200_000}
"""Events a recovery may have to repeat: a service is to be there again soon, a replay to be done soon."""
PROPOSE = "it needs another person's approval: riskmon rules propose --reason WHY"
"""What to do with files that are not in force."""


@dataclass(slots=True)
class Opened:
    """A data directory opened for writing."""

    processor: Processor
    store: SqliteStore
    configuration: Configuration
    """What was in force when it was opened."""
    learning: Learning
    waiting: str = ""
    """Hash of what was given instead, and needs an approval before it comes into force; else empty."""

    def close(self) -> None:
        """Write what is unwritten and give the directory free."""
        try:
            self.processor.close()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Give the directory free as it is; the next start recovers what is unwritten."""
        self.learning.close()
        self.store.db.close()


def open_data(
    data: Path,
    settings: Settings,
    configuration: Configuration,
    *,
    sync: Literal["full", "normal"] = "full",
    sensor: Sensor | None = None,
    tick_every_ms: int = 0,
    keeps: bool = False,
    learns_aside: bool = False,
) -> Opened:
    """Open a data directory, recover what a killed service left, and adopt the configuration.

    Where another one is in force and lets none follow without an approval, that one stays.

    Parameters
    ----------
    keeps
        Leave what is in force as it is, whatever the configuration.
    learns_aside
        Learn in a process of its own, where there is more than one processor: for whoever takes many events.

    Raises
    ------
    DataInUseError
        Where another service has it open.
    """
    db = open_database(data / DATABASE, sync)
    learning: Learning = LearningProcess() if learns_aside and aside.is_worthwhile() else Learners()
    prepare_memory()
    try:
        store = _prepared(db, configuration)
        taken = chosen(db, configuration, keeps=keeps)
        codec = build_codec(taken)
        gather_findings(store, codec.decode)
        ledger = Ledger(db)
        desk = Desk(SqlAlertStore(db), ledger, desk_settings(taken))
        processor = Processor(
            build_engine(taken),
            codec,
            store,
            desk,
            ledger,
            DeadLetters(db),
            sensor,
            limits=Limits(cache_subjects=settings.engine.cache_subjects, tail_events=TAIL_EVENTS[sync]),
            tick_every_ms=tick_every_ms,
            rulebooks=archived_rulebooks(db, desk),
            learning=learning,
        )
    except BaseException:
        learning.close()
        db.close()
        raise
    is_waiting = taken.hash != configuration.hash and not keeps
    return Opened(processor, store, taken, learning, configuration.hash if is_waiting else "")


def _prepared(db: sqlite3.Connection, configuration: Configuration) -> SqliteStore:
    """Bring the tables up to date and archive the configuration."""
    for schema in SCHEMAS:
        db.executescript(schema)
    count_grades(db)
    store = SqliteStore(db)
    store.begin()
    store.archive(CONFIGURATION, configuration.hash, configuration.archive)
    store.commit()
    return store


def chosen(db: Database, configuration: Configuration, *, keeps: bool = False) -> Configuration:
    """Return what is to be in force: what is, where another must not follow just like that.

    For `keeps` see `open_data`.
    """
    rulebooks = progress_of(db).rulebooks
    if not rulebooks or rulebooks[-1][1] == configuration.hash:
        return configuration
    in_force = Configuration.of_archive(archive(db, rulebooks[-1][1]))
    if keeps:
        return in_force
    if not needs_approval(in_force):
        return configuration
    log.warning("rules_not_in_force files=%s in_force=%s %s", configuration.hash, in_force.hash, PROPOSE)
    return in_force


def archived_rulebooks(
    db: Database, desk: Desk, *, fills: bool = True, stages: Collection[str] | None = None
) -> ArchivedRulebooks:
    """Return the archive of configurations, by which people change the one in force."""

    def take_force(configuration: Configuration) -> None:
        desk.adopt(desk_settings(configuration))

    return ArchivedRulebooks(
        lambda digest: artifact(db, CONFIGURATION, digest), take_force, fills=fills, stages=stages
    )


def archive(db: Database, digest: str) -> bytes:
    """Return the archive of a configuration.

    Raises
    ------
    LookupError
        It is not there, though decisions name it.
    """
    found = artifact(db, CONFIGURATION, digest)
    if found is None:
        hint = "the database was changed: restore a copy of it"
        raise LookupError(f"artifacts: configuration {digest[:12]} is not archived\n  hint: {hint}")
    return found


def scoring_engines(db: Database) -> Callable[[str, str], Engine]:
    """Return what gives the engine of a configuration by its hash, scoring by the versions of a name."""

    def engine_for(digest: str, scoring: str) -> Engine:
        if not scoring:
            return archived_parts(archive(db, digest))[0]
        version, populations, scale = parts_of(scoring, lambda kind, name: artifact(db, kind, name))
        return _scoring_engine(archive(db, digest), version, tuple(populations), scale)

    return engine_for


@lru_cache(maxsize=64)
def _scoring_engine(
    archived: bytes, version: bytes | None, populations: tuple[bytes, ...], scale: bytes | None
) -> Engine:
    return archived_parts(archived)[0].scoring_with(version, populations, scale)


def desk_settings(configuration: Configuration) -> DeskSettings:
    """Return the desk's part of a configuration."""
    desk, zone = configuration.plain["desk"], ZoneInfo(configuration.plain["zone"])
    return DeskSettings(
        four_eyes=frozenset(desk["four_eyes"]),
        calendar=Calendar(zone=zone, within_ms=desk["within_ms"], within_days=desk["within_days"]),
    )


def relay(database: Path, settings: Settings, sensor: Sensor | None = None) -> Relay:
    """Return what carries committed alerts of a database file to the queue and to webhooks."""
    return relay_over(lambda: connect(database), settings, lambda: SqliteQueue(connect(database)), sensor)


def relay_over(
    connect: Callable[[], Database],
    settings: Settings,
    embedded_queue: Callable[[], AlertQueue],
    sensor: Sensor | None = None,
) -> Relay:
    """Return what carries committed alerts to the queue and to webhooks, over connections of its own."""
    sensor = sensor or Sensor()
    is_redis = settings.queue.kind == "redis"
    queue = RedisQueue(settings.queue.redis_url) if is_redis else embedded_queue()
    channels: list[Channel] = [QueueChannel(queue, topics=frozenset(settings.queue.topics))]
    for hook in settings.webhooks:
        topics = frozenset(hook.topics)
        channels.append(
            Webhook(WebhookSettings(name=hook.name, url=hook.url, secret=hook.secret, topics=topics))
        )

    def failed(channel: str, reason: str) -> None:
        log.warning("delivery_failed channel=%s reason=%s", channel, reason)
        sensor.on_delivery_failure(channel)

    return Relay(connect, channels, failed=failed, delivered=sensor.on_delivery)


def ingest(
    data: Path,
    records: Iterable[bytes],
    settings: Settings,
    configuration: Configuration,
    *,
    keeps: bool = False,
) -> list[Outcome]:
    """Take records into a data directory on which no service runs; durable when it returns.

    For `keeps` see `open_data`.
    """
    opened = open_data(data, settings, configuration, keeps=keeps)
    with closing(opened):
        now_ms = int(time.time() * 1000)
        batch = [Record(body, "cli", now_ms) for body in records]
        return opened.processor.process(batch)


def perform_action(
    data: Path, event: Mapping[str, Any], settings: Settings, configuration: Configuration
) -> Outcome:
    """Carry out what a person does (an `alert.*` event, for instance) where no service runs."""
    return ingest(data, [orjson.dumps(event)], settings, configuration, keeps=True)[0]
