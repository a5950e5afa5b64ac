"""A histogram with given bounds: bins of equal width, exact counts, values outside in the last bin."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from math import ceil


class Histogram:
    """Counts of numbers between two bounds. Its size never grows.

    Parameters
    ----------
    low, high
        The bounds; what lies outside counts as the bound.
    bins
        How many.
    counts
        To begin with; as many as bins.

    Examples
    --------
    >>> held = Histogram(0.0, 10.0, 10)
    >>> for n in range(100):
    ...     held.add(n / 10)
    >>> held.count, held.quantile(0.5), held.rank(7.5)
    (100, 5.0, 0.75)
    """

    __slots__ = ("_scale", "bins", "count", "counts", "high", "low")

    def __init__(self, low: float, high: float, bins: int, counts: Sequence[int] = ()) -> None:
        if not low < high:
            raise ValueError(f"bounds: expected low below high, was {low:g} and {high:g}")
        self.low, self.high, self.bins = low, high, bins
        self._scale = bins / (high - low)
        self.counts = list(counts) or [0] * bins
        self.count = sum(self.counts)
        """Numbers counted."""

    def add(self, value: float) -> None:
        """Count a number."""
        self.counts[self.place(value)] += 1
        self.count += 1

    def place(self, value: float) -> int:
        """Return the bin of a number; what is no number belongs to the last one."""
        at = (value - self.low) * self._scale
        return 0 if at < 0 else int(at) if at < self.bins else self.bins - 1

    def edge(self, place: int) -> float:
        """Return the lower bound of a bin."""
        return self.low + place / self._scale

    def quantile(self, share: float) -> float:
        """Return the number below which a share of all lies, spread evenly inside a bin; `low` if empty.

        It is off by less than the width of a bin.
        """
        if not self.count:
            return self.low
        # At least one: the smallest number is in the first bin that is not empty.
        reached = list(accumulate(self.counts))
        wanted = max(share * self.count, 1e-9)
        place = min(bisect_left(reached, wanted), self.bins - 1)
        inside = (wanted - (reached[place] - self.counts[place])) / (self.counts[place] or 1)
        return self.edge(place) + min(inside, 1.0) / self._scale

    def rank(self, value: float) -> float:
        """Return the share of all that lies below a number, spread evenly inside a bin; 0.0 if empty."""
        if not self.count:
            return 0.0
        at = min(max((value - self.low) * self._scale, 0.0), float(self.bins))
        place = min(int(at), self.bins - 1)
        return (sum(self.counts[:place]) + (at - place) * self.counts[place]) / self.count

    def fade(self, left: float) -> None:
        """Keep a share of every count, rounded up: what was seen once stays seen."""
        self.counts = [ceil(count * left) for count in self.counts]
        self.count = sum(self.counts)
