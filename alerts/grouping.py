"""Which alert a hit belongs to, under which id, and how urgent it is. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final

from alerts.lifecycle import SEVERITIES, Alert, Status
from alerts.ports import Standing

_ID_DIGITS: Final = 32
_MONEY: Final = re.compile(r"-?([0-9]{1,18})\.[0-9]{2} [A-Z]{3}", re.ASCII)
"""How a hit shows money: `62400.00 CNY`, whole units in the group."""
_PARAM: Final = "param."

SEVERITY_POINTS: Final[Mapping[str, int]] = MappingProxyType(
    {"info": 8, "low": 16, "medium": 32, "high": 48, "critical": 64}
)
GRADE_PERCENT: Final[Mapping[int | None, int]] = MappingProxyType(
    {10: 125, 11: 115, 12: 105, 13: 100, 14: 100, None: 100}
)
EXPOSURE_PERCENT: Final = ((10_000_000, 125), (1_000_000, 120), (100_000, 110), (10_000, 105), (0, 100))
"""From this amount (whole units of the base currency) on, this factor."""
CUSTOMERS_PERCENT: Final = ((20, 125), (10, 120), (5, 110), (2, 105), (0, 100))
"""From this number of customers involved on, this factor."""


def alert_id(rule: str, version: str, subject: str, subject_id: str, anchor: str) -> str:
    """Return the id of the alert that a hit raises: the same hit always raises the same alert.

    Parameters
    ----------
    anchor
        The event (or timer) that completed the pattern.

    Examples
    --------
    >>> first = alert_id("A-124", "1f0c", "customer", "C-1", "tx-1")
    >>> first == alert_id("A-124", "1f0c", "customer", "C-1", "tx-1"), len(first)
    (True, 32)
    >>> first == alert_id("A-124", "1f0c", "customer", "C-1t", "x-1")
    False
    """
    parts = (rule, version, subject, subject_id, anchor)
    return _digest("alert", *parts)


def case_id(first_alert_id: str) -> str:
    """Return the id of the case that an alert opens where its subject has no open one.

    Examples
    --------
    >>> case_id("00") == case_id("00"), len(case_id("00"))
    (True, 32)
    """
    return _digest("case", first_alert_id)


def short(identifier: str) -> str:
    """Return the readable form of an id: its first eight digits in two groups.

    Examples
    --------
    >>> short("1f3c9b2e77aa01d2")
    '1f3c-9b2e'
    """
    return f"{identifier[:4]}-{identifier[4:8]}"


def is_graver(severity: str, than: str) -> bool:
    """Tell whether one severity is graver than another.

    Examples
    --------
    >>> is_graver("high", than="medium"), is_graver("high", than="high")
    (True, False)
    """
    return SEVERITIES.index(severity) > SEVERITIES.index(than)


def belongs(time_ms: int, severity: str, standing: Standing) -> bool:
    """Tell whether a further hit of the same fingerprint belongs to an alert already raised.

    It does while the alert is open, taken or snoozed; and once it is closed, inside the cooldown,
    unless the hit is graver. The cooldown is counted in event time from the hit that raised the alert:
    a pattern that goes on is raised again after each cooldown. A late hit, older than the alert,
    belongs to it.
    """
    if standing.status is not Status.CLOSED:
        return True
    within = time_ms < standing.opened_ms + standing.cooldown_ms
    return within and not is_graver(severity, standing.severity)


def priority(severity: str, grade: int | None, saw: Mapping[str, Any], customers: int = 1) -> int:
    """Return the urgency of an alert, 0 to 100: severity x rating grade x exposure.

    * severity: info 8, low 16, medium 32, high 48, critical 64 points;
    * grade of the customer: 10 x1.25, 11 x1.15, 12 x1.05, better or not given x1.00;
    * exposure: the larger factor of the amount at stake (the largest money value the hit saw,
      thresholds apart, in the base currency: from 10,000 x1.05, 100,000 x1.10, 1 million x1.20,
      10 million x1.25) and of the number of customers involved (from 2 x1.05, 5 x1.10, 10 x1.20,
      20 x1.25).

    The points are chosen so that the gravest alert has exactly 100, and rounded down.

    Examples
    --------
    >>> priority("critical", 10, {"amount": "10000000.00 CNY"})
    100
    >>> priority("high", 10, {"amount": "62400.00 CNY"}), priority("critical", None, {})
    (63, 64)
    >>> priority("high", 10, {"n": 10_000_000, "param.limit": "10000000.00 CNY"})
    60
    """
    exposure = max(_factor(EXPOSURE_PERCENT, _at_stake(saw)), _factor(CUSTOMERS_PERCENT, customers))
    return SEVERITY_POINTS[severity] * GRADE_PERCENT[grade] * exposure // 10_000


def priority_of(alert: Alert, grade: int | None) -> int:
    """Return the urgency of an alert that exists, for a grade of its customer."""
    return priority(alert.severity, grade, alert.saw, len(alert.customers))


def _at_stake(saw: Mapping[str, Any]) -> int:
    seen = (value for name, value in saw.items() if not name.startswith(_PARAM) and isinstance(value, str))
    return max((int(money[1]) for value in seen if (money := _MONEY.fullmatch(value))), default=0)


def _factor(table: tuple[tuple[int, int], ...], value: int) -> int:
    return next(percent for start, percent in table if value >= start)


def _digest(*parts: str) -> str:
    # Lengths before the parts: no two different lists of parts have the same encoding.
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return sha256(text.encode()).hexdigest()[:_ID_DIGITS]
