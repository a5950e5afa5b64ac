"""Money: decimal texts to whole ten-thousandths, and dated rates for exact conversion."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import yaml

SCALE = 10_000
"""Money is kept in whole ten-thousandths of the base currency."""
MAX_DECIMALS = 4
MAX_AMOUNT = 10**12
"""Largest amount taken, units of its currency."""
_MAX_UNITS = MAX_AMOUNT * SCALE
_POWERS = tuple(SCALE // 10**decimals for decimals in range(MAX_DECIMALS + 1))
_ISO_CODE_LENGTH = 3


class RatesError(ValueError):
    """The rate table cannot be used; the message lists every mistake, one a line, with a hint."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Units of each currency for one unit of the pivot, from given days (UTC) on.

    A day without a row uses the row before it; a day before the first row uses the first row, so that
    old records can be read at all. Rates between two currencies go through the pivot.

    Examples
    --------
    >>> rates = Rates.from_plain({"pivot": "EUR", "rates": {"2026-01-01": {"USD": "1.25", "JPY": "160"}}})
    >>> rates.factor("USD", "EUR", 0)
    Fraction(4, 5)
    >>> rates.factor("JPY", "USD", 0)
    Fraction(1, 128)
    """

    pivot: str
    days_ms: tuple[int, ...]
    """First moment of each row, ascending, epoch milliseconds."""
    rows: tuple[dict[str, Fraction], ...]

    @property
    def currencies(self) -> frozenset[str]:
        """Currencies every row knows."""
        return frozenset.intersection(*(frozenset(row) for row in self.rows))

    def row_at(self, time_ms: int) -> int:
        """Return the index of the row in force at a time."""
        return max(bisect_right(self.days_ms, time_ms) - 1, 0)

    def factor(self, currency: str, base: str, time_ms: int) -> Fraction:
        """Return how many units of `base` one unit of `currency` was worth.

        Raises
        ------
        KeyError
            For a currency the row does not know.
        """
        row = self.rows[self.row_at(time_ms)]
        return row[base] / row[currency]

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], where: str = "fx_rates") -> Rates:
        """Build the table from `{"pivot": code, "rates": {day: {code: decimal string}}}`.

        Raises
        ------
        RatesError
            With every mistake found.
        """
        mistakes: list[str] = []
        pivot = plain.get("pivot")
        if not _is_code(pivot):
            mistakes.append(
                f"{where}: pivot: expected a currency code, was {pivot!r}\n  hint: write pivot: EUR"
            )
        rows = {}
        for day, given in (plain.get("rates") or {}).items():
            start = _day_ms(day)
            if start is None:
                mistakes.append(f"{where}: {day!r} is no date\n  hint: write YYYY-MM-DD")
                continue
            rows[start] = {str(pivot): Fraction(1), **_row(given, f"{where}: {day}", mistakes)}
        if not rows:
            mistakes.append(f"{where}: no rates\n  hint: write rates: {{2026-01-01: {{USD: '1.08'}}}}")
        if mistakes:
            raise RatesError("\n".join(mistakes))
        days = tuple(sorted(rows))
        return cls(str(pivot), days, tuple(rows[day] for day in days))

    @classmethod
    def load(cls, path: Path) -> Rates:
        """Read the table from a YAML file; see `from_plain`."""
        try:
            plain = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise RatesError(f"{path}: cannot be read: {error}\n  hint: give a YAML file of rates") from error
        if not isinstance(plain, dict):
            raise RatesError(f"{path}: expected pivot and rates, was {type(plain).__name__}")
        return cls.from_plain(plain, str(path))


def exchange(units: int, numerator: int, denominator: int) -> int:
    """Multiply whole ten-thousandths by a ratio, exactly, rounding half to even.

    Examples
    --------
    >>> exchange(10_000, 4, 5)
    8000
    >>> exchange(5, 1, 2), exchange(7, 1, 2), exchange(-5, 1, 2)
    (2, 4, -2)
    """
    whole, rest = divmod(units * numerator, denominator)
    twice = rest * 2
    return whole + (twice > denominator or (twice == denominator and whole & 1))


def money_units(text: str) -> int:
    """Return a decimal text as whole ten-thousandths.

    Raises
    ------
    ValueError, LookupError
        For anything but ASCII digits with at most four decimals, up to 1e12.

    Examples
    --------
    >>> money_units("12.5"), money_units("0.0001"), money_units("7")
    (125000, 1, 70000)
    """
    whole, point, decimals = text.partition(".")
    digits = whole + decimals
    if not (digits.isdigit() and digits.isascii() and whole) or (point and not decimals):
        raise ValueError(text)
    units: int = int(digits) * _POWERS[len(decimals)]
    if units > _MAX_UNITS:
        raise ValueError(text)
    return units


def signed_units(text: str) -> int:
    """Return a decimal text that may be negative as whole ten-thousandths; see `money_units`."""
    return -money_units(text[1:]) if text[:1] == "-" else money_units(text)


class Exchange:
    """Conversion into the base currency, each factor worked out once."""

    def __init__(self, base: str, rates: Rates | None) -> None:
        self.base = base
        self.rates = rates
        known = rates.currencies if rates is not None else frozenset()
        self.currencies = (known if base in known else frozenset()) | {base}
        """Currencies that can be converted."""
        self._factors: dict[tuple[str, int], tuple[int, int]] = {}

    def units(self, units: int, currency: str, time_ms: int) -> int:
        """Return an amount of `currency` in the base currency at the rate of its day."""
        assert self.rates is not None
        key = (currency, self.rates.row_at(time_ms))
        factor = self._factors.get(key)
        if factor is None:
            factor = self.rates.factor(currency, self.base, time_ms).as_integer_ratio()
            self._factors[key] = factor
        return exchange(units, *factor)


def _is_code(value: object) -> bool:
    return isinstance(value, str) and len(value) == _ISO_CODE_LENGTH and value.isascii() and value.isupper()


def _day_ms(day: object) -> int | None:
    try:
        found = day if isinstance(day, date) else date.fromisoformat(str(day))
    except ValueError:
        return None
    return int(datetime(found.year, found.month, found.day, tzinfo=UTC).timestamp()) * 1000


def _row(given: object, where: str, mistakes: list[str]) -> dict[str, Fraction]:
    if not isinstance(given, Mapping):
        mistakes.append(f"{where}: expected currencies with rates, was {given!r}")
        return {}
    row = {}
    for code, text in given.items():
        rate = _rate(text)
        if not _is_code(code) or rate is None:
            mistakes.append(
                f"{where}: {code!r}: {text!r} is no rate\n  hint: write USD: '1.08', a quoted decimal above 0"
            )
        else:
            row[code] = rate
    return row


def _rate(text: object) -> Fraction | None:
    if not isinstance(text, str):
        return None
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        return None
    return rate if rate > 0 else None
