"""When a first decision is due: hours around the clock, or days on which the bank works. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from types import MappingProxyType
from typing import Final

_MINUTE_MS: Final = 60_000
_SATURDAY: Final = 5

WITHIN_MS: Final[Mapping[str, int]] = MappingProxyType(
    {"critical": 15 * _MINUTE_MS, "high": 4 * 60 * _MINUTE_MS}
)
"""Default time to the first decision by severity, around the clock."""

WITHIN_DAYS: Final[Mapping[str, int]] = MappingProxyType({"medium": 1, "low": 3, "info": 5})
"""Default business days to the first decision by severity."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """The institution's working days (Monday to Friday in its zone, without its holidays) and waits.

    Parameters
    ----------
    within_ms, within_days
        How long an alert may wait, by severity: milliseconds around the clock, or business days.
        Every severity is in one of the two.

    Examples
    --------
    >>> friday = datetime(2026, 3, 6, 16, 0, tzinfo=UTC)
    >>> due = Calendar().due_ms(round(friday.timestamp()) * 1000, "medium")
    >>> datetime.fromtimestamp(due / 1000, UTC).isoformat()
    '2026-03-09T16:00:00+00:00'
    """

    zone: tzinfo = UTC
    holidays: frozenset[date] = field(default_factory=frozenset)
    within_ms: Mapping[str, int] = field(default_factory=lambda: WITHIN_MS)
    within_days: Mapping[str, int] = field(default_factory=lambda: WITHIN_DAYS)

    def due_ms(self, opened_ms: int, severity: str) -> int:
        """Return when an alert opened at `opened_ms` is to be decided, epoch milliseconds.

        By default critical 15 minutes, high 4 hours, medium 1, low 3 and info 5 business days
        later; a business day ends at the local time of day at which the alert was opened.
        """
        if severity in self.within_ms:
            return opened_ms + self.within_ms[severity]
        return self._add_days(opened_ms, self.within_days[severity])

    def _add_days(self, opened_ms: int, days: int) -> int:
        due = datetime.fromtimestamp(opened_ms // 1000, self.zone)
        while days:
            due += timedelta(days=1)
            days -= due.weekday() < _SATURDAY and due.date() not in self.holidays
        return round(due.timestamp()) * 1000 + opened_ms % 1000
