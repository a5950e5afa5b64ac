"""A feature of an event: what a model sees, and the words in which an officer reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import exp, expm1

from monitor.core.words import duration_text, money_text, number_text

CURVES: dict[str, Callable[[float], float]] = {
    "as_is": float,
    "log": lambda value: exp(min(value, 700.0)),
    "log1p": lambda value: expm1(min(value, 700.0)),
}
"""From the value in the vector back to the value that is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One number of the vector that models score.

    Examples
    --------
    >>> ratio = Feature(
    ...     name="amount_ratio", unit="number", curve="log", low=-4.0, high=4.0,
    ...     words="amount is {value} times this customer's usual amount (usual {usual}, now {amount})",
    ... )
    >>> ratio.told(1.8245, facts={"usual": "180", "amount": "1,116"})
    "amount is 6.2 times this customer's usual amount (usual 180, now 1,116)"
    """

    name: str
    unit: str
    """What is shown: number, count, percent, money, duration, hour or yes_no."""
    words: str
    """A sentence without its full stop; `{value}` is the feature's own value, `{typical}` the median of
    the population, every other name a fact that comes with the vector."""
    words_below: str = ""
    """The sentence where the value pushed the score by being low; empty: `words`."""
    curve: str = "as_is"
    """How the shown value became the number in the vector: `as_is`, its `log`, or `log1p`."""
    low: float | None = None
    high: float | None = None
    """Bounds of the number in the vector; values outside count as the bound. None: learnt in the warm-up."""

    def shown(self, value: float, currency: str = "") -> str:
        """Return a value of the vector as it is read; `currency` follows money where it is given.

        Examples
        --------
        >>> Feature(name="share", unit="percent", words="").shown(0.351)
        '35.1 %'
        >>> Feature(name="gap", unit="duration", curve="log", words="").shown(8.7)
        '6 s'
        """
        return UNITS[self.unit](CURVES[self.curve](value), currency)

    def told(
        self,
        value: float,
        *,
        typical: float | None = None,
        facts: Mapping[str, str] | None = None,
        currency: str = "",
        below: bool = False,
    ) -> str:
        """Return the sentence about a value.

        Parameters
        ----------
        value, typical
            Numbers of the vector: the event's, and the population's median.
        facts
            Texts for the other names of the sentence; one that is missing reads `unknown`.
        below
            The value pushed the score by being low.
        """
        texts = _Texts(facts or {})
        texts["value"] = self.shown(value, currency)
        if typical is not None:
            texts["typical"] = self.shown(typical, currency)
        return ((below and self.words_below) or self.words).format_map(texts)


class _Texts(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "unknown"


def _money(value: float, currency: str) -> str:
    return money_text(value, currency).rstrip()


def _number(value: float, _: str) -> str:
    return number_text(round(value, 0 if abs(value) >= 100 else 1))


UNITS: dict[str, Callable[[float, str], str]] = {
    "number": _number,
    "count": lambda value, _: number_text(round(value)),
    "percent": lambda value, _: f"{number_text(round(value * 100, 1))} %",
    "money": _money,
    "duration": lambda value, _: duration_text(value),
    "hour": lambda value, _: f"{int(value)} h",
    "yes_no": lambda value, _: "yes" if value >= 0.5 else "no",
}
"""Unit to what writes a value in it; money comes in whole ten-thousandths of the base currency."""
