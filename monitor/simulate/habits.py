"""A person's ordinary day: wages, rent, shops, friends, cash and the app."""

from __future__ import annotations

from monitor.simulate.customers import SHOPPING, Customer
from monitor.simulate.page import YUAN_PER, Page, money
from monitor.simulate.randomness import cents_around, choose, count, shares
from monitor.simulate.segments import YUAN

SHOPPING_HOURS = shares(
    (0.2, 0.1, 0.05, 0.05, 0.1, 0.3, 1, 3, 4, 4, 5, 7, 8, 5, 4, 4, 5, 7, 9, 8, 6, 4, 2, 0.8)
)
APP_HOURS = shares((0.3, 0.1, 0.05, 0.05, 0.1, 0.4, 2, 4, 5, 6, 6, 6, 7, 6, 5, 5, 5, 5, 6, 7, 8, 7, 4, 1.5))
CASH_HOURS = shares(
    (0.1, 0.05, 0.02, 0.02, 0.05, 0.2, 1, 3, 5, 7, 8, 7, 6, 6, 6, 6, 6, 7, 6, 4, 2, 1, 0.5, 0.2)
)
_WEEK = (0.9, 0.9, 0.95, 1.0, 1.2, 1.35, 1.2)
"""How busy Monday to Sunday are."""

_SPARSE = 0.12
"""What a hardly used account does, as a part of what others do."""
_PAYMENT_SHARE = 0.42
"""Log-ins that end in a payment."""
_MISTYPED = 0.015
"""Log-ins that fail once before."""
_DARING = 0.15
"""Purchases tried although the account does not hold the money."""
_EXCHANGES = 0.02
"""Visits to the bank for cash that are for foreign notes."""
_REVERSALS = 0.004
_ABROAD = 0.0012
"""Chance of a day's purchase made abroad."""


def moment(page: Page, hours: tuple[float, ...]) -> float:
    """Draw a second of the day by how busy its hours are."""
    rng = page.rng
    return (choose(rng, hours) + rng.random()) * 3600.0


def live(page: Page) -> None:
    """Write a natural person's day."""
    customer = page.customer
    busy = _WEEK[page.day.date.weekday()] * (_SPARSE if customer.is_sparse else 1.0)
    _duties(page, customer)
    if not customer.is_sparse:
        _receive(page, customer)
    for _ in range(count(page.rng, customer.segment.purchases * busy)):
        _purchase(page, customer)
    for _ in range(count(page.rng, customer.segment.logins * busy)):
        _session(page, customer)
    if page.rng.random() < 0.05 * busy:
        _cash(page, customer)


def _duties(page: Page, customer: Customer) -> None:
    """Write what comes every month on its day."""
    day, rng = page.day, page.rng
    if day.falls_on(customer.routine.payday) and customer.occupation not in ("student", "self_employed"):
        purpose = "PENS" if customer.occupation == "retired" else "SALA"
        wage = int(customer.income_cents * rng.uniform(0.97, 1.03) * page.factors.get("salary", 1.0))
        employer = page.bank.firms[customer.routine.employer]
        page.transfer(9 * 3600 + rng.random() * 3600, wage, employer, purpose, is_batch=True)
    if customer.routine.rent_cents and day.falls_on(customer.routine.rent_day):
        landlord = page.bank.people[customer.routine.landlord]
        page.transfer(moment(page, APP_HOURS), -customer.routine.rent_cents, landlord, "RENT")
    if day.falls_on(1 + customer.index % 28):
        supplier = page.bank.firms[customer.index % 5]
        page.transfer(moment(page, APP_HOURS), -cents_around(rng, 180 * YUAN, 0.4), supplier, "UBIL")


