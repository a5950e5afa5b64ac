"""Rules about findings and sequences answer the same in a cluster's partitions as in one process."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stage_line import Line, logs_of

from monitor.testing import Bench, configuration, record, with_rules
from streams.stage import StageLimits
from streams.wire import Adopt, Facts, Work

HOUR_MS = 3_600_000
WHO = ("c0", "c1", "c2", "c3")
RULES = (
    {"id": "A-1", "on": "payment.transfer", "when": "amount >= 50 CNY", "points": 40,
     "dimension": "compliance"},
    {"id": "A-2", "on": "payment.transfer", "when": "distinct(customer_id, 24h, key=device) >= 2",
     "points": 15},
    {"id": "A-3", "on": "payment.transfer", "when": 'direction == "in"', "points": 5, "status": "shadow",
     "dimension": "credit"},
    {"id": "M-1", "on": "rule.hit", "let": {"times": "count(6h)"}, "say": "{times}",
     "when": "distinct(dimension, 6h) >= 2 and sum(points, 6h) >= 60", "points": 9},
    {"id": "M-2", "on": ["rating.changed", "rating.assigned"], "when": "grade <= 12", "points": 1},
    {"id": "M-3", "on": "auth.login", "when": 'seq(rule.hit[rule == "M-4"] -> auth.login within 3h)'},
    {"id": "M-4", "on": ["auth.login", "payment.transfer"], "points": 2,
     "when": "any(2 of auth.login, payment.transfer[amount >= 90 CNY] within 1h, same=device)"},
    {"id": "M-5", "on": "case.closed", "when": "distinct(case_id, 30d) >= 2", "points": 3},
)  # fmt: skip
CONFIGURATION = with_rules(configuration("flow"), *RULES)
ENGINE, CODEC = Bench(CONFIGURATION).engine, Bench(CONFIGURATION).codec


def engine_for(kind: str, digest: str) -> Any:
    return ENGINE, CODEC


def events(random: Random, count: int) -> list[bytes]:
    """Events of four customers on three devices: ties, late ones, repeats, reversals."""
    made: list[bytes] = []
    at_ms = 0
    for number in range(count):
        at_ms += random.choice((0, 0, 60_000, HOUR_MS // 2, HOUR_MS, 3 * HOUR_MS))
        late_ms = random.choice((0, 0, 0, HOUR_MS))
        if made and random.random() < 0.05:
            made.append(random.choice(made))
            continue
        more: dict[str, Any] = {"customer_id": random.choice(WHO)}
        more["device"] = {"device_id": f"d{random.randrange(3)}"}
        kind = random.choice(("payment.transfer", "payment.transfer", "auth.login"))
        if kind == "payment.transfer":
            more |= {"amount": str(random.choice((10, 50, 95))), "direction": random.choice(("in", "out"))}
            if number and random.random() < 0.1:
                more["reversal_of"] = f"e{random.randrange(number)}"
        made.append(record(f"e{number}", kind, at_ms - late_ms, **more))
    return made


def played(bodies: list[bytes], partitions: int, random: Random | None) -> Line:
    line = Line(logs_of(bodies, engine_for, {0: "c0"}, partitions), engine_for, StageLimits(tail_items=20))
    for _ in range(60 if random else 0):
        part = random.choice(list(line.logs))
        line.feed(part, random.randrange(1, 9))
        line.send(part, len(line.unsent[part]))
        if random.random() < 0.5:
            line.flush(part, random.randrange(3), random.choice((None, None, 1)))
    line.finish()
    return line


def packed(line: Line) -> dict[tuple[str, str], bytes]:
    return {key: row.packed for key, row in line.states().items() if key[0] == "customer" and key[1] in WHO}


@given(st.integers(0, 2**32))
@settings(max_examples=12)
def test_findings_are_the_same_whatever_the_partitions_and_kills(seed):
    random = Random(seed)
    bodies = events(random, 60)
    one, many = played(bodies, 1, None), played(bodies, 3, random)
    assert one.answered == many.answered
    assert one.scores == many.scores
    packed = [
        {key: row.packed for key, row in line.states().items() if key[1][0] == "c"} for line in (one, many)
    ]
    assert packed[0] == packed[1]
    hit = [hit for answer in one.answered.values() if answer.assessment for hit in answer.assessment.hits]
    assert {"A-1", "M-1"} <= {one.rule for one in hit}


def test_partitions_answer_as_the_engine_alone_does():
    bodies = events(Random(7), 80)
    line = played(bodies, 3, Random(8))
    told: dict[tuple[str, str], list[str]] = {}
    for (stage, _, _, due_ms), answer in line.answered.items():
        if answer.assessment and not due_ms:
            told[stage, answer.assessment.event_id] = [hit.say + hit.rule for hit in answer.assessment.hits]
    bench = Bench(CONFIGURATION, ENGINE, CODEC)
    expected = {}
    for answer in bench.send_all(bodies):
        if answer.hits and not answer.duplicate:
            expected[answer.subject, answer.event_id] = [hit.say + hit.rule for hit in answer.hits]
    grades = "M-2"  # ticks of the cluster let grades fall
    assert {key: [one for one in said if grades not in one] for key, said in told.items() if said} == {
        key: [one for one in said if grades not in one] for key, said in expected.items()
    }


def closing(order: int, case: str) -> tuple[Work, Facts]:
    """An officer closes an alert: what reaches the partition, and what the desk tells of it."""
    body = record(
        f"v{order}", "alert.closed", order * HOUR_MS, alert_id=f"a{order}", actor="ada", customer_id=None,
        disposition="true_positive", reason="x",
    )  # fmt: skip
    told = {
        "case": case, "is_case_open": False, "proposed_by": None, "subject": "customer", "subject_id": "c1",
        "rule": "A-1", "status": "closed", "hit_ms": 0, "disposition": "true_positive", "quiet_ms": 0,
    }  # fmt: skip
    return Work(order, "c1", body, None, ("desk",)), Facts("desk", [(order, told)])


@pytest.mark.parametrize("is_late", [True, False])
def test_a_closed_alert_is_heard_with_the_facts_of_the_desk(is_late):
    line = Line({("customer", 0): [Adopt(1, "configuration", "c0")]}, engine_for, StageLimits())
    line.feed(("customer", 0), 1)
    run, outs = line.running["customer", 0], []
    for order, case in ((10, "k1"), (11, "k2")):
        work, facts = closing(order, case)
        if is_late:
            outs += [run.feed([work]), run.receive(facts)]
        else:
            outs += [run.receive(facts), run.feed([work])]
    answers = [answer.assessment for out in outs for answer in out.answers.answers if answer.assessment]
    assert [hit.rule for answer in answers for hit in answer.hits] == ["M-5"]
