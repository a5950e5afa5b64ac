"""A series equals a brute-force oracle, whatever order events arrive in and whatever is taken back."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from math import ceil
from statistics import pvariance
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core import windows
from monitor.core.periods import Periods
from monitor.core.windows import Series

LENGTH_MS = 60
KEEP_LAST = 5


@pytest.fixture(scope="module", params=[0, windows.FEW], ids=["by index", "few by looking"])
def few(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "FEW", request.param)
        yield


@dataclass(frozen=True)
class Entry:
    time_ms: int
    ref: int
    amount: int
    count: int
    place: str
    size: int


class Oracle:
    """The same promises, by scanning a list."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def push(self, entry: Entry) -> None:
        at = sum(1 for other in self.entries if other.time_ms <= entry.time_ms)
        self.entries.insert(at, entry)

    def remove(self, ref: int) -> bool:
        before = len(self.entries)
        self.entries = [entry for entry in self.entries if entry.ref != ref]
        return len(self.entries) < before


def add(series: Series, entry: Entry) -> None:
    series.push(entry.time_ms, entry.ref, (entry.amount, entry.count), (entry.place, entry.size))


def answers(s: Series, i: int, j: int) -> dict[str, Any]:
    return {
        "refs": list(s.refs[i:j]),
        "totals": (s.total(0, i, j), s.total(1, i, j)),
        "variance": s.variance(1, i, j),
        "minimum": s.minimum(1, i, j),
        "maximum": s.maximum(1, i, j),
        "distinct": (s.distinct(0, i, j), s.distinct(1, i, j)),
        "first": s.first(0, i, j),
        "last": s.last(0, i, j),
        "median": s.quantile(1, 0.5, i, j),
        "high": s.quantile(1, 0.95, i, j),
    }


def rank(values: list[int], percent: int) -> int | None:
    return sorted(values)[max(ceil(len(values) * percent / 100), 1) - 1] if values else None


def expected(held: list[Entry]) -> dict[str, Any]:
    sizes = [entry.size for entry in held]
    return {
        "refs": [entry.ref for entry in held],
        "totals": (sum(entry.amount for entry in held), sum(entry.count for entry in held)),
        "variance": float(pvariance([entry.count for entry in held])) if len(held) > 1 else 0.0,
        "minimum": min(sizes, default=None),
        "maximum": max(sizes, default=None),
        "distinct": (len({entry.place for entry in held}), len(set(sizes))),
        "first": held[0].place if held else None,
        "last": held[-1].place if held else None,
        "median": rank(sizes, 50),
        "high": rank(sizes, 95),
    }


def reload(series: Series) -> Series:
    return Series.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(series.snapshot())))


def check(series: Series, oracle: Oracle, marker_ms: int) -> None:
    """Compare a sliding, a last-N, a since-marker and an interior range."""
    now_ms = max((entry.time_ms for entry in oracle.entries), default=0)
    n = len(series)
    i = bisect_right(series.times, now_ms - LENGTH_MS)
    sliding = [entry for entry in oracle.entries if entry.time_ms > now_ms - LENGTH_MS]
    assert answers(series, i, n) == expected(sliding)
    last = min(KEEP_LAST, n)
    assert answers(series, n - last, n) == expected(oracle.entries[len(oracle.entries) - last :])
    since_ms = max(marker_ms, now_ms - LENGTH_MS)
    since = [entry for entry in oracle.entries if entry.time_ms > since_ms]
    assert answers(series, bisect_right(series.times, since_ms), n) == expected(since)
    middle_ms = now_ms - LENGTH_MS // 2
    older = [entry for entry in sliding if entry.time_ms <= middle_ms]
    assert answers(series, i, bisect_right(series.times, middle_ms)) == expected(older)


