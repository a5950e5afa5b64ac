"""Every alert queue keeps the same promises. A new queue is added to `QUEUES` and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from alerts import outbox
from alerts.ports import AlertQueue, QueueDownError
from alerts.stores.queue_redis import RedisQueue
from alerts.stores.queue_sqlite import SqliteQueue


def make_sqlite(request: pytest.FixtureRequest, tmp_path: Path) -> AlertQueue:
    return SqliteQueue(outbox.connect(tmp_path / "queue.db"))


def make_redis(request: pytest.FixtureRequest, tmp_path: Path) -> AlertQueue:
    return RedisQueue(request.getfixturevalue("redis_url"), stream=f"test:{tmp_path.name}")


QUEUES = [
    pytest.param(make_sqlite, id="sqlite"),
    pytest.param(make_redis, id="redis", marks=pytest.mark.redis),
]


@pytest.fixture(params=QUEUES)
def queue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AlertQueue]:
    queue = request.param(request, tmp_path)
    yield queue
    queue.close()


def publish(queue: AlertQueue, *sequences: int) -> list[bool]:
    return [queue.publish(sequence, b"message %d" % sequence) for sequence in sequences]


def read(queue: AlertQueue, group: str, consumer: str, count: int = 10) -> list[int]:
    return [delivery.sequence for delivery in queue.read(group, consumer, count)]


def test_messages_come_in_order_with_their_bytes(queue: AlertQueue) -> None:
    publish(queue, 1, 2, 5)
    got = queue.read("desk", "ada")
    assert [(one.sequence, one.message, one.deliveries) for one in got] == [
        (1, b"message 1", 1),
        (2, b"message 2", 1),
        (5, b"message 5", 1),
    ]


def test_any_bytes_are_carried(queue: AlertQueue) -> None:
    message = bytes(range(256))
    queue.publish(1, message)
    assert queue.read("desk", "ada")[0].message == message


def test_publishing_a_sequence_again_changes_nothing(queue: AlertQueue) -> None:
    assert publish(queue, 1, 2) == [True, True]
    assert queue.publish(2, b"something else") is False
    assert queue.publish(1, b"something else") is False
    assert [one.message for one in queue.read("desk", "ada")] == [b"message 1", b"message 2"]


def test_publishing_again_after_it_was_read_and_acknowledged_changes_nothing(queue: AlertQueue) -> None:
    publish(queue, 1)
    read(queue, "desk", "ada")
    queue.ack("desk", 1)
    assert publish(queue, 1) == [False]
    assert read(queue, "desk", "ada") == []


def test_the_last_sequence_is_known(queue: AlertQueue) -> None:
    assert queue.last() == 0
    publish(queue, 3, 7)
    assert queue.last() == 7


def test_each_message_goes_to_one_consumer_of_a_group(queue: AlertQueue) -> None:
    publish(queue, 1, 2, 3)
    assert read(queue, "desk", "ada", 2) == [1, 2]
    assert read(queue, "desk", "bo", 2) == [3]
    assert read(queue, "desk", "ada") == []


def test_each_group_gets_every_message(queue: AlertQueue) -> None:
    publish(queue, 1, 2)
    assert read(queue, "desk", "ada") == [1, 2]
    assert read(queue, "archive", "bo") == [1, 2]


def test_a_new_group_begins_with_the_oldest_message(queue: AlertQueue) -> None:
    assert read(queue, "desk", "ada") == []
    publish(queue, 1)
    assert read(queue, "desk", "ada") == [1]
    assert read(queue, "late", "bo") == [1]


def test_messages_are_pending_until_acknowledged(queue: AlertQueue) -> None:
    publish(queue, 1, 2, 3)
    read(queue, "desk", "ada", 2)
    read(queue, "desk", "bo")
    assert queue.pending("desk") == {1: "ada", 2: "ada", 3: "bo"}
    assert queue.ack("desk", 2) is True
    assert queue.ack("desk", 2) is False
    assert queue.pending("desk") == {1: "ada", 3: "bo"}
    assert queue.pending("other") == {}


def test_a_message_nobody_read_cannot_be_acknowledged(queue: AlertQueue) -> None:
    publish(queue, 1)
    assert queue.ack("desk", 1) is False
    assert read(queue, "desk", "ada") == [1]


def test_idle_messages_are_claimed_by_another_consumer(queue: AlertQueue) -> None:
    publish(queue, 1, 2, 3)
    read(queue, "desk", "ada")
    queue.ack("desk", 2)
    claimed = queue.claim("desk", "bo", idle_ms=0)
    assert [(one.sequence, one.message, one.deliveries) for one in claimed] == [
        (1, b"message 1", 2),
        (3, b"message 3", 2),
    ]
    assert queue.pending("desk") == {1: "bo", 3: "bo"}


def test_messages_in_work_are_not_claimed(queue: AlertQueue) -> None:
    publish(queue, 1)
    read(queue, "desk", "ada")
    assert queue.claim("desk", "bo", idle_ms=60_000) == []
    assert queue.pending("desk") == {1: "ada"}


def test_claiming_takes_at_most_so_many(queue: AlertQueue) -> None:
    publish(queue, 1, 2, 3)
    read(queue, "desk", "ada")
    assert [one.sequence for one in queue.claim("desk", "bo", idle_ms=0, count=2)] == [1, 2]


def test_closing_twice_is_harmless(queue: AlertQueue) -> None:
    queue.close()
    queue.close()


def test_the_embedded_queue_keeps_its_messages_over_a_restart(tmp_path: Path) -> None:
    first = SqliteQueue(outbox.connect(tmp_path / "queue.db"))
    publish(first, 1, 2)
    read(first, "desk", "ada", 1)
    first.close()
    again = SqliteQueue(outbox.connect(tmp_path / "queue.db"))
    assert again.pending("desk") == {1: "ada"}
    assert read(again, "desk", "ada") == [2]
    assert publish(again, 2) == [False]
    again.close()


def test_the_embedded_queue_is_bounded(tmp_path: Path) -> None:
    queue = SqliteQueue(outbox.connect(tmp_path / "queue.db"), keep=3)
    publish(queue, *range(1, 11))
    assert read(queue, "desk", "ada", 100) == [8, 9, 10]
    assert queue.last() == 10
    queue.close()


@pytest.mark.redis
def test_a_group_is_made_again_after_redis_lost_everything(redis_url: str) -> None:
    import redis

    queue = RedisQueue(redis_url, stream="test:lost")
    publish(queue, 1, 2)
    assert read(queue, "desk", "ada") == [1, 2]
    with redis.Redis.from_url(redis_url) as server:
        server.delete("test:lost")
    assert queue.last() == 0
    publish(queue, 1, 2, 3)
    assert read(queue, "desk", "ada") == [1, 2, 3]
    queue.close()


def test_a_redis_that_is_down_is_said_to_be_down() -> None:
    queue = RedisQueue("redis://127.0.0.1:1/0")
    with pytest.raises(QueueDownError, match="redis: "):
        queue.publish(1, b"")
    queue.close()


def test_an_embedded_queue_that_cannot_be_written_is_said_to_be_down(tmp_path: Path) -> None:
    connection = outbox.connect(tmp_path / "queue.db")
    queue = SqliteQueue(connection)
    connection.execute("PRAGMA query_only = ON")
    with pytest.raises(QueueDownError, match="embedded queue: "):
        queue.publish(1, b"")
    queue.close()
