"""What the brokers say about offsets, asked on a connection of its own: a consumer that died says nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable
from time import monotonic

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streams.ports import Sensor
from streams.runners.kafka.connection import Broker
from streams.runners.kafka.lanes import Lane, Place
from streams.runners.kafka.watch import Watch

log = logging.getLogger(__name__)


class Offsets:
    """Looks offsets of a consumer group up.

    Parameters
    ----------
    broker
        Where to ask.
    group
        The consumer group.
    """

    def __init__(self, broker: Broker, group: str) -> None:
        self._group = group
        self._admin = AIOKafkaAdminClient(**broker.options)
        self._consumer = AIOKafkaConsumer(**broker.options, enable_auto_commit=False)

    async def start(self) -> None:
        """Connect."""
        await self._admin.start()
        await self._consumer.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._admin.close()
        await self._consumer.stop()

    async def first(self, places: Collection[Place]) -> dict[Place, int]:
        """Return where the group goes on: what it committed, else the beginning."""
        committed = await self._admin.list_consumer_group_offsets(self._group)
        found = {tuple(place): entry.offset for place, entry in committed.items() if entry.offset >= 0}
        missing = [TopicPartition(*place) for place in places if place not in found]
        begins = await self._consumer.beginning_offsets(missing) if missing else {}
        return {place: found.get(place, begins.get(TopicPartition(*place), 0)) for place in places}

    async def ask_coordinator(self) -> None:
        """Return once the coordinator of the group answered."""
        await self._admin.list_consumer_group_offsets(self._group)

    async def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """Return the offsets the next messages will get."""
        found = await self._consumer.end_offsets([TopicPartition(*place) for place in places])
        return {tuple(place): offset for place, offset in found.items()}


class Lag:
    """How many messages wait for a worker; ends it where it leaves them waiting.

    Parameters
    ----------
    offsets, sensor, watch
        The parts.
    lanes
        Gives the lanes that are open.
    """

    def __init__(
        self, offsets: Offsets, lanes: Callable[[], Iterable[Lane]], watch: Watch, sensor: Sensor
    ) -> None:
        self._offsets = offsets
        self._lanes = lanes
        self._watch = watch
        self._sensor = sensor
        self._stuck: dict[Place, tuple[int, float]] = {}

    async def look(self) -> None:
        """Compare what is read with what is there."""
        reached = {
            (topic, lane.partition.partition): offset
            for lane in self._lanes()
            for topic, offset in lane.next.items()
        }
        try:
            async with asyncio.timeout(self._watch.waits.session):
                await self._offsets.ask_coordinator()
                self._watch.heard()
                ends = await self._offsets.ends(reached) if reached else {}
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("lag_unknown reason=%r", error)
            return
        for place, offset in reached.items():
            waiting = max(0, ends[place] - offset)
            self._sensor.on_lag(*place, waiting)
            self._judge(place, offset, waiting)
        self._stuck = {place: since for place, since in self._stuck.items() if place in reached}

    def _judge(self, place: Place, offset: int, waiting: int) -> None:
        before = self._stuck.get(place)
        if not waiting or before is None or before[0] != offset:
            self._stuck[place] = (offset, monotonic())
            return
        still = monotonic() - before[1]
        if still > self._watch.waits.progress:
            topic, partition = place
            self._watch.leave(f"{topic}/{partition}: {waiting} messages wait at {offset} for {still:.0f} s")
