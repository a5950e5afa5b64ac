"""The engine's laws: redelivery, restarts, partitions, lateness, reversals and ticks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from random import Random
from typing import Any
from zlib import crc32

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.configuration import build_codec, build_engine
from monitor.core.assessment import Assessment, Hit, RatingChange
from monitor.core.engine import Engine
from monitor.simulate import Simulation
from monitor.testing import Bench, configuration, record, with_rules

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
BASE = configuration()
CODEC = build_codec(BASE)
PROBE: dict[str, Any] = {
    "id": "P-1",
    "on": "payment.transfer",
    "let": {
        "hour": "count(1h)",
        "day": "sum(amount, 24h)",
        "out": 'sum(amount, 30d, where=direction == "out")',
        "payees": "distinct(counterparty.account, 7d)",
        "largest": "max(amount, 24h)",
        "spread": "stddev(amount, 30d)",
        "of_day": "count(day)",
        "of_account": "count(7d, key=counterparty.account)",
        "last_three": "sum(amount, 3 events)",
    },
    "when": "amount > 0 CNY",
    "severity": "info",
}
BURST = {"id": "P-2", "on": "payment.transfer", "when": "count(24h) >= 3", "points": 40}
TRAIL = {
    "id": "P-3",
    "on": "payment.transfer",
    "when": "seq(auth.failed -> payment.transfer within 24h without auth.login)",
    "points": 10,
}
UNPAID = {
    "id": "P-4",
    "on": "loan.repayment_due",
    "when": "absent(loan.repayment, for=30d, after=loan.repayment_due, key=loan_id)",
    "points": 90,
}
SHARED = {
    "id": "P-5",
    "subject": "device",
    "on": ["auth.login", "payment.transfer"],
    "when": "distinct(customer_id, 24h) >= 2",
    "points": 20,
}
CROSS = {
    "id": "P-6",
    "on": "payment.transfer",
    "when": "distinct(customer_id, 24h, key=device) >= 2",
    "points": 30,
}
RULES = (PROBE, BURST, TRAIL, UNPAID, SHARED, CROSS)
PROBED = with_rules(BASE, *RULES)
ENGINE = build_engine(PROBED)
KINDS = ("payment.transfer", "payment.transfer", "payment.transfer", "auth.login", "auth.failed")
LOANS = ("loan.repayment_due", "loan.repayment")


def bench(engine: Engine = ENGINE) -> Bench:
    return Bench(PROBED, engine, CODEC)


def fields(kind: str, seed: int) -> dict[str, Any]:
    """The fields of an event, out of a number."""
    if kind in LOANS:
        return {"loan_id": f"L-{seed % 2}"}
    device = {"device": {"device_id": f"D-{seed % 2}"}} if seed % 3 else {}
    if kind.startswith("auth."):
        return device
    return device | {
        "amount": f"{seed % 997 + 1}.{seed % 100:02d}",
        "direction": "out" if seed % 2 else "in",
        "counterparty": {"account": f"A-{seed % 5}"},
    }


@st.composite
def streams(draw: st.DrawFn, most: int = 30) -> list[bytes]:
    """Events of three customers with ties, gaps of any length and late ones, in the order of arrival."""
    drawn = draw(
        st.lists(
            st.tuples(
                st.sampled_from((*KINDS, *LOANS)),
                st.sampled_from((0, 1, HOUR_MS - 1, HOUR_MS, 7 * HOUR_MS, DAY_MS, 9 * DAY_MS)),
                st.sampled_from((0, 0, 0, 1, HOUR_MS, 2 * DAY_MS, 4 * DAY_MS)),
                st.integers(0, 10_000),
            ),
            min_size=2,
            max_size=most,
        )
    )
    now_ms, records = 5 * DAY_MS, []
    for n, (kind, gap_ms, late_ms, seed) in enumerate(drawn):
        now_ms += gap_ms
        who = f"c{seed % 3}"
        records.append(record(f"e{n}", kind, now_ms - late_ms, customer_id=who, **fields(kind, seed)))
    return records


def transfer(name: str, at_ms: int, seed: int, **more: Any) -> bytes:
    return record(
        name, "payment.transfer", at_ms, **{**fields("payment.transfer", seed), "device": None, **more}
    )


def first_answers(answers: Iterable[Assessment]) -> list[Assessment]:
    """Answers without the mark that tells a second one from the first."""
    return [replace(answer, duplicate=False) for answer in answers]


def effects(answers: Iterable[Assessment]) -> tuple[list[Hit], list[RatingChange]]:
    told = list(answers)
    return [hit for one in told for hit in one.hits], [change for one in told for change in one.rating]


def seen(answers: Sequence[Assessment], rule: str = "P-1") -> dict[str, Any]:
    """What the last event saw in its windows."""
    return next(hit.saw for hit in answers[-1].hits if hit.rule == rule)


@given(streams())
def test_an_event_sent_twice_gets_the_first_answer_and_changes_nothing(events):
    tried = bench()
    for event in events:
        first = tried.send(event)
        before = tried.packed()
        again = tried.send(event)
        assert all(answer.duplicate for answer in again)
        assert first_answers(again) == first
        assert tried.packed() == before


@given(streams(), st.integers(1, 12), st.randoms(use_true_random=False))
def test_the_last_events_again_in_any_order_change_nothing(events, count, random):
    tried = bench()
    first = {event: tried.send(event) for event in events}
    before = tried.packed()
    repeated = events[-count:]
    random.shuffle(repeated)
    for event in repeated:
        assert first_answers(tried.send(event)) == first[event]
    assert tried.packed() == before


@given(streams(), st.sets(st.integers(0, 29)))
def test_restarts_at_any_point_change_nothing(events, restarts):
    steady, shaken = bench(), bench()
    for n, event in enumerate(events):
        if n in restarts:
            shaken.restart()
        assert shaken.send(event) == steady.send(event)
    assert shaken.packed() == steady.packed()


FEW = with_rules(BASE, PROBE | {"let": {"last_three": "sum(amount, 3 events)"}})
FEW_ENGINE = build_engine(FEW)


@given(
    st.lists(st.tuples(st.sampled_from((HOUR_MS, DAY_MS)), st.integers(0, 4)), min_size=8, max_size=20),
    st.sets(st.integers(0, 19)),
)
def test_restarts_change_nothing_where_some_of_the_last_few_events_are_reversed(drawn, restarts):
    steady, shaken = Bench(FEW, FEW_ENGINE, CODEC), Bench(FEW, FEW_ENGINE, CODEC)
    at_ms = 5 * DAY_MS
    for n, (gap_ms, back) in enumerate(drawn):
        at_ms += gap_ms
        if n in restarts:
            shaken.restart()
        event = reversal(f"e{n}", f"e{n - back}", at_ms) if 0 < back <= n else transfer(f"e{n}", at_ms, n)
        assert shaken.send(event) == steady.send(event)
    assert shaken.packed() == steady.packed()


@given(streams())
def test_a_restored_state_is_written_as_the_same_bytes(events):
    tried = bench()
    tried.send_all(events)
    before = tried.packed()
    tried.restart()
    assert tried.packed() == before


def by_partition(engine: Engine, events: Sequence[bytes], count: int) -> dict[str, tuple[Any, Any]]:
    """Hits and ratings by customer, with the customers spread over engines of their own."""
    entities, parts = Bench(BASE, engine, CODEC), [Bench(BASE, engine, CODEC) for _ in range(count)]
    told: dict[str, list[Assessment]] = defaultdict(list)
    for body in events:
        event = entities.event(body)
        for kind, subject_id in engine.subjects(event):
            at = crc32(subject_id.encode()) % count if kind == "customer" else -1
            state = (parts[at] if at >= 0 else entities).state(kind, subject_id)
            answer = engine.assess(event, kind, subject_id, state)
            if kind == "customer":
                told[subject_id].append(answer)
    return {who: effects(answers) for who, answers in told.items()}


@given(streams(), st.integers(2, 5))
def test_the_number_of_partitions_changes_no_customer(events, count):
    assert by_partition(ENGINE, events, count) == by_partition(ENGINE, events, 1)


UNTIMELY = st.lists(
    st.tuples(st.integers(1, 3 * DAY_MS - 1), st.integers(0, 10_000)), min_size=1, max_size=20
)


@given(UNTIMELY, st.randoms(use_true_random=False))
def test_events_late_within_the_grace_count_where_they_belong(drawn, random):
    # Different times: among equal ones the order of arrival tells first from last.
    events = [transfer(f"e{n}", at, seed) for n, (at, seed) in enumerate(dict(drawn).items())]
    timely = sorted(events, key=lambda body: orjson.loads(body)["occurred_at"])
    last = transfer("last", 3 * DAY_MS, 1)
    shuffled = random.sample(events, len(events))
    one, other = bench(), bench()
    one.send_all(timely)
    answers = other.send_all(shuffled)
    reached = 0
    for body, answer in zip(shuffled, [one for one in answers if one.subject == "customer"], strict=True):
        time_ms = other.event(body).time_ms
        assert (answer.late, answer.too_late) == (time_ms < reached, False)
        assert all(hit.late == answer.late for hit in answer.hits)
        reached = max(reached, time_ms)
    assert seen(other.send(last)) == seen(one.send(last))


@given(UNTIMELY, st.lists(st.integers(1, 100 * DAY_MS), min_size=1, max_size=5))
def test_an_event_older_than_the_grace_changes_no_window(drawn, ages):
    events = [transfer(f"e{n}", 200 * DAY_MS + at, seed) for n, (at, seed) in enumerate(sorted(drawn))]
    plain, troubled = bench(), bench()
    plain.send_all(events)
    troubled.send_all(events)
    edge_ms = 200 * DAY_MS + max(at for at, _ in drawn) - 3 * DAY_MS
    for n, age_ms in enumerate(ages):
        # Of an account that has not dealt with newer ones: time is each subject's own.
        answer = troubled.send(transfer(f"old{n}", edge_ms - age_ms, 1, counterparty={"account": "A-9"}))[-1]
        assert (answer.late, answer.too_late, answer.hits, answer.rating) == (True, True, [], [])
    last = transfer("last", 204 * DAY_MS, 1)
    assert seen(troubled.send(last)) == seen(plain.send(last))


def reversal(name: str, of: str, at_ms: int) -> bytes:
    return transfer(name, at_ms, 1, reversal_of=of)


@given(UNTIMELY, st.sets(st.integers(0, 19), min_size=1), st.booleans())
def test_a_reversal_leaves_the_windows_as_if_the_event_had_never_been(drawn, chosen, restarted):
    events = [transfer(f"e{n}", at, seed) for n, (at, seed) in enumerate(sorted(drawn))]
    gone = [n for n in chosen if n < len(events)]
    with_it, without = bench(), bench()
    with_it.send_all(events)
    if restarted:
        with_it.restart()
    with_it.send_all([reversal(f"r{n}", f"e{n}", 3 * DAY_MS) for n in gone])
    without.send_all([event for n, event in enumerate(events) if n not in gone])
    last = transfer("last", 3 * DAY_MS + 1, 1)
    assert seen(with_it.send(last)) == seen(without.send(last))


@given(UNTIMELY, st.integers(0, 19), st.integers(0, 10_000))
def test_a_correction_leaves_the_windows_as_if_the_new_event_had_come_at_once(drawn, at, seed):
    times = sorted(dict(drawn).items())
    at %= len(times)
    old = [transfer(f"e{n}", time_ms, value) for n, (time_ms, value) in enumerate(times)]
    # The account stays: whom an event is about cannot be corrected, only reversed.
    account = fields("payment.transfer", times[at][1])["counterparty"]
    new = transfer("new", times[at][0], seed, counterparty=account)
    corrected, right = bench(), bench()
    corrected.send_all(
        [*old, transfer("new", times[at][0], seed, counterparty=account, correction_of=f"e{at}")]
    )
    right.send_all([*old[:at], new, *old[at + 1 :]])
    last = transfer("last", 3 * DAY_MS, 1)
    assert seen(corrected.send(last)) == seen(right.send(last))


def test_a_card_reversal_takes_back_the_payment_it_names():
    card = {
        "id": "P-7",
        "on": "card.authorization",
        "let": {"day": "sum(amount, 24h)"},
        "when": "day > 0 CNY",
    }
    tried = Bench(with_rules(BASE, card))
    tried.send(record("e1", "card.authorization", 0, amount="10"))
    tried.send(record("e2", "card.authorization", 1, amount="5"))
    tried.send(record("r1", "card.reversal", 2, of_event="e1"))
    (answer,) = tried.send(record("e3", "card.authorization", 3, amount="1"))
    assert answer.hits[0].saw["day"] == "6.00 CNY"


@given(streams(), st.lists(st.integers(1, 90 * DAY_MS), max_size=20))
def test_one_late_tick_and_many_early_ones_are_the_same(events, moments):
    rare, often = bench(), bench()
    rare.send_all(events)
    often.send_all(events)
    end = 400 * DAY_MS
    many = [answer for at in sorted(moments) for answer in often.tick(at + 5 * DAY_MS)]
    many += often.tick(end)
    by_subject = [
        [effects(a for a in answers if a.subject_id == who) for who in ("c0", "c1", "c2")]
        for answers in (rare.tick(end), many)
    ]
    assert by_subject[0] == by_subject[1]
    assert rare.packed() == often.packed()


def test_what_fell_due_by_time_carries_the_time_it_fell_due():
    tried = bench()
    tried.send(record("e1", "loan.repayment_due", 0, loan_id="L-1"))
    (answer,) = tried.tick(365 * DAY_MS)
    (hit,) = answer.hits
    assert hit.rule == "P-4"
    assert hit.time_ms == tried.event(record("e2", "loan.repayment_due", 30 * DAY_MS, loan_id="L-1")).time_ms
    assert [change.time_ms for change in answer.rating] == sorted(change.time_ms for change in answer.rating)
    assert answer.rating[0].time_ms == hit.time_ms
    # Points decay, and the grade falls step by step before the year is over.
    assert [change.cause for change in answer.rating[1:]] == ["timer", "timer", "timer"]
    assert len({change.time_ms for change in answer.rating}) == 4


def test_a_cancelled_timer_does_not_move_the_stream_time():
    tried = bench()
    tried.send(record("due", "loan.repayment_due", 0, loan_id="L-1"))
    tried.send(record("paid", "loan.repayment", DAY_MS, loan_id="L-1"))
    tried.send(transfer("e1", 29 * DAY_MS, 1))
    tried.tick(31 * DAY_MS)
    assert not tried.send(transfer("e2", 30 * DAY_MS - 1, 1))[-1].late


def test_a_rule_that_fails_is_a_value_and_its_neighbours_go_on():
    broken = {
        "id": "P-0",
        "on": "payment.transfer",
        "let": {"day": "sum(amount, 24h)"},
        "when": "day > 0 CNY",
    }
    tried = Bench(with_rules(BASE, broken, BURST))
    tried.engine = failing(tried.engine, "P-0")
    answers = [tried.send(transfer(f"e{n}", n, 1))[-1] for n in range(3)]
    assert [answer.failures for answer in answers] == [[("P-0", "ZeroDivisionError('broken')")]] * 3
    assert [[hit.rule for hit in answer.hits] for answer in answers] == [[], [], ["P-2"]]


def failing(engine: Engine, rule: str) -> Engine:
    """The same engine with the condition of one rule broken, as a fault of the compiler would."""
    number = next(n for n, one in enumerate(engine.rulebook.rules) if one.id == rule)
    mark = f"hits.append(({number}, 0))"
    assert mark in engine.rulebook.source
    source = engine.rulebook.source.replace(mark, "raise ZeroDivisionError('broken')")
    book = replace(engine.rulebook, source=source)
    return Engine(
        book,
        engine.vocabulary,
        engine.rater,
        engine.periods,
        lambda amount, *_: amount,
        grace_ms=engine.grace_ms,
    )


NEW = {"id": "P-9", "on": "cash.deposit", "when": "sum(amount, 9d) > 0 CNY"}
OTHER = build_engine(with_rules(BASE, PROBE, BURST, UNPAID, NEW))


@given(UNTIMELY)
def test_another_rulebook_keeps_the_windows_both_have(drawn):
    events = [transfer(f"e{n}", at, seed) for n, (at, seed) in enumerate(sorted(drawn))]
    changed, fresh = bench(), Bench(BASE, OTHER, CODEC)
    changed.send_all(events)
    fresh.send_all(events)
    changed.restart(OTHER)
    last = transfer("last", 3 * DAY_MS, 1)
    assert changed.send(last)[-1].hits == fresh.send(last)[-1].hits


def test_another_rulebook_keeps_the_timers_both_have_and_drops_the_others():
    due = record("due", "loan.repayment_due", 0, loan_id="L-1")
    kept, dropped = bench(), bench()
    for one in (kept, dropped):
        one.send(due)
    kept.restart(OTHER)
    dropped.restart(NO_TIMERS)
    assert [hit.rule for answer in kept.tick(31 * DAY_MS) for hit in answer.hits] == ["P-4"]
    assert dropped.tick(31 * DAY_MS) == []
    assert not dropped.send(transfer("e1", 30 * DAY_MS - 1, 1))[-1].late


NO_TIMERS = build_engine(with_rules(BASE, BURST))


# The same on a simulated bank, with every shipped rule.

SHIPPED = build_engine(BASE)
STREAM = list(Simulation(25, 12, 10, date(2026, 1, 1)).records())


@pytest.fixture(scope="module")
def undisturbed() -> tuple[list[Assessment], dict[tuple[str, str], bytes]]:
    tried = Bench(BASE, SHIPPED, CODEC)
    return tried.send_all(STREAM), tried.packed()


def test_a_simulated_bank_hits_and_rates(undisturbed):
    hits, changes = effects(undisturbed[0])
    assert len({hit.rule for hit in hits}) >= 2
    assert len({change.customer_id for change in changes}) == 25
    assert not [failure for answer in undisturbed[0] for failure in answer.failures]


def test_a_simulated_bank_survives_redelivery(undisturbed):
    tried, random = Bench(BASE, SHIPPED, CODEC), Random(1)
    for at in range(0, len(STREAM), 50):
        tried.send_all(STREAM[at : at + 50])
        repeated = random.sample(STREAM[at : at + 50], min(10, len(STREAM) - at))
        assert all(answer.duplicate for answer in tried.send_all(repeated))
    assert tried.packed() == undisturbed[1]


def test_a_simulated_bank_survives_restarts(undisturbed):
    tried = Bench(BASE, SHIPPED, CODEC)
    answers = []
    for n, event in enumerate(STREAM):
        if n % 400 == 399:
            tried.restart()
        answers += tried.send(event)
    assert effects(answers) == effects(undisturbed[0])
    assert tried.packed() == undisturbed[1]


def test_a_simulated_bank_is_the_same_in_any_number_of_partitions():
    assert by_partition(SHIPPED, STREAM, 5) == by_partition(SHIPPED, STREAM, 1)
