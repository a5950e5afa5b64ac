"""The made-up bank: branches, employees, merchants, outside parties and customers, all from one seed.

Nobody in it is real: parties are numbered, places are points on a grid without a name.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from monitor.simulate.customers import HOME, Customer, Surroundings, customer, place
from monitor.simulate.randomness import stream

Party = dict[str, Any]
"""A counterparty as it stands in events; shared between them, never changed."""

OWN_BANK = "100000000019"
"""National code of the simulated bank."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Employee:
    """Somebody who looks at customers' data for a living."""

    index: int
    id: str
    is_call_centre: bool
    branch_id: str
    workstation: str
    shift: tuple[int, int]
    """First and last hour of work; the last is not worked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merchant:
    """A shop, or a seller on the internet."""

    id: str
    name: str
    mcc: str
    country: str
    currency: str
    terminals: tuple[str, ...]
    """Empty for a seller on the internet."""
    geo: dict[str, Any] | None
    median_cents: int
    sigma: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bank:
    """Everything that does not change while the bank lives."""

    seed: int
    customers: tuple[Customer, ...]
    employees: tuple[Employee, ...]
    branches: tuple[str, ...]
    merchants: tuple[Merchant, ...]
    """Shops first, then sellers on the internet, then merchants abroad."""
    people: tuple[Party, ...]
    firms: tuple[Party, ...]
    clients: dict[int, tuple[int, ...]]
    """The customers an employee looks after: numbers by number of the employee."""


_SHOPS: tuple[tuple[str, int, float, float], ...] = (
    # merchant category, median in cents, spread, weight
    ("5411", 6_200, 0.7, 6),
    ("5812", 8_800, 0.6, 5),
    ("5814", 2_900, 0.4, 5),
    ("4111", 600, 0.3, 4),
    ("5541", 28_000, 0.3, 2),
    ("5311", 21_000, 0.7, 2),
    ("5912", 6_500, 0.7, 2),
    ("5651", 26_000, 0.6, 2),
    ("7832", 5_600, 0.3, 1),
    ("5732", 78_000, 0.8, 0.6),
    ("8011", 17_000, 0.7, 0.8),
    ("7011", 45_000, 0.5, 0.4),
)
_ONLINE: tuple[tuple[str, int, float, float], ...] = (
    ("5999", 12_000, 0.9, 5),
    ("5815", 3_000, 0.4, 3),
    ("4121", 2_600, 0.5, 4),
    ("4814", 10_000, 0.2, 1),
    ("5818", 6_800, 0.6, 1),
)
_ABROAD: tuple[tuple[str, str], ...] = (
    ("HK", "HKD"),
    ("JP", "JPY"),
    ("FR", "EUR"),
    ("US", "USD"),
    ("SG", "USD"),
)
_BANKS = ("100000000027", "100000000035", "100000000043", "100000000051")


TOWNS: tuple[tuple[float, float], ...] = tuple(
    (24.0 + 3.1 * n, 104.0 + 2.3 * ((n * 3) % 6)) for n in range(6)
)
"""Middles of the towns the bank works in."""


def _party(number: int, is_natural: bool) -> Party:
    kind = "natural" if is_natural else "entity"
    return {
        "account": f"X{'P' if is_natural else 'F'}{number:07d}",
        "name": f"{'Person' if is_natural else 'Firm'} {number:05d}",
        "bank": _BANKS[number % len(_BANKS)],
        "country": HOME,
        "type": kind,
    }


def _shop(rng: Random, number: int, town: int) -> Merchant:
    mcc, median, sigma, _ = rng.choices(_SHOPS, [row[3] for row in _SHOPS])[0]
    terminals = tuple(f"T{number:06d}{letter}" for letter in "ABC"[: rng.randint(1, 3)])
    return Merchant(
        id=f"M{number:06d}",
        name=f"Shop {number:05d}",
        mcc=mcc,
        country=HOME,
        currency="CNY",
        terminals=terminals,
        geo=place(rng, *TOWNS[town], 0.15),
        median_cents=int(median * rng.uniform(0.7, 1.5)),
        sigma=sigma,
    )


def _seller(rng: Random, number: int) -> Merchant:
    mcc, median, sigma, _ = rng.choices(_ONLINE, [row[3] for row in _ONLINE])[0]
    return Merchant(
        id=f"N{number:06d}",
        name=f"Web shop {number:05d}",
        mcc=mcc,
        country=HOME,
        currency="CNY",
        terminals=(),
        geo=None,
        median_cents=int(median * rng.uniform(0.7, 1.5)),
        sigma=sigma,
    )


def _abroad(number: int) -> Merchant:
    """Return a web shop abroad: nobody travels here, so nobody is at home and abroad within the hour."""
    country, currency = _ABROAD[number % len(_ABROAD)]
    return Merchant(
        id=f"A{number:06d}",
        name=f"Shop abroad {number:05d}",
        mcc="5999",
        country=country,
        currency=currency,
        terminals=(),
        geo=None,
        median_cents=1_000_000 if currency == "JPY" else 6_000,
        sigma=0.5,
    )


def _employees(customers: int, branches: tuple[str, ...]) -> tuple[Employee, ...]:
    total = max(6, customers // 40)
    return tuple(
        Employee(
            index=n,
            id=f"E{n:05d}",
            is_call_centre=n % 3 == 2,
            branch_id=branches[n % len(branches)],
            workstation=f"WS{n:05d}",
            shift=(8, 20) if n % 3 == 2 else (8, 18),
        )
        for n in range(total)
    )


def build_bank(seed: int, customers: int) -> Bank:
    """Make the bank that belongs to a seed: about 3 KB of memory and 40 microseconds a customer."""
    rng = stream(seed, "bank")
    branches = tuple(f"B{n:04d}" for n in range(max(4, customers // 400)))
    shops = min(20_000, max(60, customers // 3))
    merchants = [_shop(rng, n, n % len(TOWNS)) for n in range(shops)]
    merchants += [_seller(rng, n) for n in range(max(15, shops // 8))]
    merchants += [_abroad(n) for n in range(len(_ABROAD) * 3)]
    people = tuple(_party(n, is_natural=True) for n in range(max(400, min(customers * 2, 200_000))))
    firms = tuple(_party(n, is_natural=False) for n in range(max(60, min(customers // 10, 20_000))))
    employees = _employees(customers, branches)
    advisers = {employee.id: employee.index for employee in employees if not employee.is_call_centre}
    surroundings = Surroundings(
        branches=branches,
        shops=shops,
        sellers=max(15, shops // 8),
        people=len(people),
        firms=len(firms),
        towns=TOWNS,
        advisers=tuple(advisers),
    )
    inhabitants = tuple(customer(seed, index, surroundings) for index in range(customers))
    clients: dict[int, list[int]] = {n: [] for n in advisers.values()}
    for one in inhabitants:
        clients[advisers[one.adviser_id]].append(one.index)
    return Bank(
        seed=seed,
        customers=inhabitants,
        employees=employees,
        branches=branches,
        merchants=tuple(merchants),
        people=people,
        firms=firms,
        clients={n: tuple(of) for n, of in clients.items()},
    )
