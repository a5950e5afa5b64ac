"""What people decide about ratings, and what officers find: who may, until when, and what it changes."""

from dataclasses import replace
from typing import Any

import pytest
from shipped_rating import HIT as SHIPPED_HIT
from shipped_rating import RATER, START_MS

from monitor.core.assessment import Hit, RatingChange, RatingNotice
from monitor.core.decisions import IMPOSE, LIFT, OVERRIDE, RESTORE, SUPPRESS, Decision
from monitor.core.rating import RatingState
from monitor.core.rating_config import DAY_MS
from monitor.core.show import show_rating

WHO: dict[str, Any] = {"customer_id": "C-1", "cause": "e-1"}
HIT = replace(SHIPPED_HIT, rule="A-101", subject_id="C-1", dimension="compliance", points=60)


def apply(
    state: RatingState,
    *hits: Hit,
    at_ms: int = START_MS,
    notices: list[RatingNotice] | None = None,
    **profile: Any,
) -> RatingChange | None:
    placed = [replace(hit, time_ms=at_ms) for hit in hits]
    return RATER.apply(state, placed, at_ms, segment=None, profile=profile, notices=notices, **WHO)


def rated(*hits: Hit, **profile: Any) -> RatingState:
    state = RatingState()
    apply(state, *hits, **profile)
    return state


def decide(
    state: RatingState, kind: str, value: Any, actor: str = "ada", *, day: int = 0, until: int | None = None,
    **given: Any,
) -> RatingNotice:  # fmt: skip
    until_ms = None if until is None else START_MS + until * DAY_MS
    decision = Decision(
        kind=kind,
        value=value,
        actor=actor,
        until_ms=until_ms,
        time_ms=START_MS + day * DAY_MS,
        **{"reason": "court file", **given},
    )
    return RATER.decide(state, decision, **WHO)[1]


def found(state: RatingState, outcome: str, *, rule: str = "A-101", day: int = 0, second: str = "") -> None:
    at_ms = START_MS + day * DAY_MS
    RATER.outcome(state, rule, START_MS, outcome, at_ms, author="ada", second=second, **WHO)


def shown(state: RatingState, day: int = 0) -> Any:
    return show_rating(RATER, state, START_MS + day * DAY_MS)


def score(state: RatingState, day: int = 0) -> float:
    return RATER.score(state, START_MS + day * DAY_MS).score


# A grade by hand.


def test_one_person_sets_a_riskier_grade() -> None:
    state = rated()
    assert decide(state, OVERRIDE, 11).kind == "decided"
    assert (shown(state).grade, shown(state).automatic_grade) == (11, 14)


def test_a_safer_grade_waits_for_a_second_person() -> None:
    state = rated(HIT)
    assert decide(state, OVERRIDE, 14).kind == "proposed"
    assert shown(state).grade == 12
    notice = decide(state, OVERRIDE, 14, "eve", day=1)
    assert (notice.kind, notice.facts["actor"], notice.facts["approver"]) == ("decided", "ada", "eve")
    assert shown(state, 1).grade == 14
    assert shown(state, 1).override.until_ms == START_MS + 90 * DAY_MS


def test_nobody_approves_their_own_proposal() -> None:
    state = rated(HIT)
    decide(state, OVERRIDE, 14)
    notice = decide(state, OVERRIDE, 14)
    assert (notice.kind, notice.facts["problem"]) == (
        "refused",
        "actor: ada proposed it, expected another person",
    )
    assert shown(state).grade == 12


def test_another_grade_is_another_proposal_in_place_of_the_first() -> None:
    state = rated(HIT)
    decide(state, OVERRIDE, 14)
    assert decide(state, OVERRIDE, 13, "eve").kind == "proposed"
    assert [(one.value, one.actor) for one in state.proposals] == [(13, "eve")]


def test_a_system_that_names_two_persons_needs_no_proposal() -> None:
    state = rated(HIT)
    assert decide(state, OVERRIDE, 14, approver="eve").kind == "decided"
    assert "expected another person" in decide(state, OVERRIDE, 13, approver="ada").facts["problem"]


