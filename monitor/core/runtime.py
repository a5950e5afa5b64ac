"""What generated functions call: windows, missing values, sightings, timers.

Names and argument order are the contract with `rules.compile`. A series that nothing was pushed to
is `None`; an index range is a pair `(i, j)`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from math import asin, cos, floor, radians, sin, sqrt
from typing import TYPE_CHECKING, Any

from monitor.core.circles import CIRCLES
from monitor.core.flows import FLOWS
from monitor.core.neighbours import NEIGHBOURS
from monitor.core.over_periods import PERIOD_NAMES
from monitor.core.peers import peer
from monitor.core.schedules import WAITS
from monitor.core.sequences import NAMES as SEQUENCES
from monitor.core.windows import Series

if TYPE_CHECKING:
    from monitor.core.periods import Periods
    from monitor.core.state import State

EARTH_KM = 6371.0088
"""Mean radius of the Earth (IUGG)."""
MOST_SIGHTINGS = 512
"""Values remembered of one field; beyond them the one that did not come for longest is forgotten."""
MOST_EVIDENCE = 50
MICRO = 1_000_000
LARGE = 1e9
UNSET = object()
"""A shared value that was not computed yet."""
Span = tuple[int, int]
NOTHING: Span = (0, 0)


# Index ranges.


def after(s: Series | None, cut: int) -> Span:
    """Return the range of events later than `cut`."""
    return NOTHING if s is None else (s.after(cut), len(s))


def between(s: Series | None, low: int, high: int) -> Span:
    """Return the range of events in `(low, high]`."""
    return NOTHING if s is None else (s.after(low), s.after(high))


def latest(s: Series | None, size: int, ref: int | None, time_ms: int) -> Span:
    """Return the range of the last `size` events; of those before the event `ref` where it is given."""
    if s is None:
        return NOTHING
    end = len(s) if ref is None else s.position(time_ms, ref)
    return max(0, end - size), end


def prior(s: Series | None, span: Span, time_ms: int, ref: int) -> Span:
    """Return the part of a range that lies before the event `ref`."""
    if s is None:
        return NOTHING
    end = min(span[1], s.position(time_ms, ref))
    return min(span[0], end), end


def width(span: Span) -> int:
    """Return how many events a range holds."""
    return max(0, span[1] - span[0])


# Aggregates.


def count_after(s: Series | None, cut: int) -> int:
    """Return the number of events later than `cut`."""
    return 0 if s is None else len(s) - s.after(cut)


def total_after(s: Series | None, k: int, cut: int) -> int:
    """Return the sum of column `k` over the events later than `cut`."""
    return 0 if s is None else s.total(k, s.after(cut), len(s))


def total(s: Series | None, k: int, span: Span) -> int:
    """Return the sum of column `k` over a range."""
    return 0 if s is None or span[0] >= span[1] else s.total(k, *span)


def mean(s: Series | None, k: int, span: Span, scale: int = 1) -> float | None:
    """Return the average of column `k`; missing where the range is empty."""
    n = span[1] - span[0]
    return None if s is None or n <= 0 else float(s.total(k, *span) / (n * scale))


def deviation(s: Series | None, k: int, span: Span, scale: int = 1) -> float | None:
    """Return the population standard deviation of column `k`; missing where the range is empty."""
    return None if s is None or span[0] >= span[1] else s.stddev(k, *span) / scale


def zscore(value: Any, scale: int, s: Series | None, k: int, span: Span, least: int) -> float | None:
    """Return how many standard deviations a value lies from the mean of a range.

    Missing where the value is, where the range has fewer than `least` events, or where they are all equal.
    """
    if value is None or s is None or span[1] - span[0] < least:
        return None
    spread = s.stddev(k, *span)
    if not spread:
        return None
    return float((value * scale - s.total(k, *span) / (span[1] - span[0])) / spread)


def _raw(method: Callable[..., Any]) -> Callable[..., Any]:
    def read(s: Series | None, c: int, span: Span) -> Any:
        return None if s is None or span[0] >= span[1] else method(s, c, *span)

    return read


minimum, maximum = _raw(Series.minimum), _raw(Series.maximum)
first, last = _raw(Series.first), _raw(Series.last)


def distinct(s: Series | None, c: int, span: Span) -> int:
    """Return how many different values raw column `c` has in a range."""
    return 0 if s is None or span[0] >= span[1] else s.distinct(c, *span)


def quantile(s: Series | None, c: int, q: float, span: Span) -> Any:
    """Return the nearest-rank quantile of raw column `c`."""
    return None if s is None or span[0] >= span[1] else s.quantile(c, q, *span)


# Series parted by a key.


def sub(parts: dict[str, Series] | None, key: str | None) -> Series | None:
    """Return the series of a key."""
    return None if parts is None or key is None else parts.get(key)


def part(slots: list[Any], place: int, key: str, sums: int, squares: tuple[int, ...], items: int) -> Series:
    """Return the series of a key, made where it is new."""
    parts = slots[place]
    if parts is None:
        parts = slots[place] = {}
    found: Series | None = parts.get(key)
    if found is None:
        found = parts[key] = Series(sums, squares, items)
    return found


def joined(*values: object) -> str | None:
    r"""Return several values as one key; missing where any is.

    Examples
    --------
    >>> joined("a", "b") == joined("a\x1fb")
    True
    """
    return None if None in values else "\x1f".join(str(value) for value in values)


# Missing values.


def divide(a: Any, b: Any) -> Any:
    """Return `a / b`; missing where either is, or where `b` is zero."""
    return None if a is None or not b else a / b


def rest(a: Any, b: Any) -> Any:
    """Return `a % b`; missing where either is, or where `b` is zero."""
    return None if a is None or not b else a % b


def negative(a: Any) -> Any:
    """Return `-a`; missing where it is."""
    return None if a is None else -a


def either(a: Any, b: Any) -> Any:
    """Return the first that is not missing."""
    return b if a is None else a


def known_in(a: Any, values: Collection[Any]) -> bool:
    """Return whether a value is there and among others."""
    return a is not None and a in values


def known_out(a: Any, values: Collection[Any]) -> bool:
    """Return whether a value is there and not among others."""
    return a is not None and a not in values


def micro(value: float) -> int:
    """Return a number as whole millionths, as sums keep it; large ones exactly.

    Examples
    --------
    >>> micro(0.25), micro(3), micro(1e308) == int(1e308) * 1_000_000
    (250000, 3000000, True)
    """
    return round(value * MICRO) if -LARGE < value < LARGE else int(value) * MICRO


def whole(value: float) -> int:
    """Return money or a duration that was computed as a whole number again."""
    return round(value)


# Functions of the language.


@lru_cache(maxsize=512)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


def matches(text: str, pattern: str) -> bool:
    """Return whether a regular expression is found in a text, whatever the case."""
    return _pattern(pattern).search(text) is not None


def distance_km(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Return the great-circle distance of two points (haversine formula).

    Examples
    --------
    >>> round(distance_km(31.23, 121.47, 39.90, 116.40))       # Shanghai to Beijing
    1067
    """
    a, b = radians(lat1), radians(lat2)
    h = sin((b - a) / 2) ** 2 + cos(a) * cos(b) * sin(radians(lon2 - lon1) / 2) ** 2
    return 2 * EARTH_KM * asin(min(1.0, sqrt(h)))


