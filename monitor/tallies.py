"""Counts as plain numbers: cheap enough for the path of every event, rendered only for a scrape."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

Tally = defaultdict[tuple[str, ...], float]
"""Label values to a count, 0 where nothing was counted."""


@dataclass(slots=True)
class Spread:
    """A histogram: how many values fell at or below each bound, and their sum.

    Parameters
    ----------
    bounds
        Upper bounds, ascending; beyond the last one everything else is counted.

    Examples
    --------
    >>> waits = Spread((1.0, 5.0))
    >>> waits.add(0.5); waits.add(5.0, times=2); waits.add(60.0)
    >>> list(waits.cumulated()), waits.total
    ([(1.0, 1), (5.0, 3), (inf, 4)], 70.5)
    """

    bounds: Sequence[float]
    total: float = 0.0
    counts: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.bounds) + 1)

    def add(self, value: float, times: int = 1) -> None:
        """Count a value, `times` times."""
        self.counts[bisect_left(self.bounds, value)] += times
        self.total += value * times

    def cumulated(self) -> Iterator[tuple[float, int]]:
        """Give each bound with the number of values at or below it, infinity last."""
        reached = 0
        for bound, count in zip((*self.bounds, float("inf")), tuple(self.counts), strict=True):
            reached += count
            yield bound, reached


class Names:
    """Label values from outside: the first `most` are kept, all later ones are `other`.

    Examples
    --------
    >>> sources = Names(most=2)
    >>> [sources.known(name) for name in ("http", "a.csv", "b.csv", "http")]
    ['http', 'a.csv', 'other', 'http']
    """

    OTHER = "other"

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: set[str] = set()

    def known(self, name: str) -> str:
        """Return the name, or `other` where there are too many already."""
        if name in self._kept:
            return name
        if len(self._kept) >= self._most:
            return self.OTHER
        self._kept.add(name)
        return name
