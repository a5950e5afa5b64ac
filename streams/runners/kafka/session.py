"""One stretch of a desk's work, from a committed place to the next failure: read, send, collect, settle."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from monitor.core.events import Event
from streams.entries import DESK, Entry, Memory, Place
from streams.journal import tick
from streams.ports import Outcome, Record, Sensor
from streams.runners.kafka.topics import Topics
from streams.sequence import Sequencer
from streams.settlement import Settlement
from streams.wire import Adopt, Batch, Facts, Item, decode_answers, encode, partition_of

CONTROL = "control"
"""Header of records that are no events."""
ADOPT = b"adopt"
"""The control that changes the configuration in force."""
_MINUTE_MS = 60_000
_LIVE_MS = 120 * _MINUTE_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Batching and back-pressure of a desk."""

    read_records: int = 1_000
    """Records of the log read at once."""
    settled_entries: int = 2_000
    """Entries in a transaction at most."""
    in_flight: int = 20_000
    """Entries sent and not settled: beyond that reading waits."""
    message_items: int = 400
    """Items in a message to a stage at most."""
    tick_ms: int = _MINUTE_MS
    """Ticks by the wall clock, once the stream has caught up with it; 0 for none."""
    longest_pause_s: float = 5.0
    """Between tries while something is away."""


@dataclass(slots=True)
class Health:
    """How a desk is; read by other threads."""

    problem: str = "starting"
    """Why nothing is settled now; empty where all is well."""
    settled: int = 0
    """Entries settled since the start."""
    settled_at: float = 0.0
    """`time.monotonic` of the last settlement."""
    in_flight: int = 0


