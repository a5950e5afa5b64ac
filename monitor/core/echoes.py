"""What the monitor itself found about a customer, as events for the rules that ask about it.

A hit, a grade, a model's high score, an alert that was closed: each becomes an event of its kind (an
echo) at the time it was found, is taken into the windows and sequences of the customer and asked
about, once. What rules say of echoes joins the answer and is not echoed again.

An echo bears the reference of the event that led to it: so it leaves the windows where that event
is taken back, and evidence names what really happened.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from monitor.core.assessment import Assessment, Hit, RatingChange
from monitor.core.events import Event
from monitor.core.rerating import ACTION, Rerating
from monitor.core.scorer import TOLD_FROM
from monitor.core.state import State
from rules.echoes import ASSIGNED, CHANGED, CLOSED, ECHOES, HIT, SCORED
from rules.vocabulary import Vocabulary

Ask = Callable[[Event, State, Assessment], list[Hit]]
"""Has an event taken in and gives the hits of the rules that look at it."""
GRADES = frozenset({ASSIGNED, CHANGED})
ANOMALY, FRAUD, RANK = "anomaly", "fraud", "rank"
"""What scores are told: how odd a payment is, the chance of fraud, and how many scores are lower."""
_OWN = frozenset(
    {"event_id", "event_type", "occurred_at", "reversal_of", "correction_of", "severity", "reason"}
)
"""Fields that an echo does not take over from the event that led to it."""


class Echoes:
    """Makes echoes of those kinds that some rule asks for, and has them asked about.

    Parameters
    ----------
    asked
        Kinds that the rules of the customer's stage do something with.
    ask
        See `Ask`.
    """

    def __init__(self, vocabulary: Vocabulary, asked: Collection[str], ask: Ask, rerating: Rerating) -> None:
        self._vocabulary = vocabulary
        self._kinds = {kind: _empty(kind, vocabulary) for kind in ECHOES if kind in asked}
        self._ask = ask
        self._rerating = rerating
        self._shared: dict[tuple[str, str], tuple[str, ...]] = {}

    @property
    def tells_hits(self) -> bool:
        """Whether some rule asks about hits."""
        return HIT in self._kinds

    def of_event(
        self,
        event: Event,
        state: State,
        answer: Assessment,
        hits: Sequence[Hit],
        oddness: float,
        chance: float,
        rank: float = 0.0,
    ) -> list[Hit]:
        """Return what rules say of an event's hits, of its scores, and of the alert it closed.

        Parameters
        ----------
        oddness, chance
            What models say, 0 to 1; echoed from 0.7 on.
        rank
            Share of all scores that are lower; 0.0 where the score is none of the highest.
        """
        is_scored = oddness >= TOLD_FROM or chance >= TOLD_FROM or rank >= TOLD_FROM
        # Most events lead to nothing.
        if not (hits or is_scored or event.kind.startswith(ACTION)) or event.kind in ECHOES:
            return []
        kinds = self._kinds
        found: list[Event] = []
        if hits and HIT in kinds:
            found += [self._hit(hit, event) for hit in hits]
        if SCORED in kinds and is_scored:
            told = ((ANOMALY, oddness), (FRAUD, chance), (RANK, rank))
            found += [self._scored(event, *one) for one in told if one[1] >= TOLD_FROM]
        if CLOSED in kinds and event.kind.startswith(ACTION) and event.facts.get("status") == "closed":
            found.append(self._closed(event))
        return self._hear(found, state, answer)

    def of_timer(self, hits: Sequence[Hit], state: State, answer: Assessment) -> list[Hit]:
        """Return what rules say of the hits of timers."""
        return self._hear([self._hit(hit, None) for hit in hits], state, answer) if HIT in self._kinds else []

    def of_ratings(self, event: Event | None, state: State, answer: Assessment, since: int) -> None:
        """Have rules asked about the grades an answer gives from place `since` on; rate their hits.

        `event`: the one that led to them; None where time did.
        """
        if len(answer.rating) == since or self._kinds.keys().isdisjoint(GRADES):
            return
        changes = answer.rating[since:]
        hits: list[Hit] = []
        now_ms = state.now_ms
        for change in changes:
            if event is None:
                state.now_ms = change.time_ms
            hits += self._hear(self._graded(change, event), state, answer)
        state.now_ms = now_ms
        live = [hit for hit in hits if hit.status == "live"]
        if live:
            self._rerating.on_timer(state, now_ms, answer, live)

    # Inside.

    def _hear(self, echoes: Iterable[Event], state: State, answer: Assessment) -> list[Hit]:
        found = [hit for echo in echoes for hit in self._ask(echo, state, answer)]
        answer.hits += found
        return found

    def _hit(self, hit: Hit, event: Event | None) -> Event:
        told = {
            "customer_id": hit.subject_id,
            "rule": hit.rule,
            "rule_version": hit.version,
            "rule_status": hit.status,
            "dimension": hit.dimension,
            "severity": hit.severity,
            "points": hit.points,
            "of_event": hit.event_id,
        }
        return self._echo(HIT, hit.event_id, hit.ref, hit.time_ms, told, event)

    def _scored(self, event: Event, model: str, score: float) -> Event:
        told = {"model": model, "model_score": score, "of_event": event.id}
        return self._echo(SCORED, event.id, event.ref, event.time_ms, told, event)

    def _closed(self, event: Event) -> Event:
        facts = event.facts
        told = {
            "customer_id": facts["subject_id"],
            "alert_id": event.data.alert_id,
            "case_id": facts.get("case") or event.data.alert_id,
            "disposition": facts["disposition"],
            "rule": facts["rule"],
        }
        return self._echo(CLOSED, event.id, event.ref, event.time_ms, told, event)

    def _graded(self, change: RatingChange, event: Event | None) -> list[Event]:
        kind = ASSIGNED if change.previous_grade is None else CHANGED
        if kind not in self._kinds:
            return []
        told: dict[str, Any] = {"customer_id": change.customer_id, "grade": change.grade}
        if change.review_ms is not None:
            told["next_due"] = change.review_ms
        if kind == CHANGED:
            told |= {"previous_grade": change.previous_grade, "reason": change.reason}
        name, ref = (f"timer:rating:{change.time_ms}", 0) if event is None else (event.id, event.ref)
        return [self._echo(kind, name, ref, change.time_ms, told, event)]

    def _echo(
        self, kind: str, name: str, ref: int, time_ms: int, told: Mapping[str, Any], event: Event | None
    ) -> Event:
        values = dict(self._kinds[kind])
        if event is not None:
            data = event.data
            for field in self._taken_over(kind, event.kind):
                values[field] = getattr(data, field)
        values |= told
        return Event(kind, name, ref, time_ms, SimpleNamespace(**values), b"")

    def _taken_over(self, kind: str, cause: str) -> tuple[str, ...]:
        """Return the fields (of nested ones the outer name) that a kind has in common with its cause."""
        pair = (kind, cause)
        if pair not in self._shared:
            known = {name.partition(".")[0] for name in self._vocabulary.kinds[cause].fields}
            self._shared[pair] = tuple(name for name in self._kinds[kind] if name in known - _OWN)
        return self._shared[pair]


def _empty(kind: str, vocabulary: Vocabulary) -> dict[str, Any]:
    """Return the fields of a kind, all missing; objects are there, and empty."""
    values: dict[str, Any] = {}
    for name in vocabulary.kinds[kind].fields:
        outer, dot, inner = name.partition(".")
        if dot:
            setattr(values.setdefault(outer, SimpleNamespace()), inner, None)
        else:
            values[name] = None
    return values
