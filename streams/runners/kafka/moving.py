"""States into a new cluster: snapshots become what its workers recover from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import AsyncExitStack

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.entries import Place
from streams.ports import StateRow
from streams.runners.kafka.connection import Broker
from streams.runners.kafka.snapshots import record_of
from streams.runners.kafka.topics import MAX_ARCHIVE_BYTES, Topics
from streams.stage import DONE, EPOCH
from streams.wire import partition_of

_UNDER_WAY = 1_000


class NotEmptyError(RuntimeError):
    """The topics hold something already: another cluster's, or what an earlier import left."""


async def import_states(
    broker: Broker,
    topics: Topics,
    rows: Iterable[StateRow],
    *,
    order: int,
    configuration: str,
    archive: bytes,
    stream_time_ms: int,
    progress: Callable[[int], None] = lambda done: None,
) -> Place:
    """Write snapshots into the changelogs of empty topics; return the place from which a desk goes on.

    Parameters
    ----------
    rows
        Snapshots that include everything up to `order`.
    order
        The last order given; orders of the cluster follow it.
    configuration, archive
        What is in force, by hash and as bytes.
    progress
        Called with the number of snapshots sent.

    Raises
    ------
    NotEmptyError
        Workers were fed through these topics before.
    """
    async with AsyncExitStack() as stack:
        producer = AIOKafkaProducer(
            **broker.options,
            acks="all",
            enable_idempotence=True,
            linger_ms=5,
            max_request_size=MAX_ARCHIVE_BYTES,
        )
        stack.push_async_callback(producer.stop)
        await producer.start()
        consumer = AIOKafkaConsumer(**broker.options, group_id=None)
        stack.push_async_callback(consumer.stop)
        await consumer.start()
        place = await _place(consumer, topics)
        await producer.send_and_wait(topics.configurations, archive, key=configuration.encode(), partition=0)
        await _send(producer, topics, _everything(rows, topics, order, configuration), progress)
    return msgspec.structs.replace(
        place, order=order, configuration=configuration, stream_time_ms=stream_time_ms
    )


async def _send(
    producer: AIOKafkaProducer,
    topics: Topics,
    rows: Iterable[tuple[int, StateRow]],
    progress: Callable[[int], None],
) -> None:
    sent: list[asyncio.Future[object]] = []
    for number, (partition, row) in enumerate(rows, start=1):
        key, value = record_of(row)
        sent.append(await producer.send(topics.state(row.kind), value, key=key, partition=partition))
        if len(sent) >= _UNDER_WAY:
            await asyncio.gather(*sent)
            sent.clear()
            progress(number)
    await asyncio.gather(*sent)


def _everything(
    rows: Iterable[StateRow], topics: Topics, order: int, configuration: str
) -> Iterator[tuple[int, StateRow]]:
    for row in rows:
        if row.kind in topics.stages:
            yield partition_of(row.id, topics.partitions), row._replace(seq=min(row.seq, order))
    in_force = msgspec.msgpack.encode({"configuration": configuration})
    for kind in topics.stages:
        for partition in range(topics.partitions):
            yield partition, StateRow(kind, EPOCH, order, 0, in_force)
            yield partition, StateRow(kind, DONE, order, 0, b"")


async def _place(consumer: AIOKafkaConsumer, topics: Topics) -> Place:
    stages = [topics.stage(kind) for kind in topics.stages]
    parts = [
        TopicPartition(name, part) for name in (*stages, topics.answers) for part in range(topics.partitions)
    ]
    ends = await consumer.end_offsets([*parts, TopicPartition(topics.events, 0)])
    used = sorted({part.topic for part in parts if ends[part]})
    if used:
        hint = "give another kafka.prefix, or remove the topics of a cluster that was given up"
        raise NotEmptyError(f"{used[0]}: expected an empty topic\n  hint: {hint}")
    # Records that came before the move wait in the log: they are read from its beginning.
    events = TopicPartition(topics.events, 0)
    first = (await consumer.beginning_offsets([events]))[events]
    return Place(position=first)
