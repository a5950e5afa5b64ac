"""Workers on a real broker, killed, stopped, joined and left: the answers are those of one straight pass."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from played_desk import SESSION_S, PlayedDesk, WorkerProcess, played_desk, until

from streams.ports import StateRow
from streams.runners.kafka.snapshots import record_of
from streams.runners.kafka.watch import EXIT_STATUS

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
NIGHTLY = os.environ.get("RISKMON_NIGHTLY") == "1"
KILLS = 100 if NIGHTLY else 4

Start = Callable[..., WorkerProcess]


@pytest.fixture
def start(kafka_bootstrap: str, tmp_path: Path) -> Iterator[Start]:
    started: list[WorkerProcess] = []

    def begin(desk: PlayedDesk, **more: Any) -> WorkerProcess:
        started.append(WorkerProcess(desk.topics, kafka_bootstrap, tmp_path, **more))
        return started[-1]

    yield begin
    for worker in started:
        worker.process.kill()
        worker.process.wait()
        print(f"{worker.log.name} ended with {worker.process.returncode}:\n{worker.told()}")  # noqa: T201  shown where a test fails


def is_as_expected(desk: PlayedDesk) -> bool:
    expected = desk.expected
    assert desk.orders == expected.orders
    assert desk.scores == expected.scores
    assert desk.answered == expected.answered
    return True


@pytest.mark.parametrize(("partitions", "workers"), [(1, 1), (3, 2), (12, 3)])
def test_the_number_of_partitions_and_workers_changes_no_answer(
    partitions: int, workers: int, kafka_bootstrap: str, kafka_prefix: str, start: Start
) -> None:
    async def play() -> None:
        async with played_desk(kafka_bootstrap, kafka_prefix, partitions) as desk:
            started = [start(desk) for _ in range(workers)]
            await desk.send()
            await desk.all_answered()
            assert is_as_expected(desk)
            for worker in started:
                worker.process.terminate()
            assert [worker.ends() for worker in started] == [0] * workers

    asyncio.run(play())


def test_kills_joins_and_leaves_under_load_lose_nothing(
    kafka_bootstrap: str, kafka_prefix: str, start: Start
) -> None:
    async def play() -> None:
        length, random = 250 * KILLS, Random(KILLS)
        async with played_desk(kafka_bootstrap, kafka_prefix, 3, length=length, seed=2) as desk:
            workers = [start(desk), start(desk)]
            sending = asyncio.create_task(desk.send(size=10, pause_s=0.1))
            await until(lambda: desk.answered, "the first answers")
            for number in range(KILLS):
                await asyncio.sleep(random.uniform(0.5, 3.0))
                leaving = workers.pop(0)
                leaving.process.send_signal(signal.SIGTERM if number % 4 == 3 else signal.SIGKILL)
                workers.append(start(desk))
            await sending
            await desk.all_answered()
            assert is_as_expected(desk)

    asyncio.run(play())


def test_a_worker_that_had_no_partition_takes_over(
    kafka_bootstrap: str, kafka_prefix: str, start: Start
) -> None:
    async def play() -> None:
        async with played_desk(kafka_bootstrap, kafka_prefix, 1, seed=5) as desk:
            first = start(desk)
            await desk.put_first_half()
            await until(lambda: desk.answered, "the first answers")
            spare = start(desk)
            await until(lambda: "worker_ready partitions=0" in spare.told(), "a worker without work")
            first.process.kill()
            await desk.put_second_half()
            await desk.all_answered()
            assert is_as_expected(desk)

    asyncio.run(play())


def test_a_worker_that_was_stopped_leaves_when_it_goes_on(
    kafka_bootstrap: str, kafka_prefix: str, start: Start
) -> None:
    async def play() -> None:
        async with played_desk(kafka_bootstrap, kafka_prefix, 3, seed=3) as desk:
            zombie = start(desk)
            sending = asyncio.create_task(desk.send(size=10, pause_s=0.05))
            await until(lambda: desk.answered, "the first answers")
            zombie.process.send_signal(signal.SIGSTOP)
            stopped = time.monotonic()
            start(desk)
            await sending
            await desk.all_answered()
            await until(lambda: time.monotonic() - stopped > SESSION_S, "a session's end")
            zombie.process.send_signal(signal.SIGCONT)
            assert zombie.ends() == EXIT_STATUS
            assert "stood still for" in zombie.told()
            assert is_as_expected(desk)

    asyncio.run(play())


def test_an_old_snapshot_behind_a_newer_one_is_overruled_and_overwritten(
    kafka_bootstrap: str, kafka_prefix: str, start: Start
) -> None:
    async def play() -> None:
        async with played_desk(kafka_bootstrap, kafka_prefix, 1, seed=4) as desk:
            first = start(desk)
            await desk.put_first_half()
            half = desk.half["customer", 0]
            await until(lambda: len(desk.orders["customer", 0]) == half, "half of the answers")
            first.process.terminate()
            assert first.ends() == 0
            state = desk.topics.state("customer")
            key, old = record_of(StateRow("customer", "C-1", 2, 0, b"\x94\x01\x01\x01\x00"))
            await desk.producer.send_and_wait(state, old, key=key, partition=0)
            start(desk)
            await desk.put_second_half()
            await desk.all_answered()
            assert is_as_expected(desk)
            while (await records(kafka_bootstrap, state, key))[-1] == old:
                await asyncio.sleep(0.2)

    asyncio.run(play())


async def records(bootstrap: str, topic: str, key: bytes) -> list[bytes]:
    place = TopicPartition(topic, 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    consumer.assign([place])
    await consumer.seek_to_beginning(place)
    end, found = (await consumer.end_offsets([place]))[place], []
    while await consumer.position(place) < end:
        for batch in (await consumer.getmany(timeout_ms=500)).values():
            found += [record.value for record in batch if record.key == key]
    await consumer.stop()
    return found


def test_a_message_nobody_can_read_ends_the_worker_and_is_not_skipped(
    kafka_bootstrap: str, kafka_prefix: str, start: Start
) -> None:
    async def play() -> None:
        async with played_desk(kafka_bootstrap, kafka_prefix, 1) as desk:
            await desk.producer.send_and_wait(desk.topics.stage("device"), b"no batch", partition=0)
            for _ in range(2):
                worker = start(desk)
                assert worker.ends() == EXIT_STATUS
                assert f"{desk.topics.stage('device')}/0 offset 0" in worker.told()

    asyncio.run(play())


def test_messages_that_are_gone_unread_end_the_worker(
    kafka_bootstrap: str, kafka_prefix: str, start: Start
) -> None:
    async def play() -> None:
        async with played_desk(kafka_bootstrap, kafka_prefix, 1) as desk:
            worker = start(desk)
            customers = desk.logs["customer", 0]
            await desk.put(("customer", 0), customers[:1])
            await until(lambda: desk.orders["customer", 0], "an answer")
            worker.process.terminate()
            assert worker.ends() == 0
            for place in range(1, 4):
                await desk.put(("customer", 0), customers[place : place + 1])
            await desk.producer.flush()
            admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
            await admin.start()
            place = TopicPartition(desk.topics.stage("customer"), 0)
            await admin.delete_records({place: RecordsToDelete(before_offset=3)})
            await admin.close()
            worker = start(desk)
            assert worker.ends() == EXIT_STATUS
            assert "expected offset 1, was 3" in worker.told()

    asyncio.run(play())
