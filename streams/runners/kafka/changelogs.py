"""Brings snapshots back from their topics, many records at a time.

Faust's own recovery handles record by record, through a queue, a task and a timer each: about ten
times as slow. It is left with what came while this was reading: as a rule nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.runners.kafka.connection import Broker
from streams.runners.kafka.snapshots import ChangelogRows

_FETCH_BYTES = 4_194_304


async def read_back(broker: Broker, rows: Mapping[str, ChangelogRows], places: Iterable[Any]) -> None:
    """Read changelogs from where memory has them to their end.

    Parameters
    ----------
    rows
        Where the records go, by topic.
    places
        Topics and partitions; none where there are more workers than partitions.
    """
    wanted = [TopicPartition(topic, number) for topic, number in places]
    if not wanted:
        # aiokafka raises CancelledError where a consumer is stopped before the loop went round once:
        # Faust takes that for its own end, and never recovers anything again.
        return
    generations = {topic: changelog.generation for topic, changelog in rows.items()}
    consumer = AIOKafkaConsumer(
        **broker.options,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=_FETCH_BYTES,
    )
    await consumer.start()
    try:
        ends = await _seek(consumer, rows, wanted)
        while ends:
            for place, records in (await consumer.getmany(timeout_ms=1_000)).items():
                changelog, generation = rows[place.topic], generations[place.topic]
                for record in records:
                    changelog.apply(place.partition, record.offset, generation, record.key, record.value)
            for place in [place for place in ends if await consumer.position(place) >= ends[place]]:
                # Compaction may have taken the last records but one: the end is the end all the same.
                rows[place.topic].apply(place.partition, ends.pop(place) - 1, generations[place.topic])
    finally:
        await consumer.stop()


async def _seek(
    consumer: Any, rows: Mapping[str, ChangelogRows], wanted: list[TopicPartition]
) -> dict[TopicPartition, int]:
    begins, ends = await consumer.beginning_offsets(wanted), await consumer.end_offsets(wanted)
    first = {place: max(begins[place], rows[place.topic].reached(place.partition) + 1) for place in wanted}
    found = {place: end for place, end in ends.items() if end > first[place]}
    consumer.assign(list(found))
    for place in found:
        consumer.seek(place, first[place])
    return found
