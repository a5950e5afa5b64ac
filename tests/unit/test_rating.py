"""Ratings by example: the figures of the method, the days of the calendar, the words of the file."""

from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from shipped_rating import HIT, PLAIN, RATER, START_MS

from monitor.core.assessment import Hit, RatingChange, RatingNotice
from monitor.core.decisions import LIFT, OVERRIDE, Decision
from monitor.core.explain import explain_rating
from monitor.core.rating import Rater, RatingState
from monitor.core.rating_config import DAY_MS, HOUR_MS, RatingConfig, RatingConfigError
from monitor.core.rating_state import Ground
from monitor.core.show import show_rating
from rules.vocabulary import load_vocabulary

WHO: dict[str, Any] = {"customer_id": "ada", "cause": "e-1"}


def apply(state: RatingState, *hits: Hit, at_ms: int = START_MS, **given: Any) -> RatingChange | None:
    given = {"segment": None, "profile": {}} | given
    placed = [replace(hit, time_ms=at_ms) for hit in hits]
    return RATER.apply(state, placed, at_ms, **given, **WHO)


def rated(*hits: Hit, **given: Any) -> RatingState:
    state = RatingState()
    apply(state, *hits, **given)
    return state


def decide(
    state: RatingState, kind: str, value: Any, at_ms: int = START_MS, **given: Any
) -> tuple[RatingChange | None, RatingNotice]:
    wanted = {"actor": "ada", "reason": "court file", "until_ms": None} | given
    return RATER.decide(state, Decision(kind=kind, value=value, time_ms=at_ms, **wanted), **WHO)


def behaviour(state: RatingState, at_ms: int = START_MS) -> float:
    return sum(d.behaviour for d in show_rating(RATER, state, at_ms).composite.dimensions)


def test_an_unknown_customer_gets_a_first_rating_from_the_stated_default() -> None:
    change = apply(RatingState())
    assert change is not None
    assert (change.previous_grade, change.grade, change.score) == (None, 14, 7.5)
    assert change.parts == ({"name": "profile", "kind": "inherent", "points": 7.5, "dimension": None},)


def test_points_halve_in_a_half_life_and_vanish_below_half_a_point() -> None:
    state = rated(HIT)
    assert behaviour(state) == pytest.approx(40)
    assert behaviour(state, START_MS + 7 * DAY_MS) == pytest.approx(20)
    assert behaviour(state, START_MS + 44 * DAY_MS) > 0.5
    assert behaviour(state, START_MS + 45 * DAY_MS) == 0


def test_a_repeat_within_the_cool_down_refreshes_and_adds_nothing() -> None:
    state = rated(HIT)
    apply(state, HIT, at_ms=START_MS + DAY_MS - 1)
    assert behaviour(state, START_MS + DAY_MS - 1) == pytest.approx(40)


def test_a_weaker_repeat_within_the_cool_down_keeps_the_stronger_points() -> None:
    state = rated(HIT)
    apply(state, replace(HIT, points=5), at_ms=START_MS + HOUR_MS)
    assert behaviour(state, START_MS + HOUR_MS) == pytest.approx(40)


def test_a_repeat_after_the_cool_down_adds_the_weaker_one_at_half() -> None:
    state = rated(replace(HIT, cooldown_ms=0))
    apply(state, replace(HIT, cooldown_ms=0, points=10))
    assert behaviour(state) == pytest.approx(100 * (1 - 0.6 * 0.95))


def test_a_shadow_hit_counts_nothing() -> None:
    assert behaviour(rated(replace(HIT, status="shadow"))) == 0


def test_capped_sum_adds_plainly_up_to_100() -> None:
    rater = Rater(RatingConfig.from_plain({**PLAIN, "mode": "capped_sum"}))
    state = rated(HIT, replace(HIT, rule="F-309", points=25))
    assert show_rating(rater, state, START_MS).composite.dimensions[0].score == pytest.approx(65)


def test_a_model_alone_never_gives_one_of_the_two_highest_grades() -> None:
    state = RatingState()
    RATER.apply(state, [], START_MS, segment=None, profile={}, model_scores={"fraud": 1.0}, **WHO)
    rating = show_rating(RATER, state, START_MS)
    assert (rating.grade, rating.score) == (12, 59.5)
    assert rating.parts[0]["kind"] == "model"


def test_a_true_match_on_a_list_sets_the_floor_of_the_highest_grade() -> None:
    change = apply(RatingState(), replace(HIT, rule="K-210", dimension="compliance", points=0))
    assert change is not None
    assert (change.grade, change.score) == (10, 80)
    assert change.parts[-1] == {"name": "listed_party", "kind": "floor", "points": 72.5, "dimension": None}