def full_years(from_ms: int, to_ms: int, periods: Periods) -> int:
    """Return the full years from one local date to another."""
    start, end = periods.date(from_ms), periods.date(to_ms)
    return end.year - start.year - ((end.month, end.day) < (start.month, start.day))


def account_of(state: State, data: Any) -> dict[str, Any]:
    """Return what is known of the event's account."""
    return state.accounts.get(data.account_id, _NO_ACCOUNT)


_NO_ACCOUNT: dict[str, Any] = {}


# Sightings: value -> [first, last] time.


def sighted(slots: list[Any], place: int, value: Any, time_ms: int) -> None:
    """Note that a value was seen."""
    seen = slots[place]
    if seen is None:
        seen = slots[place] = {}
    times = seen.pop(value, None)
    if times is None:
        if len(seen) >= MOST_SIGHTINGS:
            del seen[next(iter(seen))]
        times = [time_ms, time_ms]
    elif time_ms > times[1]:
        times[1] = time_ms
    elif time_ms < times[0]:
        times[0] = time_ms
    # Back in as the newest: the first of the dictionary is the one not seen for longest.
    seen[value] = times


def known(seen: dict[Any, list[int]] | None, value: Any, cut: int) -> bool:
    """Return whether a value was seen after `cut`, before the event at hand; false for a missing one."""
    times = None if seen is None else seen.get(value)
    return times is not None and times[1] > cut


