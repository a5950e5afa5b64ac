"""Adaptive windowing: whether the mean of a sequence of numbers has changed.

Bifet and Gavalda, "Learning from time-changing data with adaptive windowing", SDM 2007, in the form of
river's `ADWIN`, which detects the same changes at the same numbers; but as plain data that can be kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import log, sqrt
from typing import Any

CLOCK = 32
"""A change is looked for every so many numbers."""
BUCKETS = 5
"""Of each size, before the two oldest become one of twice the size."""
SHORTEST = 5
"""Numbers on either side of a cut."""
GRACE = 10
"""Numbers before the first look."""

Bucket = tuple[float, float]
"""Sum, and variance times count, of as many numbers as its row holds."""


class Adwin:
    """A window over the newest numbers, cut where the older ones have another mean.

    After a change it begins anew with the next number, as river's does.

    Parameters
    ----------
    delta
        How probable a false alarm may be.

    Examples
    --------
    >>> window = Adwin()
    >>> [n for n in range(400) if window.update(0.0 if n < 200 else 1.0)]
    [223]
    >>> window.mean
    1.0
    """

    __slots__ = ("_found", "_rows", "_total", "_updates", "_variance", "delta", "width")

    def __init__(self, delta: float = 0.002) -> None:
        self.delta = delta
        self.width = 0
        """Numbers in the window."""
        self._found = False
        self._updates = 0
        self._total = self._variance = 0.0
        self._rows: list[list[Bucket]] = [[]]
        """Buckets of 1, 2, 4 ... numbers, each row oldest first."""

    @property
    def mean(self) -> float:
        """Mean of the numbers in the window; 0.0 where there are none."""
        return self._total / self.width if self.width else 0.0

    def update(self, value: float) -> bool:
        """Take a number; return whether the mean has changed with it."""
        if self._found:
            self.resume(Adwin(self.delta).snapshot())
        self._insert(value)
        self._updates += 1
        if self._updates % CLOCK == 0 and self.width > GRACE:
            while self._cut():
                self._found = True
        return self._found

    def snapshot(self) -> list[Any]:
        """Return the window as plain data."""
        rows = [[list(bucket) for bucket in row] for row in self._rows]
        return [self._found, self.width, self._updates, self._total, self._variance, rows]

    def resume(self, plain: Sequence[Any]) -> None:
        """Go on from a `snapshot()`."""
        self._found, self.width, self._updates, self._total, self._variance, rows = plain
        self._rows = [[(total, variance) for total, variance in row] for row in rows]

    def _insert(self, value: float) -> None:
        if self.width:
            away = value - self._total / self.width
            self._variance += self.width * away * away / (self.width + 1.0)
        self.width += 1
        self._total += value
        self._rows[0].append((value, 0.0))
        for n, row in enumerate(self._rows):
            if len(row) <= BUCKETS:
                break
            if n + 1 == len(self._rows):
                self._rows.append([])
            (one, spread), (two, wide) = row[0], row[1]
            size = 1 << n
            away = one / size - two / size
            self._rows[n + 1].append((one + two, spread + wide + size * away * away / 2.0))
            del row[:2]

    def _cut(self) -> bool:
        """Drop the oldest bucket where some cut parts two means; return whether it did."""
        n0, n1, u0, u1 = 0.0, float(self.width), 0.0, self._total
        for size, (total, _) in self._oldest_first():
            n0, n1, u0, u1 = n0 + size, n1 - size, u0 + total, u1 - total
            if n1 < SHORTEST:
                return False
            if n0 >= SHORTEST and abs(u0 / n0 - u1 / n1) > self._bound(n0, n1):
                self._drop()
                return True
        return False

    def _oldest_first(self) -> Iterator[tuple[int, Bucket]]:
        for n in range(len(self._rows) - 1, -1, -1):
            for bucket in self._rows[n]:
                yield 1 << n, bucket

    def _bound(self, n0: float, n1: float) -> float:
        confidence = log(2.0 * log(self.width) / self.delta)
        sizes = 1.0 / (n0 - SHORTEST + 1.0) + 1.0 / (n1 - SHORTEST + 1.0)
        return sqrt(2.0 * sizes * self._variance / self.width * confidence) + 2.0 / 3.0 * confidence * sizes

    def _drop(self) -> None:
        row, size = self._rows[-1], 1 << (len(self._rows) - 1)
        total, variance = row.pop(0)
        self.width -= size
        self._total -= total
        away = total / size - self._total / self.width
        self._variance -= variance + size * self.width * away * away / (size + self.width)
        while len(self._rows) > 1 and not self._rows[-1]:
            self._rows.pop()
