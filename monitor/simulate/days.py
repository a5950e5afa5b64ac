"""The simulated bank's calendar: local days, their clock and their offset, daylight saving included."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

MINUTES: tuple[str, ...] = tuple(f"{hour:02d}:{minute:02d}:" for hour in range(24) for minute in range(60))
_QUARTER_MS = 15 * 60 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One local day of the bank."""

    number: int
    """Days since the start of the simulation; negative before it."""
    date: date
    start_ms: int
    """Local midnight, epoch milliseconds."""
    end_ms: int
    """The next local midnight."""
    is_workday: bool
    """Monday to Friday."""
    is_last_of_month: bool
    _midnight_ms: int
    # (from when, offset in ms, text of the offset), ascending; one entry unless the clocks change.
    _offsets: tuple[tuple[int, int, str], ...]
    _prefix: str = field(default="")

    def falls_on(self, day_of_month: int) -> bool:
        """Tell whether a monthly duty of that day falls today; 31 means the last day."""
        today = self.date.day
        return day_of_month == today or (self.is_last_of_month and day_of_month > today)

    def moment(self, second: float) -> int:
        """Return the epoch milliseconds `second` seconds into the day, at most its last."""
        return min(self.start_ms + int(second * 1000), self.end_ms - 1)

    def rfc3339(self, time_ms: int) -> str:
        """Return a moment of this day as local time with offset and milliseconds."""
        _, offset_ms, text = self._offsets[0]
        if len(self._offsets) > 1:
            _, offset_ms, text = next(o for o in reversed(self._offsets) if time_ms >= o[0])
        minute, rest = divmod(time_ms + offset_ms - self._midnight_ms, 60_000)
        return f"{self._prefix}{MINUTES[minute]}{rest // 1000:02d}.{rest % 1000:03d}{text}"


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days of a bank in its zone, counted from `start`.

    Examples
    --------
    >>> day = Calendar(date(2026, 1, 5), ZoneInfo("Asia/Shanghai")).day(0)
    >>> day.rfc3339(day.moment(3661.5))
    '2026-01-05T01:01:01.500+08:00'
    """

    start: date
    zone: ZoneInfo

    def day(self, number: int) -> Day:
        """Return the day `number` days after the start."""
        today = self.start + timedelta(days=number)
        tomorrow = today + timedelta(days=1)
        start_ms, end_ms = self._midnight(today), self._midnight(tomorrow)
        return Day(
            number=number,
            date=today,
            start_ms=start_ms,
            end_ms=end_ms,
            is_workday=today.weekday() < 5,
            is_last_of_month=tomorrow.day == 1,
            _midnight_ms=int(datetime(today.year, today.month, today.day, tzinfo=UTC).timestamp()) * 1000,
            _offsets=self._offsets(start_ms, end_ms),
            _prefix=f"{today.isoformat()}T",
        )

    def _midnight(self, day: date) -> int:
        return int(datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp() * 1000)

    def _offsets(self, start_ms: int, end_ms: int) -> tuple[tuple[int, int, str], ...]:
        found = [(start_ms, *self._offset(start_ms))]
        if self._offset(end_ms - 1) != found[0][1:]:
            # Clocks change on whole quarters of an hour everywhere.
            for time_ms in range(start_ms, end_ms, _QUARTER_MS):
                offset = self._offset(time_ms)
                if offset != found[-1][1:]:
                    found.append((time_ms, *offset))
        return tuple(found)

    def _offset(self, time_ms: int) -> tuple[int, str]:
        shift = datetime.fromtimestamp(time_ms / 1000, self.zone).utcoffset() or timedelta()
        minutes = round(shift.total_seconds() / 60)
        sign = "-" if minutes < 0 else "+"
        return minutes * 60_000, f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
