"""Values in words: what officers read in sentences and auditors in records."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from monitor.core.periods import EPOCH, MS, Periods

SCALE = 10_000
CENT = Decimal("0.01")


def money_text(scaled: float, currency: str) -> str:
    """Return an amount of whole ten-thousandths with thousands separators.

    Examples
    --------
    >>> money_text(624_000_000, "CNY"), money_text(12_345, "EUR")
    ('62,400.00 CNY', '1.23 EUR')
    """
    amount = (Decimal(scaled) / SCALE).quantize(CENT, ROUND_HALF_EVEN)
    return f"{amount:,} {currency}"


def duration_text(length_ms: float) -> str:
    """Return a duration by its two largest units.

    Examples
    --------
    >>> duration_text(5_400_000), duration_text(86_400_000 * 3), duration_text(0)
    ('1 h 30 min', '3 d', '0 s')
    """
    seconds = round(length_ms / 1000)
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def number_text(value: float) -> str:
    """Return a number with at most two decimals.

    Examples
    --------
    >>> number_text(3), number_text(2.5), number_text(0.912345), number_text(1234.0)
    ('3', '2.5', '0.91', '1,234')
    """
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.2f}".rstrip("0").rstrip(".")


class Words:
    """Shows values by their type in the language.

    Parameters
    ----------
    currency
        The institution's base currency.
    periods
        For the local clock.
    """

    def __init__(self, currency: str, periods: Periods) -> None:
        self.currency = currency
        self.periods = periods

    def show(self, value: Any, kind: str, style: str = "") -> str:
        """Return a value for a sentence; a missing one is `unknown`."""
        if value is None:
            return "unknown"
        if style == "percent":
            return f"{number_text(round(value * 100, 1))} %"
        if style in ("hours", "days"):
            return number_text(round(value / (3_600_000 if style == "hours" else 86_400_000), 1))
        if kind == "money":
            return money_text(value, self.currency)
        if kind == "duration":
            return duration_text(value)
        if kind == "time":
            return self._clock(value).strftime("%Y-%m-%d" if style == "date" else "%Y-%m-%d %H:%M")
        if kind == "number":
            return number_text(value)
        return str(value)

    def plain(self, value: Any, kind: str) -> Any:
        """Return a value for a record: money and times as exact text, the rest as it is."""
        if value is None or kind in ("text", "bool"):
            return value
        if kind == "money":
            return f"{(Decimal(value) / SCALE).quantize(CENT, ROUND_HALF_EVEN)} {self.currency}"
        if kind == "time":
            return self._clock(value).isoformat(timespec="milliseconds")
        if kind == "duration":
            return f"{value / 1000:g} s"
        if kind == "set":
            return None
        return round(value, 6) if isinstance(value, float) else value

    def _clock(self, time_ms: int) -> datetime:
        return (EPOCH + int(time_ms) * MS).astimezone(self.periods.zone)
