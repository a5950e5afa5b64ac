"""The composition root of a cluster's desk and workers: where their parts are put together."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import msgspec

from alerts.desk import Desk
from alerts.inbox.service import Health
from alerts.ports import AlertQueue
from alerts.stores.sql import SqlAlertStore
from monitor.app import (
    CONFIGURATION,
    HOUR_MS,
    archive,
    archived_rulebooks,
    chosen,
    desk_settings,
    relay_over,
)
from monitor.audit.ledger import Ledger
from monitor.audit.verified import read_verified
from monitor.configuration import (
    Configuration,
    build_codec,
    build_engine,
    needs_approval,
)
from monitor.core.engine import Engine
from monitor.core.events import Event
from monitor.database import ERRORS, PostgresDatabase, connect_postgres, is_unavailable
from monitor.folders import ConfigurationError
from monitor.metrics import PrometheusSensor, serve
from monitor.migrations import migrate
from monitor.readings import announce, database_readings
from monitor.servers import broker
from monitor.settings import Settings
from rules.vocabulary import load_vocabulary
from streams.codec import Codec
from streams.commit import Committer
from streams.deadletter import DeadLetters
from streams.entries import Place, parts_in_force
from streams.findings import gather_findings
from streams.memory import prepare_memory
from streams.ports import StoreUnavailableError
from streams.runners.kafka.archives import fetch_archive
from streams.runners.kafka.desk import Build, DeskRunner
from streams.runners.kafka.topics import Topics, create_topics
from streams.runners.kafka.worker import WorkerApp, build_worker
from streams.runners.kafka.worker import run_worker as serve_stages
from streams.scoring import Parts, Versions
from streams.sequence import Sequencer
from streams.settlement import Settlement
from streams.stage import EngineFor, StageLimits
from streams.stores.postgres import PostgresStore, open_postgres
from streams.stores.reading import event_body
from streams.wire import Item

Found = TypeVar("Found")
_STALE_S = 60.0
"""A desk that has something to settle and settles nothing for so long is not ready."""


def topics(settings: Settings) -> Topics:
    """Return the topics of a cluster: a stage for every kind of subject, rare ones where settings say so."""
    asked = settings.kafka.subjects
    kinds = [one for one in load_vocabulary().subjects.values() if not one.rare or one.name in asked]
    return Topics(settings.kafka.prefix, settings.kafka.partitions, tuple(one.name for one in kinds))


def _served(parts: tuple[Engine, Codec], names: Topics) -> tuple[Engine, Codec]:
    """Return the parts, whose rules ask for no kind of subject without topics.

    Raises
    ------
    ConfigurationError
        They do.
    """
    missing = [stage for stage in parts[0].rulebook.stages if stage not in names.stages]
    if missing:
        told = ", ".join(missing)
        raise ConfigurationError(
            f"kafka.subjects: rules ask for {told}, which has no topics\n"
            f"  hint: add {told} to kafka.subjects of desk and workers, and start them again"
        )
    return parts


def run_desk(settings: Settings, configuration: Configuration) -> None:
    """Be the desk of a cluster until a signal says stop.

    Raises
    ------
    DataInUseError
        Another desk works on the database.
    SchemaTooNewError
        A newer program migrated the database.
    ConfigurationError
        A setting that a cluster needs is missing.
    LogGoneError
        The log of records does not hold what was not settled yet.
    """
    if settings.queue.kind != "redis":
        hint = "several processes read the queue: set queue.redis_url too"
        raise ConfigurationError(f"queue.kind: expected redis for a cluster, was embedded\n  hint: {hint}")
    url, data = settings.storage.postgres_url, Path(settings.data.dir)
    migrate(url)
    prepare_memory()
    with ExitStack() as stack:
        db = open_postgres(url)
        stack.callback(db.close)
        memory = JournalMemory(url)
        stack.callback(memory.close)
        levels = database_readings(lambda: connect_postgres(url, read_only=True), lambda: read_verified(data))
        sensor = PrometheusSensor(levels)
        announce(sensor, configuration)
        runner = _desk_runner(settings, configuration, db, memory, sensor)
        outbox = relay_over(lambda: connect_postgres(url), settings, _no_queue, sensor)
        outbox.start()
        stack.callback(outbox.stop)
        pages = serve(settings.metrics.host, settings.metrics.port, sensor, lambda: _health(runner))
        stack.callback(pages.close)
        asyncio.run(_until_stopped(settings, runner))


def run_worker(settings: Settings) -> None:
    """Be a worker of a cluster until a signal says stop; configurations come from the desk."""
    prepare_memory()
    reach, names = broker(settings.kafka), topics(settings)

    @lru_cache(maxsize=4)
    def parts_for(configuration: str) -> tuple[Engine, Codec]:
        return _parts(fetch_archive(reach, names, configuration))

    def engine_for(kind: str, name: str) -> tuple[Engine, Codec]:
        configuration, scoring = parts_in_force(name)
        engine, codec = parts_for(configuration)
        if scoring:
            packed = fetch_archive(reach, names, scoring)
            engine = engine.scoring_with(*msgspec.msgpack.decode(packed, type=Parts))
        return engine, codec

    with ExitStack() as stack:
        sensor = PrometheusSensor()
        app: list[WorkerApp] = []
        pages = serve(settings.metrics.host, settings.metrics.port, sensor, lambda: _worker_health(app))
        stack.callback(pages.close)
        asyncio.run(_work(settings, engine_for, sensor, app))


def _desk_runner(
    settings: Settings,
    configuration: Configuration,
    db: PostgresDatabase,
    memory: JournalMemory,
    sensor: PrometheusSensor,
) -> DeskRunner:
    store = PostgresStore(db)
    store.begin()
    store.archive(CONFIGURATION, configuration.hash, configuration.archive)
    store.commit()
    configuration = chosen(db, configuration)
    ledger = Ledger(db)
    desk = Desk(SqlAlertStore(db), ledger, desk_settings(configuration))
    codec = build_codec(configuration)
    gather_findings(store, codec.decode)
    rulebooks = archived_rulebooks(db, desk, fills=False, stages=topics(settings).stages)
    committer = Committer(store, desk, ledger, DeadLetters(db), sensor, rulebooks)
    versions = Versions(committer, codec.decode)

    @lru_cache(maxsize=4)
    def parts_for(digest: str) -> tuple[Engine, Codec]:
        return _served(_parts(memory.archive(digest)), topics(settings))

    def adopt(digest: str) -> None:
        versions.adopt(parts_for(digest)[0].models)

    return DeskRunner(
        broker(settings.kafka),
        topics(settings),
        Settlement(committer, adopt, _refuser(db), versions),
        memory,
        _builder(topics(settings), parts_for, memory, versions),
        configuration.hash,
        configuration.archive,
        lambda name: msgspec.msgpack.encode(versions.parts(name)),
        memory.archive,
        sensor,
    )


def _refuser(db: PostgresDatabase) -> Callable[[Event, str], None]:
    """Return what keeps a refusal, inside the desk's transaction."""

    def refuse(event: Event, message: str) -> None:
        db.execute(
            "INSERT INTO refusals(ref, time_ms, message) VALUES(?, ?, ?)"
            " ON CONFLICT(ref) DO UPDATE SET time_ms = excluded.time_ms, message = excluded.message",
            (event.ref, event.time_ms, message),
        )

    return refuse