def test_a_proposal_lapses_and_may_be_withdrawn() -> None:
    state = rated(HIT)
    decide(state, OVERRIDE, 14)
    assert decide(state, OVERRIDE, 14, "eve", day=14).kind == "proposed"
    assert decide(state, OVERRIDE, None, "ada", day=14).kind == "withdrawn"
    assert state.proposals == []


def test_a_proposal_lapses_when_the_risk_rises() -> None:
    state = rated(HIT)
    decide(state, OVERRIDE, 14)
    apply(state, replace(HIT, rule="A-102", points=90), at_ms=START_MS + 2 * DAY_MS)
    assert state.grade == 10
    assert decide(state, OVERRIDE, 14, "eve", day=3).kind == "proposed"


def test_a_grade_by_hand_ends_after_at_most_ninety_days() -> None:
    state = rated()
    assert "expected at most 90 days ahead" in decide(state, OVERRIDE, 11, until=91).facts["problem"]
    decide(state, OVERRIDE, 11, until=30)
    notices: list[RatingNotice] = []
    (change,) = RATER.tick(state, START_MS + 99 * DAY_MS, customer_id="C-1", notices=notices)
    assert (change.grade, change.time_ms, change.reason) == (14, START_MS + 30 * DAY_MS, "time")
    assert [(one.kind, one.facts["value"]) for one in notices] == [("ended", 11)]


def test_ending_a_riskier_grade_takes_two_and_a_safer_one_takes_one() -> None:
    risky, safe = rated(), rated(HIT)
    decide(risky, OVERRIDE, 11)
    assert [decide(risky, OVERRIDE, None, who).kind for who in ("ada", "eve")] == ["proposed", "decided"]
    decide(safe, OVERRIDE, 14, approver="eve")
    assert decide(safe, OVERRIDE, None).kind == "decided"
    assert (shown(risky).grade, shown(safe).grade) == (14, 12)


def test_new_evidence_ends_a_grade_that_was_set_lower() -> None:
    state = rated(HIT)
    decide(state, OVERRIDE, 14, approver="eve")
    notices: list[RatingNotice] = []
    at_ms = START_MS + 2 * DAY_MS
    change = apply(state, replace(HIT, rule="A-102", points=90), at_ms=at_ms, notices=notices)
    assert change is not None
    assert (change.previous_grade, change.grade) == (14, 10)
    assert [one.kind for one in notices] == ["ended"]


def test_a_riskier_automatic_grade_shows_through_a_grade_that_was_set_higher() -> None:
    state = rated()
    decide(state, OVERRIDE, 12)
    apply(state, replace(HIT, points=94, rule="A-102"), replace(HIT, points=90))
    assert shown(state).grade == 10


def test_a_grade_by_hand_never_goes_below_a_floor() -> None:
    state = rated(pep="foreign")
    notice = decide(state, OVERRIDE, 13)
    assert notice.facts["problem"] == "grade: 13 is below the floor foreign_pep: lift that first"


def test_every_mistake_of_a_decision_is_named_at_once() -> None:
    problem = decide(rated(), OVERRIDE, 99, " ", until=-1, reason="").facts["problem"]
    assert [part.partition(":")[0] for part in problem.split("; ")] == ["actor", "reason", "until", "grade"]


def test_a_customer_without_a_rating_has_none_to_set() -> None:
    assert "not rated yet" in decide(RatingState(), OVERRIDE, 11).facts["problem"]


# Floors, ceilings, suppressions.


def test_one_person_imposes_a_floor_and_two_lift_it() -> None:
    state = rated()
    assert decide(state, IMPOSE, "confirmed_mule").kind == "decided"
    (limit,) = shown(state).limits
    assert (limit.name, limit.author, limit.reason, limit.by) == (
        "confirmed_mule",
        "ada",
        "court file",
        "person",
    )
    assert [decide(state, LIFT, "confirmed_mule", who).kind for who in ("ada", "eve")] == [
        "proposed",
        "decided",
    ]
    assert score(state) == 7.5


