"""When a customer is rated again: after hits, after what changes the profile, after officers, by time."""

from __future__ import annotations

from typing import Final

from monitor.core.assessment import Assessment, Hit, RatingChange
from monitor.core.decisions import DECISIONS, IMPOSE, LIFT, OVERRIDE, RESTORE, SUPPRESS, Decision
from monitor.core.events import Event
from monitor.core.rating import Rater, RatingState
from monitor.core.scorer import Heard
from monitor.core.state import State

MODEL_DIMENSION = "fraud"
ACTION = "alert."
"""Kinds of events that are officers' actions begin so."""
LOOK = "data."
"""Kinds that tell that somebody saw or handled data: looking at a customer gives no first rating."""
REVIEWED = "kyc.review_completed"
CASES: Final = {"case.opened": True, "case.closed": False}
"""Kinds that tell of cases kept elsewhere, and whether the case is open after."""
LOAN_CLASS = "loan_class"
NORMAL, LOSS = 1, 5
LOANS: Final = ("loan.classified", "loan.written_off", "loan.closed")
"""Kinds that tell of a loan's class; the worst of a customer's loans counts."""
VALUES: Final = {
    OVERRIDE: "grade",
    IMPOSE: "limit_name",
    LIFT: "limit_name",
    SUPPRESS: "rule",
    RESTORE: "rule",
}
"""Kinds of decisions and the field that says what is decided."""
SERIOUS = ("high", "critical")
"""While alerts of hits so severe are open, the grade does not fall."""


