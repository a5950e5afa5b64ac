"""Ratings: hits become points, points decay, points become one of five grades."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

from monitor.core.assessment import Hit, RatingChange, RatingNotice
from monitor.core.decisions import OVERRIDE, Decision, Decisions
from monitor.core.gathering import Gathering, found, hold_still
from monitor.core.grading import Grading
from monitor.core.inherent import Form
from monitor.core.periods import DAY_MS
from monitor.core.rating_config import RatingConfig
from monitor.core.rating_state import RatingState, Suppression
from monitor.core.scoring import Composite, Evidence, attribute

__all__ = ["FALSE_POSITIVE", "TRUE_POSITIVE", "Rater", "RatingState"]

FALSE_POSITIVE = "false_positive"
TRUE_POSITIVE = "true_positive"
TIMER = "timer"
"""The cause of what comes with time alone."""
STAGE = "lifecycle"
"""The profile field that tells the stage of the relationship's life."""
PROFILE = "profile"
"""The trigger of a review that a change of the form's answers is."""
FIXED_ORDER = attrgetter("time_ms", "rule", "dimension", "cooldown_ms", "points", "version", "event_id")


class Rater:
    """Keeps ratings current.

    Timers come first: a caller runs `tick(state, now_ms)` before anything else at `now_ms`, and
    `now_ms` never goes back. A change that comes with time alone carries the time it fell due, so
    that one late tick and many early ones give the same changes.

    Examples
    --------
    >>> from pathlib import Path
    >>> from yaml import safe_load
    >>> config = RatingConfig.from_plain(safe_load(Path("config/rating.yaml").read_text()))
    >>> rater, state = Rater(config), RatingState()
    >>> change = rater.apply(state, [], 0, segment=None, profile={}, customer_id="ada", cause="e-1")
    >>> change.grade, change.score, change.parts[0]["name"]
    (14, 7.5, 'profile')
    """

    def __init__(self, config: RatingConfig) -> None:
        self.config = config
        self.form = Form(config)
        self.grading = Grading(config)
        self._decisions = Decisions(config, self.grading)
        self._gathering = Gathering(config)

    # Evidence.

    def apply(
        self,
        rs: RatingState,
        hits: Sequence[Hit],
        now_ms: int,
        *,
        segment: str | None,
        profile: Mapping[str, Any],
        customer_id: str,
        cause: str,
        model_scores: Mapping[str, float] | None = None,
        notices: list[RatingNotice] | None = None,
    ) -> RatingChange | None:
        """Add live hits (and model scores, 0 to 1, by dimension) and rate again.

        The first call gives the first rating. The order of `hits` does not matter. The same hits a
        second time refresh their contributions; the caller keeps duplicates away.
        """
        items, floors, ceilings = self.form.read(profile)
        stage = profile.get(STAGE)
        told = (items, floors, ceilings, segment, stage)
        is_same = told == (rs.items, rs.profile_floors, rs.profile_ceilings, rs.segment, rs.stage)
        if is_same and not (hits or model_scores or rs.grade is None):
            return None
        before = self.grading.shown(rs, now_ms)
        if rs.grade is not None and items != rs.items and PROFILE in self.config.triggers:
            self.call_review(rs, PROFILE, now_ms)
        rs.items, rs.profile_floors, rs.profile_ceilings, rs.segment, rs.stage = told
        self._forget(rs, now_ms)
        for hit in sorted(hits, key=FIXED_ORDER):
            if hit.status == "live":
                self._gathering.add(rs, hit)
        for dimension, score in (model_scores or {}).items():
            self._gathering.learn(rs, dimension, score, now_ms)
        reason = "activity" if hits or model_scores else "profile"
        return self._rate(rs, now_ms, before, customer_id, cause, reason, notices)

    def outcome(
        self,
        rs: RatingState,
        rule: str,
        time_ms: int,
        disposition: str,
        now_ms: int,
        *,
        customer_id: str,
        cause: str,
        author: str = "",
        second: str = "",
        notices: list[RatingNotice] | None = None,
    ) -> RatingChange | None:
        """Take in what an officer found about the hit of `rule` at `time_ms`.

        A `false_positive` takes away its points and the floors the rule imposed; where two persons
        found it, the rule gives this customer no points for a while. A `true_positive` raises its
        points, once, keeps them from decaying while a case is open, and imposes the floors that its
        outcome demands. Anything else changes nothing.

        Parameters
        ----------
        disposition
            The verdict, and what came of it where known: `true_positive.str_filed`.
        author, second
            Who found it; `second` is empty where one person did.
        """
        verdict = disposition.partition(".")[0]
        if verdict not in (FALSE_POSITIVE, TRUE_POSITIVE):
            return None
        before = self.grading.shown(rs, now_ms)
        is_true = verdict == TRUE_POSITIVE
        for contribution in found(rs, rule, time_ms):
            contribution.is_confirmed, contribution.is_refuted = is_true, not is_true
        if is_true:
            self._gathering.demand(rs, rule, disposition, now_ms, author, second)
        else:
            rs.grounds = [ground for ground in rs.grounds if ground.by != rule]
            if second and self.config.suppress_ms:
                until_ms = now_ms + self.config.suppress_ms
                rs.suppressions = [one for one in rs.suppressions if one.rule != rule]
                rs.suppressions.append(Suppression(rule, until_ms, author, second, disposition))
                rs.suppressions.sort(key=attrgetter("rule"))
        hold_still(rs, now_ms)
        return self._rate(rs, now_ms, before, customer_id, cause, "officer", notices)

    def reopen(
        self, rs: RatingState, rule: str, time_ms: int, now_ms: int, *, customer_id: str, cause: str
    ) -> RatingChange | None:
        """Take back what was found about the hit of `rule` at `time_ms`: it counts as it did at first."""
        before = self.grading.shown(rs, now_ms)
        for contribution in found(rs, rule, time_ms):
            if contribution.is_refuted:
                self._gathering.impose(rs, rule, now_ms)
            contribution.is_confirmed = contribution.is_refuted = False
        rs.suppressions = [one for one in rs.suppressions if one.rule != rule]
        hold_still(rs, now_ms)
        return self._rate(rs, now_ms, before, customer_id, cause, "officer")

    def case(
        self, rs: RatingState, case_id: str, is_open: bool, now_ms: int, *, customer_id: str, cause: str
    ) -> RatingChange | None:
        """Let a case be open or closed: while one is, what officers confirmed does not decay."""
        before = self.grading.shown(rs, now_ms)
        rs.cases = sorted({*rs.cases, case_id} if is_open else {*rs.cases} - {case_id})
        hold_still(rs, now_ms)
        return self._rate(rs, now_ms, before, customer_id, cause, "officer")

    # What people decide.

    def decide(
        self, rs: RatingState, decision: Decision, *, customer_id: str, cause: str
    ) -> tuple[RatingChange | None, RatingNotice]:
        """Carry out a person's decision, keep it as a proposal, or refuse it; see `Decisions`.

        The automatic grade goes on underneath a person's.
        """
        now_ms = decision.time_ms
        before = self.grading.shown(rs, now_ms)
        kind, facts = self._decisions.take(rs, decision)
        notice = RatingNotice(customer_id=customer_id, time_ms=now_ms, cause=cause, kind=kind, facts=facts)
        if kind != "decided":
            return None, notice
        return self._rate(rs, now_ms, before, customer_id, cause, "officer"), notice

    def hold(self, rs: RatingState, alert_id: str) -> None:
        """Let a serious alert be open: no downgrade until it is closed."""
        if alert_id not in rs.open_alerts:
            rs.open_alerts.append(alert_id)

    def release(self, rs: RatingState, alert_id: str, now_ms: int) -> None:
        """Let an alert be closed; a downgrade that waited for it comes with the next tick."""
        if alert_id in rs.open_alerts:
            rs.open_alerts.remove(alert_id)
            rs.free_ms = now_ms

    def review(self, rs: RatingState, now_ms: int) -> None:
        """Take in an approved review: only after one may the highest grade be left."""
        rs.reviewed_ms, rs.review_by_ms = now_ms, 0

    def call_review(self, rs: RatingState, trigger: str, now_ms: int) -> None:
        """Bring the next review forward, as the parameters say for this trigger; never back."""
        due_ms = now_ms + self.config.triggers[trigger] * DAY_MS
        if rs.grade is not None and (not rs.review_by_ms or due_ms < rs.review_by_ms):
            rs.review_by_ms = due_ms

    # Time.

    def due_ms(self, rs: RatingState) -> int | None:
        """Return when something may next happen by time alone; None: not foreseeable."""
        return self.grading.due_ms(rs)

    def tick(
        self,
        rs: RatingState,
        now_ms: int,
        *,
        customer_id: str,
        notices: list[RatingNotice] | None = None,
    ) -> list[RatingChange]:
        """Let time pass up to `now_ms`: the changes that fell due, oldest first, at their own times."""
        changes = []
        while (due := self.due_ms(rs)) is not None and due <= now_ms:
            change = self._fire(rs, due, customer_id, notices)
            if change is not None:
                changes.append(change)
        return changes

    def score(self, rs: RatingState, now_ms: int) -> Composite:
        """Return the score at `now_ms` with its arithmetic."""
        return self._evidence(rs).composite(now_ms)

    def parts(self, rs: RatingState, total: Composite) -> tuple[dict[str, Any], ...]:
        """Return the attribution of a score: points add up to it exactly."""
        weight = self.config.segment(rs.segment).weights["inherent"]
        return attribute(self.config, total, weight * self.form.rescaled(rs.items))

    def limits(self, rs: RatingState, now_ms: int) -> list[str]:
        """Return the names of the floors and ceilings in force."""
        found = {*rs.profile_floors, *rs.profile_ceilings, *rs.standing(now_ms)}
        return sorted(name for name in found if name in self.config.floors or name in self.config.ceilings)

    # Inside.

    def _forget(self, rs: RatingState, now_ms: int) -> None:
        """Drop contributions that count nothing any more, repeats beyond the last weight, and what ended."""
        if rs.contributions:
            counted = {id(c) for c in self._evidence(rs).counting(now_ms)}
            rs.contributions = [c for c in rs.contributions if id(c) in counted]
        if rs.suppressions:
            rs.suppressions = [one for one in rs.suppressions if now_ms < one.until_ms]

    def _evidence(self, rs: RatingState) -> Evidence:
        # Floors end by the clock; a ceiling stands until its timer takes it away, so that a score only falls.
        names = [ground.name for ground in rs.grounds]
        return Evidence(
            self.config,
            rs.segment,
            self.form.rescaled(rs.items),
            rs.contributions,
            rs.models,
            rs.ends() | dict.fromkeys(rs.profile_floors) if names or rs.profile_floors else {},
            stage=rs.stage,
            ceilings=[*names, *rs.profile_ceilings],
        )

    def _rate(
        self,
        rs: RatingState,
        now_ms: int,
        before: int | None,
        customer_id: str,
        cause: str,
        reason: str,
        notices: list[RatingNotice] | None = None,
    ) -> RatingChange | None:
        evidence = self._evidence(rs)
        self.grading.settle(rs, now_ms, evidence.hundredths(now_ms), evidence)
        if self.grading.is_overtaken(rs) and rs.override is not None:
            _end_override(rs, now_ms, customer_id, cause, notices)
        return self._change(rs, now_ms, before, customer_id, cause, reason)

    def _fire(
        self, rs: RatingState, due: int, customer_id: str, notices: list[RatingNotice] | None
    ) -> RatingChange | None:
        before = self.grading.shown(rs, due - 1)
        review_ms = self.grading.review_ms(rs)
        if review_ms is not None and rs.review_told_ms < review_ms <= due:
            rs.review_told_ms = review_ms
            _note(notices, customer_id, due, TIMER, "review_due", {"grade": before})
        if rs.override is not None and rs.override.until_ms <= due:
            _end_override(rs, due, customer_id, TIMER, notices)
        if self.grading.end_ceilings(rs, due):
            return self._rate(rs, due, before, customer_id, TIMER, "time", notices)
        self.grading.advance(rs, due, self._evidence(rs))
        return self._change(rs, due, before, customer_id, TIMER, "time")

    def _change(
        self,
        rs: RatingState,
        now_ms: int,
        before: int | None,
        customer_id: str,
        cause: str,
        reason: str,
    ) -> RatingChange | None:
        after = self.grading.shown(rs, now_ms)
        if after is None or after == before:
            return None
        total = self.score(rs, now_ms)
        return RatingChange(
            customer_id=customer_id,
            time_ms=now_ms,
            cause=cause,
            previous_grade=before,
            grade=after,
            score=total.score,
            parts=self.parts(rs, total),
            reason=reason if before is not None else "first",
            review_ms=self.grading.review_ms(rs),
            parameters=f"{self.config.version} {self.config.mode}",
            limits=tuple(self.limits(rs, now_ms)),
            segment=rs.segment or "",
        )


def _end_override(
    rs: RatingState, now_ms: int, customer_id: str, cause: str, notices: list[RatingNotice] | None
) -> None:
    assert rs.override is not None
    facts = {"decision": OVERRIDE, "value": rs.override.grade, "automatic_grade": rs.grade}
    rs.override = None
    _note(notices, customer_id, now_ms, cause, "ended", facts)


def _note(
    notices: list[RatingNotice] | None,
    customer_id: str,
    time_ms: int,
    cause: str,
    kind: str,
    facts: dict[str, Any],
) -> None:
    if notices is not None:
        notices.append(
            RatingNotice(customer_id=customer_id, time_ms=time_ms, cause=cause, kind=kind, facts=facts)
        )
