"""How values are written for people: times, ages, money, grades. Pure; the zone is a parameter."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from itertools import pairwise
from typing import Any

SEVERITIES: tuple[str, ...] = ("critical", "high", "medium", "low", "info")
"""Most urgent first."""

GRADES: dict[int, str] = {10: "high", 11: "medium-high", 12: "medium", 13: "medium-low", 14: "low"}
"""Names of the five grades; the codes are those of the reporting format."""

DECISIONS: dict[str, str] = {
    "rating.override": "the grade",
    "rating.limit_imposed": "to impose",
    "rating.limit_lifted": "to lift",
    "rating.rule_suppressed": "no more points of rule",
    "rating.rule_restored": "points again of rule",
}
"""What a person wants of a rating, by the kind of its event."""

_MONEY = re.compile(r"-?\d+(\.\d+)? [A-Z]{3}", re.ASCII)

_UNITS: tuple[tuple[str, int], ...] = (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000))


def when(time_ms: int | None, zone: tzinfo) -> str:
    """Return a time in the institution's zone, to the second; a dash for none.

    Examples
    --------
    >>> when(1_763_690_400_000, UTC)
    '2025-11-21 02:00:00'
    """
    if time_ms is None:
        return "\N{EN DASH}"
    try:
        return datetime.fromtimestamp(time_ms / 1000, tz=zone).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return str(time_ms)


def iso(time_ms: int) -> str:
    """Return a time as RFC 3339 in UTC, for machines.

    Examples
    --------
    >>> iso(1_763_690_400_000)
    '2025-11-21T02:00:00.000+00:00'
    """
    return datetime.fromtimestamp(time_ms / 1000, tz=UTC).isoformat(timespec="milliseconds")


def span(duration_ms: int) -> str:
    """Return a duration in its two largest units.

    Examples
    --------
    >>> span(93_784_000), span(60_000), span(400), span(-60_000)
    ('1 d 2 h', '1 min', '0 s', '-1 min')
    """
    if duration_ms < 0:
        return "-" + span(-duration_ms)
    for (unit, size), (small, small_size) in pairwise(_UNITS):
        if duration_ms >= size:
            rest = duration_ms % size // small_size
            text = f"{duration_ms // size} {unit}"
            return f"{text} {rest} {small}" if rest else text
    return f"{duration_ms // 1000} s"


def amount(value: object, currency: object = "") -> str:
    """Return an amount with thousands grouped, its digits unchanged; anything else as it came.

    Examples
    --------
    >>> amount("62400.50", "CNY"), amount(1000, "EUR"), amount("12,5", "EUR"), amount(None)
    ('62,400.50 CNY', '1,000 EUR', '12,5 EUR', '')
    """
    if value is None:
        return ""
    text = str(value)
    whole, dot, cents = text.partition(".")
    if whole.lstrip("-").isdigit():
        text = f"{int(whole):,}{dot}{cents}"
    return f"{text} {currency}".strip() if currency else text


def plain(value: Any) -> str:
    """Return a value of a rule's view as one line of text; the digits of money are grouped.

    Examples
    --------
    >>> plain(True), plain(None), plain(62400), plain(0.25), plain(["a", 2]), plain({"k": 1})
    ('yes', 'none', '62,400', '0.25', 'a, 2', 'k: 1')
    >>> plain("62400.50 CNY"), plain("62400 12"), plain("1 CNY of 2")
    ('62,400.50 CNY', '62400 12', '1 CNY of 2')
    """
    match value:
        case True:
            return "yes"
        case False:
            return "no"
        case None:
            return "none"
        case int():
            return f"{value:,}"
        case dict():
            return ", ".join(f"{key}: {plain(item)}" for key, item in value.items())
        case list() | tuple():
            return ", ".join(plain(item) for item in value)
        case str() if _MONEY.fullmatch(value):
            return amount(*value.split(" "))
        case _:
            return str(value)
