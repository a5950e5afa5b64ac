"""Money that comes and goes: outflows matched to inflows, first in, first out.

Two series of one subject, inflows and outflows, seen through one window. Matching begins with nothing
at the window's start: what was there before is never matched. At the same instant inflows come first.
An outflow takes the oldest money that is left; what exceeds it came from before and matches nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from operator import mul, sub
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monitor.core.periods import Periods
    from monitor.core.windows import Series

    Span = tuple[int, int]
    Column = tuple[Series | None, int, Span]
    """A series, its sum column, and an index range of it."""

NEVER = 1 << 63
"""A time after all others."""


def retention(inflow: Column, outflow: Column, least: int) -> float | None:
    """Return how long money stayed, in milliseconds: the mean over what came and left, by amount.

    Missing where fewer than `least` outflows (at least one) took money that came in the window.

    Examples
    --------
    >>> from monitor.core.windows import Series
    >>> came, left = Series(sums=1), Series(sums=1)
    >>> came.push(0, 1, (100,)); came.push(10, 2, (100,))
    >>> left.push(20, 3, (150,))                 # 100 stayed 20 ms, 50 stayed 10 ms, 50 are still there
    >>> retention((came, 0, (0, 2)), (left, 0, (0, 1)), 1) == 2500 / 150
    True
    """
    times, sums, base = _columns(inflow)
    if not sums:
        return None
    taken = available = base
    n = matched = left_at = 0
    for time_ms, amount in _amounts(outflow):
        while times[n] <= time_ms:
            available = sums[n]
            n += 1
        part = available - taken
        if amount < part:
            part = amount
        if part > 0:
            taken += part
            left_at += part * time_ms
            matched += 1
    if matched < max(least, 1):
        return None
    return (left_at - _came_at(times, sums, base, taken)) / (taken - base)


def turned_over(
    inflow: Column, outflow: Column, within_ms: int, periods: Periods, least: int
) -> float | None:
    """Return the share of the inflows that left less than `within_ms` later; 0: on the same local day.

    Older money is passed over: it stays. Missing where there are fewer than `least` inflows, or none
    of any amount.

    Examples
    --------
    >>> from monitor.core.periods import Periods
    >>> from monitor.core.windows import Series
    >>> came, left = Series(sums=1), Series(sums=1)
    >>> came.push(0, 1, (100,)); came.push(1000, 2, (300,))
    >>> left.push(1500, 3, (200,))               # not of the money of 0: it has been there too long
    >>> turned_over((came, 0, (0, 2)), (left, 0, (0, 1)), 1000, Periods("UTC"), 1)
    0.5
    """
    times, sums, base = _columns(inflow)
    if len(sums) < max(least, 1) or sums[-1] == base:
        return None
    taken = available = base
    n = old = matched = first = day_ends = 0
    for time_ms, amount in _amounts(outflow):
        while times[n] <= time_ms:
            available = sums[n]
            n += 1
        if within_ms:
            first = time_ms - within_ms + 1
        elif time_ms >= day_ends:
            first, day_ends = periods.start_ms("day", time_ms), periods.end_ms("day", time_ms)
        while times[old] < first:
            taken = max(taken, sums[old])
            old += 1
        part = available - taken
        if amount < part:
            part = amount
        if part > 0:
            taken += part
            matched += part
    return matched / (sums[-1] - base)


def _columns(column: Column) -> tuple[list[int], list[int], int]:
    """Return the times, with a last one that never comes; the running sums; what they begin from."""
    series, k, (i, j) = column
    if series is None or i >= j:
        return [NEVER], [], 0
    rows, width = series.rows, series.width
    base = rows[(i - 1) * width + k] if i else series.bases[k]
    return (
        [*rows[i * width + width - 2 : j * width : width], NEVER],
        list(rows[i * width + k : j * width : width]),
        base,
    )


def _amounts(column: Column) -> Iterator[tuple[int, int]]:
    times, sums, base = _columns(column)
    return zip(times, map(sub, sums, [base, *sums]), strict=False)


def _came_at(times: list[int], sums: list[int], base: int, taken: int) -> int:
    """Return the sum of amount by time over the inflows, up to a running sum of `taken`."""
    whole = bisect_right(sums, taken)
    before = [base, *sums]
    found: int = sum(map(mul, map(sub, sums[:whole], before), times))
    return found + (taken - before[whole]) * times[whole] if taken > before[whole] else found


FLOWS: dict[str, Callable[..., Any]] = {"retention": retention, "turned_over": turned_over}
"""What generated code may call of this module."""
