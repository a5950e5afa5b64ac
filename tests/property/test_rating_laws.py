"""What every rating keeps to, whatever happened to the customer."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shipped_rating import HIT, PLAIN, START_MS

from monitor.core.assessment import Hit, RatingChange, RatingNotice
from monitor.core.decisions import IMPOSE, LIFT, OVERRIDE, RESTORE, SUPPRESS, Decision
from monitor.core.explain import explain_rating
from monitor.core.rating import Rater, RatingState
from monitor.core.rating_config import DAY_MS, DIMENSIONS, HOUR_MS, RatingConfig
from monitor.core.rating_shown import Rating
from monitor.core.show import show_rating

RATERS = [Rater(RatingConfig.from_plain({**PLAIN, "mode": mode})) for mode in ("noisy_or", "capped_sum")]
OUTCOMES = ["false_positive", "true_positive", "true_positive.str_filed", "unclear"]
BASE = replace(HIT, rule="A-124", points=20, alert=False)

hits = st.builds(
    lambda rule, points, late, cooldown: replace(
        BASE,
        rule=f"A-{rule}",
        dimension=DIMENSIONS[rule % 9],
        points=points,
        time_ms=-late * HOUR_MS,
        cooldown_ms=cooldown * HOUR_MS,
    ),
    st.sampled_from([0, 1, 5, 6, 14]),
    st.sampled_from([0, 0.3, 4, 15, 25, 40, 70, 120]),
    st.sampled_from([0, 0, 0, 30]),
    st.sampled_from([0, 24, 300]),
)
profiles = st.fixed_dictionaries(
    {},
    optional={
        "pep": st.sampled_from(["none", "domestic", "foreign"]),
        "residence_country": st.sampled_from(["CN", "KP"]),
        "industry": st.sampled_from(["gambling", "farming"]),
    },
)
limits = st.sampled_from(["listed_party", "report_filed", "public_body"])
wanted = st.one_of(
    st.tuples(st.just(OVERRIDE), st.sampled_from([None, 10, 11, 13, 14])),
    st.tuples(st.sampled_from([IMPOSE, LIFT]), limits),
    st.tuples(st.sampled_from([SUPPRESS, RESTORE]), st.sampled_from(["A-0", "A-6"])),
)
decisions = st.tuples(wanted, st.sampled_from(["ada", "eve"]), st.sampled_from([None, 3, 70]))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("hits"), st.lists(hits, max_size=3)),
        st.tuples(st.just("hits"), st.lists(hits, min_size=1, max_size=3)),
        st.tuples(st.just("profile"), profiles),
        st.tuples(st.just("segment"), st.sampled_from([None, "private"])),
        st.tuples(st.just("model"), st.floats(0, 1)),
        st.tuples(st.just("outcome"), st.sampled_from(OUTCOMES)),
        st.tuples(st.just("reopen"), st.none()),
        st.tuples(st.just("decision"), decisions),
        st.tuples(st.just("case"), st.booleans()),
        st.tuples(st.just("alert"), st.booleans()),
        st.tuples(st.just("review"), st.none()),
    ),
    min_size=1,
    max_size=12,
)
gaps = st.lists(st.sampled_from([0, 1, 7, 24, 100, 24 * 40, 24 * 200]), min_size=12, max_size=12)
raters = st.sampled_from(RATERS)


class Customer:
    """One customer's rating, driven step by step in virtual time."""

    def __init__(self, rater: Rater) -> None:
        self.rater, self.state, self.now_ms = rater, RatingState(), START_MS
        self.profile: dict[str, Any] = {}
        self.segment: str | None = None
        self.last: Hit | None = None
        self.changes: list[RatingChange] = []
        self.notices: list[RatingNotice] = []
        self.apply([])

    def apply(self, batch: list[Hit], model: float | None = None) -> None:
        placed = [replace(hit, time_ms=self.now_ms + hit.time_ms) for hit in batch]
        self.last = placed[-1] if placed else self.last
        self.keep(
            self.rater.apply(
                self.state,
                placed,
                self.now_ms,
                segment=self.segment,
                profile=self.profile,
                customer_id="ada",
                cause="e",
                model_scores=None if model is None else {"fraud": model},
            )
        )

    def keep(self, change: RatingChange | None) -> None:
        self.changes += [change] if change else []

    def wait(self, hours: int, daily: bool = False) -> None:
        end_ms = self.now_ms + hours * HOUR_MS
        for now_ms in [*range(self.now_ms, end_ms, DAY_MS)] * daily + [end_ms]:
            self.changes += self.rater.tick(self.state, now_ms, customer_id="ada", notices=self.notices)
        self.now_ms = end_ms

    def step(self, verb: str, value: Any) -> None:
        who = {"customer_id": "ada", "cause": "e"}
        if verb in ("hits", "model"):
            self.apply(value if verb == "hits" else [], value if verb == "model" else None)
        elif verb in ("profile", "segment"):
            setattr(self, verb, value)
            self.apply([])
        elif verb == "outcome" and self.last:
            of = (self.last.rule, self.last.time_ms, value, self.now_ms)
            second = "eve" if self.now_ms % 2 else ""
            self.keep(self.rater.outcome(self.state, *of, **who, second=second, notices=self.notices))
        elif verb == "reopen" and self.last:
            self.keep(self.rater.reopen(self.state, self.last.rule, self.last.time_ms, self.now_ms, **who))
        elif verb == "decision":
            (kind, wanted), actor, days = value
            until_ms = days and self.now_ms + days * DAY_MS
            decision = Decision(
                kind=kind, value=wanted, actor=actor, until_ms=until_ms, reason="r", time_ms=self.now_ms
            )
            change, notice = self.rater.decide(self.state, decision, **who)
            self.keep(change)
            self.notices.append(notice)
        elif verb == "case":
            self.keep(self.rater.case(self.state, "c", value, self.now_ms, **who))
        elif verb == "alert":
            self.rater.hold(self.state, "a") if value else self.rater.release(self.state, "a", self.now_ms)
        elif verb == "review":
            self.rater.review(self.state, self.now_ms)

    def rating(self, later_ms: int = 0) -> Rating:
        return show_rating(self.rater, self.state, self.now_ms + later_ms)


