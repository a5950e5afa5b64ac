"""Plays the desk to real workers over a real broker: sends numbered items, collects answers."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from counting_worker import STAGES
from stage_line import Line, Part, counting, logs_of, poisoned, straight

from streams.runners.kafka.connection import Broker
from streams.runners.kafka.topics import Topics, create_topics
from streams.testing import stream
from streams.wire import Answer, Batch, Item, decode_answers, encode

PATIENCE_S = 90.0
SESSION_S = 6.0
SERVE = Path(__file__).parent / "counting_worker.py"


class WorkerProcess:
    """A worker in a process of its own."""

    def __init__(self, topics: Topics, bootstrap: str, folder: Path, progress_s: float = 60) -> None:
        self.log = folder / f"worker-{time.monotonic_ns()}.log"
        arguments = [bootstrap, topics.prefix, topics.partitions, SESSION_S, progress_s]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(SERVE), *map(str, arguments)], stdout=log, stderr=log
            )

    def told(self) -> str:
        return self.log.read_text()

    def ends(self) -> int:
        return self.process.wait(PATIENCE_S)


class PlayedDesk:
    """What a desk sends and hears; everything heard twice has to be the same."""

    def __init__(self, topics: Topics, length: int, seed: int) -> None:
        events = poisoned(stream(seed=seed, length=length))
        configurations = {0: "c0", length // 3: "d0", length // 2: "c0"}
        self.topics = topics
        self.logs = logs_of(events, counting, configurations, topics.partitions)
        self.answered: dict[tuple[str, int, str, int], Answer] = {}
        self.scores: dict[tuple[str, int], list[Any]] = {}
        self.orders: dict[Part, set[int]] = defaultdict(set)
        self.producer: Any = None

    @property
    def expected(self) -> Line:
        return straight(self.logs, counting)

    @property
    def missing(self) -> dict[Part, int]:
        lacking = {part: len(log) - len(self.orders[part]) for part, log in self.logs.items()}
        return {part: count for part, count in lacking.items() if count}

    async def send(self, *, size: int = 20, pause_s: float = 0.0) -> None:
        """Send everything, in the order a desk would: at any time all stages are equally far."""
        read = dict.fromkeys(self.logs, 0)
        last = max(log[-1].order for log in self.logs.values())
        for order in range(size, last + size, size):
            for part, log in self.logs.items():
                begin = read[part]
                while read[part] < len(log) and log[read[part]].order <= order:
                    read[part] += 1
                if read[part] > begin:
                    await self.put(part, log[begin : read[part]])
            await asyncio.sleep(pause_s)
        await self.producer.flush()

    @property
    def half(self) -> dict[Part, int]:
        """Items in the first half of each log."""
        return {part: len(log) // 2 for part, log in self.logs.items()}

    async def put_first_half(self) -> None:
        for part, count in self.half.items():
            await self.put(part, self.logs[part][:count])

    async def put_second_half(self) -> None:
        for part, count in self.half.items():
            await self.put(part, self.logs[part][count:])

    async def put(self, part: Part, items: list[Item]) -> None:
        await self.producer.send(self.topics.stage(part[0]), encode(Batch(items)), partition=part[1])

    async def all_answered(self) -> None:
        try:
            await until(lambda: not self.missing, "answers to everything")
        except AssertionError as error:
            raise AssertionError(f"{error}; without: {self.missing}") from None

    def hear(self, body: bytes) -> None:
        message = decode_answers(body)
        self.orders[message.stage, message.partition] |= set(message.orders)
        for order, *score in message.scores:
            assert self.scores.setdefault((message.stage, order), score) == score
        for answer in message.answers:
            key = (message.stage, answer.order, answer.subject_id, answer.due_ms)
            assert self.answered.setdefault(key, answer) == answer


async def until(holds: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, f"not within {PATIENCE_S:.0f} s: {what}"
        await asyncio.sleep(0.05)


@asynccontextmanager
async def played_desk(
    bootstrap: str, prefix: str, partitions: int, *, length: int = 600, seed: int = 1
) -> AsyncIterator[PlayedDesk]:
    topics, broker = Topics(prefix, partitions, STAGES), Broker(bootstrap=bootstrap)
    await create_topics(broker, topics)
    desk = PlayedDesk(topics, length, seed)
    desk.producer = AIOKafkaProducer(**broker.options, acks="all", enable_idempotence=True)
    consumer = AIOKafkaConsumer(**broker.options, auto_offset_reset="earliest", fetch_max_wait_ms=50)
    await desk.producer.start()
    await consumer.start()
    consumer.assign([TopicPartition(topics.answers, number) for number in range(partitions)])

    async def listen() -> None:
        async for message in consumer:
            desk.hear(message.value)

    listening = asyncio.create_task(listen())
    try:
        yield desk
    finally:
        listening.cancel()
        await desk.producer.stop()
        await consumer.stop()
    if listening.done() and not listening.cancelled():
        listening.result()
