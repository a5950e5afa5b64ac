"""The score of an event: how unlike the customer's habits it is, and which rules it hit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from struct import Struct
from typing import Any

from monitor.core.assessment import Assessment, Hit
from monitor.core.classifier import Classifier
from monitor.core.detectors import Baseline, Surprises
from monitor.core.events import Event
from monitor.core.features import FEATURES, NAMES, vector
from monitor.core.models.ensemble import Ensemble
from monitor.core.periods import Periods
from monitor.core.place import FACT
from monitor.core.repute import Repute
from monitor.core.spending import ODD_FROM, Spending
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

_PACK = Struct(f"<{len(NAMES)}f")


class Scorer:
    """Scores payments against the customer's own habits, then learns them.

    The score is the chance of fraud by the published classifier, which sees rules and habits among
    its features. Before there is one it is a noisy-or of the points of the live rules that hit and
    of the larger of two models' scores: how odd the payment is for the customer, and how rare among
    all. It is near 0 where nothing speaks against the event, towards 1 the more does.

    Attributes
    ----------
    classifier
        The version in force; None before the first.
    ensemble
        Of the populations' versions in force; says nothing before the first.
    """

    def __init__(self, vocabulary: Vocabulary, periods: Periods) -> None:
        self.classifier: Classifier | None = None
        self.ensemble = Ensemble((), FEATURES, ())
        self._periods = periods
        self._party = {kind: _party(vocabulary.kinds[kind].fields) for kind in LEARNS}

    def score(self, event: Event, state: State, answer: Assessment, hits: Sequence[Hit]) -> float:
        """Set the answer's score, learn the event unless it is suspicious, return what models say of it."""
        data, baseline = event.data, state.baseline
        if baseline is None:
            baseline = state.baseline = Baseline()
        party, hour = self._party[event.kind](data), self._periods.hour(event.time_ms)
        known = (event.time_ms, data.amount, party, data.geo.country, data.channel, hour)
        score, surprises = baseline.compare(*known)
        calm, points = 1.0, 0.0
        for hit in hits:
            if hit.status == "live":
                calm *= 1.0 - min(hit.points, MOST_POINTS) / 100.0
                points += hit.points
        features = _features(event, state, surprises, points)
        answer.features = _PACK.pack(*features)
        classifier, segment = self.classifier, state.profile.get("segment")
        rarity = _rarity(self.ensemble.score_one(segment, features))
        # One term for both: what is rare among all is often odd for the customer as well.
        calm *= 1.0 - HABIT_WEIGHT * max(score, rarity)
        answer.score = round(1.0 - calm, 6) if classifier is None else classifier.score_one(features)
        if score >= TOLD_FROM:
            answer.reasons = baseline.reasons(*known)
        elif classifier is not None and answer.score >= TOLD_FROM:
            answer.reasons = classifier.reasons(features)
        elif rarity >= TOLD_FROM:
            answer.reasons = self.ensemble.reasons(segment, features)
        if points < SUSPICIOUS_POINTS:
            baseline.learn_one(*known)
        return max(score, rarity)


def _rarity(unusual: float | None) -> float:
    """Return how rare an event is among all, 0 to 1: nearly nothing for a typical one.

    Examples
    --------
    >>> _rarity(None), round(_rarity(0.12), 2), _rarity(0.5), round(_rarity(0.95), 2)
    (0.0, 0.01, 0.25, 0.9)
    """
    return 0.0 if unusual is None else unusual * unusual


def _features(event: Event, state: State, surprises: Surprises, points: float) -> tuple[float, ...]:
    """Return what models see of a payment; then take it into the customer's past."""
    data, now_s = event.data, event.time_ms // 1000
    if state.spending is None or state.repute is None:
        state.spending, state.repute = Spending(), Repute()
    spending, repute = state.spending.see(now_s, data.amount), state.repute
    repute.mature(now_s)
    own = repute.read(now_s)
    repute.add(event.ref, now_s, usual=spending[0] < ODD_FROM)
    is_incoming = event.kind == "cash.deposit" or getattr(data, "direction", None) == "in"
    place = event.facts.get(FACT)
    return vector(data.amount, spending, surprises, own, place, is_incoming=is_incoming, points=points)


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
