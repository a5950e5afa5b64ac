"""A threshold that follows the scores, so that about so many a day pass it."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log
from typing import Any

from monitor.core.models.histogram import Histogram

DAY_MS = 86_400_000
FAR, BINS = 14.0, 2800
"""Scores are counted by their log-odds, a hundredth a bin, from one in a million to its contrary."""
LEAST_MS = DAY_MS
"""Before so much stream time nothing passes."""
EVERY_MS = 3_600_000
"""How often the threshold is set anew, in stream time."""


class Threshold:
    """The score that about `alerts_a_day` events a day have reached of late.

    It counts the log-odds of every score in bins with exact bounds; an old score counts half after
    `memory_days`. The same scores at the same times give the same thresholds. Where more than the
    budget lie in one bin, none of them passes.

    Parameters
    ----------
    alerts_a_day
        The budget.
    memory_days
        Half-life of what was counted.

    Examples
    --------
    >>> threshold = Threshold(alerts_a_day=10, memory_days=14)
    >>> for n in range(3000):                       # a thousand scores a day, for three days
    ...     threshold.learn_one(n * 86_400, (n * 7919 % 1000) / 1000)
    >>> round(threshold.value, 2), threshold.passes(0.995), threshold.passes(0.98)
    (0.99, True, False)
    """

    __slots__ = ("_counts", "_first_ms", "_newest_ms", "_set_ms", "alerts_a_day", "half_life_ms", "value")

    def __init__(self, alerts_a_day: float, memory_days: float) -> None:
        self.alerts_a_day, self.half_life_ms = alerts_a_day, memory_days * DAY_MS
        self.value = 1.0
        """Scores above it pass; 1.0, which none does, before the first day is over."""
        self._counts = [0.0] * BINS
        """Weights: a score of `first_ms` weighs 1, one a half-life later 2."""
        self._first_ms = self._newest_ms = self._set_ms = -1

    def passes(self, score: float) -> bool:
        """Return whether a score is above the threshold."""
        return score > self.value

    def learn_one(self, time_ms: int, score: float) -> None:
        """Count a score."""
        if self._first_ms < 0:
            self._first_ms = self._newest_ms = self._set_ms = time_ms
        self._newest_ms = max(self._newest_ms, time_ms)
        self._counts[_PLACES.place(_log_odds(score))] += self._weight(time_ms)
        if self._newest_ms - self._set_ms >= EVERY_MS:
            self._set_ms = self._newest_ms
            self._set()

    def a_day(self, score: float) -> float:
        """Return about how many scores a day were above a score of late."""
        place = _PLACES.place(_log_odds(score))
        return sum(self._counts[place + 1 :]) / self._days()

    def ranks(self, shares: Sequence[float]) -> list[tuple[float, float]]:
        """Return for each share, rising, the score that so many of all were below, of late; with the share.

        Examples
        --------
        >>> threshold = Threshold(alerts_a_day=10, memory_days=14)
        >>> for n in range(1000):
        ...     threshold.learn_one(n, n / 1000)
        >>> [(round(score, 2), share) for score, share in threshold.ranks([0.5, 0.99])]
        [(0.5, 0.5), (0.99, 0.99)]
        """
        whole, below, place, found = sum(self._counts), 0.0, 0, list[tuple[float, float]]()
        for share in shares:
            while place < BINS and below < share * whole:
                below += self._counts[place]
                place += 1
            found.append((_score(_PLACES.edge(place)), share))
        return found

    def snapshot(self) -> list[Any]:
        """Return the threshold as plain data."""
        return [self.value, self._first_ms, self._newest_ms, self._set_ms, list(self._counts)]

    def resume(self, plain: Sequence[Any]) -> None:
        """Go on from a `snapshot()` taken with the same budget and memory."""
        self.value, self._first_ms, self._newest_ms, self._set_ms, counts = plain
        self._counts = list(counts)

    def _weight(self, time_ms: int) -> float:
        return float(2.0 ** ((time_ms - self._first_ms) / self.half_life_ms))

    def _days(self) -> float:
        """Return the weighted length of the stream: the integral of the weights."""
        return max(self._weight(self._newest_ms) - 1.0, 1e-9) * self.half_life_ms / (log(2.0) * DAY_MS)

    def _set(self) -> None:
        if self._newest_ms - self._first_ms < LEAST_MS:
            return
        left = self.alerts_a_day * self._days()
        place = BINS
        while place and left >= self._counts[place - 1]:
            place -= 1
            left -= self._counts[place]
        self.value = 1.0 if place == BINS else _score(_PLACES.edge(place)) if place else 0.0
        if self._newest_ms - self._first_ms > 30 * self.half_life_ms:
            self._rebase()

    def _rebase(self) -> None:
        """Count from later on, before weights grow too large; what came 20 half-lives ago is nothing."""
        moved_ms = int(20 * self.half_life_ms)
        scale = 0.5 ** (moved_ms / self.half_life_ms)
        self._counts = [count * scale for count in self._counts]
        self._first_ms += moved_ms


_PLACES = Histogram(-FAR, FAR, BINS)


def _log_odds(score: float) -> float:
    return log(score / (1.0 - score)) if 0.0 < score < 1.0 else FAR if score >= 1.0 else -FAR


def _score(log_odds: float) -> float:
    return 1.0 / (1.0 + exp(-log_odds))
