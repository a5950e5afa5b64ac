"""A place of payments: a terminal, a merchant, or the account on the other side, and what is known of it."""

from __future__ import annotations

from math import exp, log
from typing import Any

from monitor.core.repute import MATURES_S, READS, Repute

PLACES = ("terminal", "merchant", "counterparty")
"""Stages that are places; the first of them that an event names is its place."""
FACT = "place"
"""The fact that carries what is known of the place to the customer's stage."""
SLOWEST = 0.02
"""Least weight of a new amount: the memory reaches back some fifty payments."""
PRIOR = 4.0
"""How many payments the spread assumed at first is worth."""
ODD, USUAL = 2.0, 0.7
"""From so many spreads above the place's usual amount an amount is odd; below so many it is nothing odd."""
FADING_S = MATURES_S
PLACE_READS = (*READS, "deviation", "odd")
"""What `Place.see` gives, in this order."""
DEVIATIONS = 32
"""Deviations and odd amounts are read in 32nds."""
FARTHEST = 320


class Place:
    """Amounts usual at a place, odd ones lately, and what became of its payments."""

    __slots__ = ("amount", "count", "last_s", "odd", "repute", "spread")

    def __init__(self) -> None:
        self.repute = Repute()
        self.count = 0
        self.amount = 0.0
        """Usual amount, natural logarithm of ten-thousandths of the base currency."""
        self.spread = 1.0
        """Mean squared distance from it."""
        self.odd = 0.0
        """Odd amounts, fading in a week."""
        self.last_s = 0

    def see(self, ref: int, now_s: int, amount: int) -> list[int]:
        """Return what was known before a payment, in the order of `PLACE_READS`; then take it in."""
        repute = self.repute
        repute.mature(now_s)
        size = log(amount) if amount > 0 else 0.0
        away = (size - self.amount) / self.spread**0.5 if self.count and amount > 0 else 0.0
        if now_s > self.last_s:
            if self.odd:
                self.odd *= exp((self.last_s - now_s) / FADING_S)
            self.last_s = now_s
        known = repute.read(now_s)
        known.append(max(-FARTHEST, min(FARTHEST, int(DEVIATIONS * away))))
        known.append(int(DEVIATIONS * self.odd))
        repute.add(ref, now_s, usual=away < USUAL)
        self.odd += away > ODD
        if amount > 0:
            self._learn(size)
        return known

    def snapshot(self) -> list[Any]:
        """Return all of it as plain data."""
        return [self.count, self.amount, self.spread, self.odd, self.last_s, self.repute.snapshot()]

    @classmethod
    def restore(cls, plain: list[Any]) -> Place:
        """Return the place whose `snapshot()` is `plain`."""
        place = cls()
        place.count, place.amount, place.spread, place.odd, place.last_s, repute = plain
        place.repute = Repute.restore(repute)
        return place

    def _learn(self, size: float) -> None:
        count = self.count = self.count + 1
        away = size - self.amount
        if count == 1:
            self.amount = size
            return
        self.amount += max(1.0 / count, SLOWEST) * away
        self.spread += max(1.0 / (count + PRIOR), SLOWEST) * (away * away - self.spread)
