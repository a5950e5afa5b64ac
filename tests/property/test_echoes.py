"""What the monitor finds reaches the rules that ask about it: once, exactly, and only those who may hear it.

The oracle has an engine of the same rules without those that ask about findings; it counts their
hits anew for each event, from a plain list.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.assessment import Hit
from monitor.core.refill import Refill
from monitor.testing import START_MS, Bench, configuration, record, with_rules
from rules.errors import RuleError

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
GRACE_MS = 72 * HOUR_MS
TRANSFER, LOGIN, COMPLAINT = "payment.transfer", "auth.login", "complaint.opened"
LARGE = {"id": "A-1", "on": TRANSFER, "when": "amount >= 100 CNY", "points": 20}
INCOMING = {
    "id": "A-2",
    "on": TRANSFER,
    "when": 'direction == "in"',
    "points": 7.5,
    "dimension": "compliance",
}
SILENT = {
    "id": "A-3", "on": TRANSFER, "when": "amount >= 50 CNY", "points": 5, "dimension": "credit",
    "status": "shadow",
}  # fmt: skip
FOUND = (LARGE, INCOMING, SILENT)
SPREAD = {
    "id": "M-1",
    "on": "rule.hit",
    "let": {"dimensions": "distinct(dimension, 7d)", "counted": "sum(points, 7d)", "times": "count(7d)"},
    "when": "dimensions >= 2 and counted >= 35",
    "points": 3,
}
EVERY = {
    "id": "M-2",
    "on": "rule.hit",
    "let": {"times": 'count(24h, where=rule_status in {"live", "shadow"})'},
    "when": 'times >= 3 and rule_status in {"live", "shadow"}',
    "points": 0,
}
CHAIN = {
    "id": "M-3",
    "on": COMPLAINT,
    "when": 'seq(rule.hit[rule == "A-1"] -> complaint.opened within 3d)',
    "points": 1,
}
BESIDE = {
    "id": "M-4",
    "on": LOGIN,
    "let": {"times": "count(2d, of=rule.hit)"},
    "when": "times >= 2",
    "points": 0,
}
META = (SPREAD, EVERY, CHAIN, BESIDE)
BASE = configuration("flow")
TOLD = with_rules(BASE, *FOUND, *META)
PLAIN = with_rules(BASE, *FOUND)
ENGINE, CODEC = Bench(TOLD).engine, Bench(TOLD).codec
ALONE = Bench(PLAIN).engine


def bench(*rules: Any) -> Bench:
    return Bench(with_rules(BASE, *rules))


def transfer(name: str, at_ms: int, amount: int = 100, direction: str = "out", **more: Any) -> bytes:
    return record(name, TRANSFER, at_ms, amount=str(amount), direction=direction, **more)


def body(name: str, kind: str, at_ms: int, move: Any) -> bytes:
    if kind == TRANSFER:
        return transfer(name, at_ms, move["amount"], move["direction"])
    return record(name, kind, at_ms, **({"complaint_id": name} if kind == COMPLAINT else {}))


class Oracle:
    """The hits of accepted events that were not taken back, in the order in which they were found."""

    def __init__(self) -> None:
        self.found: list[tuple[int, Hit]] = []

    def forget(self, ref: int) -> None:
        self.found = [one for one in self.found if one[1].ref != ref]

    def of_event(self, kind: str, at_ms: int, now_ms: int) -> list[tuple[str, Any]]:
        """Return the rules that hit an event because of earlier findings, with what they counted."""
        said: list[tuple[str, Any]] = []
        if kind == COMPLAINT and any(
            hit.rule == "A-1" and 0 <= at_ms - when < 3 * DAY_MS for when, hit in self.found
        ):
            said.append(("M-3", {}))
        beside = [hit for hit in self._within(now_ms, 2 * DAY_MS) if hit.status == "live"]
        if kind == LOGIN and len(beside) >= 2:
            said.append(("M-4", {"times": len(beside)}))
        return said

    def of_hits(self, at_ms: int, now_ms: int, hits: list[Hit]) -> list[tuple[str, Any]]:
        """Take in the hits of an event; return the rules that hit because of these."""
        said: list[tuple[str, Any]] = []
        for hit in hits:
            self.found.append((at_ms, hit))
            week = [one for one in self._within(now_ms, 7 * DAY_MS) if one.status == "live"]
            dimensions, points = len({one.dimension for one in week}), sum(one.points for one in week)
            if hit.status == "live" and dimensions >= 2 and points >= 35:
                said.append(("M-1", {"dimensions": dimensions, "counted": points, "times": len(week)}))
            day = self._within(now_ms, DAY_MS)
            if len(day) >= 3:
                said.append(("M-2", {"times": len(day)}))
        return said

    def _within(self, now_ms: int, length_ms: int) -> list[Hit]:
        return [hit for when, hit in self.found if now_ms - length_ms < when <= now_ms]


moves = st.lists(
    st.fixed_dictionaries(
        {
            "what": st.sampled_from([TRANSFER] * 6 + [LOGIN, COMPLAINT, "again", "reverse"]),
            "ahead_ms": st.sampled_from([0, 0, 1, HOUR_MS, 20 * HOUR_MS, DAY_MS, 2 * DAY_MS, 7 * DAY_MS]),
            "late_ms": st.sampled_from([0] * 5 + [1, HOUR_MS, 2 * DAY_MS, GRACE_MS + 1]),
            "amount": st.sampled_from([10, 50, 100]),
            "direction": st.sampled_from(["in", "out"]),
            "pick": st.integers(0, 9),
            "restart": st.booleans(),
        }
    ),
    min_size=1,
    max_size=25,
)


@given(moves)
@settings(max_examples=150)
def test_rules_about_findings_equal_a_brute_force_oracle(stream):
    told, plain, oracle = Bench(TOLD, ENGINE, CODEC), Bench(PLAIN, ALONE, CODEC), Oracle()
    sent: list[tuple[bytes, list[Hit]]] = []
    refs: list[int] = []
    latest_ms, now_ms = 100 * HOUR_MS, -1
    for number, move in enumerate(stream):
        if move["restart"]:
            told.restart()
        if move["what"] == "again" and sent:
            again, first = sent[move["pick"] % len(sent)]
            (answer,) = told.send(again)
            assert answer.duplicate
            assert answer.hits == first
            continue
        latest_ms += move["ahead_ms"]
        at_ms = latest_ms - move["late_ms"]
        undoes = move["what"] == "reverse" and refs
        kind = move["what"] if move["what"] in (LOGIN, COMPLAINT) else TRANSFER
        one = body(f"e{number}", kind, at_ms, move)
        if undoes:
            place = move["pick"] % len(refs)
            one = transfer(f"e{number}", at_ms, reversal_of=f"e{refs[place]}")
        (answer,), (base,) = told.send(one), plain.send(one)
        assert answer.failures == []
        sent.append((one, answer.hits))
        if answer.too_late:
            assert answer.hits == []
            continue
        now_ms = max(now_ms, at_ms)
        if undoes:
            oracle.forget(told.event(record(f"e{refs.pop(place)}", LOGIN, 0)).ref)
            assert answer.hits == []
            continue
        refs.append(number)
        assert [hit for hit in answer.hits if hit.rule.startswith("A-")] == base.hits
        assert {hit.event_id for hit in answer.hits} <= {f"e{number}"}
        hit_by_event = [hit for hit in answer.hits if hit.rule not in ("M-1", "M-2")]
        expected = oracle.of_event(kind, at_ms, now_ms)
        assert [(hit.rule, numbers(hit)) for hit in hit_by_event if hit not in base.hits] == expected
        assert answer.hits[: len(hit_by_event)] == hit_by_event
        others = [(hit.rule, numbers(hit)) for hit in answer.hits[len(hit_by_event) :]]
        assert others == oracle.of_hits(at_ms, now_ms, hit_by_event)


def numbers(hit: Hit) -> dict[str, Any]:
    return {name: hit.saw[name] for name in ("dimensions", "counted", "times") if name in hit.saw}


def rules_hit(answers: Any) -> list[str]:
    return [hit.rule for answer in answers for hit in answer.hits]


def test_a_hit_of_a_rule_about_hits_is_heard_by_nobody():
    listener = {"id": "M-9", "on": "rule.hit", "when": 'starts_with(rule, "M-")'}
    assert rules_hit(bench(LARGE, SPREAD | {"when": "times >= 1"}, listener).send(transfer("e1", 0))) == [
        "A-1",
        "M-1",
    ]


def test_a_hit_told_by_another_system_is_no_finding_of_ours():
    rules = ({"id": "M-8", "on": "rule.hit", "when": "points >= 1"}, EVERY)
    answers = bench(*rules).send(record("e1", "rule.hit", 0, rule="X-1", points=5))
    assert rules_hit(answers) == ["M-8"]


def test_a_finding_carries_what_the_event_carried():
    rule = {
        "id": "M-3",
        "on": COMPLAINT,
        "when": 'seq(rule.hit[rule == "S-1"] -> complaint.opened within 180d, same=product_id)',
    }
    sold = {"id": "S-1", "on": "product.sold", "when": "risk_level >= 4", "dimension": "market"}
    line = bench(sold, rule)
    line.send(record("s1", "product.sold", 0, product_id="p1", risk_level=5))
    line.send(record("s2", "product.sold", 1, product_id="p2", risk_level=3))
    assert rules_hit(line.send(record("c1", COMPLAINT, DAY_MS, complaint_id="1", product_id="p2"))) == []
    (answer,) = line.send(record("c2", COMPLAINT, DAY_MS, complaint_id="2", product_id="p1"))
    assert [hit.rule for hit in answer.hits] == ["M-3"]
    assert answer.hits[0].evidence == (line.event(record("s1", LOGIN, 0)).ref, answer.ref)


def test_the_points_of_a_rule_about_hits_join_the_rating():
    alone, told = bench(LARGE), bench(LARGE, SPREAD | {"when": "times >= 1", "points": 30})
    grades = [line.send(transfer("e1", 0))[0].rating[-1] for line in (alone, told)]
    assert grades[0].score < grades[1].score
    assert "M-1" in {part["name"] for part in grades[1].parts}


def test_a_grade_that_changed_is_heard_with_both_grades():
    jump = {
        "id": "M-5",
        "on": "rating.changed",
        "when": "max(previous_grade, 24h) - grade >= 1",
        "say": "from {previous_grade} to {grade}",
    }
    first = {"id": "M-6", "on": "rating.assigned", "when": "grade >= 10"}
    line = bench(LARGE | {"points": 60}, jump, first)
    assert rules_hit(line.send(record("e0", LOGIN, 0))) == ["M-6"]
    (answer,) = line.send(transfer("e1", HOUR_MS))
    (change,) = answer.rating
    assert [hit.rule for hit in answer.hits] == ["A-1", "M-5"]
    assert answer.hits[1].say == f"from {change.previous_grade} to {change.grade}"


def test_a_grade_that_fell_by_time_alone_is_heard_at_its_time():
    fall = {"id": "M-5", "on": "rating.changed", "when": "grade > previous_grade"}
    line = bench(LARGE | {"points": 60}, fall)
    line.send(record("e0", LOGIN, 0))
    line.send(transfer("e1", HOUR_MS))
    answers = line.tick(400 * DAY_MS)
    changes = [change for answer in answers for change in answer.rating]
    hits = [hit for answer in answers for hit in answer.hits]
    assert changes
    assert [hit.time_ms for hit in hits] == [change.time_ms for change in changes]
    assert {hit.evidence for hit in hits} == {()}


def test_a_hit_of_a_timer_is_heard():
    unpaid = {
        "id": "A-4",
        "on": "loan.repayment_due",
        "when": "absent(loan.repayment, for=30d, after=loan.repayment_due, key=loan_id)",
        "points": 20,
    }
    heard = {"id": "M-7", "on": "rule.hit", "when": 'rule == "A-4"', "say": "{count(7d)}"}
    line = bench(unpaid, heard)
    line.send(record("e1", "loan.repayment_due", 0, loan_id="L"))
    (answer,) = line.tick(31 * DAY_MS)
    assert [(hit.rule, hit.time_ms) for hit in answer.hits] == [
        ("A-4", START_MS + 30 * DAY_MS),
        ("M-7", START_MS + 30 * DAY_MS),
    ]


def closing(name: str, at_ms: int, case: str, disposition: str) -> tuple[bytes, dict[str, Any]]:
    sent = record(
        name, "alert.closed", at_ms, alert_id=f"alert-{name}", actor="ada", reason="x", customer_id=None,
        disposition=disposition,
    )  # fmt: skip
    facts = {
        "case": case, "is_case_open": False, "proposed_by": None, "subject": "customer", "subject_id": "c1",
        "rule": "A-1", "status": "closed", "hit_ms": START_MS, "disposition": disposition, "quiet_ms": 0,
    }  # fmt: skip
    return sent, facts


def test_officers_verdicts_can_be_counted():
    filed = 'disposition == "true_positive.str_filed"'
    twice = {
        "id": "M-8",
        "on": "case.closed",
        "when": f"{filed} and distinct(case_id, 365d, where={filed}) >= 2",
    }
    line = bench(LARGE, twice)
    line.send(transfer("e1", 0))
    verdicts = [("v1", "k1", "true_positive.str_filed"), ("v2", "k1", "true_positive.str_filed")]
    verdicts += [("v3", "k2", "false_positive"), ("v4", "k2", "true_positive.str_filed")]
    found = [rules_hit(line.send(*closing(v[0], n * DAY_MS, *v[1:]))) for n, v in enumerate(verdicts, 1)]
    assert found == [[], [], [], ["M-8"]]


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"subject": "device", "on": "rule.hit", "when": "count(7d) >= 2"}, "a device hears of no rule.hit"),
        ({"on": "rule.hit", "when": "count(7d, key=merchant) >= 2"}, "a merchant hears of no such event"),
    ],
)
def test_rules_that_would_wait_in_vain_are_told_so(rule, problem):
    with pytest.raises(RuleError, match=problem):
        bench({"id": "X-1", **rule})


def test_nothing_is_made_where_no_rule_asks():
    line = bench(LARGE, INCOMING)
    (answer,) = line.send(transfer("e1", 0, direction="in"))
    assert [hit.rule for hit in answer.hits] == ["A-1", "A-2"]
    assert not any(kind == "rule.hit" for _, kind in line.engine._functions)


def test_an_officer_may_find_every_finding_by_its_event():
    (answer,) = bench(LARGE, SPREAD | {"when": "times >= 1"}).send(transfer("e1", 0))
    first, second = answer.hits
    assert (second.ref, second.event_id) == (first.ref, first.event_id)
    assert second.evidence == (first.ref,)


def test_new_windows_over_hits_are_filled_from_the_past():
    grades = {"id": "M-5", "on": "rating.changed", "when": "count(7d) >= 1"}
    events = [transfer(f"e{n}", n * HOUR_MS, direction="in" if n % 2 else "out") for n in range(8)]
    former, told = Bench(with_rules(BASE, *FOUND)), bench(*FOUND, SPREAD, CHAIN, grades)
    former.send_all(events)
    refill = Refill(former.engine, told.engine)
    for one in events:
        refill.feed(told.event(one))
    former.restart(told.engine)
    refill.hand_over(("customer", "c1"), former.state(), is_whole=True)
    told.send_all(events)
    heard = [place for place, slot in enumerate(told.state().plan.slots) if "rule.hit" in slot.signature()]
    assert len(heard) >= 2
    last = transfer("last", 8 * HOUR_MS)
    assert [hit.saw for hit in former.send(last)[0].hits] == [hit.saw for hit in told.send(last)[0].hits]
    (incomplete,) = refill.told(8, None, 9 * HOUR_MS)["incomplete"]
    assert (incomplete["window"].split()[1], incomplete["complete_ms"]) == (
        "rating.changed",
        9 * HOUR_MS + 7 * DAY_MS,
    )
