"""Drift: whether events still look as they did when a version was trained."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log
from typing import Any

from monitor.core.models.adwin import Adwin
from monitor.core.models.published import Published
from monitor.core.models.version import Version

GROUPS = 10
"""Parts of a distribution that are compared, about equal in the training sample."""
LEAST = 500
"""Events before two distributions are compared."""
SCORE = "score"
"""The name under which scores are reported, beside the features."""
PSI, MEAN = "psi", "mean"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """Something is not as it was in training."""

    model: str
    segment: str
    version: int
    """The one it is compared with."""
    feature: str
    """Its name, or `score`."""
    measure: str
    """`psi` for a distribution, `mean` for the mean of the scores."""
    value: float
    """The stability index; for a mean, the new one."""
    is_alarm: bool


def psi(expected: Sequence[float], actual: Sequence[float]) -> float:
    """Return the population stability index of two distributions over the same parts.

    The sum of `(a - e) * ln(a / e)` over the parts' shares; half an event is added to every part, so
    that an empty one is no infinity. By convention below 0.1 is calm and above 0.25 a shift.

    Examples
    --------
    >>> psi([100, 100, 100], [50, 50, 50])
    0.0
    >>> round(psi([100, 100, 100], [20, 80, 200]), 2)
    0.67
    """
    whole = [sum(counts) + 0.5 * len(counts) for counts in (expected, actual)]
    total = 0.0
    for before, now in zip(expected, actual, strict=True):
        e, a = (before + 0.5) / whole[0], (now + 0.5) / whole[1]
        total += (a - e) * log(a / e)
    return total


class Drift:
    """Compares events with the sample of one version.

    Parameters
    ----------
    published
        The version at work; it stays the reference as long as this lives.
    psi_alarm
        Stability index from which a shift is an alarm.
    delta
        How probable a false alarm about the mean of the scores may be.
    """

    __slots__ = ("_adwin", "_alarm", "_columns", "_count", "_published")

    def __init__(self, published: Published, psi_alarm: float, delta: float) -> None:
        self._published, self._alarm = published, psi_alarm
        version = published.version
        self._columns = [
            _Column(*_parts(counts, *limit))
            for counts, limit in zip(version.counts, version.limits, strict=True)
        ]
        self._columns.append(_Column(*_quantile_parts(published.usual_scores)))
        self._adwin = Adwin(delta)
        self._count = 0

    def observe(self, x: Sequence[float], score: float) -> Shift | None:
        """Take an event's whole vector and its score; return a shift of the scores' mean, found now."""
        self._count += 1
        for column, value in zip(self._columns, (*self._published.picked(x), score), strict=True):
            column.counts[bisect_right(column.edges, value)] += 1
        if not self._adwin.update(score):
            return None
        return self._shift(SCORE, MEAN, self._adwin.mean, is_alarm=True)

    def compare(self) -> list[Shift]:
        """Return the index of every feature and of the score since the last time; then begin anew.

        Empty while there were fewer than 500 events; those count on.
        """
        if self._count < LEAST:
            return []
        names = (*self._published.version.features, SCORE)
        values = [psi(column.expected, column.counts) for column in self._columns]
        for column in self._columns:
            column.counts = [0] * len(column.counts)
        self._count = 0
        return [
            self._shift(name, PSI, value, is_alarm=value >= self._alarm)
            for name, value in zip(names, values, strict=True)
        ]

    def snapshot(self) -> list[Any]:
        """Return what was observed as plain data; the version and the limits are the caller's."""
        return [self._count, [list(column.counts) for column in self._columns], self._adwin.snapshot()]

    def resume(self, plain: Sequence[Any]) -> None:
        """Go on from a `snapshot()` taken with the same version."""
        self._count, counts, adwin = plain
        for column, row in zip(self._columns, counts, strict=True):
            column.counts = list(row)
        self._adwin.resume(adwin)

    def _shift(self, feature: str, measure: str, value: float, *, is_alarm: bool) -> Shift:
        version: Version = self._published.version
        return Shift(
            model=version.model,
            segment=version.segment,
            version=version.number,
            feature=feature,
            measure=measure,
            value=round(value, 6),
            is_alarm=is_alarm,
        )


class _Column:
    __slots__ = ("counts", "edges", "expected")

    def __init__(self, edges: list[float], expected: list[float]) -> None:
        self.edges, self.expected = edges, expected
        self.counts = [0] * len(expected)


def _parts(counts: Sequence[int], low: float, high: float) -> tuple[list[float], list[float]]:
    """Return edges and counts of parts that each hold at least a tenth of all, where bins allow it."""
    least, width = max(1.0, sum(counts) / GROUPS), (high - low) / len(counts)
    edges, expected, held = list[float](), list[float](), 0.0
    for place, count in enumerate(counts):
        held += count
        if held >= least and place + 1 < len(counts):
            edges.append(low + (place + 1) * width)
            expected.append(held)
            held = 0.0
    return edges, [*expected, held]


def _quantile_parts(quantiles: Sequence[float]) -> tuple[list[float], list[float]]:
    step = (len(quantiles) - 1) // GROUPS
    edges = sorted(set(quantiles[step:-1:step]))
    places = [bisect_right(quantiles, edge) for edge in edges]
    return edges, [float(b - a) for a, b in pairwise((0, *places, len(quantiles)))]