def _builder(
    names: Topics,
    parts_for: Callable[[str], tuple[Engine, Codec]],
    memory: JournalMemory,
    versions: Versions,
) -> Build:
    def build(place: Place, send: Callable[[str, int, Item], None]) -> Sequencer:
        return Sequencer(
            place,
            parts_for,
            memory,
            stages=names.stages,
            partitions=names.partitions,
            tick_every_ms=HOUR_MS,
            send=send,
            models=versions,
        )

    return build


class JournalMemory:
    """What is committed, on a connection of its own, opened anew after the server was away.

    Parameters
    ----------
    url
        Of PostgreSQL.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._db: PostgresDatabase | None = None

    def known(self, refs: Sequence[int]) -> set[int]:
        """Return those of the references that are journaled."""
        rows = self._ask(lambda db: db.execute("SELECT ref FROM journal WHERE ref = ANY(?)", (list(refs),)))
        return {ref for (ref,) in rows}

    def record(self, ref: int) -> bytes | None:
        """Return the journaled record of an event."""
        return self._ask(lambda db: event_body(db, ref))

    def subject_of(self, alert_id: str) -> tuple[str, str] | None:
        """Return (kind, id) of whom an alert is about, or None."""
        alert = self._ask(lambda db: SqlAlertStore(db).get(alert_id))
        return (alert.subject, alert.subject_id) if alert else None

    def archive(self, digest: str) -> bytes:
        """Return the archive of a configuration."""
        return self._ask(lambda db: archive(db, digest))

    def needs_approval(self, digest: str) -> bool:
        """Return whether what follows a configuration takes another person's approval."""
        return needs_approval(Configuration.of_archive(self.archive(digest)))

    def close(self) -> None:
        """Close the connection; a later look-up opens another."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _ask(self, look: Callable[[PostgresDatabase], Found]) -> Found:
        try:
            if self._db is None:
                self._db = connect_postgres(self._url, read_only=True)
            return look(self._db)
        except ERRORS as error:
            self.close()
            if is_unavailable(error):
                raise StoreUnavailableError(f"database: {' '.join(str(error).split())}") from error
            raise


def _parts(archived: bytes) -> tuple[Engine, Codec]:
    configuration = Configuration.of_archive(archived)
    return build_engine(configuration), build_codec(configuration)


def _no_queue() -> AlertQueue:
    raise AssertionError("a cluster's queue is in Redis")


def _health(runner: DeskRunner) -> Health:
    now = runner.health
    is_stale = bool(now.in_flight) and time.monotonic() - now.settled_at > _STALE_S
    reasons = [now.problem] if now.problem else []
    if is_stale:
        reasons.append(f"nothing was settled for {_STALE_S:.0f} s, though {now.in_flight} entries wait")
    return Health(alive=True, ready=not reasons, reasons=reasons)


def _worker_health(app: list[WorkerApp]) -> Health:
    reasons = ["recovering states"] if not app or app[0].watch.is_recovering else []
    return Health(alive=True, ready=not reasons, reasons=reasons)


async def _work(
    settings: Settings, engine_for: EngineFor, sensor: PrometheusSensor, made: list[WorkerApp]
) -> None:
    stopping = _stopped_by_signals()
    names = topics(settings)
    await create_topics(broker(settings.kafka), names, replication=settings.kafka.replication)
    # States of a worker that serves every partition fit into what one process may keep.
    limits = StageLimits(cache_subjects=max(1_000, settings.engine.cache_subjects // names.partitions))
    made.append(build_worker(broker(settings.kafka), names, engine_for, sensor=sensor, limits=limits))
    await serve_stages(made[0], stopping)


def _stopped_by_signals() -> asyncio.Event:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    return stopping


async def _until_stopped(settings: Settings, runner: DeskRunner) -> None:
    stopping = _stopped_by_signals()
    await create_topics(broker(settings.kafka), topics(settings), replication=settings.kafka.replication)
    await runner.run(stopping)
