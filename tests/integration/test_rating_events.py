"""Rating changes on their way to other systems: who is told, what, and how often."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from alerts import outbox
from alerts.messages import rating_message, review_message
from alerts.outbox import Posted, QueueChannel, Relay
from alerts.ports import Message
from alerts.stores.queue_sqlite import SqliteQueue
from monitor.core.assessment import RatingChange, RatingNotice
from monitor.core.events import Event
from rules.vocabulary import load_vocabulary
from streams.codec import Codec
from streams.rates import Rates

DAY_MS = 86_400_000
CHANGE = RatingChange(
    customer_id="C-张伟",
    time_ms=20_000 * DAY_MS,
    cause="tx-1",
    previous_grade=13,
    grade=11,
    score=61.25,
    parts=({"name": "A-124", "kind": "rule", "points": 61.25, "dimension": "compliance"},),
    reason="activity",
    review_ms=20_365 * DAY_MS,
)
FIRST = RatingChange(
    customer_id="C-1", time_ms=5, cause="e-1", previous_grade=None, grade=14, score=7.5, parts=()
)
DUE = RatingNotice(
    customer_id="C-1", time_ms=20_365 * DAY_MS, cause="timer", kind="review_due", facts={"grade": 11}
)


@dataclass
class Listener:
    """A channel that remembers what it is told."""

    topics: frozenset[str]
    name: str = "listener"
    told: list[str] = field(default_factory=list)

    def deliver(self, posted: Posted) -> None:
        self.told.append(posted.message.key)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = outbox.connect(tmp_path / "riskmon.db")
    connection.executescript(outbox.SCHEMA)
    yield connection
    connection.close()


def relayed(connection: sqlite3.Connection, *channels: Any, batch: int = 100) -> int:
    return Relay(lambda: connection, channels, batch=batch).relay(connection)


@pytest.mark.parametrize("message", [rating_message(CHANGE), rating_message(FIRST), review_message(DUE)])
def test_the_event_of_a_message_is_one_of_the_vocabulary(message: Message) -> None:
    body = orjson.loads(message.body)
    event = Codec(
        load_vocabulary(), "CNY", Rates.from_plain({"pivot": "CNY", "rates": {"2020-01-01": {"USD": "7"}}})
    ).decode(orjson.dumps(body["event"]))
    assert isinstance(event, Event)
    assert (event.kind, event.id, event.time_ms) == (body["type"], message.key, body["time_ms"])


def test_others_learn_the_grade_and_nothing_that_could_tip_off() -> None:
    event = orjson.loads(rating_message(CHANGE).body)["event"]
    assert event.pop("event_id").startswith("rating-")
    assert event == {
        "event_type": "rating.changed",
        "source_system": "riskmon",
        "occurred_at": "2024-10-04T00:00:00.000+00:00",
        "customer_id": "C-张伟",
        "grade": 11,
        "previous_grade": 13,
        "reason": "activity",
        "next_due": "2025-10-04",
    }


def test_the_same_change_has_the_same_key_in_every_run_and_another_another() -> None:
    assert rating_message(CHANGE) == rating_message(CHANGE)
    assert rating_message(CHANGE).key != rating_message(FIRST).key


def test_a_channel_is_told_what_it_asked_for(connection: sqlite3.Connection) -> None:
    rating = rating_message(CHANGE)
    outbox.post(connection, [Message("a1", False, b"{}"), rating, Message("a2", False, b"{}")])
    listeners = [
        Listener(frozenset(topics), name)
        for name, topics in [("one", ["alerts"]), ("two", ["ratings"]), ("both", ["alerts", "ratings"])]
    ]
    assert relayed(connection, *listeners) == 9
    assert [one.told for one in listeners] == [["a1", "a2"], [rating.key], ["a1", rating.key, "a2"]]
    assert relayed(connection, *listeners) == 0


def test_a_queue_without_ratings_gets_past_more_of_them_than_a_batch_holds(
    connection: sqlite3.Connection, tmp_path: Path
) -> None:
    queue = SqliteQueue(outbox.connect(tmp_path / "queue.db"))
    outbox.post(connection, [Message("a1", False, b"{}"), *[rating_message(CHANGE)] * 25])
    outbox.post(connection, [Message("a2", False, b"{}")])
    channel = QueueChannel(queue)
    assert [relayed(connection, channel, batch=10) for _ in range(4)] == [10, 10, 7, 0]
    assert [one.sequence for one in queue.read("officers", "ada")] == [1, 27]
    queue.close()


def test_a_queue_that_lost_everything_is_filled_again_with_its_own_topic(
    connection: sqlite3.Connection, tmp_path: Path
) -> None:
    outbox.post(connection, [Message("a1", False, b"{}"), rating_message(CHANGE), rating_message(FIRST)])
    for name in ("first.db", "second.db"):
        queue = SqliteQueue(outbox.connect(tmp_path / name))
        relayed(connection, QueueChannel(queue, topics=frozenset({"ratings"})))
        assert [one.sequence for one in queue.read("crm", "one")] == [2, 3]
        queue.close()
