"""Detectors: what a payment is compared with, learnt while payments go by. `score_one`, then `learn_one`."""

from __future__ import annotations

from math import exp, log
from typing import Any
from zlib import crc32

WARM_UP = 5
"""Payments before the baseline says anything."""
CONFIDENT = 20
"""Payments from which it speaks with full weight."""
SLOWEST = 0.02
"""Least weight of a new payment: the memory reaches back some fifty payments."""
PARTIES, COUNTRIES, CHANNELS = 40, 12, 8
"""How many of each are remembered, latest first to stay."""
TOLD = 0.5
"""A surprise from here on is worth a reason."""

# How much each surprise can add. All weak ones together stay below 0.9; an amount alone need not.
RHYTHM, HOUR, PARTY, COUNTRY, CHANNEL = 0.2, 0.2, 0.25, 0.5, 0.25

AMOUNT_SPREAD = 0.5
GAP_SPREAD = 1.5
"""Spreads (of natural logarithms) assumed before there is any experience."""
PRIOR = 4.0
"""How many payments that assumption is worth."""
STEEPNESS = 5.0
SOON_MS = 1000
"""Gaps below a second are no different from a second."""
SHORTEST_GAP = log(SOON_MS)
FULL = 255

Surprises = tuple[float, float, float, float, float, float]
"""How surprising amount, rhythm, hour, counterparty, country and channel are, 0 to 1 each."""
CALM: Surprises = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


