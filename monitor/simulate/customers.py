"""Customers: who they are, what they own and where they are used to go."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from random import Random
from typing import Any

from monitor.simulate.market import PRODUCTS
from monitor.simulate.randomness import cents_around, choose, shares, stream, zipf
from monitor.simulate.segments import YUAN, Segment, segment_of

HOME = "CN"
"""Country of the bank."""
SHOPS_KNOWN = 12
SELLERS_KNOWN = 4
FRIENDS = 8
SHOPPING = zipf(SHOPS_KNOWN + SELLERS_KNOWN)
"""How the known shops share the purchases: a few get most."""

_JOINING = 30
"""One customer in so many joins during the first two months; the others are there from the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a customer can be tied to: sizes of the bank's other tables."""

    branches: tuple[str, ...]
    shops: int
    sellers: int
    people: int
    firms: int
    towns: tuple[tuple[float, float], ...]
    advisers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loan:
    """A loan with equal monthly instalments."""

    id: str
    kind: str
    amount_cents: int
    instalment_cents: int
    start_day: int
    """Day it is paid out; negative for a loan from before the start."""
    months: int
    due_day: int
    """Day of the month."""

    def outstanding(self, day: int) -> int:
        """Return what is still owed on a day, in cents."""
        paid = max(0, (day - self.start_day) // 30)
        return max(0, self.amount_cents - paid * self.amount_cents // self.months)


@dataclass(frozen=True, slots=True, kw_only=True)
class Routine:
    """What comes again and again in a customer's life: days, sums, people and places."""

    payday: int
    rent_day: int
    rent_cents: int
    sweep_day: int
    """Day of the month on which the account is brought back to its target."""
    target_cents: int
    employer: int
    landlord: int
    friends: tuple[int, ...]
    shops: tuple[int, ...]
    """Shops, then sellers on the internet: positions among the merchants, best loved first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """A customer of the bank; never changes."""

    index: int
    id: str
    segment: Segment
    owner: dict[str, Any]
    """What every event of the customer carries."""
    age: int
    birth_offset: int
    """Day of the year of the birthday (or of the registration), 0 to 364."""
    occupation: str
    income_cents: int
    """A month's income, or a company's turnover."""
    declared_cents: int
    tolerance: int
    id_expiry_day: int
    """Day the identity document expires, counted from the start."""
    review_day: int
    """Day of the year of the periodic review, 0 to 364."""
    opened_days_ago: int
    joined_day: int
    """0, or the day the relationship begins."""
    account_id: str
    card_token: str
    credit_token: str
    """Empty without a credit card."""
    device: dict[str, Any]
    geo: dict[str, Any]
    branch_id: str
    adviser_id: str
    is_dormant: bool
    """Has not moved for more than a year; stays silent but for a story."""
    is_sparse: bool
    """Hardly uses the account."""
    routine: Routine
    loan: Loan | None
    score: int
    """Credit score at the start, 300 to 850."""
    holdings: tuple[tuple[int, int], ...]
    """Product and cents of it at price 1."""

    @property
    def credit_limit_cents(self) -> int:
        """Limit of the credit card: about three months' income."""
        return (self.income_cents * 3 // (1000 * YUAN) + 1) * 1000 * YUAN

    @property
    def has_extra_account(self) -> bool:
        """Holds one more account for a while and then closes it."""
        return self.index % 41 == 5

    @property
    def extra_id(self) -> str:
        """The account that is closed after a while, where there is one."""
        return f"A{self.index:06d}-3"

    @property
    def savings_id(self) -> str:
        """The account that takes what the current account does not need."""
        return f"A{self.index:06d}-2"


_STEADY = ("employee", "engineer", "teacher", "nurse", "driver", "clerk", "manager", "self_employed")


def _occupation(rng: Random, segment: Segment, age: int) -> str:
    if not segment.is_natural:
        return rng.choice(("retail", "catering", "manufacturing", "logistics", "software", "trade"))
    if age >= 62:
        return "retired"
    if age < 23:
        return "student" if rng.random() < 0.6 else "employee"
    return rng.choice(_STEADY)


def _loan(rng: Random, index: int, segment: Segment, income_cents: int) -> Loan | None:
    if rng.random() >= segment.loan_share:
        return None
    months = rng.choice((12, 24, 36, 60))
    amount = int(income_cents * rng.uniform(0.08, 0.2)) * months // YUAN * YUAN
    # One loan in twelve begins while the simulation runs.
    start = rng.randint(1, 60) if rng.random() < 1 / 12 else -rng.randint(20, months * 20)
    return Loan(
        id=f"L{index:06d}",
        kind="consumer" if segment.is_natural else "business",
        amount_cents=amount,
        instalment_cents=amount * 106 // 100 // months,
        start_day=start,
        months=months,
        due_day=rng.randint(3, 26),
    )


def _holdings(
    rng: Random, segment: Segment, income_cents: int, tolerance: int
) -> tuple[tuple[int, int], ...]:
    if not segment.portfolio_months:
        return ()
    total = cents_around(rng, int(income_cents * segment.portfolio_months), 0.4)
    fitting = [n for n, product in enumerate(PRODUCTS) if product.risk_level <= tolerance]
    parts = rng.sample(fitting, min(len(fitting), rng.randint(3, 5)))
    return tuple((part, total // len(parts)) for part in parts)


def _device(rng: Random, index: int) -> dict[str, Any]:
    return {
        "device_id": f"D{index:06d}",
        "ip": f"100.{64 + index % 64}.{rng.randrange(256)}.{rng.randrange(1, 255)}",
        "os": rng.choice(("android", "android", "ios")),
        "app_version": rng.choice(("8.1", "8.2", "8.3")),
        "is_rooted": False,
        "vpn": False,
        "remote_control": False,
    }


def _shops(rng: Random, index: int, around: Surroundings) -> tuple[int, ...]:
    towns = len(around.towns)
    town = index % towns
    # Shops stand in the towns in turn, so those of one town are every n-th.
    local = [town + towns * rng.randrange(around.shops // towns) for _ in range(SHOPS_KNOWN)]
    online = [around.shops + rng.randrange(around.sellers) for _ in range(SELLERS_KNOWN)]
    known = local + online
    rng.shuffle(known)
    return tuple(known)


def _routine(rng: Random, index: int, income_cents: int, around: Surroundings, *, is_quiet: bool) -> Routine:
    rent = int(income_cents * rng.uniform(0.15, 0.3)) // (50 * YUAN) * (50 * YUAN)
    return Routine(
        payday=rng.choice((5, 8, 10, 12, 15, 18, 20, 25, 28)),
        rent_day=rng.randint(1, 28),
        rent_cents=rent if rng.random() < 0.45 else 0,
        sweep_day=rng.randint(1, 28),
        target_cents=50_000 if is_quiet else 200_000 + int(income_cents * 2 * exp(0.4 * rng.gauss(0, 1))),
        employer=rng.randrange(around.firms),
        landlord=rng.randrange(around.people),
        friends=tuple(rng.randrange(around.people) for _ in range(FRIENDS)),
        shops=_shops(rng, index, around),
    )


def place(rng: Random, lat: float, lon: float, spread: float) -> dict[str, Any]:
    """Return a point near another one; `spread` in degrees."""
    return {
        "country": HOME,
        "lat": round(lat + rng.uniform(-spread, spread), 4),
        "lon": round(lon + rng.uniform(-spread, spread), 4),
    }


def customer(seed: int, index: int, around: Surroundings) -> Customer:
    """Return the customer with a number; depends on the seed and the number alone."""
    rng = stream(seed, "customer", index)
    segment = segment_of(index)
    age = rng.randint(*segment.ages)
    income = cents_around(rng, segment.income_cents, segment.income_sigma)
    is_dormant = segment.is_natural and index % 47 == 11
    is_sparse = segment.is_natural and not is_dormant and index % 23 == 7
    tolerance = choose(rng, shares(segment.tolerance)) + 1
    is_quiet = is_dormant or is_sparse
    joined_day = rng.randint(1, 60) if index % _JOINING == 0 and index and not is_quiet else 0
    return Customer(
        index=index,
        id=f"C{index:06d}",
        segment=segment,
        owner={"customer_id": f"C{index:06d}"},
        age=age,
        birth_offset=rng.randrange(365),
        occupation=_occupation(rng, segment, age),
        income_cents=income,
        declared_cents=int(income * rng.uniform(0.8, 1.15)) // (100 * YUAN) * (100 * YUAN),
        tolerance=tolerance,
        id_expiry_day=joined_day + rng.randint(25, 3650),
        review_day=rng.randrange(365),
        opened_days_ago=rng.randint(900, 1300) if is_dormant else rng.randint(120, 4000),
        joined_day=joined_day,
        account_id=f"A{index:06d}-1",
        card_token=f"K{index:06d}-1",
        credit_token=f"K{index:06d}-2" if rng.random() < segment.credit_card_share else "",
        device=_device(rng, index),
        geo=place(rng, *around.towns[index % len(around.towns)], 0.1),
        branch_id=around.branches[index % len(around.branches)],
        adviser_id=rng.choice(around.advisers),
        is_dormant=is_dormant,
        is_sparse=is_sparse,
        routine=_routine(rng, index, income, around, is_quiet=is_quiet),
        loan=None if is_quiet else _loan(rng, index, segment, income),
        score=max(420, min(840, int(rng.gauss(690, 55)))),
        holdings=_holdings(rng, segment, income, tolerance),
    )
