"""A published version at work: it scores, and says which features pushed a score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp

from monitor.core.feature import Feature
from monitor.core.models.detector import make_detector
from monitor.core.models.picking import picker
from monitor.core.models.version import Version

MEDIAN, NINETY_NINTH = 0.5, 0.99
STEEPNESS = 2.0
"""From the median of raw scores to their 99th percentile the published one rises from 0.12 to 0.5."""
LEAST_SPREAD = 0.01
"""Between the two, where nearly all raw scores are the same."""
FARTHEST = 30.0
LEAST_PUSH = 0.02
"""A feature that moved the score by less is not worth a sentence."""
MOST_TOLD = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """What one feature has in the distance of a score from that of a typical event."""

    feature: Feature
    value: float
    """As in the vector."""
    typical: float
    """The population's median."""
    size: float
    """How much it raised the score; below zero where it lowered it. All of a vector's add up to the
    distance, where there is one."""

    @property
    def is_below(self) -> bool:
        """Whether the value lies below the typical one."""
        return self.value < self.typical

    def told(self, facts: Mapping[str, str] | None = None, currency: str = "") -> str:
        """Return the push in words."""
        return self.feature.told(
            self.value, typical=self.typical, facts=facts, currency=currency, below=self.is_below
        )


class Published:
    """Scores vectors with one version; frozen.

    Parameters
    ----------
    version
        What was learnt.
    features
        What the numbers of a vector are, in their order; those that the version knows among them.

    Notes
    -----
    A published score lies between 0 and 1 whatever the detector: a logistic curve of the raw score
    that is 0.5 at the 99th percentile of the version's own population. It never falls where the raw
    one rises, so no ranking changes.
    """

    __slots__ = ("_detector", "_features", "_middle", "_score", "_typical", "_width", "picked", "version")

    def __init__(self, version: Version, features: Sequence[Feature]) -> None:
        self.version = version
        names = [feature.name for feature in features]
        places = tuple(names.index(name) for name in version.features)
        self._features = [features[place] for place in places]
        self.picked = picker(places)
        """Gives the numbers of a whole vector that the version knows, in its order."""
        self._detector = make_detector(version.detector, version.limits, version.parameters, version.seed)
        self._detector.resume(version.learned)
        self._score = self._detector.score_one
        last = len(version.scores) - 1
        median, high = (version.scores[round(at * last)] for at in (MEDIAN, NINETY_NINTH))
        self._middle = max(high, median + LEAST_SPREAD)
        self._width = (self._middle - median) / STEEPNESS
        self._typical = version.medians

    def score_one(self, x: Sequence[float]) -> float:
        """Return how unusual a vector is, 0 to 1."""
        away = (self._score(self.picked(x)) - self._middle) / self._width
        return 1.0 / (1.0 + exp(-away if away > -FARTHEST else FARTHEST))

    def pushes(self, x: Sequence[float]) -> list[Push]:
        """Return what each feature did to the score, the largest first.

        A feature's size is the mean of two changes: what the score loses when the feature alone is
        made typical, and what it gains when everything else is. For two features that is exactly
        their Shapley value. Sizes are then scaled to add up to the whole distance.
        """
        vector, typical = list(self.picked(x)), list(self._typical)
        here, there = self._raw(vector), self._raw(typical)
        sizes = []
        for n in range(len(vector)):
            without, only = vector.copy(), typical.copy()
            without[n], only[n] = typical[n], vector[n]
            sizes.append((here - self._raw(without) + self._raw(only) - there) / 2)
        found, distance = sum(sizes), self._curve(here) - self._curve(there)
        scale = distance / found if found * distance > 0 else 0.0
        pushes = [
            Push(feature=feature, value=value, typical=usual, size=size * scale)
            for feature, value, usual, size in zip(self._features, vector, typical, sizes, strict=True)
        ]
        return sorted(pushes, key=lambda push: -push.size)

    def reasons(
        self, x: Sequence[float], facts: Mapping[str, str] | None = None, currency: str = ""
    ) -> tuple[str, ...]:
        """Return in words what raised the score, the strongest first, at most four sentences."""
        raising = [push for push in self.pushes(x) if push.size >= LEAST_PUSH][:MOST_TOLD]
        return tuple(push.told(facts, currency) for push in raising)

    @property
    def usual_scores(self) -> list[float]:
        """Published scores of the version's own sample: evenly spaced quantiles, ascending."""
        return [self._curve(raw) for raw in self.version.scores]

    def _raw(self, vector: Sequence[float]) -> float:
        return self._detector.score_one(tuple(vector))

    def _curve(self, raw: float) -> float:
        away = (raw - self._middle) / self._width
        return 1.0 / (1.0 + exp(-away if away > -FARTHEST else FARTHEST))