def test_a_foreign_public_function_is_at_least_medium_high_and_falls_when_corrected() -> None:
    state = rated(profile={"pep": "foreign"})
    assert (state.grade, show_rating(RATER, state, START_MS).score) == (11, 60)
    apply(state, profile={"pep": "none"})
    RATER.tick(state, START_MS + 30 * DAY_MS, customer_id="ada")
    assert state.grade == 14


def test_the_grade_falls_after_thirty_calm_days_at_the_due_time() -> None:
    state = rated(
        replace(HIT, points=90)
    )  # 76.5; at most 55 after 3.33 days, at most 35 after 7.9, 15 after 16.5
    changes = RATER.tick(state, START_MS + 400 * DAY_MS, customer_id="ada")
    assert [(c.time_ms - START_MS) / DAY_MS for c in changes] == [34, 38, 47]
    assert [(c.previous_grade, c.grade, c.cause) for c in changes] == [
        (11, 12, "timer"),
        (12, 13, "timer"),
        (13, 14, "timer"),
    ]


def test_hits_that_stay_below_the_margin_do_not_begin_the_thirty_days_again() -> None:
    state = rated(replace(HIT, points=90))
    due_ms = RATER.due_ms(state)
    apply(state, replace(HIT, rule="F-309", points=5), at_ms=START_MS + 20 * DAY_MS)
    assert RATER.due_ms(state) == due_ms


def test_a_hit_that_lifts_the_score_begins_the_thirty_days_again() -> None:
    state = rated(replace(HIT, points=90))
    apply(state, replace(HIT, points=90), at_ms=START_MS + 20 * DAY_MS)
    assert RATER.due_ms(state) == START_MS + 54 * DAY_MS


def test_two_upgrades_lie_a_day_apart_unless_to_the_highest_grade() -> None:
    state = rated()
    assert apply(state, HIT, at_ms=START_MS + HOUR_MS) is not None  # leaving the first grade needs no wait
    assert state.grade == 13
    assert apply(state, replace(HIT, rule="F-309", points=60), at_ms=START_MS + 2 * HOUR_MS) is None
    high = deepcopy(state)
    (later,) = RATER.tick(state, START_MS + 30 * HOUR_MS, customer_id="ada")
    assert (later.time_ms, later.grade) == (START_MS + 25 * HOUR_MS, 11)
    assert apply(high, replace(HIT, rule="K-210", points=0), at_ms=START_MS + 3 * HOUR_MS) is not None
    assert high.grade == 10


def test_the_highest_grade_is_left_only_after_an_approved_review() -> None:
    state = rated(replace(HIT, rule="K-210", points=0))
    decide(state, LIFT, "listed_party", START_MS + DAY_MS, approver="eve")
    assert RATER.tick(state, START_MS + 300 * DAY_MS, customer_id="ada") == []
    RATER.review(state, START_MS + 300 * DAY_MS)
    (change,) = RATER.tick(state, START_MS + 301 * DAY_MS, customer_id="ada")
    assert (change.grade, change.time_ms) == (14, START_MS + 300 * DAY_MS)


def test_an_open_alert_holds_the_grade_until_it_is_closed() -> None:
    state = rated(HIT)
    RATER.hold(state, "a-1")
    assert RATER.tick(state, START_MS + 200 * DAY_MS, customer_id="ada") == []
    RATER.release(state, "a-1", START_MS + 200 * DAY_MS)
    (change,) = RATER.tick(state, START_MS + 200 * DAY_MS, customer_id="ada")
    assert change.time_ms == START_MS + 200 * DAY_MS


def test_a_false_positive_is_taken_back_and_a_true_one_counts_half_as_much_again() -> None:
    state = rated(HIT, replace(HIT, rule="F-309"))
    RATER.outcome(state, "F-308", START_MS, "false_positive", START_MS, **WHO)
    assert behaviour(state) == pytest.approx(40)
    for _ in range(2):
        RATER.outcome(state, "F-309", START_MS, "true_positive", START_MS, **WHO)
    assert behaviour(state) == pytest.approx(60)


def test_a_false_positive_lifts_the_floor_of_its_rule() -> None:
    state = rated(replace(HIT, rule="K-210", points=0))
    RATER.outcome(state, "K-210", START_MS, "false_positive", START_MS, **WHO)
    assert show_rating(RATER, state, START_MS).score == 7.5


def test_a_persons_grade_stands_until_its_time_and_the_automatic_one_follows() -> None:
    state = rated()
    change, _ = decide(state, OVERRIDE, 11)
    assert change is not None
    assert (change.previous_grade, change.grade) == (14, 11)
    (back,) = RATER.tick(state, START_MS + 91 * DAY_MS, customer_id="ada")
    assert (back.grade, back.time_ms, back.cause) == (14, START_MS + 90 * DAY_MS, "timer")


