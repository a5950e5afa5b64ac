"""The simulated bank: same seed same bytes, resumable anywhere, exact, labelled."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from datetime import date, datetime, timedelta
from hashlib import sha256
from itertools import islice, pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from monitor.simulate import STORIES, Simulation
from monitor.simulate.bank import build_bank
from monitor.simulate.days import Calendar
from monitor.simulate.page import Page
from rules.vocabulary import load_vocabulary
from streams.codec import Codec, Rejection
from streams.rates import Rates

RATES = Path(__file__).parents[2] / "config" / "lists" / "fx_rates.yaml"
MINIMUM = {
    "customer.created",
    "customer.updated",
    "account.opened",
    "account.closed",
    "payment.transfer",
    "cash.deposit",
    "cash.withdrawal",
    "cash.exchange",
    "card.authorization",
    "card.reversal",
    "balance.snapshot",
    "portfolio.valuation",
    "product.purchase",
    "product.redemption",
    "loan.disbursed",
    "loan.repayment",
    "loan.delinquency",
    "credit.score_updated",
    "auth.login",
    "device.registered",
    "payee.added",
    "complaint.opened",
    "complaint.resolved",
    "survey.submitted",
    "data.access",
    "list.updated",
    "source.heartbeat",
    "kyc.review_completed",
}
MONEY = {
    "amount",
    "balance",
    "available",
    "value",
    "limit",
    "used",
    "outstanding",
    "amount_due",
    "amount_paid",
    "monthly_income",
    "annual_turnover",
    "period_start_value",
    "total_assets",
    "counter_amount",
    "exposure",
}


@pytest.fixture(scope="module")
def bank():
    """A bank big enough for every story, for as long as all of them take to begin."""
    return Simulation(customers=220, days=16, seed=11)


@pytest.fixture(scope="module")
def events(bank):
    return list(bank.events())


@pytest.fixture(scope="module")
def labels(bank, events):
    return bank.labels()


def digest(simulation: Simulation) -> str:
    lines = sha256()
    for record in simulation.records():
        lines.update(record + b"\n")
    return lines.hexdigest()


def test_the_same_seed_gives_the_same_bytes():
    assert digest(Simulation(60, 5, seed=3)) == digest(Simulation(60, 5, seed=3))


def test_one_simulation_can_be_asked_twice():
    simulation = Simulation(60, 5, seed=3)
    assert digest(simulation) == digest(simulation)


def test_different_seeds_give_different_bytes():
    assert digest(Simulation(60, 5, seed=3)) != digest(Simulation(60, 5, seed=4))


@pytest.mark.parametrize("hash_seed", ["0", "4242"])
def test_processes_and_hash_seeds_do_not_change_the_bytes(hash_seed):
    code = (
        "import hashlib\nfrom monitor.simulate import Simulation\nlines = hashlib.sha256()\n"
        "for record in Simulation(200, 3, seed=3).records(): lines.update(record + b'\\n')\n"
        "print(lines.hexdigest())"
    )
    root = str(Path(__file__).parents[2])
    zone = {"TZ": "America/New_York"}
    environment = os.environ | zone | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": root}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == digest(Simulation(200, 3, seed=3))


def test_every_event_decodes_and_has_no_undeclared_field(bank):
    codec = Codec(load_vocabulary(), "CNY", Rates.load(RATES))
    for record in bank.records():
        event = codec.decode(record)
        assert not isinstance(event, Rejection), f"{event}"
        assert event.body == record


def test_events_come_in_the_order_of_their_times_but_for_a_few_late_ones(events):
    seen: dict[str, dict] = {}
    for event in events:
        seen.setdefault(event["event_id"], event)
    once = list(seen.values())
    late = sum(later["occurred_at"] < earlier["occurred_at"] for earlier, later in pairwise(once))
    assert 0 < late < len(events) * 0.006


def test_late_events_are_minutes_to_hours_late(events):
    worst = 0.0
    newest = events[0]["occurred_at"]
    for event in events:
        newest = max(newest, event["occurred_at"])
        gap = datetime.fromisoformat(newest) - datetime.fromisoformat(event["occurred_at"])
        worst = max(worst, gap.total_seconds())
    assert 3600 < worst <= 18 * 3600


def test_a_few_events_come_twice_unchanged_and_no_id_is_used_for_two(events):
    copies = Counter(event["event_id"] for event in events)
    twice = [event_id for event_id, times in copies.items() if times > 1]
    assert 0 < len(twice) < len(events) * 0.002
    first = {}
    for event in events:
        assert first.setdefault(event["event_id"], event) == event


def test_money_is_a_decimal_string_with_its_currency(events):
    for event in events:
        for field in MONEY & event.keys():
            assert re.fullmatch(r"-?\d+\.\d\d", event[field]), (event["event_type"], field, event[field])
        if "amount" in event:
            assert len(event["currency"]) == 3


def test_some_payments_are_in_foreign_currency(events):
    currencies = Counter(event["currency"] for event in events if "amount" in event)
    assert len(currencies) > 2
    assert currencies["CNY"] > currencies.total() * 0.5


BY_DIRECTION = {"payment.transfer", "cash.deposit", "cash.withdrawal", "cash.exchange"}
SIGNS = {"card.authorization": -1, "card.reversal": 1, "product.purchase": -1, "product.redemption": 1}


def moved_cents(event) -> int:
    """What an event moves on the current account."""
    kind = event["event_type"]
    if kind not in BY_DIRECTION | SIGNS.keys() or event.get("response_code", "00") != "00":
        return 0
    if kind.startswith("card.") and event["card_token"].endswith("-2"):
        return 0
    sign = SIGNS[kind] if kind in SIGNS else 1 if event["direction"] == "in" else -1
    return sign * int(event["amount"].replace(".", ""))


def test_a_days_balance_is_yesterdays_and_what_moved_to_the_cent(events):
    """Loans and foreign currency move the account by what no event of the day tells: left out."""
    strange = {
        event["customer_id"]
        for event in events
        if event["event_type"].startswith("loan.") or event.get("currency", "CNY") != "CNY"
    }
    moved, balances = Counter(), {}
    for event in {event["event_id"]: event for event in events}.values():
        customer, day = event.get("customer_id"), event["occurred_at"][:10]
        if customer is None or customer in strange:
            continue
        moved[customer, day] += moved_cents(event)
        if event["event_type"] == "balance.snapshot" and "T23:59:59" in event["occurred_at"]:
            balances[customer, day] = int(event["balance"].replace(".", ""))
    checked = 0
    for (customer, day), cents in balances.items():
        before = balances.get((customer, (date.fromisoformat(day) - timedelta(days=1)).isoformat()))
        if before is not None:
            assert cents == before + moved[customer, day], (customer, day)
            checked += 1
    assert checked > 1000


def test_every_kind_that_rules_need_appears(bank):
    kinds = {event["event_type"] for event in Simulation(400, 45, seed=2).events()}
    assert kinds >= MINIMUM


def test_a_customer_is_known_before_anything_else_happens(events):
    seen = set()
    for event in events:
        customer = event.get("customer_id")
        if customer and customer not in seen:
            assert event["event_type"] == "customer.created"
            seen.add(customer)
    assert len(seen) > 200


def test_nothing_is_written_before_the_customer_is_known():
    bank = build_bank(1, 5)
    page = Page(bank, [0] * 5)
    page.turn("C000000", Calendar(date(2025, 1, 6), ZoneInfo("UTC")).day(0), 1, bank.customers[0])
    page.not_before = 30.0
    assert page.login(12.0)["occurred_at"] == "2025-01-06T00:00:30.000+00:00"
    assert page.login(31.5)["occurred_at"] == "2025-01-06T00:00:31.500+00:00"


def test_customers_are_described_without_sex_or_province(events):
    for event in events:
        assert not {"gender", "sex", "region", "ethnicity", "religion"} & event.keys()
        assert "subdivision" not in event.get("geo", {})


def test_six_to_ten_events_a_customer_and_day(events):
    of_customers = sum("customer_id" in event for event in events)
    assert 6 <= of_customers / 220 / 16 <= 10


def test_every_segment_has_customers(events):
    segments = {event["segment"] for event in events if event["event_type"] == "customer.created"}
    assert segments == {"ordinary", "premium", "vip", "private", "sme", "corporate"}


def test_every_story_is_played_within_two_weeks_by_two_hundred_customers():
    simulation = Simulation(customers=200, days=14, seed=5)
    for _ in simulation.events():
        pass
    assert {label.story for label in simulation.labels()} == set(STORIES)


def test_labels_point_at_events_of_their_customer(events, labels):
    by_id = {event["event_id"]: event for event in events}
    assert labels
    for label in labels:
        assert by_id[label.event_id].get("customer_id", "") == label.customer_id


def test_no_event_is_labelled_twice(labels):
    assert max(Counter(label.event_id for label in labels).values()) == 1


def test_without_stories_there_are_no_labels():
    simulation = Simulation(customers=200, days=3, seed=5, stories=())
    for _ in simulation.events():
        pass
    assert simulation.labels() == []


def test_only_the_stories_asked_for_are_played():
    simulation = Simulation(customers=200, days=14, seed=5, stories=("structuring",))
    for _ in simulation.events():
        pass
    assert {label.story for label in simulation.labels()} == {"structuring"}


@pytest.mark.parametrize("place", [(0, 0), (0, 31), (3, 0), (9, 12), (46, 5), (60, 10_000), (75, 1)])
def test_going_on_at_a_place_gives_the_rest_of_the_whole(place):
    simulation = Simulation(customers=40, days=80, seed=9)
    rest = [step for step in simulation.placed() if step[:2] > place]
    assert list(simulation.placed(*place)) == rest


def test_going_on_in_the_middle_of_stories_gives_the_rest_of_the_whole():
    simulation = Simulation(customers=220, days=64, seed=9)
    whole, labels = list(simulation.placed()), simulation.labels()
    for day in (47, 52, 60):
        assert list(simulation.placed(day)) == [step for step in whole if step[0] >= day]
        rest = simulation.labels()
        assert labels[len(labels) - len(rest) :] == rest


def test_a_bank_without_end_begins_like_one_with_an_end():
    endless = islice(Simulation(40, seed=9).records(), 900)
    assert list(endless) == list(islice(Simulation(40, 10, seed=9).records(), 900))


@pytest.mark.parametrize(
    ("zone", "start", "offsets"),
    [
        ("Europe/Berlin", date(2025, 3, 29), {"+01:00", "+02:00"}),
        ("Europe/Berlin", date(2025, 10, 25), {"+01:00", "+02:00"}),
        ("Asia/Shanghai", date(2025, 3, 29), {"+08:00"}),
        ("America/St_Johns", date(2025, 3, 8), {"-03:30", "-02:30"}),
    ],
)
def test_times_carry_the_offset_of_the_zone_across_daylight_saving(zone, start, offsets):
    times = [
        event["occurred_at"]
        for event in Simulation(30, 3, seed=1, start=start, zone=zone, stories=()).events()
        if event["occurred_at"] >= start.isoformat()
    ]
    assert {time[-6:] for time in times} == offsets


def test_heartbeats_are_evenly_apart_on_the_day_the_clocks_change():
    simulation = Simulation(2, 2, seed=1, start=date(2025, 3, 30), zone="Europe/Berlin", stories=())
    beats = [
        datetime.fromisoformat(event["occurred_at"]).timestamp()
        for event in simulation.events()
        if event["event_type"] == "source.heartbeat" and event["source_system"] == "core"
    ]
    assert {later - earlier for earlier, later in pairwise(beats)} == {600.0}
    assert len(beats) == 6 * (23 + 24)
