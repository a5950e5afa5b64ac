"""The score of an event: how unlike the customer's habits it is, and which rules it hit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from monitor.core.assessment import Assessment, Hit
from monitor.core.detectors import Baseline
from monitor.core.events import Event
from monitor.core.periods import Periods
from monitor.core.state import State
from rules.vocabulary import Vocabulary

LEARNS = ("payment.transfer", "card.authorization", "cash.withdrawal", "cash.deposit")
"""Kinds whose amounts make a customer's habits."""
SUSPICIOUS_POINTS = 15.0
"""Habits are not learnt from an event that hit rules of so many points: fraud is no habit."""
HABIT_WEIGHT = 0.7
"""A model alone never gives the highest score (the rating's blend of a model's score, C.4 step 3)."""
MOST_POINTS = 95.0
"""No rule makes a score certain."""
TOLD_FROM = 0.7
"""A habit score from here on is explained in words."""


class Scorer:
    """Scores payments against the customer's own habits, then learns them.

    The score is a noisy-or of the habit score and the points of the live rules that hit: 0 where
    nothing speaks against the event, towards 1 the more does.
    """

    def __init__(self, vocabulary: Vocabulary, periods: Periods) -> None:
        self._periods = periods
        self._party = {kind: _party(vocabulary.kinds[kind].fields) for kind in LEARNS}

    def score(self, event: Event, state: State, answer: Assessment, hits: Sequence[Hit]) -> float:
        """Set the answer's score, learn the event unless it is suspicious, and return the habit score."""
        data = event.data
        baseline = state.baseline
        if baseline is None:
            baseline = state.baseline = Baseline()
        party, hour = self._party[event.kind](data), self._periods.hour(event.time_ms)
        features = (event.time_ms, data.amount, party, data.geo.country, data.channel, hour)
        score = baseline.score_one(*features)
        calm, points = 1.0 - HABIT_WEIGHT * score, 0.0
        for hit in hits:
            if hit.status == "live":
                calm *= 1.0 - min(hit.points, MOST_POINTS) / 100.0
                points += hit.points
        answer.score = round(1.0 - calm, 6)
        if score >= TOLD_FROM:
            answer.reasons = baseline.reasons(*features)
        if points < SUSPICIOUS_POINTS:
            baseline.learn_one(*features)
        return score


def _party(fields: Sequence[str]) -> Callable[[Any], str | None]:
    """Return what reads from an event whom the customer dealt with: a terminal, else an account."""
    if "counterparty.account" not in fields:
        return attrgetter("terminal_id")
    if "terminal_id" not in fields:
        return attrgetter("counterparty.account")
    either = attrgetter("terminal_id", "counterparty.account")

    def party(data: Any) -> str | None:
        terminal, account = either(data)
        found: str | None = terminal if terminal is not None else account
        return found

    return party
