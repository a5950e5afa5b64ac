"""The features of a payment: what models see of it, of the customer's past and of the place."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from monitor.core.detectors import Surprises
from monitor.core.feature import Feature
from monitor.core.place import DEVIATIONS, PLACE_READS
from monitor.core.repute import OLDEST, PARTS

UNIT = 10_000
"""Amounts come in ten-thousandths of the base currency."""
AGE = 64
"""Ages come in 64ths of a day."""
CALMED = 30
"""After so many genuine payments nothing is left of a share that each of them halves."""
LOWEST, HIGHEST = -12.0, 12.0
"""Logarithms beyond count as this."""


def _days(name: str, words: str) -> Feature:
    return Feature(name=name, unit="number", words=words, low=-1.0, high=60.0)


def _share(name: str, words: str) -> Feature:
    return Feature(name=name, unit="percent", words=words, low=0.0, high=1.0)


def _count(name: str, words: str, high: float = 255.0) -> Feature:
    return Feature(name=name, unit="number", words=words, low=0.0, high=high)


FEATURES: tuple[Feature, ...] = (
    Feature(name="amount", unit="number", curve="log", low=-9.0, high=20.0, words="amount is {value}"),
    Feature(
        name="ratio", unit="number", curve="log", low=-6.0, high=6.0,
        words="amount is {value} times the customer's usual amount",
    ),
    Feature(
        name="ratio_lately", unit="number", curve="log", low=-6.0, high=6.0,
        words="amount is {value} times that of the customer's last few payments",
    ),
    Feature(
        name="deviation", unit="number", low=-6.0, high=20.0,
        words="amount is {value} spreads above the customer's usual amount",
        words_below="amount is {value} spreads away from the customer's usual amount",
    ),
    _count("payments", "{value} payments of the customer known", 1000.0),
    _share("soon", "unusually soon after the payment before ({value})"),
    _share("hour", "at an unusual hour for the customer ({value})"),
    _share("stranger", "a counterparty the customer has not dealt with ({value})"),
    _share("country", "a country not seen before ({value})"),
    _share("channel", "a channel not seen before ({value})"),
    Feature(name="incoming", unit="yes_no", low=0.0, high=1.0, words="money coming in: {value}"),
    Feature(name="points", unit="number", low=0.0, high=400.0, words="rules gave {value} points"),
    _count("odd_lately", "odd amounts of the customer in the last weeks add up to {value}", 20.0),
    _days("odd_since", "last odd amount of the customer {value} days ago"),
    _share("own_share", "{value} of the customer's latest judged payments were fraud"),
    _count("own_run", "{value} frauds on the customer in a row"),
    _days("own_last", "last known fraud on the customer {value} days ago"),
    _count("own_calm", "{value} genuine payments of the customer since the last fraud"),
    _count("own_fresh", "{value} frauds on the customer told lately", 32.0),
    _share("place_share", "{value} of the latest judged payments at this place were fraud"),
    _share("place_share_long", "{value} of some thirty judged payments at this place were fraud"),
    _count("place_run", "{value} frauds at this place in a row"),
    _days("place_last", "last known fraud at this place {value} days ago"),
    _days("place_first", "frauds at this place began {value} days ago"),
    _days("place_before", "the last genuine payment before them {value} days ago"),
    _count("place_calm", "{value} genuine payments at this place since the last fraud"),
    _days("place_calm_last", "last payment at this place known as genuine {value} days ago"),
    _count("place_fresh", "{value} frauds at this place told lately", 32.0),
    _count("place_payments", "{value} payments at this place lately", 1000.0),
    Feature(
        name="place_mixed", unit="yes_no", low=0.0, high=1.0,
        words="frauds at this place hit several customers: {value}",
    ),
    _share("place_usual", "{value} of the frauds at this place were of amounts usual there"),
    Feature(
        name="place_deviation", unit="number", low=-10.0, high=10.0,
        words="amount is {value} spreads above what is usual at this place",
        words_below="amount is {value} spreads away from what is usual at this place",
    ),
    _count("place_odd", "odd amounts at this place in the last weeks: {value}", 32.0),
    _share("place_risk", "share of frauds at this place, halved by each genuine payment since: {value}"),
)  # fmt: skip
"""What the numbers of a vector are, in their order."""

NAMES = tuple(feature.name for feature in FEATURES)
MADE_OF_OTHERS = tuple(NAMES.index(name) for name in ("place_risk",))
"""Places of features that trees find themselves; for populations, which look at one feature at a time."""
NOWHERE = tuple(OLDEST if name in ("last", "first", "before", "calm_last") else 0 for name in PLACE_READS)
"""What is known of no place."""


def vector(
    amount: int,
    spending: tuple[float, float, float, int, float, float],
    surprises: Surprises,
    own: Sequence[int],
    place: Sequence[int] | None,
    *,
    is_incoming: bool,
    points: float,
) -> tuple[float, ...]:
    """Return the features of a payment, in the order of `FEATURES`.

    Parameters
    ----------
    amount
        Ten-thousandths of the base currency.
    spending
        What `Spending.see` gave.
    surprises
        What `Baseline.compare` found.
    own
        What `Repute.read` gave for the customer.
    place
        What `Place.see` gave for the place; None where the payment names none.
    points
        Of the live rules that hit.
    """
    ratio, lately, deviation, payments, odd, since = spending
    _, soon, hour, stranger, country, channel = surprises
    (
        share, share_long, run, last, first, before, calm, calm_last, fresh, there, mixed, usual,
        away, odd_there,
    ) = place or NOWHERE  # fmt: skip
    return (
        log(amount / UNIT) if amount > 0 else LOWEST,
        ratio,
        lately,
        deviation,
        payments,
        soon,
        hour,
        stranger,
        country,
        channel,
        float(is_incoming),
        points,
        odd,
        since,
        own[0] / PARTS,
        own[2],
        own[3] / AGE,
        own[6],
        own[8] / 8,
        share / PARTS,
        share_long / PARTS,
        run,
        last / AGE,
        first / AGE,
        before / AGE,
        calm,
        calm_last / AGE,
        fresh / 8,
        there / 8,
        mixed,
        usual / PARTS,
        away / DEVIATIONS,
        odd_there / DEVIATIONS,
        share / (PARTS << min(calm, CALMED)),
    )
