"""Topics of a cluster on a real broker: created once, refused where they are others; archives read back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from streams.runners.kafka.archives import UnknownArchiveError, fetch_archive
from streams.runners.kafka.connection import Broker
from streams.runners.kafka.topics import Topics, TopicsError, create_topics

pytestmark = pytest.mark.kafka


def create(bootstrap: str, topics: Topics, replication: int = 1) -> None:
    asyncio.run(create_topics(Broker(bootstrap=bootstrap), topics, replication=replication))


async def partitions(bootstrap: str, names: Sequence[str]) -> dict[str, int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    found = await admin.describe_topics(list(names))
    await admin.close()
    return {topic["topic"]: len(topic["partitions"]) for topic in found}


def test_roles_that_start_together_create_the_topics_once(kafka_bootstrap: str, kafka_prefix: str):
    topics = Topics(kafka_prefix, 3, ("customer",))
    broker = Broker(bootstrap=kafka_bootstrap)

    async def together() -> None:
        await asyncio.gather(*(create_topics(broker, topics) for _ in range(3)))

    asyncio.run(together())
    names = [topics.events, topics.stage("customer"), topics.state("customer"), topics.answers]
    assert list(asyncio.run(partitions(kafka_bootstrap, sorted(names))).values()) == [3, 1, 3, 3]


def test_topics_with_other_partitions_are_all_named(kafka_bootstrap: str, kafka_prefix: str):
    create(kafka_bootstrap, Topics(kafka_prefix, 3, ("customer",)))
    with pytest.raises(TopicsError) as refused:
        create(kafka_bootstrap, Topics(kafka_prefix, 4, ("customer",)))
    told = str(refused.value).splitlines()
    assert f"topic {kafka_prefix}.stage.customer: expected 4 partitions, was 3" in told
    assert len(told) == 5
    assert told[-1] == "  hint: set kafka.partitions to what is there, or take another kafka.prefix"


def test_more_copies_than_brokers_are_refused(kafka_bootstrap: str, kafka_prefix: str):
    with pytest.raises(TopicsError, match=r"kafka\.replication must not be above the number of brokers"):
        create(kafka_bootstrap, Topics(kafka_prefix, 1, ("customer",)), replication=3)


def test_an_archive_is_read_back_by_its_hash(kafka_bootstrap: str, kafka_prefix: str):
    topics, broker = Topics(kafka_prefix, 1, ("customer",)), Broker(bootstrap=kafka_bootstrap)
    create(kafka_bootstrap, topics)

    async def publish() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, max_request_size=8_000_000)
        await producer.start()
        for digest, archive in (("a", b"old"), ("b", b"x" * 5_000_000), ("a", b"new")):
            await producer.send_and_wait(topics.configurations, archive, key=digest.encode())
        await producer.stop()

    asyncio.run(publish())
    assert fetch_archive(broker, topics, "a") == b"new"
    assert len(fetch_archive(broker, topics, "b")) == 5_000_000
    with pytest.raises(UnknownArchiveError, match="nothing has the hash 'c'"):
        fetch_archive(broker, topics, "c")
