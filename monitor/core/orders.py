"""Indexes over an append-only column that answer "since position p" in logarithmic time."""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Any


class Extreme:
    """Smallest (or largest) value since a position: a stack that keeps only candidates.

    A value is no candidate once a later one is as small: every range that holds it holds the later.

    Examples
    --------
    >>> low = Extreme(largest=False)
    >>> for position, value in enumerate([3, 9, 4]):
    ...     low.push(position, value)
    >>> low.since(0), low.since(1)
    (3, 4)
    """

    __slots__ = ("largest", "positions", "values")

    def __init__(self, *, largest: bool) -> None:
        self.largest = largest
        self.positions = array("q")
        self.values: list[Any] = []

    def push(self, position: int, value: Any) -> None:
        """Append a value; positions ascend."""
        values = self.values
        if self.largest:
            while values and values[-1] <= value:
                values.pop()
                self.positions.pop()
        else:
            while values and values[-1] >= value:
                values.pop()
                self.positions.pop()
        values.append(value)
        self.positions.append(position)

    def since(self, position: int) -> Any:
        """Return the extreme at or after `position`, which holds at least one value."""
        return self.values[bisect_left(self.positions, position)]

    def forget(self, position: int, gone: Sequence[Any]) -> None:
        """Drop everything before `position`."""
        count = bisect_left(self.positions, position)
        del self.positions[:count], self.values[:count]


class Recency:
    """How many different values since a position: where each was seen last.

    Examples
    --------
    >>> seen = Recency()
    >>> for position, value in enumerate("aba"):
    ...     seen.push(position, value)
    >>> seen.since(0), seen.since(1), seen.since(2)
    (2, 2, 1)
    """

    __slots__ = ("last", "positions")

    def __init__(self) -> None:
        self.last: dict[Any, int] = {}
        self.positions = array("q")

    def push(self, position: int, value: Any) -> None:
        """Append a value; positions ascend."""
        before = self.last.get(value)
        if before is not None:
            del self.positions[bisect_left(self.positions, before)]
        self.last[value] = position
        self.positions.append(position)

    def since(self, position: int) -> int:
        """Return the number of different values at or after `position`."""
        return len(self.positions) - bisect_left(self.positions, position)

    def forget(self, position: int, gone: Sequence[Any]) -> None:
        """Drop everything before `position`; `gone` holds the values dropped."""
        for value in set(gone):
            if self.last[value] < position:
                del self.last[value]
        del self.positions[: bisect_left(self.positions, position)]


class Ranked:
    """The values of a range in order, kept while the range moves forward.

    Each value goes in once and out once, so a query costs what the range moved, not what it holds. A
    range that moves back is sorted anew.

    Examples
    --------
    >>> ranked, column = Ranked(), [5, 1, 4]
    >>> ranked.over(0, 3, column, 0)[-1], ranked.over(1, 3, column, 0)[-1]
    (5, 4)
    """

    __slots__ = ("end", "ordered", "start")

    def __init__(self) -> None:
        self.start = 0
        self.end = 0
        self.ordered: list[Any] = []

    def push(self, position: int, value: Any) -> None:
        """Take no note: values come in with the range."""

    def over(self, start: int, end: int, column: Sequence[Any], pruned: int) -> list[Any]:
        """Return the values at positions `[start, end)` in order; `column` begins at position `pruned`."""
        if start < self.start or end < self.end or start >= self.end:
            self.start, self.end = start, end
            self.ordered = sorted(column[start - pruned : end - pruned])
            return self.ordered
        for value in column[self.end - pruned : end - pruned]:
            insort(self.ordered, value)
        for value in column[self.start - pruned : start - pruned]:
            del self.ordered[bisect_left(self.ordered, value)]
        self.start, self.end = start, end
        return self.ordered

    def forget(self, position: int, gone: Sequence[Any]) -> None:
        """Drop everything before `position`: `gone`, of which the range may hold the newest."""
        if position >= self.end:
            self.start = self.end = position
            self.ordered = []
            return
        held = position - self.start
        if held > 0:
            for value in gone[len(gone) - held :]:
                del self.ordered[bisect_left(self.ordered, value)]
            self.start = position
