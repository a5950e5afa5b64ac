"""The worker of a cluster: a Faust application whose agents carry out the items of stages.

Faust gives partitions to workers and keeps the tables. What it gets wrong is answered here:
`docs/adr/0006-faust-kept-in-check.md` has the list. Offsets are committed by our own floor, not by
Faust's acknowledgements, which it also gives for messages it skips.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import aiokafka
import faust
from faust.auth import SASLCredentials, SSLCredentials
from faust.stores.memory import Store
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.ports import Sensor
from streams.runners.kafka.changelogs import read_back
from streams.runners.kafka.connection import Broker
from streams.runners.kafka.lanes import CUSTOMER, Engines, Lanes, Place, producer_of
from streams.runners.kafka.offsets import Lag, Offsets
from streams.runners.kafka.snapshots import ChangelogRows
from streams.runners.kafka.topics import MAX_BYTES, Topics
from streams.runners.kafka.watch import Waits, Watch
from streams.stage import EngineFor, StageLimits

log = logging.getLogger(__name__)

_BUFFERED_MESSAGES = 65_536
"""Never full: the desk bounds what is under way. Faust's back-pressure forgets partitions in a rebalance."""
_BEAT_S = 0.5
_FETCH_WAIT_MS = 100


class Snapshots(Store):
    """Faust's store of a table, over `ChangelogRows`."""

    changelog: ChangelogRows

    def persisted_offset(self, tp: TP) -> int:
        """Return the offset up to which records are in memory; -1 for none."""
        return self.changelog.reached(tp.partition)

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Keep what is still ours."""
        topic = self.table.changelog_topic_name
        self.changelog.assigned({tp.partition for tp in assigned if tp.topic == topic}, generation_id)

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Note that everything is read."""
        self.changelog.completed()

    def apply_changelog_batch(self, batch: Iterable[Any], to_key: Any, to_value: Any) -> None:
        """Take records that were read."""
        for message in (event.message for event in batch):
            if message.topic == self.table.changelog_topic_name:
                self.changelog.apply(
                    message.partition, message.offset, message.generation_id, message.key, message.value
                )


class SnapshotTable(faust.Table):
    """A table of snapshots; what is written goes to its changelog by ourselves, acknowledged."""

    @property
    def changelog(self) -> ChangelogRows:
        """The snapshots of all partitions here."""
        store: Snapshots = self.data
        return store.changelog

    def _new_store(self) -> Snapshots:
        store = Snapshots("memory://", self.app, self, table_name=self.name, loop=self.loop)
        store.changelog = ChangelogRows(self.name)
        return store

    async def on_changelog_event(self, event: Any) -> None:
        """Set Faust's place back where it was moved by a record of before the rebalance."""
        tp, message = event.message.tp, event.message
        if message.topic == self.changelog_topic_name:
            counts = self.changelog.seen(message.partition, message.offset, message.generation_id)
            self.app.tables.recovery.active_offsets[tp] = counts


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Reads with our own connection, and without Faust's second and a half of waiting."""

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        waits = self.app.watch.waits
        self._assignor = self.app.assignor
        return aiokafka.AIOKafkaConsumer(
            **self.app.brokers.options,
            group_id=self.app.conf.id,
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=MAX_BYTES,
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            session_timeout_ms=round(waits.session * 1000),
            heartbeat_interval_ms=round(waits.heartbeat * 1000),
            rebalance_timeout_ms=round(max(waits.session, 2 * waits.farewell) * 1000),
            max_poll_interval_ms=round(waits.recovery * 1000),
            request_timeout_ms=round(max(waits.session + 10, 40) * 1000),
            metadata_max_age_ms=30_000,
        )


class Consumer(driver.Consumer):
    """Commits what it is told to, and has snapshots brought back before Faust looks how many there are."""

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """Return the ends of changelogs; called at the begin of a recovery, and then alone."""
        await self.app.bring_back(partitions)
        found: Mapping[TP, int] = await super().highwaters(*partitions)
        return found

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def commit_offsets(self, offsets: Mapping[Place, int]) -> None:
        """Commit offsets of partitions that are still ours."""
        await self._commit({TP(*place): offset for place, offset in offsets.items()})

    async def verify_all_partitions_active(self) -> None:
        """Leave looking for standstill to `Lag`, which asks the brokers."""


class Transport(driver.Transport):
    """Makes our consumer."""

    Consumer = Consumer


