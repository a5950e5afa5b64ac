"""What a worker writes, in which order, and what it does with messages that come twice or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from stage_line import counting

from streams.ports import Sensor
from streams.runners.kafka.lanes import Engines, GapError, Lanes, messages_of
from streams.runners.kafka.offsets import Lag
from streams.runners.kafka.snapshots import SnapshotRows, record_of
from streams.runners.kafka.topics import MAX_BYTES, Topics
from streams.runners.kafka.watch import Waits, Watch
from streams.stage import StageLimits
from streams.wire import Adopt, Answer, Answers, Batch, Facts, Work, decode_answers, encode

TOPICS = Topics("t", 2, ("device", "customer"))
ITEMS = TOPICS.stage("customer")
FIRST = {ITEMS: 0, TOPICS.facts: 0}


@dataclass
class Metadata:
    offset: int


class Lot(list[Any]):
    """What is sent at once."""

    def append(self, **record: Any) -> Any:  # type: ignore[override]
        super().append(record)
        return record

    def record_count(self) -> int:
        return len(self)


class SlowBroker:
    """Takes messages, and acknowledges them when it is told to."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.waiting: list[asyncio.Future[Metadata]] = []

    async def send(self, topic: str, value: bytes, partition: int) -> asyncio.Future[Metadata]:
        self.sent.append(topic)
        self.waiting.append(asyncio.get_running_loop().create_future())
        return self.waiting[-1]

    def create_batch(self) -> Lot:
        return Lot()

    async def send_batch(self, lot: Lot, topic: str, partition: int) -> asyncio.Future[Metadata]:
        return await self.send(topic, b"", partition)

    async def acknowledge(self) -> None:
        for future in self.waiting:
            if not future.done():
                future.set_result(Metadata(0))
        for _ in range(10):
            await asyncio.sleep(0)


class Committed(dict[Any, int]):
    async def commit(self, offsets: Mapping[Any, int]) -> None:
        self.update(offsets)


def left(reason: str) -> None:
    raise SystemExit(reason)


async def opened(broker: SlowBroker, waits: Waits | None = None, **more: Any) -> Lanes:
    lanes = Lanes(TOPICS, broker, Engines(counting), Watch(waits or Waits(), left), **more)
    await lanes.open("customer", 1, SnapshotRows("customer"), FIRST)
    return lanes


def work(order: int, awaits: tuple[str, ...] = ()) -> Work:
    return Work(order, "C-1", orjson.dumps({"id": f"e-{order}", "time_ms": order}), None, awaits)


ADOPT = Adopt(1, "configuration", "c0")
BATCH = encode(Batch([ADOPT, work(2)]))


def test_answers_then_snapshots_then_offsets_each_after_the_one_before_is_acknowledged():
    async def play() -> None:
        broker, committed = SlowBroker(), Committed()
        lanes = await opened(broker)
        await lanes.take("customer", ITEMS, 1, 0, BATCH)
        writing = asyncio.create_task(lanes.flush(committed.commit, is_last=True))
        await asyncio.sleep(0.01)
        assert broker.sent == [TOPICS.answers]
        await broker.acknowledge()
        assert (broker.sent[1:], committed) == ([TOPICS.state("customer")], {})
        await broker.acknowledge()
        await writing
        assert committed == {(ITEMS, 1): 1}

    asyncio.run(play())


def test_input_that_is_not_in_snapshots_is_not_committed():
    async def play() -> None:
        broker, committed = SlowBroker(), Committed()
        lanes = await opened(broker)
        await lanes.take("customer", ITEMS, 1, 0, BATCH)
        await lanes.take("customer", ITEMS, 1, 1, encode(Batch([work(3, ("desk",)), work(4)])))
        await lanes.take("customer", TOPICS.facts, 1, 0, encode(Facts("desk", [(9, {})])))
        await broker.acknowledge()
        writing = asyncio.create_task(lanes.flush(committed.commit, is_last=True))
        await asyncio.sleep(0.01)
        await broker.acknowledge()
        await writing
        assert committed == {(ITEMS, 1): 1}

    asyncio.run(play())


def test_a_message_is_taken_once_and_none_is_left_out():
    async def play() -> None:
        broker = SlowBroker()
        lanes = await opened(broker)
        await lanes.take("customer", ITEMS, 1, 0, BATCH)
        await lanes.take("customer", ITEMS, 1, 0, BATCH)
        assert len(broker.sent) == 1
        with pytest.raises(GapError, match="t.stage.customer/1: expected offset 1, was 2"):
            await lanes.take("customer", ITEMS, 1, 2, BATCH)

    asyncio.run(play())


def test_a_message_for_a_partition_that_is_not_ours_is_left_alone():
    async def play() -> None:
        broker = SlowBroker()
        lanes = await opened(broker)
        await lanes.take("customer", ITEMS, 0, 7, BATCH)
        assert broker.sent == []

    asyncio.run(play())


