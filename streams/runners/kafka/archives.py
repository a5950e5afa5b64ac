"""Archived configurations, read by their hash from a compacted topic."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.runners.kafka.connection import Broker
from streams.runners.kafka.topics import MAX_ARCHIVE_BYTES, Topics


class UnknownArchiveError(Exception):
    """Nothing of that hash was published."""


def fetch_archive(broker: Broker, topics: Topics, digest: str) -> bytes:
    """Return what was published under a hash; for a thread that runs no event loop.

    Raises
    ------
    UnknownArchiveError
        Where nothing was.
    """
    return asyncio.run(read_archive(broker, topics, digest))


async def read_archive(broker: Broker, topics: Topics, digest: str) -> bytes:
    """Return what was published under a hash.

    Raises
    ------
    UnknownArchiveError
        Where nothing was.
    """
    consumer = AIOKafkaConsumer(
        **broker.options, enable_auto_commit=False, max_partition_fetch_bytes=MAX_ARCHIVE_BYTES
    )
    await consumer.start()
    try:
        found = await _read(consumer, TopicPartition(topics.configurations, 0), digest.encode())
    finally:
        await consumer.stop()
    if found is None:
        raise UnknownArchiveError(
            f"{topics.configurations}: nothing has the hash {digest!r}\n"
            "  hint: the desk publishes it; has it the same kafka.prefix?"
        )
    return found


async def _read(consumer: Any, place: TopicPartition, key: bytes) -> bytes | None:
    consumer.assign([place])
    await consumer.seek_to_beginning(place)
    end = (await consumer.end_offsets([place]))[place]
    found: bytes | None = None
    while await consumer.position(place) < end:
        for records in (await consumer.getmany(timeout_ms=1_000)).values():
            for record in records:
                found = record.value if record.key == key else found
    return found
