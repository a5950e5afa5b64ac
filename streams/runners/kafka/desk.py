"""The desk of a cluster: reads the log of records, sends them to stages, settles what they answer.

One desk settles at a time (its database has a lock). Everything it holds is a function of the log
and of what is committed, so after any failure it starts again from there, in the process or in the
next one: items go out again under the same numbers, and stages pass over what they did.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from streams.entries import Memory, Place
from streams.ports import Sensor, StoreUnavailableError
from streams.runners.kafka.connection import Broker
from streams.runners.kafka.session import ADOPT, CONTROL, Health, Pace, Session
from streams.runners.kafka.topics import Topics
from streams.sequence import Sequencer
from streams.settlement import Settlement, UnansweredError
from streams.wire import Item

log = logging.getLogger(__name__)

Build = Callable[[Place, Callable[[str, int, Item], None]], Sequencer]
"""Makes a sequencer that goes on at a place and sends items by a callback."""
_FAILURES = (KafkaError, OSError, StoreUnavailableError, UnansweredError, TimeoutError)
_LARGEST = 16 * 1024 * 1024
"""Bytes of a message at most: the archive of a configuration is one."""


class LogGoneError(RuntimeError):
    """The log of records does not hold what was not settled yet: nothing may be skipped by itself."""


class DeskRunner:
    """Runs a desk until it is stopped.

    Parameters
    ----------
    broker, topics
        Where to read and send.
    settlement
        Commits; used by one thread at a time.
    memory
        Look-ups, on a connection of its own.
    build
        See `Build`.
    configuration
        Hash of the one that is to be in force.
    archive
        What the hash names, for the workers.
    bundle
        Gives the model versions that a name stands for, packed, for the workers.
    archived
        Gives any configuration's archive by its hash: people may put others into force.
    """

    def __init__(
        self,
        broker: Broker,
        topics: Topics,
        settlement: Settlement,
        memory: Memory,
        build: Build,
        configuration: str,
        archive: bytes,
        bundle: Callable[[str], bytes],
        archived: Callable[[str], bytes],
        sensor: Sensor | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._broker, self._topics = broker, topics
        self._settlement, self._memory, self._build = settlement, memory, build
        self._configuration, self._archive, self._bundle = configuration, archive, bundle
        self._sensor, self._pace = sensor or Sensor(), pace or Pace()
        self._archived, self._is_announced = archived, False
        self.health = Health()

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set; failures of broker and database are waited out.

        Raises
        ------
        LogGoneError
            Records that were not settled are gone, or the log is another one.
        """
        pause = 0.1
        while not stopping.is_set():
            began = self.health.settled
            try:
                await self._work(stopping)
            except _FAILURES as error:
                self.health.problem = f"{type(error).__name__}: {error}"
                log.warning("desk_interrupted reason=%s", self.health.problem)
                self._sensor.on_store_unavailable()
                pause = 0.1 if self.health.settled > began else min(2 * pause, self._pace.longest_pause_s)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), pause)

    async def _work(self, stopping: asyncio.Event) -> None:
        async with AsyncExitStack() as stack:
            producer = await self._producer(stack)
            records, answers = await self._consumer(stack), await self._consumer(stack)
            place = await self._begin(records)
            # What is in force must reach the workers before the first item that needs it.
            await self._publish(producer)
            if place.configuration != self._configuration and not self._is_announced:
                await self._announce(producer)
            # Once a process: from here on people may put another one into force.
            self._is_announced = True
            session = Session(
                self._topics,
                self._settlement,
                self._memory,
                self._build,
                self._bundle,
                self._archived,
                self._sensor,
                self._pace,
                self.health,
            )
            await session.run(place, producer, records, answers, stopping)

    async def _producer(self, stack: AsyncExitStack) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **self._broker.options,
            acks="all",
            enable_idempotence=True,
            linger_ms=1,
            max_request_size=_LARGEST,
            max_batch_size=262_144,
        )
        stack.push_async_callback(producer.stop)
        await producer.start()
        return producer

    async def _consumer(self, stack: AsyncExitStack) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            **self._broker.options,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=20,
            max_partition_fetch_bytes=4 * 1024 * 1024,
        )
        stack.push_async_callback(consumer.stop)
        await consumer.start()
        return consumer

    async def _begin(self, records: AIOKafkaConsumer) -> Place:
        log_of_records = TopicPartition(self._topics.events, 0)
        first = (await records.beginning_offsets([log_of_records]))[log_of_records]
        end = (await records.end_offsets([log_of_records]))[log_of_records]
        place = await asyncio.to_thread(self._settlement.recover)
        if place is None:
            place = Place(position=first, configuration=self._configuration)
            await asyncio.to_thread(self._settlement.begin, place)
        if not first <= place.position <= end:
            raise LogGoneError(
                f"{self._topics.events}: expected to go on at offset {place.position}, "
                f"but it holds {first} to {end}\n"
                "  hint: records were deleted before they were settled, or the topic was made anew: "
                "see docs/cluster.md"
            )
        return place

    async def _publish(self, producer: AIOKafkaProducer) -> None:
        name = self._configuration.encode()
        await producer.send_and_wait(self._topics.configurations, self._archive, key=name, partition=0)

    async def _announce(self, producer: AIOKafkaProducer) -> None:
        """Put the change of configuration into the log: it has its place among the records."""
        body = orjson.dumps({"configuration": self._configuration})
        headers: list[tuple[str, bytes]] = [(CONTROL, ADOPT)]
        await producer.send_and_wait(self._topics.events, body, partition=0, headers=headers)