# Few different times, so that ties are common; amounts that outgrow 64 bits now and then.
steps = st.lists(
    st.one_of(
        st.tuples(st.just("push"), st.integers(-40, 30), st.integers(-9, 9)),
        st.tuples(st.just("push"), st.just(3), st.integers(-9, 9)),
        st.tuples(st.just("huge"), st.integers(-20, 5), st.sampled_from([2**62, -(2**62)])),
        st.tuples(st.just("remove"), st.integers(0, 60), st.just(0)),
        st.tuples(st.just("prune"), st.just(0), st.just(0)),
        st.tuples(st.just("restart"), st.just(0), st.just(0)),
        st.tuples(st.just("look"), st.integers(-80, 0), st.just(0)),
    ),
    max_size=60,
)


@pytest.mark.usefixtures("few")
@settings(max_examples=150, deadline=None)
@given(steps)
def test_every_aggregate_equals_a_scan_of_the_events(stream: list[tuple[str, int, int]]) -> None:
    series, oracle = Series(sums=2, squares=(1,), items=2), Oracle()
    now_ms = 1000
    for ref, (verb, offset, value) in enumerate(stream):
        if verb in ("push", "huge"):
            entry = Entry(max(now_ms + offset, 0), ref, value, value % 7, "abcde"[value % 5], value)
            add(series, entry)
            oracle.push(entry)
            now_ms = max(now_ms, entry.time_ms)
        elif verb == "remove":
            gone = [entry.ref for entry in oracle.entries[offset:]] or [-1]
            # What was pruned can no longer be taken back; the oracle keeps everything.
            if gone[0] in series.refs or gone[0] == -1:
                assert series.remove(gone[0]) == oracle.remove(gone[0])
        elif verb == "prune":
            series.prune(now_ms - 2 * LENGTH_MS, KEEP_LAST)
        elif verb == "restart":
            series = reload(series)
        else:
            check(series, oracle, now_ms + offset)
    check(series, oracle, now_ms)


@settings(max_examples=60, deadline=None)
@given(steps, st.integers(0, 60))
def test_a_restart_at_any_point_changes_no_later_snapshot(
    stream: list[tuple[str, int, int]], cut: int
) -> None:
    straight, resumed = (Series(sums=2, squares=(1,), items=2) for _ in range(2))
    for ref, (verb, offset, value) in enumerate(stream):
        if ref == cut:
            resumed = reload(resumed)
        for series in (straight, resumed):
            if verb == "prune":
                series.prune(990)
            elif verb == "remove":
                series.remove(offset)
            else:
                add(series, Entry(1000 + offset, ref, value, value % 7, "abcde"[value % 5], value))
    assert straight.snapshot() == resumed.snapshot()


@given(st.lists(st.integers(0, 300), max_size=80), st.integers(0, 300), st.integers(0, 10))
def test_pruning_keeps_newer_events_and_the_last_ones(offsets: list[int], before_ms: int, keep: int) -> None:
    series = Series()
    for ref, time_ms in enumerate(offsets):
        series.push(time_ms, ref)
    every = list(series.times)
    series.prune(before_ms, keep)
    newer = [time_ms for time_ms in every if time_ms > before_ms]
    assert list(series.times)[len(series) - len(newer) :] == newer
    assert len(series) >= min(keep, len(every))
    assert len(series) <= max(len(newer), keep) * 8 / 7 + 1


moments = st.integers(
    datetime(2009, 1, 1, tzinfo=UTC).timestamp().__int__() * 1000,
    datetime(2026, 1, 1, tzinfo=UTC).timestamp().__int__() * 1000,
)
# Clocks change at night, over midnight, by half an hour, a minute after midnight; a whole day is passed over.
zones = st.sampled_from(
    [
        "Europe/Berlin",
        "America/Sao_Paulo",
        "America/Havana",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Asia/Shanghai",
        "Asia/Kolkata",
    ]
)


