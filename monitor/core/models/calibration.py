"""What a score was worth: of events scored so, how many were found to be bad."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log
from typing import Any

from monitor.core.models.histogram import Histogram

FAR, BINS = 10.0, 200
"""Scores are counted by their log-odds, a tenth a bin."""
LEAST = 50
"""Verdicts of each sort before a probability is told."""
POINTS = 10
"""Of the reliability plot by the number of verdicts, and as many by that of bad ones: where they are rare
they lie at the upper end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """A part of the scored events: what was predicted, and what came of it."""

    predicted: float
    """Mean score."""
    observed: float
    """Share found to be bad."""
    count: int


class Calibration:
    """Turns scores into probabilities by the verdicts on earlier ones: isotonic regression over bins.

    Pool-adjacent-violators (Ayer et al., 1955) makes the observed shares rise with the score. Which
    verdict comes first does not matter. One that is taken back is learnt with `times=-1`.

    Examples
    --------
    >>> calibration = Calibration()
    >>> for n in range(1000):
    ...     calibration.learn_one(0.2, n % 10 == 0)
    ...     calibration.learn_one(0.9, n % 2 == 0)
    >>> calibration.probability(0.2), calibration.probability(0.9)
    (0.1, 0.5)
    >>> [(round(part.predicted, 1), part.observed) for part in calibration.reliability()]
    [(0.2, 0.1), (0.9, 0.5)]
    """

    __slots__ = ("_curve", "bad", "counts", "sums")

    def __init__(self) -> None:
        self.counts: list[float] = [0] * BINS
        """Verdicts by bin of the score; halves where they fade."""
        self.bad: list[float] = [0] * BINS
        """Those of them that confirmed the suspicion."""
        self.sums = [0.0] * BINS
        """Scores added up."""
        self._curve: list[tuple[float, float]] | None = None

    def learn_one(self, score: float, is_bad: bool, times: int = 1) -> None:
        """Count a verdict on an event that was scored so; `times=-1` takes one back."""
        place = _PLACES.place(_log_odds(score))
        self.counts[place] += times
        self.bad[place] += times if is_bad else 0
        self.sums[place] += times * score
        self._curve = None

    def confirm(self, score: float, times: int) -> None:
        """Count one of those that were scored so as bad after all; `times=-1` takes that back."""
        place = _PLACES.place(_log_odds(score))
        self.bad[place] = max(0, min(self.bad[place] + times, self.counts[place]))
        self._curve = None

    def take(self, other: Calibration) -> None:
        """Count everything that another one counted."""
        for place, count in enumerate(other.counts):
            if count:
                self.counts[place] += count
                self.bad[place] += other.bad[place]
                self.sums[place] += other.sums[place]
        self._curve = None

    def halve(self) -> None:
        """Let what was counted count half."""
        for held in (self.counts, self.bad, self.sums):
            held[:] = [0.5 * one if one else 0 for one in held]
        self._curve = None

    @property
    def is_known(self) -> bool:
        """Whether there are verdicts enough to tell a probability."""
        return min(sum(self.bad), sum(self.counts) - sum(self.bad)) >= LEAST

    def rows(self) -> list[tuple[float, float, float]]:
        """Return log-odds of the mean score, verdicts and bad ones of each bin that has any."""
        return [
            (_log_odds(total / count), count, bad)
            for count, bad, total in zip(self.counts, self.bad, self.sums, strict=True)
            if count > 0
        ]

    def curve(self) -> list[tuple[float, float]]:
        """Return mean scores and probabilities, both rising; empty while verdicts are too few."""
        return self._fitted() if self.is_known else []

    def probability(self, score: float) -> float | None:
        """Return the probability that an event scored so is bad; None while verdicts are too few.

        It never falls where the score rises; between the means of two bins it is interpolated.
        """
        if not self.is_known:
            return None
        curve = self._curve = self._curve or self._fitted()
        if score <= curve[0][0]:
            return curve[0][1]
        for (left, low), (right, high) in pairwise(curve):
            if score <= right:
                return low + (high - low) * (score - left) / (right - left)
        return curve[-1][1]

    def reliability(self) -> list[Reliability]:
        """Return the points of the reliability plot, by rising score."""
        total, whole, found = sum(self.counts), sum(self.bad), list[Reliability]()
        count, bad, scores = 0.0, 0.0, 0.0
        for place in range(BINS):
            count, bad = count + self.counts[place], bad + self.bad[place]
            scores += self.sums[place]
            is_full = count >= total / POINTS or (bad and bad >= whole / POINTS)
            if count and (is_full or place == BINS - 1):
                found.append(Reliability(predicted=scores / count, observed=bad / count, count=round(count)))
                count, bad, scores = 0.0, 0.0, 0.0
        if count:
            found.append(Reliability(predicted=scores / count, observed=bad / count, count=round(count)))
        return found

    def snapshot(self) -> list[Any]:
        """Return the calibration as plain data."""
        return [list(self.counts), list(self.bad), list(self.sums)]

    def resume(self, plain: Sequence[Any]) -> None:
        """Go on from a `snapshot()`."""
        self.counts, self.bad, self.sums = (list(row) for row in plain)
        self._curve = None

    def _fitted(self) -> list[tuple[float, float]]:
        """Return (mean score, probability) of each bin with verdicts, both rising."""
        blocks: list[tuple[float, float, list[float]]] = []
        for count, bad, scores in zip(self.counts, self.bad, self.sums, strict=True):
            if count <= 0:
                continue
            block = (bad, count, [scores / count])
            while blocks and blocks[-1][0] * block[1] >= block[0] * blocks[-1][1]:
                before = blocks.pop()
                block = (before[0] + block[0], before[1] + block[1], before[2] + block[2])
            blocks.append(block)
        return [(mean, bad / count) for bad, count, means in blocks for mean in means]


_PLACES = Histogram(-FAR, FAR, BINS)


def _log_odds(score: float) -> float:
    return log(score / (1.0 - score)) if 0.0 < score < 1.0 else FAR if score >= 1.0 else -FAR
