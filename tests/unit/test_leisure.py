"""What falls due for everybody at one moment is looked at over hours; what an event waits for is not."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from oracle_streams import CODEC, HOUR_MS, engine_of, event_of, rule_showing

from monitor.core.engine import Engine
from monitor.core.schedules import LEISURE_MS
from streams.codec import encode
from streams.states import StateCache
from streams.stores.sqlite import SqliteStore, open_database

CUSTOMERS = 1_800
MINUTE_MS = 60_000
FRIDAY = datetime(2026, 3, 6, 12, tzinfo=ZoneInfo("Europe/Berlin"))
FRIDAY_MS = int(FRIDAY.timestamp() * 1000)
MONDAY_MS = int((FRIDAY.replace(hour=0) + timedelta(days=3)).timestamp() * 1000)
SEEN = {"seen": "count(3d, of=payment.transfer)"}
WEEKLY = rule_showing(SEEN, name="T-1", on="every week", when="count(30d, of=payment.transfer) >= 1")
WAITING = rule_showing(
    SEEN, name="T-2", on="loan.repayment_due",
    when="absent(loan.repayment, for=60h, after=loan.repayment_due, key=loan_id)",
)  # fmt: skip


class Played:
    """States of customers who paid once, in a cache over an empty store."""

    def __init__(self) -> None:
        self.engine: Engine = engine_of(WEEKLY, WAITING)
        self.store = SqliteStore(open_database(":memory:"))
        self.cache = StateCache(self.engine, self.store, CUSTOMERS)
        self.seq = 0
        for number in range(CUSTOMERS):
            self.take(number, "payment.transfer", FRIDAY_MS)

    def take(self, number: int, kind: str, time_ms: int) -> list[tuple[str, int]]:
        """Return the hits of an event: rule and time."""
        self.seq += 1
        fields = {
            "amount": "10",
            "currency": "EUR",
            "direction": "out" if kind == "payment.transfer" else None,
        }
        loan = None if kind == "payment.transfer" else "L"
        plain = event_of(f"e{self.seq}", kind, time_ms, loan_id=loan, **fields) | {
            "customer_id": f"c{number}"
        }
        key = ("customer", f"c{number}")
        state = self.cache.get(key)
        answer = self.engine.assess(CODEC.decode(encode(plain)), *key, state)
        self.cache.changed(key, state, self.seq)
        return [(hit.rule, hit.time_ms) for hit in answer.hits]

    def tick(self, time_ms: int, *, at_once: bool = False) -> dict[str, list[tuple[str, int]]]:
        """Return whom a tick looked at, and the hits."""
        self.seq += 1
        looked = {}
        for key, state in self.cache.due(time_ms, self.seq, at_once=at_once):
            found = self.engine.tick(time_ms, *key, state)
            self.cache.changed(key, state, self.seq)
            looked[key[1]] = [(hit.rule, hit.time_ms) for one in found for hit in one.hits]
        return looked

    def restart(self) -> None:
        self.store.put_states(self.cache.snapshots(self.seq + 1, 0))
        self.cache = StateCache(self.engine, self.store, CUSTOMERS)


@pytest.fixture
def played() -> Played:
    return Played()


def test_a_schedule_of_everybody_is_spread_over_hours_and_keeps_its_time(played):
    assert played.tick(MONDAY_MS - 1) == {}
    looked: Counter[str] = Counter()
    for minute in range(LEISURE_MS // MINUTE_MS + 1):
        if minute == 100:
            played.restart()
        found = played.tick(MONDAY_MS + minute * MINUTE_MS)
        assert len(found) <= 8 * CUSTOMERS * MINUTE_MS / LEISURE_MS
        assert all(hits == [("T-1", MONDAY_MS)] for hits in found.values())
        looked.update(found.keys())
    assert looked == {f"c{number}": 1 for number in range(CUSTOMERS)}


def test_at_once_everybody_is_asked_who_was_not_yet(played):
    early = played.tick(MONDAY_MS + HOUR_MS)
    rest = played.tick(MONDAY_MS + HOUR_MS, at_once=True)
    assert 0 < len(early) < CUSTOMERS / 3
    assert early.keys() | rest.keys() == {f"c{number}" for number in range(CUSTOMERS)}
    assert not early.keys() & rest.keys()
    assert all(hits == [("T-1", MONDAY_MS)] for hits in rest.values())
    assert played.tick(MONDAY_MS + LEISURE_MS, at_once=True) == {}


def test_at_once_nobody_is_asked_of_what_is_to_come(played):
    """Those who might be asked soon are looked for, and stay where they were."""
    assert played.tick(MONDAY_MS - 1, at_once=True) == {}
    assert len(played.tick(MONDAY_MS + LEISURE_MS)) == CUSTOMERS


def test_an_event_is_answered_after_the_schedule_before_it(played):
    played.tick(MONDAY_MS)
    last = max(range(CUSTOMERS), key=lambda number: played.cache.get(("customer", f"c{number}")).due_ms)
    assert played.take(last, "payment.transfer", MONDAY_MS + HOUR_MS) == [("T-1", MONDAY_MS)]


def test_what_a_single_event_waits_for_waits_no_longer(played):
    """A loan unpaid for 60 hours at Monday midnight: told then, with the schedule of that customer."""
    for number in range(20):
        played.take(number, "loan.repayment_due", FRIDAY_MS)
    found = played.tick(MONDAY_MS)
    assert {f"c{number}" for number in range(20)} <= found.keys()
    assert sorted(found["c7"]) == [("T-1", MONDAY_MS), ("T-2", MONDAY_MS)]
    assert len(found) < 40
