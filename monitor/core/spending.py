"""A customer's amounts: what is usual over a long and a short time, and how odd the latest ones were."""

from __future__ import annotations

from math import exp, log
from typing import Any

LONG, SHORT = 0.01, 0.15
"""Least weights of a new amount: some hundred payments, some seven."""
KNOWN = 3
"""Payments from which an amount is cut off before it is learnt."""
CUT = 3.0
"""At so many times the usual amount."""
SURE = 5
"""Payments from which an amount can be odd."""
ODD_FROM = 0.9
"""Natural logarithm of the ratio to the usual amount above which it is odd: 2.5 times."""
ODDEST = 3.0
FADING_S = 7 * 86_400.0
SPREAD, PRIOR = 0.3, 3.0
"""Spread assumed at first, as a share of the usual amount, and how many payments that is worth."""
OLDEST_DAYS = 60.0
DAY_S = 86_400.0


class Spending:
    """Amounts of one customer, learnt from every payment; large ones weigh no more than three usual ones.

    Examples
    --------
    >>> spending = Spending()
    >>> for n in range(20):
    ...     _ = spending.see(n * 86_400, 50_0000)
    >>> ratio, lately, deviation, payments, odd, since = spending.see(20 * 86_400, 250_0000)
    >>> round(ratio, 2), payments, odd
    (1.61, 20, 0.0)
    >>> spending.see(21 * 86_400, 50_0000)[4] > 0.5
    True
    """

    __slots__ = ("count", "last_s", "lately", "mean", "odd", "odd_s", "square")

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0
        """Usual amount."""
        self.square = 0.0
        """Mean squared distance from it."""
        self.lately = 0.0
        """Usual amount of the last few payments."""
        self.odd = 0.0
        """How odd amounts were, summed up, fading in a week."""
        self.odd_s = 0
        """When an amount was odd last; 0 = never."""
        self.last_s = 0

    def see(self, now_s: int, amount: int) -> tuple[float, float, float, int, float, float]:
        """Return how an amount compares with those before, then learn it.

        Returns
        -------
        Logarithms of the ratios to the usual amount and to that of the last few; deviation in
        spreads; payments before; how odd amounts were lately; days since an odd one (at most 60).
        """
        size, mean, count = float(max(amount, 1)), self.mean, self.count
        ratio = lately = deviation = 0.0
        if count:
            ratio, lately = log(size / mean), log(size / self.lately)
            least = SPREAD * mean
            deviation = (size - mean) / (self.square + least * least * PRIOR / (count + PRIOR) + 1.0) ** 0.5
        if now_s > self.last_s:
            if self.odd:
                self.odd *= exp((self.last_s - now_s) / FADING_S)
            self.last_s = now_s
        days = min((now_s - self.odd_s) / DAY_S, OLDEST_DAYS) if self.odd_s else OLDEST_DAYS
        found = (ratio, lately, deviation, count, self.odd, days)
        if count >= SURE and ratio > ODD_FROM:
            self.odd += min(ratio - ODD_FROM, ODDEST)
            self.odd_s = now_s
        self._learn(size)
        return found

    def snapshot(self) -> list[Any]:
        """Return all of it as plain data."""
        return [self.count, self.mean, self.square, self.lately, self.odd, self.odd_s, self.last_s]

    @classmethod
    def restore(cls, plain: list[Any]) -> Spending:
        """Return the spending whose `snapshot()` is `plain`."""
        found = cls()
        found.count, found.mean, found.square, found.lately, found.odd, found.odd_s, found.last_s = plain
        return found

    def _learn(self, size: float) -> None:
        count = self.count = self.count + 1
        if count == 1:
            self.mean = self.lately = size
            return
        if count > KNOWN and size > CUT * self.mean:
            size = CUT * self.mean
        away, rate = size - self.mean, max(1.0 / count, LONG)
        self.mean += rate * away
        self.square += rate * (away * away - self.square)
        self.lately += max(1.0 / count, SHORT) * (size - self.lately)