class Baseline:
    """What is usual for one customer: amounts, rhythm, hours, counterparties, countries, channels.

    All of it is exponentially weighted, so that habits may change; all of it is plain data. The
    caller scores first and learns afterwards, and does not learn from a payment that was flagged.

    Arguments of every method: the time in epoch milliseconds; the amount, in any fixed unit, 0
    where there is none; counterparty, country and channel, None where unknown; the local hour.

    Examples
    --------
    >>> day_ms, usual = 86_400_000, Baseline()
    >>> for n in range(30):
    ...     usual.learn_one(n * day_ms, 50_0000 + n * 1_0000, f"shop-{n % 5}", "DE", "card", 12)
    >>> usual.score_one(30 * day_ms, 60_0000, "shop-1", "DE", "card", 12) < 0.2
    True
    >>> usual.score_one(30 * day_ms, 300_0000, "stranger", "DE", "card", 3) > 0.9
    True
    >>> usual.reasons(30 * day_ms, 300_0000, "stranger", "DE", "card", 3)
    ('amount 4.7 times the usual', 'at 3 h, when hardly ever paid', 'counterparty not seen before')
    """

    __slots__ = (
        "amount",
        "amount_spread",
        "channels",
        "count",
        "countries",
        "gap",
        "gap_spread",
        "hours",
        "last_ms",
        "new_parties",
        "parties",
    )

    def __init__(self) -> None:
        self.count = 0
        """Payments learnt."""
        self.last_ms = 0
        self.amount = 0.0
        """Usual amount, natural logarithm."""
        self.amount_spread = AMOUNT_SPREAD * AMOUNT_SPREAD
        """Mean squared distance of the amounts above it."""
        self.gap = 0.0
        """Usual gap between payments, natural logarithm of milliseconds."""
        self.gap_spread = GAP_SPREAD * GAP_SPREAD
        self.hours = bytearray(8)
        """Payments by three hours of the day; all halved when one is full."""
        self.new_parties = 0.0
        """How often the counterparty was a new one, 0 to 1."""
        self.parties = b""
        """Checksums of counterparties, four bytes each, newest last."""
        self.countries: tuple[str, ...] = ()
        self.channels: tuple[str, ...] = ()

    def score_one(
        self,
        time_ms: int,
        amount: int,
        counterparty: str | None,
        country: str | None,
        channel: str | None,
        hour: int,
    ) -> float:
        """Return how unusual a payment is, 0 to 1; 0.0 during the warm-up. Changes nothing."""
        return self.compare(time_ms, amount, counterparty, country, channel, hour)[0]

    def compare(
        self,
        time_ms: int,
        amount: int,
        counterparty: str | None,
        country: str | None,
        channel: str | None,
        hour: int,
    ) -> tuple[float, Surprises]:
        """Return `score_one`, and how surprising each aspect is; all 0.0 during the warm-up."""
        count = self.count
        if count < WARM_UP:
            return 0.0, CALM
        found = self._surprises(time_ms, amount, counterparty, country, channel, hour)
        high, soon, odd, strange, abroad, other = found
        calm = (1.0 - high) * (1.0 - RHYTHM * soon) * (1.0 - HOUR * odd)
        calm *= (1.0 - PARTY * strange) * (1.0 - COUNTRY * abroad) * (1.0 - CHANNEL * other)
        return (1.0 - calm) * min(1.0, count / CONFIDENT), found

    def reasons(
        self,
        time_ms: int,
        amount: int,
        counterparty: str | None,
        country: str | None,
        channel: str | None,
        hour: int,
    ) -> tuple[str, ...]:
        """Return why, in words for an officer; during the warm-up, why there is no score."""
        if self.count < WARM_UP:
            return (f"no score: {self.count} payments known, {WARM_UP} needed",)
        high, soon, odd, strange, abroad, other = self._surprises(
            time_ms, amount, counterparty, country, channel, hour
        )
        told = []
        if high >= TOLD:
            told.append(f"amount {exp(log(amount) - self.amount):.1f} times the usual")
        if soon >= TOLD:
            told.append(
                f"{_length(time_ms - self.last_ms)} after the one before, usually {_length(exp(self.gap))}"
            )
        if odd >= TOLD:
            told.append(f"at {hour} h, when hardly ever paid")
        if strange >= TOLD:
            told.append("counterparty not seen before")
        if abroad >= TOLD:
            told.append(f"country {country} not seen before")
        if other >= TOLD:
            told.append(f"channel {channel} not seen before")
        return tuple(told)

    def learn_one(
        self,
        time_ms: int,
        amount: int,
        counterparty: str | None,
        country: str | None,
        channel: str | None,
        hour: int,
    ) -> None:
        """Take a payment for usual."""
        count = self.count = self.count + 1
        rate = 1.0 / count if count * SLOWEST < 1.0 else SLOWEST
        spread_rate = rate if rate == SLOWEST else 1.0 / (count + PRIOR)
        if amount > 0:
            # Whoever has paid nothing yet has no usual amount to be away from.
            away = log(amount) - self.amount if self.amount else 0.0
            self.amount = self.amount + rate * away if self.amount else log(amount)
            if away > 0.0:
                self.amount_spread += spread_rate * (away * away - self.amount_spread)
        last_ms = self.last_ms
        if time_ms > last_ms:
            if last_ms:
                gap = log(time_ms - last_ms) if time_ms - last_ms > SOON_MS else SHORTEST_GAP
                away = gap - self.gap if self.gap else 0.0
                self.gap = self.gap + rate * away if self.gap else gap
                self.gap_spread += spread_rate * (away * away - self.gap_spread)
            self.last_ms = time_ms
        hours = self.hours
        hours[hour // 3] += 1
        if hours[hour // 3] == FULL:
            self.hours = bytearray(number >> 1 for number in hours)
        if counterparty is not None:
            self._learn_party(counterparty, rate)
        if country is not None and country not in self.countries:
            self.countries = (*self.countries[1 - COUNTRIES :], country)
        if channel is not None and channel not in self.channels:
            self.channels = (*self.channels[1 - CHANNELS :], channel)

    def snapshot(self) -> list[Any]:
        """Return the baseline as a plain list."""
        return [
            self.count,
            self.last_ms,
            self.amount,
            self.amount_spread,
            self.gap,
            self.gap_spread,
            bytes(self.hours),
            self.new_parties,
            self.parties,
            list(self.countries),
            list(self.channels),
        ]

    @classmethod
    def restore(cls, plain: list[Any]) -> Baseline:
        """Return the baseline whose `snapshot()` is `plain`."""
        b = cls()
        b.count, b.last_ms, b.amount, b.amount_spread, b.gap, b.gap_spread = plain[:6]
        hours, b.new_parties, b.parties, countries, channels = plain[6:]
        b.hours, b.countries, b.channels = bytearray(hours), tuple(countries), tuple(channels)
        return b

    def _surprises(
        self,
        time_ms: int,
        amount: int,
        counterparty: str | None,
        country: str | None,
        channel: str | None,
        hour: int,
    ) -> Surprises:
        """Return how surprising each aspect is, 0 to 1: amount, rhythm, hour, party, country, channel."""
        high = soon = odd = strange = abroad = other = 0.0
        if amount > 0:
            above = log(amount) - self.amount
            if above > 0.0:
                # A standard score of 2 gives 0.55, of 4 gives 0.96.
                high = 1.0 - exp(-above * above / (STEEPNESS * self.amount_spread))
        if self.last_ms and time_ms >= self.last_ms:
            below = self.gap - log(max(time_ms - self.last_ms, SOON_MS))
            if below > 0.0:
                soon = 1.0 - exp(-below * below / (STEEPNESS * self.gap_spread))
        hours, part = self.hours, hour // 3
        # Three parts next to each other count, so that noon and a quarter to are not strangers.
        weight = 2 * hours[part] + hours[part - 1] + hours[(part + 1) & 7] + 1
        share = 8.0 * weight / (4 * sum(hours) + 8)
        if share < 1.0:
            odd = 1.0 - share
        if counterparty is not None and not _is_known(self.parties, counterparty):
            strange = 1.0 - self.new_parties
        if country is not None and self.countries and country not in self.countries:
            abroad = 1.0
        if channel is not None and self.channels and channel not in self.channels:
            other = 1.0
        return high, soon, odd, strange, abroad, other

    def _learn_party(self, name: str, rate: float) -> None:
        held, key = self.parties, crc32(name.encode()).to_bytes(4, "little")
        place = held.find(key)
        while place & 3 and place >= 0:
            place = held.find(key, place + 1)
        if place < 0:
            self.new_parties += rate * (1.0 - self.new_parties)
            self.parties = held[4 - 4 * PARTIES :] + key
        else:
            self.new_parties -= rate * self.new_parties
            self.parties = held[:place] + held[place + 4 :] + key


def _is_known(held: bytes, name: str) -> bool:
    """Return whether a name's checksum lies in `held`, in a multiple of four bytes from its start."""
    key = crc32(name.encode()).to_bytes(4, "little")
    place = held.find(key)
    while place & 3 and place >= 0:
        place = held.find(key, place + 1)
    return place >= 0


def _length(length_ms: float) -> str:
    """Return a length of time, rounded for reading.

    Examples
    --------
    >>> _length(90_000), _length(5_000), _length(2 * 86_400_000)
    ('2 min', '5 s', '2 days')
    """
    for unit_ms, name in ((86_400_000, "days"), (3_600_000, "h"), (60_000, "min")):
        if length_ms >= 1.5 * unit_ms:
            return f"{length_ms / unit_ms:.0f} {name}"
    return f"{length_ms / 1000:.0f} s"