def lived(rater: Rater, stream: list[tuple[str, Any]], waits: list[int], daily: bool = False) -> Customer:
    customer = Customer(rater)
    for (verb, value), hours in zip(stream, waits, strict=False):
        customer.step(verb, value)
        customer.wait(hours, daily)
    return customer


law: Callable[[Any], Any] = settings(max_examples=80, deadline=None)


@law
@given(raters, steps, gaps)
def test_scores_stay_within_0_and_100_and_parts_add_up_exactly(rater, stream, waits) -> None:
    customer = lived(rater, stream, waits)
    rating = customer.rating()
    assert 0 <= rating.score <= 100
    for score, parts in [(rating.score, rating.parts)] + [(c.score, c.parts) for c in customer.changes]:
        assert sum(Decimal(str(part["points"])) for part in parts) == Decimal(str(score))
    for dimension in rating.composite.dimensions:
        assert 0 <= dimension.score <= 100
        assert not dimension.shares or sum(share.ratio for share in dimension.shares) == pytest.approx(1)


@law
@given(raters, steps, gaps, hits, st.sampled_from([0, 1, 24, 240, 2400]))
def test_one_more_hit_never_lowers_the_score_now_or_later(rater, stream, waits, hit, later) -> None:
    customer = lived(rater, stream, waits)
    other = deepcopy(customer.state)
    customer.apply([hit])
    before = show_rating(rater, other, customer.now_ms + later * HOUR_MS).composite.hundredths
    assert customer.rating(later * HOUR_MS).composite.hundredths >= before


@law
@given(raters, steps, gaps, hits, st.floats(0, 50))
def test_more_points_never_give_a_lower_score(rater, stream, waits, hit, extra) -> None:
    one = lived(rater, stream, waits)
    other = lived(rater, stream, waits)
    one.apply([hit])
    other.apply([replace(hit, points=hit.points + extra)])
    assert other.rating().composite.hundredths >= one.rating().composite.hundredths


