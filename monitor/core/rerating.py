"""When a customer is rated again: after hits, after what changes the profile, after officers, by time."""

from __future__ import annotations

from monitor.core.assessment import Assessment, Hit
from monitor.core.events import Event
from monitor.core.rating import Rater, RatingState
from monitor.core.scorer import SUSPICIOUS_POINTS
from monitor.core.state import State

MODEL_DIMENSION = "fraud"
ACTION = "alert."
"""Kinds of events that are officers' actions begin so."""
LOOK = "data."
"""Kinds that tell that somebody saw or handled data: looking at a customer gives no first rating."""
REVIEWED = "kyc.review_completed"
SERIOUS = ("high", "critical")
"""While alerts of hits so severe are open, the grade does not fall."""


class Rerating:
    """What of an assessment reaches the customer's rating."""

    def __init__(self, rater: Rater) -> None:
        self._rater = rater

    def on_event(
        self, event: Event, state: State, answer: Assessment, hits: list[Hit], score: float, *, changed: bool
    ) -> None:
        """Rate again where the event gives a reason to.

        Parameters
        ----------
        hits
            All that hit, shadow rules too.
        score
            How unlike the customer's habits the event is, 0 to 1.
        changed
            The event is of a kind that tells the profile.
        """
        live = [hit for hit in hits if hit.status == "live"] if hits else hits
        is_first = state.rating is None and not event.kind.startswith(LOOK)
        if not (live or changed or is_first or event.kind.startswith(ACTION)):
            return
        rating = state.rating = state.rating or RatingState()
        if event.kind.startswith(ACTION) and event.facts:
            self._take_decision(event, state, answer)
        elif event.kind == REVIEWED:
            self._rater.review(rating, state.now_ms)
        for hit in live:
            # Inside the cooldown of a closed alert no alert comes that somebody could close.
            if hit.alert and hit.severity in SERIOUS and hit.time_ms >= state.quiet.get(hit.rule, 0):
                self._rater.hold(rating, hit.rule)
        models = {MODEL_DIMENSION: score} if score and _is_serious(live) else None
        self._apply(state, answer, live, state.now_ms, event.id, models)

    def on_timer(self, state: State, due_ms: int, answer: Assessment, hits: list[Hit]) -> None:
        """Rate again after hits of a rule's timer."""
        state.rating = state.rating or RatingState()
        self._apply(state, answer, hits, due_ms, hits[0].event_id)

    def tick(self, state: State, time_ms: int, answer: Assessment) -> None:
        """Let time pass for the rating alone; each change carries the time it fell due."""
        if state.rating is None:
            return
        changes = self._rater.tick(state.rating, time_ms, customer_id=answer.subject_id)
        for change in changes:
            state.now_ms = max(state.now_ms, change.time_ms)
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
        change = self._rater.apply(
            state.rating,
            hits,
            now_ms,
            segment=state.profile.get("segment"),
            profile=state.profile,
            customer_id=answer.subject_id,
            cause=cause,
            model_scores=models,
        )
        state.rating_ms = self._rater.due_ms(state.rating) or 0
        if change is not None:
            answer.rating.append(change)

    def _take_decision(self, event: Event, state: State, answer: Assessment) -> None:
        """Let an officer's decision about an alert change the rating: its hit's points, and what holds it."""
        facts, rating = event.facts, state.rating
        assert rating is not None
        if facts["status"] != "closed":
            if event.kind == "alert.reopened":
                self._rater.hold(rating, facts["rule"])
            return
        self._rater.release(rating, facts["rule"], state.now_ms)
        state.quiet[facts["rule"]] = facts["quiet_ms"]
        change = self._rater.outcome(
            rating,
            facts["rule"],
            facts["hit_ms"],
            (facts["disposition"] or "").partition(".")[0],
            state.now_ms,
            customer_id=answer.subject_id,
            cause=event.id,
        )
        if change is not None:
            answer.rating.append(change)


def _is_serious(hits: list[Hit]) -> bool:
    """Return whether rules say enough for the habit score to count: one odd payment is no risk."""
    return sum(hit.points for hit in hits) >= SUSPICIOUS_POINTS
