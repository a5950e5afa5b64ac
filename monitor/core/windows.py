"""Exact event-time windows: one sorted series of events answers every window over it."""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate
from math import sqrt
from typing import TYPE_CHECKING, Any

from monitor.core.orders import Extreme, Ranked, Recency

if TYPE_CHECKING:
    Rows = array[int] | list[int]
    """A 64-bit array, or a plain list once a sum has outgrown 64 bits."""

QUANTILE_STEPS = 1_000_000
LIMIT = 1 << 63
FEW = 8
"""So few values are looked through each time: an index over them costs more time and memory to keep up."""
_NO_SQUARES: dict[int, list[int]] = {}
_NO_ITEMS: list[list[Any]] = []


class Series:
    """The events of one subject (or of one of its keys) that satisfy one condition.

    Sorted by event time, ties in order of arrival. A window is a range of indexes `[i, j)`; its
    bounds come from `after(cut_ms)`, so that one series serves every sliding, calendar, last-N and
    since-event window over it.

    There are dozens of series a customer and most hold few events, so all numbers of an event lie
    together in one array, a row an event: its running sums, its time, its reference.

    Parameters
    ----------
    sums
        Number of integer columns kept as running sums.
    squares
        Which of these columns keep running sums of squares too (for variance).
    items
        Number of columns kept as raw values (`str` or `int`), for distinct, minimum, maximum,
        first, last and quantile.

    Attributes
    ----------
    rows
        The rows, one after the other, `width` numbers each: running sums (of what was not pruned and
        what was, see `bases`), time in epoch milliseconds, reference.

    Examples
    --------
    >>> s = Series(sums=1)
    >>> for time_ms, amount in [(0, 5), (10, 7), (20, 9)]:
    ...     s.push(time_ms, time_ms, (amount,))
    >>> i = s.after(20 - 20)                    # the event at 0 is exactly one length old: out
    >>> len(s) - i, s.total(0, i, len(s))
    (2, 16)
    >>> s.push(15, 15, (1,)); list(s.times)     # a late event goes where it belongs
    [0, 10, 15, 20]
    >>> s.remove(10), s.total(0, 0, 3)
    (True, 15)
    """

    __slots__ = ("bases", "derived", "items", "pruned", "rows", "squares", "width")

    def __init__(self, sums: int = 0, squares: tuple[int, ...] = (), items: int = 0) -> None:
        self.rows: Rows = array("q")
        self.width = sums + 2
        self.bases: tuple[int, ...] = (0,) * sums
        """Running sums of what was pruned, by column."""
        # Series without such columns share one empty container.
        self.squares: dict[int, list[int]] = {k: [0] for k in squares} if squares else _NO_SQUARES
        self.items: list[list[Any]] = [[] for _ in range(items)] if items else _NO_ITEMS
        self.pruned = 0
        """Number of events pruned so far: index 0 is the event at position `pruned`."""
        self.derived: dict[tuple[str, int], Any] | None = None
        """Indexes over raw columns, made when first asked for; None where there is none."""

    def __len__(self) -> int:
        return len(self.rows) // self.width

    @property
    def times(self) -> Sequence[int]:
        """The event times, ascending; a copy."""
        return self.rows[self.width - 2 :: self.width]

    @property
    def refs(self) -> Sequence[int]:
        """The references of the events; a copy."""
        return self.rows[self.width - 1 :: self.width]

    def after(self, cut_ms: int) -> int:
        """Return the index of the first event later than `cut_ms`."""
        rows, width = self.rows, self.width
        if not rows or rows[width - 2] > cut_ms:
            return 0
        if rows[-2] <= cut_ms:
            return len(rows) // width
        # A view, not a copy: the cost must not grow with the window.
        times = memoryview(rows)[width - 2 :: width] if type(rows) is array else self.times
        return bisect_right(times, cut_ms)

    def position(self, time_ms: int, ref: int) -> int:
        """Return where an event stands, or where it would if it is not in the series."""
        rows, width = self.rows, self.width
        if rows and rows[-1] == ref:
            at = len(rows) // width - 1
            while at and rows[at * width - 1] == ref:  # what an event led to bears its reference
                at -= 1
            return at
        end = self.after(time_ms)
        for at in range(self.after(time_ms - 1), end):
            if rows[at * width + width - 1] == ref:
                return at
        return end

    def push(self, time_ms: int, ref: int, nums: tuple[int, ...] = (), items: tuple[Any, ...] = ()) -> None:
        """Add an event, with one value for each column; a late one goes where it belongs."""
        rows = self.rows
        if rows and time_ms < rows[-2]:
            self._insert(self.after(time_ms), time_ms, ref, nums, items)
            return
        if nums:
            start, width = len(rows), self.width
            try:
                for k, value in enumerate(nums):
                    rows.append((rows[k - width] if start else self.bases[k]) + value)
                    width += 1
            except OverflowError:
                rows = self._promote(start)
                before = rows[start - self.width : start] if start else self.bases
                rows.extend(before[k] + value for k, value in enumerate(nums))
            if self.squares:
                for k, roots in self.squares.items():
                    roots.append(roots[-1] + nums[k] * nums[k])
        rows.append(time_ms)
        rows.append(ref)
        if items:
            for raw, item in zip(self.items, items, strict=False):
                raw.append(item)
            if self.derived is not None:
                self._extend(items)

    def remove(self, ref: int) -> bool:
        """Take the event with this reference out of every column; False where it is not held.

        The search is linear: reversals are rare and series are short.
        """
        refs = self.refs
        if ref not in refs:
            return False
        i = refs.index(ref)
        nums = [self.total(k, i, i + 1) for k in range(self.width - 2)]
        del self.rows[i * self.width : (i + 1) * self.width]
        self._shift(i, [-value for value in nums])
        for roots in self.squares.values():
            _shift(roots, i + 2, roots[i] - roots[i + 1])
            del roots[i + 1]
        for raw in self.items:
            del raw[i]
        self.derived = None
        return True

    def prune(self, before_ms: int, keep_last: int = 0, *, lazily: bool = True) -> None:
        """Forget events at or before `before_ms`, but none of the last `keep_last`.

        `lazily`: while fewer than an eighth of the events could go, none goes. Windows that begin
        at or after `before_ms` never see the difference.
        """
        rows, width = self.rows, self.width
        if not rows or rows[width - 2] > before_ms:
            return
        count = min(self.after(before_ms), len(rows) // width - keep_last)
        if count <= 0 or (lazily and count * width * 8 < len(rows)):
            return
        self._forget(count)
        self.bases = tuple(rows[(count - 1) * width : count * width - 2])
        del rows[: count * width]
        for column in (*self.squares.values(), *self.items):
            del column[:count]
        self.pruned += count

    # Queries over the index range [i, j).

    def total(self, k: int, i: int, j: int) -> int:
        """Return the sum of column `k`; 0 where the range is empty."""
        if i >= j:
            return 0
        rows, width = self.rows, self.width
        return rows[(j - 1) * width + k] - (rows[(i - 1) * width + k] if i else self.bases[k])

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
        if j - i <= FEW or j < len(self):
            return min(self.items[c][i:j])
        return self._index("minimum", c).since(self.pruned + i)

    def maximum(self, c: int, i: int, j: int) -> Any:
        """Return the largest value of raw column `c`; None where the range is empty."""
        if i >= j:
            return None
        if j - i <= FEW or j < len(self):
            return max(self.items[c][i:j])
        return self._index("maximum", c).since(self.pruned + i)

    def distinct(self, c: int, i: int, j: int) -> int:
        """Return how many different values raw column `c` has; 0 where the range is empty."""
        if i >= j:
            return 0
        if j - i <= FEW or j < len(self):
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
        """Return the series as plain data: bytes, integers below 64 bits, strings and lists.

        Sums begin at 0: what was pruned, and whether it was reversed since, must not show.
        """
        return [
            self.width - 2,
            _pack(self._rebased()),
            # Which columns have squares is enough: the squares follow from the sums.
            list(self.squares),
            [list(raw) for raw in self.items],
        ]

    @classmethod
    def restore(cls, plain: list[Any]) -> Series:
        """Return the series whose `snapshot()` is `plain`."""
        sums, rows, squares, items = plain
        series = cls(sums)
        series.rows = _unpack(rows)
        series.squares = {k: series._roots(k) for k in squares} or _NO_SQUARES
        series.items = [list(raw) for raw in items] or _NO_ITEMS
        return series

    # Inside.

    def _roots(self, k: int) -> list[int]:
        """Return the running sums of the squares of column `k`."""
        values = (self.total(k, i, i + 1) ** 2 for i in range(len(self)))
        return list(accumulate(values, initial=0))

    def _rebased(self) -> Rows:
        if not any(self.bases):
            return self.rows
        plain, width = list(self.rows), self.width
        for k, base in enumerate(self.bases):
            for at in range(k, len(plain), width):
                plain[at] -= base
        fits = all(-LIMIT <= value < LIMIT for value in plain)
        return array("q", plain) if fits else plain

    def _insert(self, i: int, time_ms: int, ref: int, nums: tuple[int, ...], items: tuple[Any, ...]) -> None:
        width = self.width
        before = self.rows[(i - 1) * width : i * width - 2] if i else self.bases
        row = [*before, time_ms, ref]
        rows = self.rows
        at = i * width
        if isinstance(rows, list):
            rows[at:at] = row
        else:
            rows[at:at] = array("q", row)
        self._shift(i, nums)
        for k, roots in self.squares.items():
            roots.insert(i, roots[i])
            _shift(roots, i + 1, nums[k] * nums[k])
        for raw, item in zip(self.items, items, strict=False):
            raw.insert(i, item)
        self.derived = None

    def _shift(self, i: int, nums: Sequence[int]) -> None:
        """Add values to the running sums from row `i` on."""
        for k, value in enumerate(nums):
            for at in range(i * self.width + k, len(self.rows), self.width):
                changed = self.rows[at] + value
                if not -LIMIT <= changed < LIMIT:
                    self._promote(len(self.rows))
                self.rows[at] = changed

    def _promote(self, length: int) -> list[int]:
        """Turn the rows into a plain list, of which the first `length` numbers are kept."""
        wide = self.rows = list(self.rows[:length])
        return wide

    def _index(self, kind: str, c: int) -> Any:
        if self.derived is None:
            self.derived = {}
        index = self.derived.get((kind, c))
        if index is None:
            index = _INDEXES[kind]()
            for position, value in enumerate(self.items[c], self.pruned):
                index.push(position, value)
            self.derived[kind, c] = index
        return index

    def _extend(self, items: tuple[Any, ...]) -> None:
        position = self.pruned + len(self) - 1
        for (_, c), index in (self.derived or {}).items():
            index.push(position, items[c])

    def _forget(self, count: int) -> None:
        for (_, c), index in (self.derived or {}).items():
            index.forget(self.pruned + count, self.items[c][:count])


_INDEXES: dict[str, Callable[[], Any]] = {
    "distinct": Recency,
    "minimum": partial(Extreme, largest=False),
    "maximum": partial(Extreme, largest=True),
    "quantile": Ranked,
}


def _shift(column: list[int], start: int, value: int) -> None:
    for n in range(start, len(column)):
        column[n] += value


def _pack(column: Rows) -> Any:
    if isinstance(column, list):
        if not column:
            return [1, b""]
        width = max(value.bit_length() for value in column) // 8 + 1
        return [width, b"".join(value.to_bytes(width, "little", signed=True) for value in column)]
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    return column.tobytes()


def _unpack(packed: Any) -> Rows:
    if isinstance(packed, bytes):
        column = array("q", packed)
        if sys.byteorder == "big":
            column.byteswap()
        return column
    width, data = packed
    return [int.from_bytes(data[n : n + width], "little", signed=True) for n in range(0, len(data), width)]
