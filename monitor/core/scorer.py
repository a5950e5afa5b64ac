"""The score of an event: the chance of fraud; before that is known, how odd it is and which rules hit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from monitor.core.assessment import Assessment, Hit
from monitor.core.classifier import Classifier, chance
from monitor.core.detectors import Baseline, Surprises
from monitor.core.events import Event
from monitor.core.features import FEATURES, vector
from monitor.core.models.config import ModelsConfig
from monitor.core.models.ensemble import Ensemble
from monitor.core.notable import Lookout
from monitor.core.periods import Periods
from monitor.core.place import FACT
from monitor.core.repute import Repute
from monitor.core.seen import VECTOR, noted
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


class Heard(NamedTuple):
    """What models have to say to the rating."""

    oddness: float
    """How odd the event is, for the customer or among all, 0 to 1; counts beside rules' points."""
    chance: float | None
    """Share of frauds among payments scored so, where the score is above the threshold: counts by itself."""
    rank: float = 0.0
    """The share of all scores of late that are lower, from 0.99 on; 0.0 below, and before any scale."""


NOTHING_HEARD = Heard(0.0, None)


class Scorer:
    """Scores payments against the customer's own habits, then learns them.

    The score is the chance of fraud by the published classifier, which sees rules and habits among
    its features, corrected by the scale in force. Before there is one it is a noisy-or of the points
    of the live rules that hit and of the larger of two models' scores: how odd the payment is for
    the customer, and how rare among all. It is near 0 where nothing speaks against the event,
    towards 1 the more does.

    Attributes
    ----------
    classifier
        The version in force; None before the first.
    ensemble
        Of the populations' versions in force; says nothing before the first.
    lookout
        What officers are shown by the scale in force; None before the first.
    """

    def __init__(self, vocabulary: Vocabulary, periods: Periods, models: ModelsConfig | None = None) -> None:
        self.classifier: Classifier | None = None
        self.ensemble = Ensemble((), FEATURES, ())
        self.lookout: Lookout | None = None
        self._periods = periods
        self._party = {kind: _party(vocabulary.kinds[kind].fields) for kind in LEARNS}
        self._segments = models.segments if models else frozenset[str]()
        self._statuses = models.restricted_accounts if models else frozenset[str]()
        self._floors = models.restricted_floors if models else frozenset[str]()

    def score(self, event: Event, state: State, answer: Assessment, hits: Sequence[Hit]) -> Heard:
        """Set the answer's score, learn the event unless it is suspicious, return what models say of it.

        What models want officers to see joins the answer's hits, after the rules'.
        """
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
        segment, restricted = state.profile.get("segment"), self._is_restricted(state)
        rarity = _rarity(self.ensemble.score_one(segment, features))
        classifier, margin = self.classifier, None
        proven, rank = None, 0.0
        if classifier is None:
            # One term for both: what is rare among all is often odd for the customer as well.
            answer.score = round(1.0 - calm * (1.0 - HABIT_WEIGHT * max(score, rarity)), 6)
        else:
            margin = classifier.margin(features)
            raw = chance(margin)
            proven = self._tell(answer, classifier, raw, features)
            rank = self.lookout.scale.rank(raw) if self.lookout is not None else 0.0
        answer.features = VECTOR.pack(*features)
        noteworthy = segment if segment in self._segments else ""
        if noteworthy or restricted or margin is not None:
            answer.features = noted(answer.features, noteworthy, is_restricted=restricted, margin=margin)
        if proven is None:
            if score >= TOLD_FROM:
                answer.reasons = baseline.reasons(*known)
            elif max(answer.score, rarity) >= TOLD_FROM:
                answer.reasons = self._reasons(answer.score, segment, features)
        if points < SUSPICIOUS_POINTS and not restricted:
            baseline.learn_one(*known)
        return Heard(max(score, rarity), proven, rank)

    def _tell(
        self, answer: Assessment, classifier: Classifier, raw: float, features: tuple[float, ...]
    ) -> float | None:
        """Set score and hits of a payment the classifier scored; return the chance, if that is an alert."""
        lookout = self.lookout
        if lookout is None:
            answer.score = raw
            return None
        answer.score = lookout.scale.told(raw)
        found = lookout.chance(raw)
        if found is not None:
            answer.reasons = classifier.reasons(features)
            answer.hits.append(lookout.high(answer, found, answer.reasons))
        elif lookout.is_sample(answer.ref, raw):
            answer.hits.append(lookout.sample(answer))
        return found

    def _reasons(self, score: float, segment: str | None, features: tuple[float, ...]) -> tuple[str, ...]:
        """Return in words why the classifier's score is high, or else that of the populations."""
        if self.classifier is not None and score >= TOLD_FROM:
            return self.classifier.reasons(features)
        return self.ensemble.reasons(segment, features)

    def _is_restricted(self, state: State) -> bool:
        """Return whether nothing may be learnt from the customer's payments at the moment."""
        for account in state.accounts.values():
            if account.get("status") in self._statuses:
                return True
        if state.rating is None or not state.rating.grounds:
            return False
        return any(
            ground.name in self._floors and (ground.until_ms is None or state.now_ms < ground.until_ms)
            for ground in state.rating.grounds
        )


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
