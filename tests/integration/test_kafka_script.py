"""`scripts/kafka`: a real broker from Maven Central's jars, that keeps what it acknowledged."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from servers import SCRIPTS, KafkaServer

LARGE = 10 * 1024 * 1024


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    server = KafkaServer(tmp_path_factory.mktemp("kafka"))
    server.start()
    yield server
    server.stop()


async def send(bootstrap: str, topic: str, value: bytes) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1, topic_configs={"max.message.bytes": str(2 * LARGE)})])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_request_size=2 * LARGE) as out:
        await out.send_and_wait(topic, value)


async def receive(bootstrap: str, topic: str) -> bytes:
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        await consumer.seek_to_beginning()
        return bytes((await consumer.getone()).value)


@pytest.mark.kafka
def test_an_acknowledged_message_outlives_a_kill_of_the_broker(broker):
    value = os.urandom(LARGE)
    asyncio.run(send(broker.address, "kept", value))
    broker.restart()
    assert asyncio.run(receive(broker.address, "kept")) == value


@pytest.mark.kafka
def test_a_second_node_is_refused_where_one_runs(broker):
    done = subprocess.run(
        [SCRIPTS / "kafka", "start", "--dir", broker.folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "a node runs there already\n  hint: scripts/kafka stop" in done.stderr


def test_a_machine_without_java_and_maven_is_told_what_to_install(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, SCRIPTS / "kafka", "check"],
        env={"PATH": "", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "kafka: java and mvn: not installed\n"
        "  hint: `make services` installs them (Debian: default-jre-headless and maven)\n"
    )
