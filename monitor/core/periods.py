"""Calendar periods in the institution's time zone, right across daylight-saving changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

LocalDate = date
"""The same, under a name that the method `Periods.date` does not hide."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MS = timedelta(milliseconds=1)
DAY = timedelta(days=1)
DAY_MS = 86_400_000
HOUR_MS = 3_600_000
LONGEST_MS = 400 * DAY_MS
"""How far back is counted."""
UNITS = ("day", "week", "month", "quarter", "year")
DAYS = {"day": 1, "week": 7}
MONTHS = {"month": 1, "quarter": 3, "year": 12}
"""How far a unit reaches, in days or in months."""


class LocalDay:
    """A day of the institution: its bounds and those of the periods that hold it."""

    __slots__ = (
        "ago", "back", "date", "end_ms", "ends", "is_business", "is_plain", "start_ms", "starts", "weekday",
    )  # fmt: skip

    def __init__(
        self, day: date, starts: dict[str, int], ends: dict[str, int], *, is_business: bool, is_plain: bool
    ) -> None:
        self.date = day
        self.starts = starts
        self.ends = ends
        self.start_ms = starts["day"]
        self.end_ms = ends["day"]
        self.weekday = day.weekday()
        self.back: dict[int, int] = {}
        """Start of the n-th business day before, as far as it was asked for."""
        self.ago: dict[tuple[str, int], int] = {}
        """Start of the n-th unit before, as far as it was asked for."""
        self.is_business = is_business
        self.is_plain = is_plain
        """True where the clock is not changed between its start and its end."""