class WorkerApp(faust.App):
    """The Faust application of a worker; made by `build_worker`, run by `run_worker`."""

    def employ(
        self,
        broker: Broker,
        names: Topics,
        engine_for: EngineFor,
        *,
        sensor: Sensor,
        limits: StageLimits,
        waits: Waits,
    ) -> None:
        """Set what it works with; a part of `build_worker`."""
        self.is_ending = False
        self.brokers, self.names = broker, names
        self.sensor, self.limits = sensor, limits
        self.watch, self.engines = Watch(waits), Engines(engine_for)
        self.snapshots = {stage: self._table(stage) for stage in names.stages}
        for stage in names.stages:
            self._agent(stage)
        self.on_partitions_revoked.connect(self._revoked)
        self.on_partitions_assigned.connect(self._assigned)
        self.on_rebalance_complete.connect(self._recovered)

    async def begin(self) -> None:
        """Connect what is not Faust's; before `start`."""
        self.sender = producer_of(self.brokers)
        self.offsets = Offsets(self.brokers, self.names.workers)
        self.lanes = Lanes(
            self.names,
            self.sender,
            self.engines,
            self.watch,
            limits=self.limits,
            sensor=self.sensor,
            written=lambda stage, partition, offset: self.snapshots[stage].changelog.written(
                partition, offset
            ),
        )
        self.lag = Lag(self.offsets, lambda: self.lanes.lanes, self.watch, self.sensor)
        await self.sender.start()
        await self.offsets.start()
        self.watch.start()
        self.watch.recovering()

    async def guarded(self, duty: Callable[[], Awaitable[Any]]) -> None:
        """Do a duty; where it fails, the process ends."""
        try:
            await duty()
        except Exception as error:
            self._fail(duty.__name__, error)

    async def watch_faust(self) -> None:
        """Fail where Faust gives up, for ever."""
        while self.is_ending or not (self.crashed or self.should_stop):
            await asyncio.sleep(_BEAT_S)
        raise RuntimeError("Faust gave up") from self.crash_reason

    async def end(self) -> None:
        """Write what is unwritten, leave the group, disconnect."""
        await self.lanes.close(self.consumer.commit_offsets)
        async with asyncio.timeout(self.watch.waits.session):
            await self.stop()
            await self.sender.stop()
            await self.offsets.stop()

    async def bring_back(self, changelogs: Iterable[TP]) -> None:
        """Read changelogs to their end."""
        by_topic = {self.names.state(stage): table.changelog for stage, table in self.snapshots.items()}
        places = sorted(changelogs)
        await read_back(self.brokers, by_topic, places)
        for tp in places:
            self.tables.recovery.active_offsets[tp] = by_topic[tp.topic].reached(tp.partition)

    async def beat(self) -> None:
        """Show the watch that the loop goes round, for ever."""
        while True:
            self.watch.beat()
            await asyncio.sleep(_BEAT_S)

    async def flush(self) -> None:
        """Write snapshots from time to time, until the end begins."""
        while not self.is_ending:
            await asyncio.sleep(self.watch.waits.flush)
            await self.lanes.flush(self.consumer.commit_offsets)

    async def look(self) -> None:
        """Look at the lag from time to time, for ever."""
        while True:
            await asyncio.sleep(self.watch.waits.look)
            await self.lag.look()

    def FlowControlQueue(self, maxsize: int | None = None, *, clear_on_resume: bool = False) -> Any:  # noqa: N802
        """Return a queue that keeps its messages when the flow goes on: those in it are not read again."""
        return super().FlowControlQueue(maxsize, clear_on_resume=False)

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)

    def _create_directories(self) -> None:
        """Keep off the disk: everything is in the broker."""

    def _table(self, stage: str) -> SnapshotTable:
        changelog = self.topic(
            self.names.state(stage),
            key_serializer="raw",
            value_serializer="raw",
            partitions=self.names.partitions,
            compacting=True,
            acks=False,
            allow_empty=True,
            maxsize=_BUFFERED_MESSAGES,
        )
        table = SnapshotTable(
            self, name=stage, key_type=bytes, value_type=bytes, partitions=self.names.partitions,
            changelog_topic=changelog, beacon=self.tables.beacon,
        )  # fmt: skip
        self.tables.add(table)
        return table

    def _agent(self, stage: str) -> None:
        # The facts of a partition are read by the one who reads the events that wait for them.
        also = [self.names.facts] if stage == CUSTOMER else []
        channel = self.topic(
            self.names.stage(stage), *also, value_serializer="raw", acks=False, maxsize=_BUFFERED_MESSAGES
        )

        async def carry(stream: Any) -> None:
            async for event in stream.events():
                await self._take(stage, event.message)

        self.agent(channel, name=stage)(carry)

    async def _take(self, stage: str, message: Any) -> None:
        try:
            await self.lanes.take(stage, message.topic, message.partition, message.offset, message.value)
        except Exception as error:
            self._fail(f"{message.topic}/{message.partition} offset {message.offset}", error)

    async def _revoked(self, *_: Any, **__: Any) -> None:
        self.sensor.on_rebalance()
        self.watch.recovering()
        try:
            if not await self.lanes.close(self.consumer.commit_offsets):
                for table in self.snapshots.values():
                    table.changelog.forget()
        except Exception as error:
            self._fail("giving partitions up", error)

    async def _assigned(self, *_: Any, **__: Any) -> None:
        self.watch.recovering()

    async def _recovered(self, *_: Any, **__: Any) -> None:
        try:
            await self._open()
        except Exception as error:
            self._fail("taking partitions over", error)

    async def _open(self) -> None:
        generation = self.consumer_generation_id
        self.lanes.drop()
        read = {self.names.stage(stage): stage for stage in self.names.stages} | {self.names.facts: CUSTOMER}
        mine = sorted((tp.topic, tp.partition) for tp in self.consumer.assignment() if tp.topic in read)
        first = await self.offsets.first(mine)
        for stage, number in [(read[topic], part) for topic, part in mine if topic != self.names.facts]:
            places = {name: first[name, number] for name, owner in read.items() if owner == stage}
            await self.lanes.open(stage, number, self.snapshots[stage].changelog.rows(number), places)
            await asyncio.sleep(0)
        # Faust goes back to committed offsets alone: without one, what came before the lanes is read again.
        for place, offset in first.items():
            await self.consumer.seek(TP(*place), offset)
        if generation == self.consumer_generation_id:
            seconds = self.watch.recovered()
            self.sensor.on_recovery(seconds)
            log.info("worker_ready partitions=%d seconds=%.1f", len(first), seconds)

    def _fail(self, where: str, error: BaseException) -> None:
        log.critical("worker_failed where=%s", where, exc_info=error)
        self.watch.leave(f"{where}: {type(error).__name__}: {error}")