def _receive(page: Page, customer: Customer) -> None:
    rng = page.rng
    for _ in range(count(rng, customer.segment.receipts)):
        friend = page.bank.people[customer.routine.friends[rng.randrange(len(customer.routine.friends))]]
        cents = cents_around(rng, customer.income_cents // 120 + 40 * YUAN, 0.8)
        page.transfer(moment(page, APP_HOURS), cents, friend)
    if customer.occupation == "self_employed" and page.day.is_workday:
        client = page.bank.people[(customer.index * 7 + rng.randrange(40)) % len(page.bank.people)]
        page.transfer(
            moment(page, APP_HOURS), cents_around(rng, customer.income_cents // 24, 0.4), client, "GDDS"
        )


def _purchase(page: Page, customer: Customer) -> None:
    rng, merchants = page.rng, page.bank.merchants
    second = moment(page, SHOPPING_HOURS)
    credit = bool(customer.credit_token) and rng.random() < 0.6
    if rng.random() < _ABROAD:
        shop = merchants[-1 - rng.randrange(15)]
        page.card(second, shop, cents_around(rng, shop.median_cents, shop.sigma), credit=credit)
        return
    shop = merchants[customer.routine.shops[choose(rng, SHOPPING)]]
    cents = cents_around(rng, shop.median_cents, shop.sigma)
    if not credit and cents > page.balance and rng.random() >= _DARING:
        return
    event = page.card(second, shop, cents, credit=credit)
    if rng.random() < _REVERSALS and event["response_code"] == "00":
        _reverse(page, event, second + rng.uniform(60, 1800), credit)


def _reverse(page: Page, event: dict[str, object], second: float, credit: bool) -> None:
    """Take a purchase back, whole, later the same day."""
    amount = str(event["amount"])
    if not credit:
        page.balances[page.customer.index] += int(amount.replace(".", ""))
    fields = {
        name: event[name] for name in ("account_id", "card_token", "amount", "currency", "merchant_id", "mcc")
    }
    page.write(
        "card.reversal",
        second,
        "cards",
        {"of_event": event["event_id"], "reversal_of": event["event_id"], "reason_code": "17", **fields},
    )


def _session(page: Page, customer: Customer) -> None:
    """Write a log-in and perhaps a small payment to somebody known."""
    rng = page.rng
    second = moment(page, APP_HOURS)
    if rng.random() < _MISTYPED:
        page.login(second - 15, kind="auth.failed", method="password")
    page.login(second)
    if rng.random() >= _PAYMENT_SHARE:
        return
    # The best friends get most.
    position = int(len(customer.routine.friends) * rng.random() ** 2)
    cents = cents_around(rng, customer.income_cents // 160 + 30 * YUAN, 0.9)
    if cents < page.balance:
        page.transfer(
            second + rng.uniform(20, 240), -cents, page.bank.people[customer.routine.friends[position]]
        )


def _cash(page: Page, customer: Customer) -> None:
    rng = page.rng
    notes = min(rng.choice((3, 5, 5, 10, 10, 20, 30)) * 100 * YUAN, page.balance // (100 * YUAN) * 100 * YUAN)
    lot = rng.random()
    if lot < _EXCHANGES:
        _exchange(page, customer)
    elif lot < 0.15:
        page.cash(moment(page, CASH_HOURS), rng.choice((10, 20, 50)) * 100 * YUAN)
    elif notes > 0:
        page.cash(moment(page, CASH_HOURS), -notes)


def _exchange(page: Page, customer: Customer) -> None:
    """Buy foreign notes over the counter."""
    notes = page.rng.choice((100, 200, 300, 500)) * 100
    cost = round(notes * YUAN_PER["USD"])
    if cost > page.balance:
        return
    page.balances[customer.index] -= cost
    page.write(
        "cash.exchange",
        moment(page, CASH_HOURS),
        "core",
        {
            "account_id": customer.account_id,
            "branch_id": customer.branch_id,
            "channel": "branch",
            "direction": "out",
            "amount": money(cost),
            "currency": "CNY",
            "counter_amount": money(notes),
            "counter_currency": "USD",
            "balance": money(page.balance),
        },
    )


def settle(page: Page) -> None:
    """Bring the account back to its target on the customer's day of the month.

    What is over goes to the savings account, what is missing comes from it. So no balance depends on
    what happened more than a month ago, and the simulation can be taken up anywhere.
    """
    customer = page.customer
    over = page.balance - customer.routine.target_cents
    if over and page.day.falls_on(customer.routine.sweep_day):
        second = 20 * 3600 + customer.index % 3600
        page.transfer(second, -over, page.own_account(), "SAVG", is_own_account=True, rail="book")


def close_day(page: Page) -> None:
    """Write the balance at the end of a day on which something moved."""
    customer = page.customer
    if not page.entries:
        return
    end_ms = page.day.end_ms - 1000
    page.write(
        "balance.snapshot",
        (end_ms - page.day.start_ms) / 1000,
        "core",
        {
            "account_id": customer.account_id,
            "balance": money(page.balance),
            "available": money(page.balance),
            "currency": "CNY",
            "as_of": page.day.rfc3339(end_ms),
        },
    )