class Session:
    """Carries records through stages to the database until it fails or is stopped.

    Three loops share one sequencer on one event loop: reading and sending, collecting answers,
    settling. Only the database is another thread's.
    """

    def __init__(
        self,
        topics: Topics,
        settlement: Settlement,
        memory: Memory,
        build: Callable[[Place, Callable[[str, int, Item], None]], Sequencer],
        bundle: Callable[[str], bytes],
        archive: Callable[[str], bytes],
        sensor: Sensor,
        pace: Pace,
        health: Health,
    ) -> None:
        self._topics, self._settlement, self._memory, self._build = topics, settlement, memory, build
        self._sensor, self._pace, self._health = sensor, pace, health
        self._bundle, self._published = bundle, ""
        self._archive, self._archived = archive, ""
        self._outgoing: dict[tuple[str, int], list[Item]] = defaultdict(list)
        self._sent: set[asyncio.Future[Any]] = set()
        self._answered, self._settled = asyncio.Event(), asyncio.Event()
        self._failure: BaseException | None = None
        self._settling: asyncio.Future[Any] | None = None

    async def run(
        self,
        place: Place,
        producer: AIOKafkaProducer,
        records: AIOKafkaConsumer,
        answers: AIOKafkaConsumer,
        stopping: asyncio.Event,
    ) -> None:
        """Work from a place on; raises what the first loop that fails raises."""
        self._loop = asyncio.get_running_loop()
        self._producer, self._records, self._answers = producer, records, answers
        self._sequencer = self._build(place, lambda *item: self._outgoing[item[:2]].append(item[2]))
        await self._seek(place)
        self._settlement.tell = self._tell
        stop = asyncio.create_task(stopping.wait())
        loops = [self._read(), self._collect(), self._settle(), self._tick()]
        tasks = [stop, *(asyncio.create_task(loop) for loop in loops)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            failed = [task for task in tasks if task.done()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._let_settling_end()
        for task in failed:
            task.result()

    # Reading and sending.

    async def _seek(self, place: Place) -> None:
        events = TopicPartition(self._topics.events, 0)
        self._records.assign([events])
        self._records.seek(events, place.position)
        parts = [TopicPartition(self._topics.answers, number) for number in range(self._topics.partitions)]
        self._answers.assign(parts)
        firsts = await self._answers.beginning_offsets(parts)
        for part in parts:
            self._answers.seek(part, max(place.answers.get(part.partition, 0), firsts[part]))

    async def _read(self) -> None:
        await self._flush()
        while True:
            while len(self._sequencer.entries) >= self._pace.in_flight:
                await self._next_settlement()
            found = await self._records.getmany(timeout_ms=200, max_records=self._pace.read_records)
            for messages in found.values():
                await self._take(messages)
            await self._flush()

    async def _take(self, messages: Sequence[Any]) -> None:
        """Give a run of messages its order; a change of configuration divides it."""
        run: list[Any] = []
        for message in messages:
            headers = dict(message.headers)
            if headers.get(CONTROL) != ADOPT:
                run.append((_record(message, headers), message.offset + 1))
                continue
            await self._take_records(run)
            run = []
            digest = orjson.loads(message.value)["configuration"]
            while not self._sequencer.change(digest, message.offset + 1):
                await self._drain()
        await self._take_records(run)

    async def _take_records(self, run: Sequence[tuple[Record, int]]) -> None:
        rest = deque((record, position, self._sequencer.decode(record)) for record, position in run)
        while rest:
            refs = [what.ref for _, _, what in rest if type(what) is Event]
            # In this order: what is settled while the database answers was on its way before.
            flying = {ref for ref in refs if self._sequencer.is_flying(ref)}
            known = await asyncio.to_thread(self._memory.known, refs) if refs else set()
            self._take_known(rest, known, flying - known)
            if rest:
                # What was on its way is journaled then, or failed: all of it is looked up again.
                await self._flush()
                if self._sequencer.entries:
                    await self._next_settlement()

    def _take_known(self, rest: deque[tuple[Record, int, Any]], known: set[int], flying: set[int]) -> None:
        """Take records up to the first that depends on what is still on its way.

        Parameters
        ----------
        known
            References that were journaled when somebody looked.
        flying
            Those that were on their way then.
        """
        while rest:
            record, position, what = rest[0]
            ref = what.ref if type(what) is Event else None
            if ref in flying and not self._sequencer.is_flying(ref):
                return  # settled since
            if not self._sequencer.take(record, what, position, is_known=ref in known):
                return
            rest.popleft()

    async def _drain(self) -> None:
        """Wait until everything sent so far is settled."""
        await self._flush()
        while self._sequencer.entries:
            await self._next_settlement()

    async def _next_settlement(self) -> None:
        self._settled.clear()
        await self._settled.wait()

    async def _flush(self) -> None:
        await self._publish()
        size = self._pace.message_items
        outgoing, self._outgoing = self._outgoing, defaultdict(list)
        for (stage, partition), items in outgoing.items():
            for start in range(0, len(items), size):
                body = encode(Batch(items[start : start + size]))
                await self._send(self._topics.stage(stage), partition, body)
        self._answered.set()  # entries without any stage are ready at once
        self._health.in_flight = len(self._sequencer.entries)
        self._sensor.on_in_flight(self._health.in_flight)

    async def _publish(self) -> None:
        """Give the workers what is in force now, and what scores, before the first item that needs it."""
        digest = self._sequencer.configuration
        if digest != self._archived:
            body = await asyncio.to_thread(self._archive, digest)
            await self._producer.send_and_wait(
                self._topics.configurations, body, key=digest.encode(), partition=0
            )
            self._archived = digest
        name = self._sequencer.scoring
        if name and name != self._published:
            body = await asyncio.to_thread(self._bundle, name)
            await self._producer.send_and_wait(
                self._topics.configurations, body, key=name.encode(), partition=0
            )
            self._published = name

    async def _send(self, topic: str, partition: int, body: bytes) -> None:
        sent = await self._producer.send(topic, body, partition=partition)
        self._sent.add(sent)
        sent.add_done_callback(self._arrived)

    def _arrived(self, sent: asyncio.Future[Any]) -> None:
        self._sent.discard(sent)
        if not sent.cancelled() and (error := sent.exception()):
            self._failure = error
            self._answered.set()

    # Collecting and settling.

    async def _collect(self) -> None:
        while True:
            found = await self._answers.getmany(timeout_ms=200)
            for part, messages in found.items():
                for message in messages:
                    self._sequencer.receive(part.partition, message.offset + 1, decode_answers(message.value))
            if found:
                self._answered.set()

    async def _settle(self) -> None:
        while True:
            entries = self._sequencer.ready(self._pace.settled_entries)
            if not entries:
                self._answered.clear()
                await self._answered.wait()
                if self._failure is not None:
                    raise self._failure
                continue
            began = time.perf_counter()
            place = self._sequencer.place(entries[-1])
            work = asyncio.to_thread(self._settlement.settle, entries, place)
            self._settling = asyncio.ensure_future(work)
            await asyncio.shield(self._settling)
            outcomes = self._settling.result()
            self._sequencer.settled(entries)
            self._note(entries, outcomes, time.perf_counter() - began)
            self._settled.set()

    async def _let_settling_end(self) -> None:
        """Wait for the thread that settles: the next session must not meet it at the database."""
        if self._settling is None or self._settling.done():
            return
        for entry in self._sequencer.entries:
            if entry.answered:
                entry.answered.set()  # it may wait for an answer that no one takes in any more
        await asyncio.wait([self._settling])

    def _note(self, entries: Sequence[Entry], outcomes: Sequence[Outcome], seconds: float) -> None:
        health, now_ms = self._health, time.time() * 1000
        health.problem, health.settled_at = "", time.monotonic()
        health.settled += len(entries)
        health.in_flight = len(self._sequencer.entries)
        self._sensor.on_batch(len(entries), seconds)
        self._sensor.on_in_flight(health.in_flight)
        records = [one.record for one in entries if not one.is_brought and type(one.what) is not Adopt]
        self._sensor.on_outcomes(records, outcomes)
        for record in records:
            if record.received_ms:
                self._sensor.on_latency((now_ms - record.received_ms) / 1000)

    def _tell(self, entry: Entry, facts: dict[str, Any] | None) -> None:
        """Send the desk's facts to the customer's partition; called in the thread that settles."""
        order, stage, name = entry.subjects[-1]
        assert stage == "customer"
        body = encode(Facts(DESK, [(order, facts)]))
        partition = partition_of(name, self._topics.partitions)
        sending: Coroutine[Any, Any, Any] = self._producer.send_and_wait(
            self._topics.facts, body, partition=partition
        )
        asyncio.run_coroutine_threadsafe(sending, self._loop).result(30)

    async def _tick(self) -> None:
        """Let time pass by the clock once the stream has caught up with it."""
        every_ms = self._pace.tick_ms
        while every_ms:
            now_ms = int(time.time() * 1000)
            await asyncio.sleep((every_ms - now_ms % every_ms) / 1000)
            moment_ms = (now_ms // every_ms + 1) * every_ms
            if abs(self._sequencer.stream_time_ms - moment_ms) < _LIVE_MS:
                await self._producer.send_and_wait(self._topics.events, tick(moment_ms).body, partition=0)


def _record(message: Any, headers: dict[str, bytes]) -> Record:
    """Return the record a message holds; one without our headers was received when Kafka took it."""
    received = headers.get("received_ms", b"")
    source = headers.get("source", b"").decode(errors="replace")
    return Record(message.value or b"", source, int(received) if received.isdigit() else message.timestamp)