class Rerating:
    """What of an assessment reaches the customer's rating."""

    def __init__(self, rater: Rater) -> None:
        self._rater = rater
        self._told = {REVIEWED, *CASES, *DECISIONS, *rater.config.triggers}

    def on_event(
        self, event: Event, state: State, answer: Assessment, hits: list[Hit], heard: Heard, *, changed: bool
    ) -> None:
        """Rate again where the event gives a reason to.

        Parameters
        ----------
        hits
            All that hit, shadow rules too.
        heard
            What models have to say.
        changed
            The event is of a kind that tells the profile.
        """
        live = [hit for hit in hits if hit.status == "live"] if hits else hits
        kind, is_first = event.kind, state.rating is None and not event.kind.startswith(LOOK)
        config = self._rater.config
        level = heard.oddness if sum(hit.points for hit in live) >= config.model_points else 0.0
        if heard.chance is not None:
            # A chance that came true speaks alone: of 100 points as many as it has hundredths.
            level = max(level, config.model_from + (1 - config.model_from) * heard.chance)
        is_heard = level > config.model_from
        if not (live or changed or is_first or is_heard or kind in self._told or kind.startswith(ACTION)):
            return
        rating = state.rating = state.rating or RatingState()
        if kind in LOANS:
            _note_loan(event, rating)
        if kind in self._told or kind.startswith(ACTION):
            self._take_in(event, state, rating, answer)
        for hit in live:
            # Inside the cooldown of a closed alert no alert comes that somebody could close.
            if hit.alert and hit.severity in SERIOUS and hit.time_ms >= state.quiet.get(hit.rule, 0):
                self._rater.hold(rating, hit.rule)
        models = {MODEL_DIMENSION: level} if is_heard else None
        self._apply(state, answer, live, state.now_ms, event.id, models)

    def on_timer(self, state: State, due_ms: int, answer: Assessment, hits: list[Hit]) -> None:
        """Rate again after hits of a rule's timer."""
        state.rating = state.rating or RatingState()
        self._apply(state, answer, hits, due_ms, hits[0].event_id)

    def tick(self, state: State, time_ms: int, answer: Assessment) -> None:
        """Let time pass for the rating alone; each change carries the time it fell due."""
        if state.rating is None:
            return
        changes = self._rater.tick(
            state.rating, time_ms, customer_id=answer.subject_id, notices=answer.notices
        )
        for change in changes:
            state.now_ms = max(state.now_ms, change.time_ms)
        for notice in answer.notices:
            state.now_ms = max(state.now_ms, notice.time_ms)
        answer.rating += changes
        state.rating_ms = self._rater.due_ms(state.rating) or 0

    def _apply(
        self,
        state: State,
        answer: Assessment,
        hits: list[Hit],
        now_ms: int,
        cause: str,
        models: dict[str, float] | None = None,
    ) -> None:
        assert state.rating is not None
        profile = state.profile
        if state.rating.loans or LOAN_CLASS in profile:
            # The profile has the class told last; what counts is the worst of all loans.
            profile = profile | {LOAN_CLASS: max(state.rating.loans.values(), default=NORMAL)}
        change = self._rater.apply(
            state.rating,
            hits,
            now_ms,
            segment=state.profile.get("segment"),
            profile=profile,
            customer_id=answer.subject_id,
            cause=cause,
            model_scores=models,
            notices=answer.notices,
        )
        state.rating_ms = self._rater.due_ms(state.rating) or 0
        if change is not None:
            answer.rating.append(change)

    def _take_in(self, event: Event, state: State, rating: RatingState, answer: Assessment) -> None:
        """Let what people decided or found change the rating, before it is rated again."""
        kind, now_ms = event.kind, state.now_ms
        who = {"customer_id": answer.subject_id, "cause": event.id}
        change = None
        if kind.startswith(ACTION):
            if event.facts:
                self._take_action(event, state, rating, answer)
        elif kind in VALUES:
            change, notice = self._rater.decide(rating, _decision(event, now_ms), **who)
            answer.notices.append(notice)
        elif kind == REVIEWED:
            self._rater.review(rating, now_ms)
        elif kind in CASES:
            change = self._rater.case(rating, event.data.case_id, CASES[kind], now_ms, **who)
        if kind in self._rater.config.triggers:
            self._rater.call_review(rating, kind, now_ms)
        _tell(answer, change)

    def _take_action(self, event: Event, state: State, rating: RatingState, answer: Assessment) -> None:
        """Let an officer's decision about an alert change the rating: its hit's points, and what holds it."""
        facts, now_ms = event.facts, state.now_ms
        who = {"customer_id": answer.subject_id, "cause": event.id}
        rule, hit_ms = facts["rule"], facts["hit_ms"]
        if event.kind == "alert.reopened":
            self._rater.hold(rating, rule)
            _tell(answer, self._rater.reopen(rating, rule, hit_ms, now_ms, **who))
        elif facts["status"] == "closed":
            self._rater.release(rating, rule, now_ms)
            state.quiet[rule] = facts["quiet_ms"]
            if facts.get("case"):
                _tell(answer, self._rater.case(rating, facts["case"], facts["is_case_open"], now_ms, **who))
            actor, proposer = event.data.actor or "", facts.get("proposed_by") or ""
            found = facts["disposition"] or ""
            people = {"author": proposer or actor, "second": actor if proposer else ""}
            _tell(
                answer,
                self._rater.outcome(
                    rating, rule, hit_ms, found, now_ms, **who, **people, notices=answer.notices
                ),
            )


def _note_loan(event: Event, rating: RatingState) -> None:
    """Remember the class of a loan while it is worse than normal; one written off stays a loss."""
    loan_id, kind = event.data.loan_id, event.kind
    found = LOSS if kind == "loan.written_off" else getattr(event.data, LOAN_CLASS, None)
    if kind == "loan.closed" and rating.loans.get(loan_id) != LOSS:
        found = NORMAL
    if found is None:
        return
    rating.loans.pop(loan_id, None)
    if found > NORMAL:
        rating.loans[loan_id] = found


def _decision(event: Event, now_ms: int) -> Decision:
    data = event.data
    return Decision(
        kind=event.kind,
        value=getattr(data, VALUES[event.kind]),
        until_ms=getattr(data, "until", None),
        actor=data.actor,
        approver=data.approver_id or "",
        reason=data.reason or getattr(data, "note", None) or "",
        time_ms=now_ms,
    )


def _tell(answer: Assessment, change: RatingChange | None) -> None:
    if change is not None:
        answer.rating.append(change)