def build_worker(
    broker: Broker,
    topics: Topics,
    engine_for: EngineFor,
    *,
    sensor: Sensor | None = None,
    limits: StageLimits | None = None,
    waits: Waits | None = None,
) -> WorkerApp:
    """Return the application of a worker; its topics must be there.

    Parameters
    ----------
    broker, topics
        Where to read and write.
    engine_for
        Gives engine and codec of a configuration by its hash; called in a thread, once each.
    sensor, limits, waits
        Measuring hooks; bounds of memory and recovery; patience.
    """
    waits = waits or Waits()
    app = WorkerApp(
        topics.workers,
        broker=[f"kafka://{address}" for address in broker.bootstrap.split(",")],
        broker_credentials=_credentials(broker),
        broker_session_timeout=waits.session,
        # Our connections have their own; this is how long Faust waits for a step of a recovery.
        broker_request_timeout=max(waits.session, waits.recovery),
        store="memory://",
        processing_guarantee="at_least_once",
        autodiscover=False,
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        stream_wait_empty=False,
    )
    app.employ(
        broker,
        topics,
        engine_for,
        sensor=sensor or Sensor(),
        limits=limits or StageLimits(),
        waits=waits,
    )
    return app


async def run_worker(app: WorkerApp, stopping: asyncio.Event) -> None:
    """Work until `stopping` is set; then write what is unwritten and leave the group.

    Where something is wrong that another process may not have, the process ends with a sentence
    and a status other than 0: see `Watch`.
    """
    await app.guarded(app.begin)
    beat, flush, *others = [
        asyncio.create_task(app.guarded(duty))
        for duty in (app.beat, app.flush, app.look, app.watch_faust, app.start)
    ]
    await stopping.wait()
    app.is_ending = True
    await asyncio.wait([flush], timeout=app.watch.waits.farewell)
    await app.guarded(app.end)
    for task in (beat, *others):
        task.cancel()
    await asyncio.gather(beat, *others, return_exceptions=True)


def _credentials(broker: Broker) -> SASLCredentials | SSLCredentials | None:
    options = broker.options
    if broker.security.startswith("sasl"):
        return SASLCredentials(
            username=broker.sasl_username,
            password=broker.sasl_password,
            ssl_context=options.get("ssl_context"),
            mechanism=options["sasl_mechanism"],
        )
    return SSLCredentials(options["ssl_context"]) if "ssl_context" in options else None