@pytest.mark.parametrize(
    ("hits", "due"),
    [([], "2027-10-04"), ([replace(HIT, rule="K-210", points=0)], "2025-04-04")],
)
def test_the_next_review_follows_the_grade_and_the_first_comes_within_three_years(
    hits: list[Hit], due: str
) -> None:
    rating = show_rating(RATER, rated(*hits), START_MS)
    assert datetime.fromtimestamp(rating.review_ms / 1000, UTC).date().isoformat() == due
    assert rating.is_first


def test_a_floor_that_new_parameters_dropped_is_ignored() -> None:
    state = rated()
    state.grounds.append(Ground("dropped", "K-1", START_MS, None))
    assert show_rating(RATER, state, START_MS).score == 7.5


def test_a_segment_brings_its_own_weights() -> None:
    state = rated(replace(HIT, dimension="market", points=5), segment="private")
    market = show_rating(RATER, state, START_MS).composite.dimensions[0]
    assert market.weight == 0.12


def test_the_customer_is_told_neither_rules_nor_points() -> None:
    text = explain_rating(show_rating(RATER, rated(HIT), START_MS), "customer")
    assert "F-308" not in text
    assert "40" not in text


def test_every_mistake_of_the_file_is_named_at_once_with_its_place() -> None:
    plain = deepcopy(PLAIN)
    plain["mode"] = "sum"
    plain["weights"]["fraud"] = 0.5
    plain["floors"]["foreign_pep"]["socre"] = 3
    plain["grades"][0]["at_least"] = 10
    plain["inherent"]["items"]["country"]["scores"]["KP"] = 9
    del plain["points"]["cap"]
    with pytest.raises(RatingConfigError) as caught:
        RatingConfig.from_plain(plain)
    places = [mistake.split(": expected")[0].split(": missing")[0] for mistake in caught.value.mistakes]
    assert len(places) == 6
    for place in (
        "rating.yaml: mode",
        "rating.yaml: weights",
        "rating.yaml: points.cap",
        "rating.yaml: grades",
        "rating.yaml: inherent.items.country.scores.KP",
    ):
        assert place in places
    assert "rating.yaml: floors.foreign_pep.socre: unknown key" in str(caught.value)


def test_names_and_values_that_no_event_has_are_mistakes() -> None:
    plain = deepcopy(PLAIN)
    plain["floors"]["loan_substandard"]["profile"] = {"loan_class": ["substandard", 7]}
    plain["floors"]["foreign_pep"]["profile"] = {"peps": ["foreign"]}
    plain["ceilings"]["public_body"]["profile"] = {"is_large_value_exempt_party": ["yes"]}
    plain["inherent"]["items"]["public_function"]["scores"]["abroad"] = 5
    plain["segments"]["smes"] = plain["segments"]["sme"]
    plain["stages"]["retired"] = {}
    plain["review_triggers_days"]["law.requests"] = 3
    with pytest.raises(RatingConfigError) as caught:
        RatingConfig.from_plain(plain, vocabulary=load_vocabulary())
    told = [mistake.splitlines()[0].removeprefix("rating.yaml: ") for mistake in caught.value.mistakes]
    functions = "none, domestic, foreign, intl_org, relative"
    exempt = "ceilings.public_body.profile.is_large_value_exempt_party"
    assert told == [
        "segments.smes: unknown name 'smes'",
        "stages.retired: unknown name 'retired'",
        "review_triggers_days.law.requests: unknown name 'law.requests'",
        f"inherent.items.public_function: expected one of {functions}, was 'abroad'",
        "floors.foreign_pep.profile.peps: unknown name 'peps'",
        "floors.loan_substandard.profile.loan_class: expected a whole number, was 'substandard'",
        "floors.loan_substandard.profile.loan_class: expected a number from 1 to 5, was 7",
        f"{exempt}: expected true or false, was 'yes'",
    ]
    assert "hint: did you mean 'pep'?" in str(caught.value)


def test_the_shipped_parameters_name_only_what_there_is() -> None:
    assert RatingConfig.from_plain(PLAIN, vocabulary=load_vocabulary()).version == PLAIN["version"]


@pytest.mark.parametrize("wrong", [None, 7, "x", [], [[1]], {"a": 1}, True, {"x": {"y": [{}]}}])
@pytest.mark.parametrize("key", list(PLAIN))
def test_nothing_in_the_file_crashes_the_reader(key: str, wrong: Any) -> None:
    with suppress(RatingConfigError):
        RatingConfig.from_plain({**PLAIN, key: wrong}, vocabulary=load_vocabulary())
