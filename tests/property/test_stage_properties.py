"""A stage partition answers the same however its items are cut, repeated or read again after crashes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from stage_line import Line, Part, counting, logs_of, poisoned, straight

from monitor.configuration import build_codec, build_engine
from monitor.testing import configuration, record, with_rules
from streams.stage import StageLimits
from streams.testing import HOUR_MS, stream
from streams.wire import Batch, Item, decode_batch, encode

LIMITS = [StageLimits(cache_subjects=3, tail_items=6), StageLimits(cache_subjects=4, tail_items=60)]
PARTITIONS = 2
COUNTED = logs_of(poisoned(stream(seed=3, length=150)), counting, {0: "c0", 70: "d0", 110: "c0"}, PARTITIONS)

BURST = {"id": "P-1", "on": "payment.transfer", "when": "count(24h) >= 3", "points": 40}
UNPAID = {
    "id": "P-2",
    "on": "loan.repayment_due",
    "when": "absent(loan.repayment, for=30d, after=loan.repayment_due, key=loan_id)",
    "points": 90,
}
SHARED = {
    "id": "P-3",
    "subject": "device",
    "on": ["auth.login", "payment.transfer"],
    "when": "distinct(customer_id, 24h) >= 2",
    "points": 20,
}
DAILY = {
    "id": "P-4",
    "on": "every business day",
    "when": "streak(day, of=payment.transfer) >= 1 and count(30d, of=payment.transfer) >= 2",
    "points": 5,
}
OFTEN = {
    "id": "P-5",
    "subject": "device",
    "on": "every week",
    "when": "max(count(of=auth.login), previous(7 days)) >= 2",
    "points": 5,
}


def transfers(length: int) -> Iterator[bytes]:
    random, at_ms = Random(5), 5 * 24 * HOUR_MS
    for number in range(length):
        at_ms += random.choice((0, HOUR_MS, 7 * HOUR_MS, 48 * HOUR_MS))
        kind = random.choice(("payment.transfer", "payment.transfer", "auth.login", "loan.repayment_due"))
        fields: dict[str, Any] = {"customer_id": f"c{random.randrange(4)}"}
        if kind == "loan.repayment_due":
            fields["loan_id"] = f"L-{number}"
        elif random.random() < 0.7:
            fields["device"] = {"device_id": f"D-{random.randrange(3)}"}
        if kind == "payment.transfer":
            fields |= {"amount": "10.00", "direction": "out", "counterparty": {"account": "A-1"}}
        yield record(f"e{number}", kind, at_ms - random.choice((0, 0, 0, 2 * HOUR_MS)), **fields)


@cache
def compiled() -> tuple[dict[Part, list[Item]], Any]:
    base, engines = configuration(), {}
    for rules in ((BURST, UNPAID, SHARED, DAILY, OFTEN), (SHARED, UNPAID, DAILY)):
        built = with_rules(base, *rules)
        engines[built.hash] = (build_engine(built), build_codec(built))
    first, second = engines

    def engine_for(kind: str, digest: str) -> Any:
        return engines[digest]

    bodies = list(transfers(160))
    return logs_of(bodies, engine_for, {0: first, 70: second, 120: first}, PARTITIONS), engine_for


parts = st.sampled_from([(stage, p) for stage in ("device", "customer") for p in range(PARTITIONS)])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("feed"), parts, st.integers(1, 12)),
        st.tuples(st.just("send"), parts, st.integers(1, 3)),
        st.tuples(st.just("flush"), parts, st.integers(0, 3)),
        st.tuples(st.just("dies"), parts, st.integers(0, 5)),
        st.tuples(st.just("crash"), parts, st.just(0)),
        st.tuples(st.just("again"), parts, st.integers(1, 40)),
    ),
    min_size=20,
    max_size=80,
)


def disturbed(logs: dict[Part, list[Item]], engine_for: Any, what: list[Any], limits: StageLimits) -> Line:
    line = Line(logs, engine_for, limits)
    for step, part, amount in what:
        if step == "feed":
            line.feed(part, amount)
        elif step == "send":
            line.send(part, amount)
        elif step == "flush":
            line.flush(part, amount)
        elif step == "dies":
            line.flush(part, 2, amount)
        elif step == "crash":
            line.start(part)
        else:  # the desk started again and repeats what it sent
            place = line.read[part][0]
            line.logs[part][place:place] = line.logs[part][max(0, place - amount) : place]
    line.finish()
    return line


@given(steps, st.sampled_from(LIMITS))
def test_crashes_repeats_and_cuts_change_no_answer_and_no_state(what: list[Any], limits: StageLimits) -> None:
    line, expected = disturbed(COUNTED, counting, what, limits), straight(COUNTED, counting)
    assert line.everything() == expected.everything()
    assert line.states() == expected.states()


@settings(max_examples=15)
@given(steps, st.sampled_from(LIMITS))
def test_the_same_holds_for_compiled_rules_and_another_configuration_halfway(
    what: list[Any], limits: StageLimits
) -> None:
    logs, engine_for = compiled()
    line, expected = disturbed(logs, engine_for, what, limits), straight(logs, engine_for)
    assert line.everything() == expected.everything()
    assert line.states() == expected.states()


def test_the_streams_of_these_tests_have_everything_in_them() -> None:
    counted = straight(COUNTED, counting)
    failures = [answer for answer in counted.answered.values() if answer.failure]
    assert {answer.due_ms > 0 for answer in failures} == {True, False}
    assert any(answer.due_ms for answer in counted.answered.values())
    assert any(answer.facts for answer in counted.answered.values())
    ruled = straight(*compiled())
    hits = [hit for answer in ruled.answered.values() for hit in answer.assessment.hits]
    assert {hit.rule for hit in hits} == {"P-1", "P-2", "P-3", "P-4", "P-5"}
    assert ruled.scores
    assert any(answer.due_ms for answer in ruled.answered.values())
    for line in (counted, ruled):
        for part, log in line.logs.items():
            assert line.orders[part] == {item.order for item in log}


def test_a_batch_survives_the_wire() -> None:
    batch = Batch(COUNTED["customer", 0])
    assert decode_batch(encode(batch)) == batch