class Periods:
    """Days, weeks (Monday first), months, quarters and years of one zone.

    Parameters
    ----------
    zone
        IANA name, e.g. `Asia/Shanghai`.
    holidays
        Dates on which the institution does no business; Saturdays and Sundays are none either.

    Examples
    --------
    >>> berlin = Periods("Europe/Berlin")
    >>> noon_ms = 1_711_879_200_000               # 2024-03-31T12:00+02:00, clocks went forward
    >>> start_ms, end_ms = berlin.start_ms("day", noon_ms), berlin.end_ms("day", noon_ms)
    >>> (end_ms - start_ms) // HOUR_MS, berlin.hour(noon_ms), berlin.weekday(noon_ms)
    (23, 12, 6)
    """

    __slots__ = ("_days", "_latest", "cuts", "holidays", "zone")

    def __init__(self, zone: str, holidays: frozenset[LocalDate] = frozenset()) -> None:
        self.zone = ZoneInfo(zone)
        self.holidays = holidays
        # Days found so far, by the UTC days they touch: an index, never a result.
        self._days: dict[int, list[LocalDay]] = {}
        self.cuts: dict[tuple[str, int, int, str, int], tuple[tuple[int, int], ...]] = {}
        """Windows cut into periods so far, for `monitor.core.over_periods`: an index too."""
        self._latest = self._make_day(EPOCH.date())

    def start_ms(self, unit: str, time_ms: int) -> int:
        """Return when the `unit` (day, week, month, quarter, year) that holds `time_ms` begins."""
        day = self._latest
        if day.start_ms <= time_ms < day.end_ms:
            return day.starts[unit]
        return self.day(time_ms).starts[unit]

    def end_ms(self, unit: str, time_ms: int) -> int:
        """Return when the `unit` that holds `time_ms` ends: the first millisecond after it."""
        day = self._latest
        if day.start_ms <= time_ms < day.end_ms:
            return day.ends[unit]
        return self.day(time_ms).ends[unit]

    def hour(self, time_ms: int) -> int:
        """Return the hour of the local clock, 0 to 23."""
        day = self.day(time_ms)
        if day.is_plain:
            return (time_ms - day.start_ms) // HOUR_MS
        return self._clock(time_ms).hour

    def weekday(self, time_ms: int) -> int:
        """Return the local day of the week, Monday 0 to Sunday 6."""
        return self.day(time_ms).weekday

    def date(self, time_ms: int) -> LocalDate:
        """Return the local date."""
        return self.day(time_ms).date

    def is_business_day(self, time_ms: int) -> bool:
        """Return whether the local day is neither Saturday, Sunday nor a holiday."""
        return self.day(time_ms).is_business

    def business_days_ago(self, n: int, time_ms: int) -> int:
        """Return the start of the n-th business day before the local day of `time_ms`.

        `n` 0 is the start of the day itself, business day or not.

        Examples
        --------
        >>> berlin = Periods("Europe/Berlin")
        >>> monday_ms = 1_711_976_400_000             # 2024-04-01T15:00+02:00
        >>> str(berlin.date(berlin.business_days_ago(1, monday_ms)))
        '2024-03-29'
        """
        day = self.day(time_ms)
        start_ms = day.back.get(n)
        if start_ms is None:
            today, left = day, n
            while left > 0:
                day = self.day(day.start_ms - 1)
                left -= day.is_business
            start_ms = today.back[n] = day.start_ms
        return start_ms

    def business_days(self, from_ms: int, to_ms: int) -> int:
        """Return how many business days began after the local day of `from_ms`, up to that of `to_ms`.

        None before 400 days ago are counted; 0 where `from_ms` is later.

        Examples
        --------
        >>> berlin = Periods("Europe/Berlin")
        >>> friday_ms, monday_ms = 1_711_717_200_000, 1_711_976_400_000
        >>> berlin.business_days(friday_ms, monday_ms), berlin.business_days(friday_ms, friday_ms)
        (1, 0)
        """
        day, number = self.day(to_ms), 0
        farthest_ms = max(from_ms, to_ms - LONGEST_MS)
        while day.start_ms > farthest_ms:
            number += day.is_business
            day = self.day(day.start_ms - 1)
        return number

    def ago(self, unit: str, n: int, time_ms: int) -> int:
        """Return the start of the n-th `unit` before the one that holds `time_ms`; `n` 0 is that one.

        Examples
        --------
        >>> berlin = Periods("Europe/Berlin")
        >>> str(berlin.date(berlin.ago("month", 2, 1_711_976_400_000)))     # 2024-04-01T15:00+02:00
        '2024-02-01'
        """
        day = self.day(time_ms)
        start_ms = day.ago.get((unit, n))
        if start_ms is None:
            start_ms = day.starts[unit]
            for _ in range(n):
                start_ms = self.start_ms(unit, start_ms - 1)
            day.ago[unit, n] = start_ms
        return start_ms

    def next_ms(self, unit: str, time_ms: int) -> int:
        """Return when the next `unit` begins; of `bd`, the next business day."""
        if unit != "bd":
            return self.end_ms(unit, time_ms)
        day = self.day(self.day(time_ms).end_ms)
        while not day.is_business:
            day = self.day(day.end_ms)
        return day.start_ms

    def after(self, unit: str, n: int, time_ms: int) -> int:
        """Return when `n` units after `time_ms` have passed, by the local clock.

        Days, weeks, months, quarters and years end at the same time of day, in a month that is too
        short on its last day; business days (`bd`) when the n-th after the local day ends.

        Examples
        --------
        >>> berlin = Periods("Europe/Berlin")
        >>> friday_ms = 1_711_717_200_000             # 2024-03-29T14:00+01:00
        >>> (berlin.after("bd", 1, friday_ms) - friday_ms) / HOUR_MS        # to the end of Monday
        81.0
        >>> (berlin.after("day", 3, friday_ms) - friday_ms) / HOUR_MS       # clocks went forward
        71.0
        """
        if unit == "bd":
            day = self.day(time_ms)
            for _ in range(n):
                day = self.day(self.next_ms("bd", day.start_ms))
            return day.end_ms
        local = self._clock(time_ms)
        days, months = n * DAYS.get(unit, 0), n * MONTHS.get(unit, 0)
        first = _months_on(local.date().replace(day=1), months)
        last = _months_on(first, 1) - DAY
        reached = last.replace(day=min(local.day, last.day)) + days * DAY
        return _epoch_ms(datetime.combine(reached, local.timetz()))

    def day(self, time_ms: int) -> LocalDay:
        """Return the local day that holds `time_ms`."""
        for day in self._days.get(time_ms // DAY_MS, ()):
            if day.start_ms <= time_ms < day.end_ms:
                self._latest = day
                return day
        day = self._find(time_ms)
        for utc_day in range(day.start_ms // DAY_MS, (day.end_ms - 1) // DAY_MS + 1):
            self._days.setdefault(utc_day, []).append(day)
        return day

    def _find(self, time_ms: int) -> LocalDay:
        local = self._clock(time_ms).date()
        # Some zones change clocks around midnight, so that a date comes, goes and comes again.
        while self._midnight_ms(local) > time_ms:
            local -= DAY
        while self._midnight_ms(local + DAY) <= time_ms:
            local += DAY
        return self._make_day(local)

    def _make_day(self, day: LocalDate) -> LocalDay:
        month = day.replace(day=1)
        quarter = date(day.year, (day.month - 1) // 3 * 3 + 1, 1)
        bounds = {
            "day": (day, day + DAY),
            "week": (day - day.weekday() * DAY, day + (7 - day.weekday()) * DAY),
            "month": (month, _months_on(month, 1)),
            "quarter": (quarter, _months_on(quarter, 3)),
            "year": (date(day.year, 1, 1), date(day.year + 1, 1, 1)),
        }
        starts = {unit: self._midnight_ms(first) for unit, (first, _) in bounds.items()}
        ends = {unit: self._midnight_ms(after) for unit, (_, after) in bounds.items()}
        return LocalDay(
            day,
            starts,
            ends,
            is_business=day.weekday() < 5 and day not in self.holidays,
            is_plain=ends["day"] - starts["day"] == DAY_MS and self._clock(starts["day"]).hour == 0,
        )

    def _clock(self, time_ms: int) -> datetime:
        return (EPOCH + time_ms * MS).astimezone(self.zone)

    def _midnight_ms(self, day: LocalDate) -> int:
        """Return the first instant of a date; of a date the zone passed over, that of the next."""
        midnight = datetime(day.year, day.month, day.day, tzinfo=self.zone)
        early, late = (_epoch_ms(midnight.replace(fold=fold)) for fold in (1, 0))
        if late <= early:
            return late
        # The clock was put forward over midnight: the change lies between the two readings.
        while late - early > 1:
            middle = (early + late) // 2
            early, late = (early, middle) if self._clock(middle).date() >= day else (middle, late)
        return late


def months_after_ms(time_ms: int, months: int) -> int:
    """Return the same UTC time of day months later, on the last day of a month that is too short.

    Examples
    --------
    >>> months_after_ms(30 * DAY_MS, 1) // DAY_MS       # 31 January 1970
    58
    """
    moment = EPOCH + time_ms * MS
    last = _months_on(_months_on(moment.date().replace(day=1), months), 1) - DAY
    day = last.replace(day=min(moment.day, last.day))
    return _epoch_ms(datetime.combine(day, moment.timetz()))


def _epoch_ms(moment: datetime) -> int:
    return (moment.astimezone(UTC) - EPOCH) // MS


def _months_on(first: LocalDate, count: int) -> LocalDate:
    months = first.year * 12 + first.month - 1 + count
    return date(months // 12, months % 12 + 1, 1)
