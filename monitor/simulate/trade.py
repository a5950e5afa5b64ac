"""A company's ordinary day: clients, suppliers, wages, taxes and the till."""

from __future__ import annotations

from monitor.simulate.customers import Customer
from monitor.simulate.habits import moment
from monitor.simulate.page import Page
from monitor.simulate.randomness import cents_around, count, shares
from monitor.simulate.segments import YUAN

OFFICE_HOURS = shares((0, 0, 0, 0, 0, 0, 0.1, 0.5, 4, 8, 9, 8, 3, 5, 8, 8, 7, 4, 1, 0.3, 0.1, 0, 0, 0))
_WORKDAYS = 21
"""Working days in a month, about."""
_TREASURY = 601
"""Position of the firm that collects taxes among the outside parties."""


def trade(page: Page) -> None:
    """Write a company's day."""
    customer, rng = page.customer, page.rng
    quiet = 1.0 if page.day.is_workday else 0.15
    segment = customer.segment
    _duties(page, customer)
    firms = page.bank.firms
    typical = int(customer.income_cents / (_WORKDAYS * segment.receipts))
    for _ in range(count(rng, segment.receipts * quiet)):
        client = firms[(customer.index * 13 + rng.randrange(30)) % len(firms)]
        page.transfer(moment(page, OFFICE_HOURS), cents_around(rng, typical, 0.6), client, "GDDS")
    for _ in range(count(rng, segment.logins * quiet)):
        _session(page, customer, typical)
    for _ in range(count(rng, segment.purchases * quiet)):
        shop = page.bank.merchants[customer.routine.shops[rng.randrange(len(customer.routine.shops))]]
        page.card(moment(page, OFFICE_HOURS), shop, cents_around(rng, shop.median_cents, shop.sigma))
    if customer.occupation in ("retail", "catering") and page.day.date.weekday() in (0, 3):
        notes = cents_around(rng, min(customer.income_cents // 40, 20_000 * YUAN), 0.3) // (100 * YUAN)
        page.cash(moment(page, OFFICE_HOURS), (notes + 1) * 100 * YUAN, branch_id=customer.branch_id)


def _session(page: Page, customer: Customer, typical: int) -> None:
    rng, firms = page.rng, page.bank.firms
    second = moment(page, OFFICE_HOURS)
    page.login(second, method="cert")
    cents = cents_around(rng, int(typical * 0.7), 0.6)
    if rng.random() < 0.6 and cents < page.balance:
        supplier = firms[(customer.index * 29 + rng.randrange(18)) % len(firms)]
        page.transfer(second + rng.uniform(60, 900), -cents, supplier, "SUPP", channel="ebank_web")


def _duties(page: Page, customer: Customer) -> None:
    """Write wages and taxes on their days."""
    rng, day = page.rng, page.day
    if day.falls_on(customer.routine.payday):
        staff = 5 + customer.index % 8
        wage = customer.income_cents // 8 // staff
        for n in range(staff):
            person = page.bank.people[(customer.index * 17 + n) % len(page.bank.people)]
            cents = int(wage * rng.uniform(0.8, 1.2))
            page.transfer(10 * 3600 + n * 2.0, -cents, person, "SALA", channel="batch", is_batch=True)
    if day.falls_on(15):
        office = page.bank.firms[_TREASURY % len(page.bank.firms)]
        page.transfer(
            moment(page, OFFICE_HOURS),
            -(customer.income_cents // 30),
            office,
            "TAXS",
            channel="ebank_web",
            is_large_value_exempt=True,
        )