def test_a_floor_of_two_rules_stands_until_both_are_false() -> None:
    state = rated(replace(HIT, rule="K-210", points=0), replace(HIT, rule="K-213", points=0))
    found(state, "false_positive", rule="K-210")
    assert score(state) == 80
    found(state, "false_positive", rule="K-213")
    assert score(state) == 7.5


def test_what_the_profile_demands_cannot_be_lifted() -> None:
    state = rated(pep="foreign")
    assert "correct the profile" in decide(state, LIFT, "foreign_pep").facts["problem"]
    assert "it does not stand" in decide(state, LIFT, "listed_party").facts["problem"]
    assert "expected one of listed_party" in decide(state, IMPOSE, "bad mood").facts["problem"]


def test_a_report_keeps_the_grade_medium_high_for_a_year() -> None:
    state = rated(HIT)
    found(state, "true_positive.str_filed")
    assert shown(state).grade == 11
    assert score(state, 364) == 60
    assert score(state, 365) < 60


def test_a_confirmed_mule_is_high_and_a_confirmed_victim_is_not() -> None:
    mule, victim = rated(replace(HIT, rule="F-319", points=5)), rated(replace(HIT, rule="F-308", points=5))
    found(mule, "true_positive.fraud_confirmed", rule="F-319")
    found(victim, "true_positive.fraud_confirmed", rule="F-308")
    assert (shown(mule).grade, shown(victim).grade) == (10, 14)


def test_a_public_body_has_a_ceiling_for_compliance_but_not_for_fraud_or_lists() -> None:
    body = {"is_large_value_exempt_party": True}
    capped = shown(rated(replace(HIT, points=90), **body))
    assert (capped.grade, capped.score) == (13, 34.85)
    assert capped.parts[-1]["kind"] == "ceiling"
    assert sum(round(part["points"] * 100) for part in capped.parts) == 3485
    assert shown(rated(replace(HIT, points=90, dimension="fraud"), **body)).grade == 11
    assert shown(rated(replace(HIT, rule="K-210", points=90), **body)).grade == 10


def test_two_persons_impose_a_ceiling_and_its_end_is_a_change_of_its_own_time() -> None:
    state = rated(replace(HIT, points=90))
    decide(state, IMPOSE, "public_body", until=80)
    assert shown(state).grade == 11
    decide(state, IMPOSE, "public_body", "eve", until=80)
    RATER.tick(state, START_MS + 79 * DAY_MS, customer_id="C-1")
    assert shown(state, 79).grade == 13
    (change,) = RATER.tick(state, START_MS + 80 * DAY_MS, customer_id="C-1")
    assert (change.grade, change.time_ms) == (12, START_MS + 80 * DAY_MS)


def test_a_suppressed_rule_gives_no_points_and_still_imposes_its_floor() -> None:
    state = rated()
    decide(state, SUPPRESS, "K-210", approver="eve")
    apply(state, replace(HIT, rule="K-210", points=50))
    assert score(state) == 80
    assert state.contributions == []
    assert decide(state, RESTORE, "K-210").kind == "decided"
    assert "is not suppressed" in decide(state, RESTORE, "K-210").facts["problem"]


def test_what_two_persons_found_false_gives_no_points_for_ninety_days() -> None:
    alone, both = rated(HIT), rated(HIT)
    found(alone, "false_positive.explained")
    found(both, "false_positive.explained", second="eve")
    for state in (alone, both):
        apply(state, HIT, at_ms=START_MS + 89 * DAY_MS)
    assert (score(alone, 89), score(both, 89)) == (51, 7.5)
    apply(both, HIT, at_ms=START_MS + 90 * DAY_MS)
    assert score(both, 90) == 51


# Outcomes.


def test_a_pattern_that_was_found_false_stays_so_until_it_grows_graver() -> None:
    state = rated(HIT)
    found(state, "false_positive")
    apply(state, HIT, at_ms=START_MS + DAY_MS - 1)
    assert score(state) == 7.5
    apply(state, replace(HIT, points=80), at_ms=START_MS + DAY_MS - 1)
    assert score(state) == 68


