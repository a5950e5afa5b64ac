"""A rating at a past time is the rating that a monitor stopped at that time had."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from monitor.app import HOUR_MS, Opened, open_data
from monitor.configuration import Configuration
from monitor.ratings import Shown, customer_rating
from monitor.settings import Settings
from monitor.simulate import Simulation
from monitor.testing import START_MS, configuration, record, with_rules
from streams.ports import Outcome, Record

DAY_MS = 24 * HOUR_MS
SETTINGS = Settings()
CONFIGURATION = configuration("flow", "structuring", "fraud")
DAYS = (3, 17)
BURST = {
    "id": "P-1",
    "on": "payment.transfer",
    "when": "amount >= 1000 CNY",
    "points": 90,
    "severity": "high",
}
UNPAID = {
    "id": "P-2",
    "on": "loan.repayment_due",
    "when": "absent(loan.repayment, for=90m, after=loan.repayment_due, key=loan_id)",
    "points": 90,
}
SMALL = with_rules(CONFIGURATION, BURST, UNPAID)


def time_of(body: bytes) -> int:
    return int(datetime.fromisoformat(orjson.loads(body)["occurred_at"]).timestamp() * 1000)


def opened(folder: Path, chosen: Configuration) -> Opened:
    return open_data(folder, SETTINGS, chosen, sync="normal", tick_every_ms=HOUR_MS)


def process(data: Opened, bodies: list[bytes]) -> list[Outcome]:
    return [
        outcome
        for at in range(0, len(bodies), 200)
        for outcome in data.processor.process([Record(body) for body in bodies[at : at + 200]])
    ]


def shown(data: Opened, customer: str, at_ms: int | None = None) -> Shown | None:
    return customer_rating(data.store.db, data.configuration, customer, at_ms)


def plain(found: Shown | None) -> Any:
    return None if found is None else (found.rating, found.history)


STREAM = sorted(Simulation(4, 20, 5, date(2026, 1, 1)).records(), key=time_of)
CUSTOMERS = sorted({one["customer_id"] for one in map(orjson.loads, STREAM) if "customer_id" in one})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Any:
    data = opened(tmp_path_factory.mktemp("whole"), CONFIGURATION)
    with closing(data):
        process(data, STREAM)
        yield data


@pytest.mark.parametrize("day", DAYS)
def test_a_rating_of_the_past_is_the_one_a_stopped_run_had(whole, tmp_path, day):
    at_ms = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000) + day * DAY_MS
    with closing(opened(tmp_path, CONFIGURATION)) as stopped:
        process(stopped, [body for body in STREAM if time_of(body) <= at_ms])
        then = {customer: plain(shown(stopped, customer, at_ms)) for customer in CUSTOMERS}
    assert {customer: plain(shown(whole, customer, at_ms)) for customer in CUSTOMERS} == then
    assert any(then.values())


def test_the_rating_of_now_is_the_same_from_snapshot_and_from_the_whole_journal(whole):
    whole.processor.close()
    for customer in CUSTOMERS:
        now = shown(whole, customer)
        assert now is None or plain(shown(whole, customer, now.rating.time_ms)) == plain(now)


def payment(name: str, at_ms: int, **fields: Any) -> bytes:
    return record(name, "payment.transfer", at_ms, **{"amount": "5000", "direction": "out", **fields})


def test_a_decision_of_an_officer_belongs_to_the_past_too(tmp_path):
    with closing(opened(tmp_path, SMALL)) as data:
        process(data, [payment("e1", 0)])
        (alert_id,) = data.store.db.execute("SELECT id FROM alerts WHERE rule = 'P-1'").fetchone()
        close = {"alert_id": alert_id, "actor": "ada", "customer_id": None, "source_system": "riskmon"}
        decisions = [
            record("a1", "alert.taken", DAY_MS, **close),
            record("a2", "alert.closed", DAY_MS, **close, disposition="false_positive", reason="rent"),
        ]
        assert [outcome.status for outcome in process(data, decisions)] == ["accepted"] * 2
        before, after = shown(data, "c1", START_MS + DAY_MS - 1), shown(data, "c1", START_MS + 2 * DAY_MS)
        assert before is not None
        assert after is not None
        assert before.rating.score > after.rating.score
        data.processor.close()
        now = shown(data, "c1")
        assert now is not None
        assert now.rating.score == after.rating.score
        assert after.history[-1]["grade"] == after.rating.grade


def test_what_fell_due_between_two_ticks_counts_from_its_due_time(tmp_path):
    with closing(opened(tmp_path, SMALL)) as data:
        process(data, [record("e0", "auth.login", 0), record("e1", "loan.repayment_due", 1, loan_id="L-1")])
        before, after = (shown(data, "c1", START_MS + minutes * 60_000) for minutes in (90, 91))
        assert before is not None
        assert after is not None
        assert (before.rating.grade, after.rating.grade < before.rating.grade) == (14, True)


@pytest.mark.parametrize("customer", ["张三", 'quo"te', "back\\slash"])
@pytest.mark.parametrize("is_escaped", [False, True])
def test_every_id_that_is_accepted_is_found_again(tmp_path, customer, is_escaped):
    with closing(opened(tmp_path, SMALL)) as data:
        body = payment("e1", 0, customer_id=customer)
        process(data, [json.dumps(json.loads(body)).encode() if is_escaped else body])
        found = shown(data, customer, START_MS + DAY_MS)
        assert found is not None
        assert found.history[0]["cause"] == "e1"


def test_an_unknown_customer_has_no_rating(whole):
    assert shown(whole, "nobody") is None
    assert shown(whole, CUSTOMERS[0], 0) is None