@law
@given(raters, steps, gaps, st.lists(hits, min_size=2, max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_hits_within_a_batch_does_not_matter(rater, stream, waits, batch, random) -> None:
    one, other = lived(rater, stream, waits), lived(rater, stream, waits)
    one.apply(batch)
    other.apply(random.sample(batch, len(batch)))
    assert one.state.snapshot() == other.state.snapshot()
    assert one.rating() == other.rating()


@law
@given(raters, steps, gaps, st.lists(st.integers(0, 5000), min_size=2, max_size=6))
def test_time_alone_never_raises_the_score(rater, stream, waits, hours) -> None:
    customer = lived(rater, stream, waits)
    scores = [customer.rating(hour * HOUR_MS).composite.hundredths for hour in sorted(hours)]
    assert scores == sorted(scores, reverse=True)


@law
@given(raters, steps, gaps, st.integers(0, 11))
def test_a_restart_at_any_point_changes_nothing(rater, stream, waits, cut) -> None:
    straight, resumed = Customer(rater), Customer(rater)
    for n, ((verb, value), hours) in enumerate(zip(stream, waits, strict=False)):
        if n == cut:
            plain = msgspec.msgpack.decode(msgspec.msgpack.encode(resumed.state.snapshot()))
            resumed.state = RatingState.restore(plain)
        for customer in (straight, resumed):
            customer.step(verb, value)
            customer.wait(hours)
    assert straight.changes == resumed.changes
    assert straight.state == resumed.state


@law
@given(raters, steps, gaps)
def test_one_late_tick_gives_the_changes_of_many_daily_ones(rater, stream, waits) -> None:
    late, daily = lived(rater, stream, waits), lived(rater, stream, waits, daily=True)
    assert (late.changes, late.notices) == (daily.changes, daily.notices)
    assert late.state == daily.state
    late.wait(24 * 400)
    daily.wait(24 * 400, daily=True)
    assert late.changes == daily.changes


@law
@given(raters, steps, gaps)
def test_a_grade_is_left_downwards_only_after_thirty_calm_days(rater, stream, waits) -> None:
    plain_steps = [(verb, value) for verb, value in stream if verb in ("hits", "profile", "model")]
    customer = lived(rater, plain_steps, waits)
    customer.wait(24 * 400)
    bounds = {grade.code: grade.at_least for grade in rater.config.grades}
    for change in customer.changes[1:]:
        if change.grade > change.previous_grade:
            assert change.cause == "timer"
            assert change.score <= bounds[change.previous_grade] - rater.config.margin
        else:
            assert change.score >= bounds[change.grade]
    for one, other in zip(customer.changes[1:], customer.changes[2:], strict=False):
        assert other.grade == 10 or other.time_ms - one.time_ms >= DAY_MS


@law
@given(raters, steps, gaps)
def test_what_is_said_to_come_if_nothing_happens_comes(rater, stream, waits) -> None:
    customer = lived(rater, stream, waits)
    said = customer.rating().ahead
    seen = len(customer.changes)
    customer.wait(24 * 365 * 12)
    assert [(one.time_ms, one.grade, one.score) for one in said] == [
        (change.time_ms, change.grade, change.score) for change in customer.changes[seen:]
    ]


@law
@given(raters, st.lists(hits, min_size=1, max_size=6), profiles, st.sampled_from([0, 30, 300, 2000]))
def test_a_rating_without_a_rule_is_that_of_a_customer_it_never_hit(rater, batch, profile, later) -> None:
    def rated(given_hits: list[Hit]) -> Customer:
        customer = Customer(rater)
        customer.profile = profile
        customer.apply(given_hits)
        return customer

    for one in rated(batch).rating(later * HOUR_MS).without:
        if one.kind == "rule":
            never = rated([hit for hit in batch if hit.rule != one.name]).rating(later * HOUR_MS)
            assert one.score == never.score
            assert one.grade == rater.grading.grade_of(round(never.score * 100))


@law
@given(raters, steps, gaps)
def test_nothing_that_raises_the_score_is_missing_from_what_would_lower_it(rater, stream, waits) -> None:
    rating = lived(rater, stream, waits).rating()
    raising = {
        part["name"] for part in rating.parts if part["kind"] in ("rule", "floor") and part["points"] > 0
    }
    assert raising <= {one.name for one in rating.without}
    for one in rating.without:
        assert one.score <= rating.score or one.kind in ("ceiling", "override")


@law
@given(raters, steps, gaps)
def test_the_customers_text_tells_nothing_of_what_happened(rater, stream, waits) -> None:
    customer = lived(rater, stream, waits)
    assert explain_rating(customer.rating(), "customer") == explain_rating(
        Customer(rater).rating(), "customer"
    )


@law
@given(raters, steps, gaps)
def test_every_text_can_be_told_of_every_rating(rater, stream, waits) -> None:
    rating = lived(rater, stream, waits).rating()
    officer, auditor = (explain_rating(rating, audience) for audience in ("officer", "auditor"))
    assert auditor.startswith(officer)
    assert f"score {rating.score:.2f} of 100" in officer


@law
@given(raters, steps, gaps)
def test_a_safer_grade_by_hand_had_two_persons(rater, stream, waits) -> None:
    customer = lived(rater, stream, waits)
    override = customer.state.override
    if override is not None and override.grade > override.basis:
        assert override.author != override.approver
        assert override.approver
    for suppression in customer.state.suppressions:
        assert suppression.approver not in ("", suppression.author)
        assert suppression.until_ms <= customer.now_ms + 90 * DAY_MS


@law
@given(raters, steps, gaps)
def test_the_grade_in_force_is_never_below_a_floor_of_the_whole_rating(rater, stream, waits) -> None:
    rating = lived(rater, stream, waits).rating()
    floors = [one.score for one in rating.limits if one.kind == "floor" and one.dimension is None]
    if rating.override is not None and floors:
        assert rating.grade <= rater.grading.grade_of(round(max(floors) * 100))


@law
@given(raters, st.lists(decisions, min_size=1, max_size=6))
def test_whoever_makes_a_customer_look_safer_is_two(rater, wanted) -> None:
    customer = Customer(rater)
    customer.apply([replace(BASE, time_ms=0, points=94)])
    for decision in wanted:
        before = customer.rating().grade
        customer.step("decision", decision)
        notice = customer.notices[-1]
        if customer.rating().grade > before:
            assert notice.kind == "decided"
            assert notice.facts["approver"] not in ("", notice.facts["actor"])