def test_what_is_reopened_counts_as_it_did_at_first() -> None:
    state = rated(HIT, replace(HIT, rule="K-210", points=0))
    before = score(state)
    for rule in ("A-101", "K-210"):
        found(state, "false_positive", rule=rule, second="eve")
    assert score(state) == 7.5
    for rule in ("A-101", "K-210"):
        RATER.reopen(state, rule, START_MS, START_MS, **WHO)
    assert state.suppressions == []
    assert [c.is_refuted for c in state.contributions] == [False]
    assert (before, score(state)) == (80, 51)


def test_what_was_confirmed_does_not_decay_while_a_case_is_open() -> None:
    state = rated(replace(HIT, points=40))
    RATER.case(state, "case-1", True, START_MS, **WHO)
    found(state, "true_positive")
    assert score(state, 80) == score(state) == 51
    RATER.case(state, "case-1", False, START_MS + 80 * DAY_MS, **WHO)
    assert score(state, 170) == 25.5


def test_what_was_not_confirmed_decays_in_a_case_too() -> None:
    state = rated(HIT)
    RATER.case(state, "case-1", True, START_MS, **WHO)
    assert score(state, 90) == 25.5


# Reviews and stages.


def test_a_review_falls_due_once_and_again_after_the_next() -> None:
    state = rated(pep="foreign")
    told: list[RatingNotice] = []
    RATER.tick(state, START_MS + 800 * DAY_MS, customer_id="C-1", notices=told)
    assert [(one.kind, one.time_ms - START_MS) for one in told] == [("review_due", 365 * DAY_MS)]
    RATER.review(state, START_MS + 800 * DAY_MS)
    RATER.tick(state, START_MS + 1200 * DAY_MS, customer_id="C-1", notices=told)
    assert [one.time_ms - START_MS for one in told] == [365 * DAY_MS, 1165 * DAY_MS]


def test_an_event_brings_the_review_forward_and_never_back() -> None:
    state = rated()
    RATER.call_review(state, "law.request", START_MS)
    RATER.call_review(state, "news.adverse", START_MS)
    assert shown(state).review_ms == START_MS + 10 * DAY_MS
    apply(state, at_ms=START_MS, industry="gambling")
    assert shown(state).review_ms == START_MS + 10 * DAY_MS
    RATER.review(state, START_MS + DAY_MS)
    assert shown(state, 1).review_ms > START_MS + 365 * DAY_MS


def test_a_changed_answer_of_the_form_calls_for_a_review() -> None:
    state = rated()
    apply(state, at_ms=START_MS + DAY_MS, industry="gambling")
    assert shown(state, 1).review_ms == START_MS + 31 * DAY_MS


@pytest.mark.parametrize(("stage", "points"), [("active", 34), ("leaving", 51), ("dormant", 34)])
def test_a_stage_of_life_multiplies_points_of_its_dimensions(stage: str, points: float) -> None:
    state = rated(replace(HIT, points=40, dimension="liquidity"), lifecycle=stage)
    assert score(state) == points


def test_a_relationship_that_ended_has_no_reviews() -> None:
    state = rated(lifecycle="closed")
    assert shown(state).review_ms is None
    assert RATER.tick(state, START_MS + 9000 * DAY_MS, customer_id="C-1") == []


def test_a_loan_that_is_substandard_lifts_credit_alone() -> None:
    rating = shown(rated(loan_class=3))
    assert (rating.score, rating.limits[0].dimension) == (59.5, "credit")


# Snapshots.


def test_a_snapshot_of_an_older_version_is_restored() -> None:
    state = rated(HIT)
    plain = state.snapshot()[:16]
    plain[0] = [values[:9] for values in plain[0]]
    plain[2] = {"listed_party": None}
    old = RatingState.restore(plain)
    assert [(one.name, one.until_ms) for one in old.grounds] == [("listed_party", None)]
    assert old.contributions == state.contributions
    assert score(old) == 80
