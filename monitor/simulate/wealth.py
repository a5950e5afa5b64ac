"""Wealth: portfolios and their worth, products bought and redeemed."""

from __future__ import annotations

from typing import Any

from monitor.simulate.customers import Customer
from monitor.simulate.habits import moment
from monitor.simulate.market import PRODUCTS, Market
from monitor.simulate.page import Event, Page, money
from monitor.simulate.segments import YUAN
from monitor.simulate.trade import OFFICE_HOURS

_PURCHASES = 1 / 25
"""Chance a day that somebody with a portfolio buys a product."""
_REDEMPTIONS = 1 / 70


def _worth(page: Page, market: Market) -> tuple[int, int, float]:
    """Return the portfolio's worth now and at the start of the quarter in cents, and its largest share."""
    day, customer = page.day, page.customer
    today = day.date
    first = today.replace(month=(today.month - 1) // 3 * 3 + 1, day=1)
    start = max(0, day.number - (today - first).days)
    parts = [int(cents * market.price(product, day.number)) for product, cents in customer.holdings]
    before = sum(int(cents * market.price(product, start)) for product, cents in customer.holdings)
    total = sum(parts)
    return int(total * page.factors.get("portfolio", 1.0)), before, max(parts) / max(1, total)


def _value(page: Page, market: Market) -> Event:
    """Write the evening's valuation of the portfolio."""
    value, before, largest = _worth(page, market)
    return page.write(
        "portfolio.valuation",
        18 * 3600 + page.customer.index % 600,
        "wealth",
        {
            "portfolio_id": f"F{page.customer.index:06d}",
            "value": money(value),
            "currency": "CNY",
            "as_of": page.day.rfc3339(page.day.moment(17 * 3600)),
            "period_start_value": money(before),
            "total_assets": money(value + page.balance),
            "largest_weight": round(largest, 4),
        },
    )


def invest(page: Page, customer: Customer, market: Market) -> None:
    """Write the day of a customer with a portfolio."""
    rng = page.rng
    if page.day.is_workday:
        _value(page, market)
        lot = rng.random()
        if lot < _PURCHASES:
            fitting = [n for n, product in enumerate(PRODUCTS) if product.risk_level <= customer.tolerance]
            product = rng.choice(fitting)
            cents = customer.holdings[0][1] // 50 // (100 * YUAN) * (100 * YUAN) + 1000 * YUAN
            deal(page, moment(page, OFFICE_HOURS), "product.purchase", product, cents, market)
        elif lot < _PURCHASES + _REDEMPTIONS:
            product, held = customer.holdings[rng.randrange(len(customer.holdings))]
            more = {"holding_days": rng.randint(20, 600)}
            deal(
                page,
                moment(page, OFFICE_HOURS),
                "product.redemption",
                product,
                held // 40 + YUAN,
                market,
                **more,
            )


def deal(
    page: Page, second: float, kind: str, product: int, cents: int, market: Market, **more: Any
) -> Event:
    """Write a purchase (paid from the account) or a redemption (paid to it)."""
    of, customer = PRODUCTS[product], page.customer
    page.balances[customer.index] += -cents if kind == "product.purchase" else cents
    return page.write(
        kind,
        second,
        "wealth",
        {
            "product_id": of.id,
            "product_type": of.kind,
            "risk_level": of.risk_level,
            "amount": money(cents),
            "currency": "CNY",
            "units": round(cents / 100 / market.price(product, page.day.number), 4),
            "adviser_id": customer.adviser_id,
            "channel": "mobile_app",
            **more,
        },
    )