def period(unit: str, day: date) -> tuple[int, ...]:
    return {
        "day": (day.year, day.month, day.day),
        "week": tuple(day.isocalendar()[:2]),
        "month": (day.year, day.month),
        "quarter": (day.year, (day.month - 1) // 3),
        "year": (day.year,),
    }[unit]


def local_date(zone: str, time_ms: int) -> date:
    return datetime.fromtimestamp(time_ms // 1000, ZoneInfo(zone)).date()


@settings(max_examples=300, deadline=None)
@given(
    zones,
    st.sampled_from(["day", "week", "month", "quarter", "year"]),
    st.lists(moments, min_size=1, max_size=5),
)
def test_a_period_holds_exactly_the_moments_of_its_local_dates(
    zone: str, unit: str, times: list[int]
) -> None:
    periods = Periods(zone)
    for time_ms in times:
        start_ms, end_ms = periods.start_ms(unit, time_ms), periods.end_ms(unit, time_ms)
        own = period(unit, local_date(zone, time_ms))
        assert start_ms <= time_ms < end_ms
        assert period(unit, local_date(zone, start_ms)) == own
        assert period(unit, local_date(zone, end_ms - 1)) == own
        assert period(unit, local_date(zone, start_ms - 1)) != own
        assert period(unit, local_date(zone, end_ms)) != own
        local = datetime.fromtimestamp(time_ms // 1000, ZoneInfo(zone))
        assert (periods.hour(time_ms), periods.weekday(time_ms)) == (local.hour, local.weekday())
        assert periods.date(time_ms) == local.date()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-3_000, 6_000), max_size=60))
def test_a_calendar_window_equals_a_scan_across_the_change_of_clocks(minutes: list[int]) -> None:
    zone, base_ms = "Europe/Berlin", 1_711_839_600_000
    periods, series, oracle = Periods(zone), Series(sums=2, squares=(1,), items=2), Oracle()
    for ref, minute in enumerate(minutes):
        entry = Entry(base_ms + minute * 60_000, ref, minute, minute % 7, "abc"[minute % 3], minute)
        add(series, entry)
        oracle.push(entry)
        i, j = (
            bisect_right(series.times, edge_ms - 1)
            for edge_ms in (periods.start_ms("day", entry.time_ms), periods.end_ms("day", entry.time_ms))
        )
        today = local_date(zone, entry.time_ms)
        held = [other for other in oracle.entries if local_date(zone, other.time_ms) == today]
        assert answers(series, i, j) == expected(held)


@given(moments, st.integers(0, 15), st.sets(st.integers(0, 40), max_size=6))
def test_business_days_pass_over_weekends_and_holidays(time_ms: int, n: int, off: set[int]) -> None:
    today = local_date("Europe/Berlin", time_ms)
    holidays = frozenset(date.fromordinal(today.toordinal() - days) for days in off)
    periods = Periods("Europe/Berlin", holidays)
    past = (date.fromordinal(today.toordinal() - days) for days in range(1, 200))
    business = [day for day in past if day.weekday() < 5 and day not in holidays]
    start_ms = periods.business_days_ago(n, time_ms)
    assert periods.date(start_ms) == ([today, *business][n])
    assert periods.start_ms("day", start_ms) == start_ms
    assert periods.is_business_day(time_ms) == (today.weekday() < 5 and today not in holidays)


@pytest.mark.usefixtures("few")
@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 9)), min_size=10, max_size=150))
def test_indexes_stay_right_while_events_leave_by_pruning(stream: list[tuple[int, int]]) -> None:
    series, held, now_ms = Series(sums=2, squares=(1,), items=2), [], 0
    for ref, (gap, value) in enumerate(stream):
        now_ms += gap
        entry = Entry(now_ms, ref, value, value, "abcdefghij"[value], value)
        add(series, entry)
        held = [other for other in [*held, entry] if other.time_ms > now_ms - LENGTH_MS]
        series.prune(now_ms - LENGTH_MS)
        i = bisect_right(series.times, now_ms - LENGTH_MS)
        assert answers(series, i, len(series)) == expected(held)


def test_a_midnight_that_never_came_is_the_moment_the_clock_passed_it() -> None:
    periods = Periods("America/Toronto")
    change = datetime(1919, 3, 31, 4, 30, tzinfo=UTC)  # local 23:30 became 00:30
    change_ms = int(change.timestamp()) * 1000
    assert periods.start_ms("day", change_ms) == change_ms
    assert periods.date(change_ms - 1) == date(1919, 3, 30)
