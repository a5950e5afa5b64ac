"""The partitions a worker has, between what it reads and what it writes; knows Kafka, not Faust.

What a crash may not separate is written in this order, each step acknowledged before the next:
answers and facts, snapshots, the offset up to which input is not needed again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from time import monotonic, perf_counter
from typing import Any

from aiokafka import AIOKafkaProducer

from streams.ports import Codec, Engine, Sensor, StateRow
from streams.runners.kafka.connection import Broker
from streams.runners.kafka.snapshots import SnapshotRows, record_of
from streams.runners.kafka.topics import MAX_BYTES, Topics
from streams.runners.kafka.watch import Watch
from streams.stage import EngineFor, Output, StageLimits, StagePartition, Written, in_force
from streams.wire import Adopt, Answers, Batch, Facts, decode_batch, decode_facts, encode

log = logging.getLogger(__name__)

CUSTOMER = "customer"
Part = tuple[str, int]
"""Stage and number of a partition."""
Place = tuple[str, int]
"""Topic and partition."""
Commit = Callable[[Mapping[Place, int]], Awaitable[Any]]
_WHOLE_BYTES = MAX_BYTES // 2
_BATCH_BYTES = 262_144
_IDLE_S = 1.0
_IDLE_SNAPSHOTS = 1_000
"""Written at a time where nothing comes: a quiet partition has none unwritten soon."""
_BUSY_SHARE = 100
"""While items come, one in so many of the unwritten states is written at a time: what is touched again
and again is written seldom."""


class GapError(Exception):
    """Messages are missing between what was read and what came; nothing is ever skipped."""


class Lane:
    """One partition of a stage with its place in the topics it reads.

    Parameters
    ----------
    partition
        What carries out the items.
    rows
        Its snapshots.
    first
        The offset to go on at, by topic.
    """

    def __init__(self, partition: StagePartition, rows: SnapshotRows, first: Mapping[str, int]) -> None:
        self.partition = partition
        self.rows = rows
        self.next = dict(first)
        self.moved_s = dict.fromkeys(first, monotonic())
        self._read: dict[str, deque[tuple[int, int]]] = {topic: deque() for topic in first}
        self.again = rows.overwritten()

    def is_new(self, topic: str, offset: int) -> bool:
        """Return whether a message was not taken yet.

        Raises
        ------
        GapError
            Where others should have come before it.
        """
        expected = self.next[topic]
        if offset > expected:
            raise GapError(
                f"{topic}/{self.partition.partition}: expected offset {expected}, was {offset}\n"
                "  hint: start again; if that does not help, the topic lost messages nobody had read"
            )
        return offset == expected

    def take(self, topic: str, offset: int, message: Batch | Facts) -> Output:
        """Carry out a message."""
        self.next[topic] = offset + 1
        self.moved_s[topic] = monotonic()
        if isinstance(message, Facts):
            last = max((order for order, _ in message.facts), default=0)
            self._read[topic].append((offset, last))
            return self.partition.receive(message)
        self._read[topic].append((offset, message.items[-1].order if message.items else 0))
        return self.partition.feed(message.items)

    def is_idle(self) -> bool:
        """Return whether nothing came for a while."""
        return monotonic() - max(self.moved_s.values()) > _IDLE_S

    def release(self, floor: int) -> dict[str, int]:
        """Return, by topic, the offset to commit once everything below `floor` is in snapshots."""
        found = {}
        for topic, read in self._read.items():
            while read and read[0][1] < floor:
                found[topic] = read.popleft()[0] + 1
        return found


class Engines:
    """Engines by what is in force, each made once.

    Parameters
    ----------
    engine_for
        Makes one; it may take its time, and is called in a thread.
    """

    def __init__(self, engine_for: EngineFor) -> None:
        self._engine_for = engine_for
        self._made: dict[tuple[str, str], tuple[Engine, Codec]] = {}
        self._making = asyncio.Lock()

    async def prepare(self, wanted: Iterable[tuple[str, str]]) -> None:
        """Make those that are not there yet."""
        for key in wanted:
            async with self._making:
                if key not in self._made:
                    self._made[key] = await asyncio.to_thread(self._engine_for, *key)

    def __call__(self, kind: str, digest: str) -> tuple[Engine, Codec]:
        """Return one that was prepared."""
        return self._made[kind, digest]


class Lanes:
    """Every lane of a worker.

    Parameters
    ----------
    topics
        Names.
    producer
        From `producer_of`.
    engines, limits, sensor, watch
        The parts.
    written
        Called with stage, partition and offset of each snapshot that is durable.
    """

    def __init__(
        self,
        topics: Topics,
        producer: Any,
        engines: Engines,
        watch: Watch,
        *,
        limits: StageLimits | None = None,
        sensor: Sensor | None = None,
        written: Callable[[str, int, int], None] = lambda stage, partition, offset: None,
    ) -> None:
        self._open: dict[Part, Lane] = {}
        self._topics = topics
        self._producer = producer
        self._engines = engines
        self._watch = watch
        self._limits = limits
        self._sensor = sensor or Sensor()
        self._written = written
        self._sent: list[Awaitable[Any]] = []
        self._writing = asyncio.Lock()
        # No snapshot is taken between an item and the sending of its answer.
        self._carrying = asyncio.Lock()

    @property
    def lanes(self) -> Iterable[Lane]:
        """Return the lanes that are open."""
        return self._open.values()

    async def open(self, stage: str, partition: int, rows: SnapshotRows, first: Mapping[str, int]) -> None:
        """Go on with a partition whose snapshots are here."""
        await self._engines.prepare(in_force(stage, rows).items())
        carrier = StagePartition(stage, partition, rows, self._engines, self._limits)
        self._open[stage, partition] = Lane(carrier, rows, first)

    async def take(self, stage: str, topic: str, partition: int, offset: int, value: bytes) -> None:
        """Carry out a message and send what follows; one that was taken already changes nothing.

        Messages for a partition that is not open are left alone: they come again when it is.
        """
        message = decode_facts(value) if topic == self._topics.facts else decode_batch(value)
        if isinstance(message, Batch):
            await self._engines.prepare(
                (item.kind, item.hash) for item in message.items if isinstance(item, Adopt)
            )
        async with self._carrying:
            lane = self._open.get((stage, partition))
            if lane is None or not lane.is_new(topic, offset):
                return
            started = perf_counter()
            out = lane.take(topic, offset, message)
            self._sensor.on_items(stage, len(out.answers.orders), perf_counter() - started)
            await self._send_output(out)

    async def flush(self, commit: Commit, *, is_last: bool = False) -> None:
        """Write snapshots that are due, and commit what is not needed again.

        Parameters
        ----------
        commit
            Commits offsets.
        is_last
            Write as much as where nothing comes.
        """
        async with self._writing:
            async with self._carrying:
                taken = [(part, lane, self._snapshots(lane, is_last)) for part, lane in self._open.items()]
                # Everything the snapshots hold was answered before they were taken.
                sent, self._sent = self._sent, []
            await _all(sent)
            for part, _, written in taken:
                if written.rows:
                    await self._write(*part, written.rows)
            offsets = {
                (topic, part[1]): offset
                for part, lane, written in taken
                for topic, offset in lane.release(written.floor).items()
            }
            if offsets:
                self._watch.check()
                await commit(offsets)

    async def close(self, commit: Commit) -> bool:
        """Write what is unwritten as far as the time allows, and give all partitions up.

        Returns whether everything was written; where it was not, the rows in memory are ahead of
        the topics and must not be used again.
        """
        waits = self._watch.waits
        try:
            # No heartbeat is sent in a rebalance: a session must not end over this.
            async with asyncio.timeout(min(waits.farewell, waits.session / 3)):
                while True:
                    await self.flush(commit, is_last=True)
                    if not any(lane.partition.unwritten for lane in self._open.values()):
                        return True
        except TimeoutError:
            log.warning("partitions_given_up reason=no time to write all snapshots")
            return False
        finally:
            self.drop()

    @staticmethod
    def _snapshots(lane: Lane, is_last: bool) -> Written:
        unwritten = lane.partition.unwritten
        few = _IDLE_SNAPSHOTS if is_last or lane.is_idle() else -(-unwritten // _BUSY_SHARE)
        written = lane.partition.snapshots(few)
        again, lane.again = lane.again, []
        return Written([*again, *written.rows], written.floor)

    def drop(self) -> None:
        """Give all partitions up as they are."""
        self._open.clear()

    async def _write(self, stage: str, partition: int, rows: Iterable[StateRow]) -> None:
        topic, builder, sent = self._topics.state(stage), self._producer.create_batch(), []
        for row in rows:
            key, value = record_of(row)
            if builder.append(key=key, value=value, timestamp=None) is None:
                sent.append((await self._send_batch(builder, topic, partition), builder.record_count()))
                builder = self._producer.create_batch()
                if builder.append(key=key, value=value, timestamp=None) is None:
                    raise ValueError(f"{topic}: the snapshot of {row.id!r} has {len(value)} bytes: too many")
        sent.append((await self._send_batch(builder, topic, partition), builder.record_count()))
        for future, count in sent:
            first = (await future).offset
            for offset in range(first, first + count):
                self._written(stage, partition, offset)

    async def _send_batch(self, builder: Any, topic: str, partition: int) -> Awaitable[Any]:
        self._watch.check()
        found: Awaitable[Any] = await self._producer.send_batch(builder, topic, partition=partition)
        return found

    async def _send_output(self, out: Output) -> None:
        if out.answers.orders:
            for body in messages_of(out.answers):
                self._sent.append(await self._send(self._topics.answers, out.answers.partition, body))
        for partition, facts in out.facts.items():
            self._sent.append(await self._send(self._topics.facts, partition, encode(facts)))

    async def _send(self, topic: str, partition: int, value: bytes) -> Any:
        self._watch.check()
        return await self._producer.send(topic, value, partition=partition)


def producer_of(broker: Broker) -> AIOKafkaProducer:
    """Return a producer for `Lanes`: all replicas acknowledge; nothing comes twice or out of order."""
    return AIOKafkaProducer(
        **broker.options,
        acks="all",
        enable_idempotence=True,
        linger_ms=2,
        max_batch_size=_BATCH_BYTES,
        max_request_size=MAX_BYTES,
        request_timeout_ms=60_000,
    )


async def _all(futures: Iterable[Awaitable[Any]]) -> list[Any]:
    return [await future for future in futures]


def messages_of(answers: Answers) -> list[bytes]:
    """Return answers as messages, in order, none of them too large for the topic."""
    body = encode(answers)
    if len(body) <= _WHOLE_BYTES or len(answers.orders) == 1:
        return [body]
    middle = answers.orders[len(answers.orders) // 2]
    return [body for half in _halves(answers, middle) for body in messages_of(half)]


def _halves(answers: Answers, middle: int) -> tuple[Answers, Answers]:
    first, second = (
        Answers(
            answers.stage,
            answers.partition,
            [order for order in answers.orders if (order < middle) is is_first],
            [score for score in answers.scores if (score[0] < middle) is is_first],
            [answer for answer in answers.answers if (answer.order < middle) is is_first],
        )
        for is_first in (True, False)
    )
    return first, second