def seen_for(seen: dict[Any, list[int]] | None, value: Any, time_ms: int) -> int | None:
    """Return how long a value has been known, 0 where it is new; missing for a missing one."""
    if value is None:
        return None
    times = None if seen is None else seen.get(value)
    return 0 if times is None else max(0, time_ms - times[0])


# Timers: key -> [due, reference, started].


def start_timer(state: State, slots: list[Any], place: int, key: str | None, due_ms: int, ref: int) -> None:
    """Start a timer of a key, or start it anew; a late start never shortens one that runs."""
    if key is None:
        return
    timers = slots[place]
    if timers is None:
        timers = slots[place] = {}
    if key in timers and timers[key][0] >= due_ms:
        return
    timers[key] = [due_ms, ref]
    if not state.timer_ms or due_ms < state.timer_ms:
        state.timer_ms = due_ms


def cancel_timer(slots: list[Any], place: int, key: str | None, time_ms: int, for_ms: int) -> None:
    """Stop the timer of a key: what it waited for happened between its start and its end."""
    timers = slots[place]
    if timers and key in timers and timers[key][0] - for_ms <= time_ms <= timers[key][0]:
        del timers[key]


# What a hit shows.


def evidence(spans: Sequence[tuple[Any, ...]], ref: int) -> tuple[int, ...]:
    """Return the references of the events in some ranges, oldest first, at most the newest 50."""
    found: dict[int, int] = {}
    for s, (i, j), *_ in spans:
        if s is not None:
            start = max(i, j - MOST_EVIDENCE)
            found.update(zip(s.refs[start:j], s.times[start:j], strict=True))
    found.pop(ref, None)
    found.pop(0, None)  # what time alone led to
    ordered = sorted(found, key=lambda one: (found[one], one))
    # A schedule has no event of its own.
    return (*ordered[-(MOST_EVIDENCE - 1) :], ref) if ref else tuple(ordered[-MOST_EVIDENCE:])


def involved(spans: Sequence[tuple[Any, ...]]) -> tuple[str, ...]:
    """Return the customers that ranges with a column of customers hold, the last seen first."""
    found: dict[str, None] = {}
    for s, (i, j), *columns in spans:
        for column in columns if s is not None else ():
            found |= dict.fromkeys(reversed(s.items[column][i:j]))
    return tuple(found)


NAMES: dict[str, Any] = {
    name: value
    for name, value in globals().items()
    if callable(value)
    and not name.startswith("_")
    and name not in {"Callable", "Collection", "Sequence", "lru_cache"}
} | {
    "U": UNSET, "floor": floor, "Series": Series,
    **PERIOD_NAMES, **WAITS, **FLOWS, **CIRCLES, **NEIGHBOURS, "peer": peer, **SEQUENCES,
}  # fmt: skip
"""Everything generated code may name, apart from what depends on the institution."""