def test_partitions_are_given_up_whole_only_when_everything_was_acknowledged_in_time():
    async def play(is_prompt: bool) -> bool:
        broker = SlowBroker()
        lanes = await opened(broker, Waits(farewell=0.2))
        await lanes.take("customer", ITEMS, 1, 0, BATCH)
        closing = asyncio.create_task(lanes.close(Committed().commit))
        while is_prompt and not closing.done():
            await asyncio.sleep(0.001)
            await broker.acknowledge()
        is_whole = await closing
        assert not list(lanes.lanes)
        return is_whole

    assert asyncio.run(play(True))
    assert not asyncio.run(play(False))


def test_a_snapshot_that_an_older_one_was_written_behind_is_written_again():
    async def play() -> None:
        broker, rows = SlowBroker(), SnapshotRows("customer")
        lanes = await opened(broker)
        first = Lanes(TOPICS, broker, Engines(counting), Watch(Waits(), left))
        await first.open("customer", 0, rows, FIRST)
        await first.take("customer", ITEMS, 0, 0, BATCH)
        newest = next(iter(first.lanes)).partition.snapshots(5).rows[-2]
        rows.apply(*record_of(newest._replace(seq=1)))
        await lanes.open("customer", 0, rows, FIRST)
        assert [row.id for row in list(lanes.lanes)[1].again] == ["C-1"]

    asyncio.run(play())


def test_answers_too_large_for_a_message_go_in_several():
    answers = [Answer(order, "C-1", 0, None, failure="x" * 3_000) for order in range(1, 3_001)]
    whole = Answers("customer", 0, list(range(1, 3_001)), [(7, 0.5, b"")], answers)
    bodies = messages_of(whole)
    assert max(map(len, bodies)) < MAX_BYTES
    parts = [decode_answers(body) for body in bodies]
    assert len(parts) > 1
    assert [order for part in parts for order in part.orders] == whole.orders
    assert [answer for part in parts for answer in part.answers] == answers
    assert [score for part in parts for score in part.scores] == whole.scores


class Ends:
    """Says that so many messages are there."""

    def __init__(self, count: int) -> None:
        self.count = count

    async def ask_coordinator(self) -> None:
        pass

    async def ends(self, places: Any) -> dict[Any, int]:
        return dict.fromkeys(places, self.count)


class Lags(Sensor):
    def __init__(self) -> None:
        self.found: dict[str, int] = {}

    def on_lag(self, topic: str, partition: int, messages: int) -> None:
        self.found[topic] = messages


def test_a_worker_that_leaves_input_waiting_leaves():
    async def play() -> None:
        lanes, lags = await opened(SlowBroker()), Lags()
        watch = Watch(Waits(progress=0.05), left)
        lag = Lag(Ends(3), lambda: lanes.lanes, watch, lags)  # type: ignore[arg-type]
        await lag.look()
        assert lags.found == {ITEMS: 3, TOPICS.facts: 3}
        await asyncio.sleep(0.06)
        with pytest.raises(SystemExit, match=r"3 messages wait at 0 for"):
            await lag.look()

    asyncio.run(play())


def test_a_worker_without_input_stays_and_one_that_goes_on_too():
    async def play() -> None:
        lanes = await opened(SlowBroker(), limits=StageLimits())
        watch = Watch(Waits(progress=0.05), left)
        idle = Lag(Ends(0), lambda: lanes.lanes, watch, Sensor())  # type: ignore[arg-type]
        await idle.look()
        await asyncio.sleep(0.06)
        await idle.look()
        busy = Lag(Ends(3), lambda: list(lanes.lanes), watch, Sensor())  # type: ignore[arg-type]
        next(iter(lanes.lanes)).next = {ITEMS: 0}
        await busy.look()
        await asyncio.sleep(0.06)
        next(iter(lanes.lanes)).next = {ITEMS: 1}
        await busy.look()

    asyncio.run(play())


def test_a_process_that_stood_still_too_long_writes_nothing_more():
    async def play() -> None:
        broker = SlowBroker()
        lanes = await opened(broker, Waits(session=0.02))
        await asyncio.sleep(0.03)
        with pytest.raises(SystemExit, match="stood still for"):
            await lanes.take("customer", ITEMS, 1, 0, BATCH)
        assert broker.sent == []

    asyncio.run(play())


def test_an_engine_is_made_once_however_many_ask_for_it():
    made: list[str] = []

    def make(kind: str, digest: str) -> Any:
        made.append(digest)
        return counting(kind, digest)

    async def play() -> None:
        engines = Engines(make)
        await asyncio.gather(*(engines.prepare([("configuration", "c0")]) for _ in range(5)))

    asyncio.run(play())
    assert made == ["c0"]


def test_a_worker_that_is_cut_off_from_the_brokers_leaves():
    watch = Watch(Waits(session=30), left)
    watch._heard_s -= 31
    with pytest.raises(SystemExit, match="has not heard of the brokers for 30 s"):
        watch.look()
    watch.heard()
    watch.look()


def test_a_recovery_has_a_time_limit():
    watch = Watch(Waits(recovery=300), left)
    watch.recovering()
    watch.look()
    assert watch._recovering_s is not None
    watch._recovering_s -= 301
    with pytest.raises(SystemExit, match="has not recovered its states in 300 s"):
        watch.look()
    assert watch.recovered() > 300
    watch.look()
