"""A page of the bank's diary: what one customer (or employee, or system) does on one day.

The deeds here are the simulator's only way to make events, for habits and stories alike, so an
event looks the same whoever caused it.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from monitor.simulate.bank import OWN_BANK, Bank, Merchant, Party
from monitor.simulate.customers import HOME, Customer
from monitor.simulate.days import Day
from monitor.simulate.segments import YUAN

Event = dict[str, Any]

YUAN_PER: dict[str, float] = {"CNY": 1.0, "USD": 7.12, "EUR": 7.85, "HKD": 0.912, "JPY": 0.0478}
"""What a unit of a currency costs the account, about."""

_CERTIFIED_CENTS = 50_000 * YUAN
"""From here on a transfer takes a certificate and a computer."""


def money(cents: int) -> str:
    """Return cents as a decimal string.

    Examples
    --------
    >>> money(123456), money(7), money(-250)
    ('1234.56', '0.07', '-2.50')
    """
    whole, part = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{whole}.{part:02d}"


class Page:
    """One owner's day, written event by event; turned to the next owner and used again.

    Attributes
    ----------
    entries
        The events so far with their times, in the order written; not sorted.
    balances
        Cents on every customer's current account, by number; the page keeps it up to date.
    """

    __slots__ = (
        "balances",
        "bank",
        "customer",
        "day",
        "entries",
        "factors",
        "not_before",
        "owner",
        "prefix",
        "rng",
    )

    def __init__(self, bank: Bank, balances: list[int]) -> None:
        self.bank = bank
        self.balances = balances
        self.rng = Random(0)
        self.entries: list[tuple[int, Event]] = []
        self.factors: dict[str, float] = {}
        self.owner: Mapping[str, Any] = {}
        self.prefix = ""
        self.not_before = 0.0
        self.day: Day
        self.customer: Customer

    def turn(self, owner_id: str, day: Day, randomness: int, customer: Customer | None = None) -> None:
        """Begin an empty page; `randomness` is its own 64 bits."""
        self.day = day
        self.prefix = f"{owner_id}.{day.number}."
        self.rng.seed(randomness)
        self.entries = []
        self.factors = {}
        self.not_before = 0.0
        self.owner = {}
        if customer is not None:
            self.customer = customer
            self.owner = customer.owner

    def write(self, kind: str, second: float, source: str, fields: dict[str, Any]) -> Event:
        """Write an event `second` seconds into the day, or at `not_before` if that is later."""
        time_ms = self.day.moment(second if second > self.not_before else self.not_before)
        event = {
            "event_id": f"{self.prefix}{len(self.entries)}",
            "event_type": kind,
            "schema_version": "1.0",
            "source_system": source,
            "occurred_at": self.day.rfc3339(time_ms),
            **self.owner,
            **fields,
        }
        self.entries.append((time_ms, event))
        return event

    @property
    def balance(self) -> int:
        """Cents on the customer's current account now."""
        return self.balances[self.customer.index]

    def transfer(
        self,
        second: float,
        cents: int,
        party: Party,
        purpose: str = "OTHR",
        *,
        channel: str = "mobile_app",
        device: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> Event:
        """Write a transfer in CNY: received where `cents` is positive, paid where negative.

        From 50,000 CNY on, paying takes a computer and a certificate, unless a device is given.
        """
        customer = self.customer
        balance = self.balances[customer.index] + cents
        self.balances[customer.index] = balance
        fields: dict[str, Any] = {
            "account_id": customer.account_id,
            "direction": "in" if cents > 0 else "out",
            "amount": money(abs(cents)),
            "currency": "CNY",
            "counterparty": party,
            "is_cross_border": party["country"] != HOME,
            "purpose_code": purpose,
            "status": "settled",
            "balance": money(balance),
        }
        if cents < 0:
            is_large = -cents >= _CERTIFIED_CENTS and device is None and channel == "mobile_app"
            fields["channel"] = "ebank_web" if is_large else channel
            fields["auth_method"] = "cert" if is_large else "biometric"
            fields["device"] = device or customer.device
        fields.update(more)
        return self.write("payment.transfer", second, "core", fields)

    def cash(self, second: float, cents: int, *, branch_id: str = "", **more: Any) -> Event:
        """Write cash paid in (positive) or taken out (negative), at a machine unless a branch is given."""
        customer = self.customer
        balance = self.balances[customer.index] + cents
        self.balances[customer.index] = balance
        fields: dict[str, Any] = {
            "account_id": customer.account_id,
            "direction": "in" if cents > 0 else "out",
            "amount": money(abs(cents)),
            "currency": "CNY",
            "channel": "branch" if branch_id else "atm",
            "branch_id": branch_id or customer.branch_id,
            "balance": money(balance),
            "geo": customer.geo,
        }
        if not branch_id:
            fields["atm_id"] = f"ATM-{customer.branch_id}"
            fields["card_token"] = customer.card_token
        fields.update(more)
        return self.write("cash.deposit" if cents > 0 else "cash.withdrawal", second, "core", fields)

    def card(self, second: float, shop: Merchant, cents: int, *, credit: bool = False, **more: Any) -> Event:
        """Write a card payment in the shop's currency; a debit card with too little behind it is declined."""
        customer = self.customer
        response = more.pop("response_code", "00")
        if shop.currency == "JPY":
            cents = max(100, cents // 100 * 100)
        if not credit and response == "00":
            cost = round(cents * YUAN_PER[shop.currency])
            if self.balances[customer.index] < cost:
                response = "51"
            else:
                self.balances[customer.index] -= cost
        is_present = bool(shop.terminals)
        fields: dict[str, Any] = {
            "account_id": customer.account_id,
            "card_token": customer.credit_token if credit else customer.card_token,
            "card_type": "credit" if credit else "debit",
            "amount": money(cents),
            "currency": shop.currency,
            "mcc": shop.mcc,
            "merchant_id": shop.id,
            "merchant_name": shop.name,
            "merchant_country": shop.country,
            "entry_mode": "contactless" if is_present else "ecom",
            "is_card_present": is_present,
            "response_code": response,
            "status": "accepted" if response == "00" else "rejected",
            "channel": "pos" if is_present else "ecom",
        }
        if is_present:
            fields["terminal_id"] = shop.terminals[cents % len(shop.terminals)]
            fields["geo"] = shop.geo
        fields.update(more)
        return self.write("card.authorization", second, "cards", fields)

    def login(
        self,
        second: float,
        *,
        kind: str = "auth.login",
        device: Mapping[str, Any] | None = None,
        geo: Mapping[str, Any] | None = None,
        method: str = "biometric",
    ) -> Event:
        """Write a log-in, or another event of access in the same shape."""
        return self.write(
            kind,
            second,
            "ebank",
            {
                "channel": "mobile_app",
                "device": device or self.customer.device,
                "geo": geo or self.customer.geo,
                "result": "failed" if kind == "auth.failed" else "ok",
                "method": method,
            },
        )

    def own_account(self) -> Party:
        """Return the customer's savings account as a counterparty."""
        customer = self.customer
        return {
            "account": customer.savings_id,
            "name": f"Customer {customer.index:06d}",
            "bank": OWN_BANK,
            "country": HOME,
            "type": "natural" if customer.segment.is_natural else "entity",
            "customer_id": customer.id,
        }
