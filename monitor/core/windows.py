"""Exact event-time windows: one sorted series of events answers every window over it."""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_right
from collections.abc import Callable
from functools import partial
from math import sqrt
from typing import TYPE_CHECKING, Any

from monitor.core.orders import Extreme, Ranked, Recency

if TYPE_CHECKING:
    Ints = array[int] | list[int]
    """A 64-bit array, or a plain list once a sum has outgrown 64 bits."""

QUANTILE_STEPS = 1_000_000
_NO_SUMS: list[Any] = []
_NO_SQUARES: dict[int, list[int]] = {}
_NO_ITEMS: list[list[Any]] = []
LIMIT = 1 << 63


class Series:
    """The events of one subject (or of one of its keys) that satisfy one condition.

    Sorted by event time, ties in order of arrival. A window is a range of indexes `[i, j)`; its
    bounds come from `bisect_right(series.times, cut_ms)`, so that one series serves every sliding,
    calendar, last-N and since-event window over it.

    Parameters
    ----------
    sums
        Number of integer columns kept as prefix sums.
    squares
        Which of these columns keep prefix sums of squares too (for variance).
    items
        Number of columns kept as raw values (`str` or `int`), for distinct, minimum, maximum,
        first, last and quantile.

    Attributes
    ----------
    times, refs
        Event times (epoch milliseconds) and event references.
    sums
        Prefix sums, one longer than `times`; the sum over `[i, j)` is `sums[k][j] - sums[k][i]`.
        The first element is the sum of what was pruned, not zero.

    Examples
    --------
    >>> s = Series(sums=1)
    >>> for time_ms, amount in [(0, 5), (10, 7), (20, 9)]:
    ...     s.push(time_ms, time_ms, (amount,))
    >>> i = bisect_right(s.times, 20 - 20)      # the event at 0 is exactly one length old: out
    >>> len(s) - i, s.total(0, i, len(s))
    (2, 16)
    >>> s.push(15, 15, (1,)); list(s.times)     # a late event goes where it belongs
    [0, 10, 15, 20]
    >>> s.remove(10), s.total(0, 0, 3)
    (True, 15)
    """

    __slots__ = ("_derived", "items", "pruned", "refs", "squares", "sums", "times")

    def __init__(self, sums: int = 0, squares: tuple[int, ...] = (), items: int = 0) -> None:
        self.times = array("q")
        self.refs = array("q")
        # Series without such columns share one empty container: there are dozens of series a customer.
        self.sums: list[Ints] = [array("q", (0,)) for _ in range(sums)] if sums else _NO_SUMS
        self.squares: dict[int, list[int]] = {k: [0] for k in squares} if squares else _NO_SQUARES
        self.items: list[list[Any]] = [[] for _ in range(items)] if items else _NO_ITEMS
        self.pruned = 0
        """Number of events pruned so far: index 0 is the event at position `pruned`."""
        self._derived: dict[tuple[str, int], Any] | None = None

    def __len__(self) -> int:
        return len(self.times)

    def push(self, time_ms: int, ref: int, nums: tuple[int, ...] = (), items: tuple[Any, ...] = ()) -> None:
        """Add an event, with one value for each column; a late one goes where it belongs."""
        times = self.times
        if times and time_ms < times[-1]:
            self._insert(bisect_right(times, time_ms), time_ms, ref, nums, items)
            return
        times.append(time_ms)
        self.refs.append(ref)
        if nums:
            for column, value in zip(self.sums, nums, strict=False):
                try:
                    column.append(column[-1] + value)
                except OverflowError:
                    self._promote(column).append(column[-1] + value)
            if self.squares:
                for k, roots in self.squares.items():
                    roots.append(roots[-1] + nums[k] * nums[k])
        if items:
            for raw, item in zip(self.items, items, strict=False):
                raw.append(item)
            if self._derived is not None:
                self._extend(items)

    def remove(self, ref: int) -> bool:
        """Take the event with this reference out of every column; False where it is not held.

        The search is linear: reversals are rare and columns are short.
        """
        try:
            i = self.refs.index(ref)
        except ValueError:
            return False
        del self.times[i], self.refs[i]
        for k, column in enumerate(self.sums):
            self._shift(k, i + 2, column[i] - column[i + 1])
            del self.sums[k][i + 1]
        for roots in self.squares.values():
            _shift(roots, i + 2, roots[i] - roots[i + 1])
            del roots[i + 1]
        for raw in self.items:
            del raw[i]
        self._derived = None
        return True

    def prune(self, before_ms: int, keep_last: int = 0, *, lazily: bool = True) -> None:
        """Forget events at or before `before_ms`, but none of the last `keep_last`.

        Lazily: while fewer than an eighth of the events could go, none goes. Windows that begin
        at or after `before_ms` never see the difference.
        """
        times = self.times
        if not times or times[0] > before_ms:
            return
        count = min(bisect_right(times, before_ms), len(times) - keep_last)
        if count <= 0 or (lazily and count * 8 < len(times)):
            return
        self._forget(count)
        del times[:count], self.refs[:count]
        for column in (*self.sums, *self.squares.values(), *self.items):
            del column[:count]
        self.pruned += count

    # Queries over the index range [i, j).

    def total(self, k: int, i: int, j: int) -> int:
        """Return the sum of column `k`; 0 where the range is empty."""
        column = self.sums[k]
        return column[j] - column[i]

    def variance(self, k: int, i: int, j: int) -> float:
        """Return the population variance of column `k`, rounded once; 0.0 below two events."""
        n = j - i
        if n < 2:
            return 0.0
        roots = self.squares[k]
        return (n * (roots[j] - roots[i]) - self.total(k, i, j) ** 2) / (n * n)

    def stddev(self, k: int, i: int, j: int) -> float:
        """Return the population standard deviation of column `k`; 0.0 below two events."""
        return sqrt(self.variance(k, i, j))

    def minimum(self, c: int, i: int, j: int) -> Any:
        """Return the smallest value of raw column `c`; None where the range is empty."""
        if i >= j:
            return None
        if j < len(self.times):
            return min(self.items[c][i:j])
        return self._index("minimum", c).since(self.pruned + i)

    def maximum(self, c: int, i: int, j: int) -> Any:
        """Return the largest value of raw column `c`; None where the range is empty."""
        if i >= j:
            return None
        if j < len(self.times):
            return max(self.items[c][i:j])
        return self._index("maximum", c).since(self.pruned + i)

    def distinct(self, c: int, i: int, j: int) -> int:
        """Return how many different values raw column `c` has; 0 where the range is empty."""
        if i >= j:
            return 0
        if j < len(self.times):
            return len(set(self.items[c][i:j]))
        count: int = self._index("distinct", c).since(self.pruned + i)
        return count

    def first(self, c: int, i: int, j: int) -> Any:
        """Return the oldest value of raw column `c`; None where the range is empty."""
        return self.items[c][i] if i < j else None

    def last(self, c: int, i: int, j: int) -> Any:
        """Return the newest value of raw column `c`; None where the range is empty."""
        return self.items[c][j - 1] if i < j else None

    def quantile(self, c: int, q: float, i: int, j: int) -> Any:
        """Return the nearest-rank quantile of raw column `c`; None where the range is empty.

        The smallest value with at least a share `q` (0 to 1, to a millionth) of the range at or below it:
        always one of the values, never between two.
        """
        if i >= j:
            return None
        rank = -(-round(q * QUANTILE_STEPS) * (j - i) // QUANTILE_STEPS)
        index = self._index("quantile", c)
        return index.over(self.pruned + i, self.pruned + j, self.items[c], self.pruned)[max(rank, 1) - 1]

    # Plain data.

    def snapshot(self) -> list[Any]:
        """Return the series as plain data: bytes, integers below 64 bits, strings and lists."""
        return [
            _pack(self.times),
            _pack(self.refs),
            [_pack(_rebased(column)) for column in self.sums],
            [[k, _pack(list(_rebased(roots)))] for k, roots in self.squares.items()],
            [list(raw) for raw in self.items],
        ]

    @classmethod
    def restore(cls, plain: list[Any]) -> Series:
        """Return the series whose `snapshot()` is `plain`."""
        times, refs, sums, squares, items = plain
        series = cls()
        series.times = array("q", _unpack(times))
        series.refs = array("q", _unpack(refs))
        series.sums = [_unpack(column) for column in sums] or _NO_SUMS
        series.squares = {k: list(_unpack(roots)) for k, roots in squares} or _NO_SQUARES
        series.items = [list(raw) for raw in items] or _NO_ITEMS
        return series

    # Inside.

    def _insert(self, i: int, time_ms: int, ref: int, nums: tuple[int, ...], items: tuple[Any, ...]) -> None:
        self.times.insert(i, time_ms)
        self.refs.insert(i, ref)
        for k, value in enumerate(nums):
            self.sums[k].insert(i, self.sums[k][i])
            self._shift(k, i + 1, value)
        for k, roots in self.squares.items():
            roots.insert(i, roots[i])
            _shift(roots, i + 1, nums[k] * nums[k])
        for raw, item in zip(self.items, items, strict=False):
            raw.insert(i, item)
        self._derived = None

    def _shift(self, k: int, start: int, value: int) -> None:
        column = self.sums[k]
        tail = column[start:]
        if tail and (min(tail) + value < -LIMIT or max(tail) + value >= LIMIT):
            column = self._promote(column)
        _shift(column, start, value)

    def _promote(self, column: Ints) -> list[int]:
        wide = list(column)
        # By identity: two columns with the same sums are equal.
        self.sums[next(k for k, own in enumerate(self.sums) if own is column)] = wide
        return wide

    def _index(self, kind: str, c: int) -> Any:
        if self._derived is None:
            self._derived = {}
        index = self._derived.get((kind, c))
        if index is None:
            index = _INDEXES[kind]()
            for position, value in enumerate(self.items[c], self.pruned):
                index.push(position, value)
            self._derived[kind, c] = index
        return index

    def _extend(self, items: tuple[Any, ...]) -> None:
        position = self.pruned + len(self.times) - 1
        for (_, c), index in (self._derived or {}).items():
            index.push(position, items[c])

    def _forget(self, count: int) -> None:
        for (_, c), index in (self._derived or {}).items():
            index.forget(self.pruned + count, self.items[c][:count])


_INDEXES: dict[str, Callable[[], Any]] = {
    "distinct": Recency,
    "minimum": partial(Extreme, largest=False),
    "maximum": partial(Extreme, largest=True),
    "quantile": Ranked,
}


def _shift(column: Ints, start: int, value: int) -> None:
    for n in range(start, len(column)):
        column[n] += value


def _rebased(column: Ints) -> Ints:
    """Return sums that begin at 0: what was pruned, and whether it was reversed since, must not show."""
    base = column[0]
    if not base and not isinstance(column, list):
        return column
    plain = [value - base for value in column]
    fits = all(-LIMIT <= value < LIMIT for value in plain)
    return array("q", plain) if fits else plain


def _pack(column: Ints) -> Any:
    if isinstance(column, list):
        width = max(value.bit_length() for value in column) // 8 + 1
        return [width, b"".join(value.to_bytes(width, "little", signed=True) for value in column)]
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    return column.tobytes()


def _unpack(packed: Any) -> Ints:
    if isinstance(packed, bytes):
        column = array("q", packed)
        if sys.byteorder == "big":
            column.byteswap()
        return column
    width, data = packed
    return [int.from_bytes(data[n : n + width], "little", signed=True) for n in range(0, len(data), width)]
