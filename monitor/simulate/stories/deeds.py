"""Deeds that stories are made of; each returns something that writes one event when its day comes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monitor.simulate.bank import Employee, Merchant, Party
from monitor.simulate.page import Event, Page, money
from monitor.simulate.segments import YUAN
from monitor.simulate.staff import look
from monitor.simulate.stories.episode import Deed, Episode


def receive(yuan: int, party: Party, purpose: str = "OTHR") -> Deed:
    """Receive a transfer."""
    return lambda page, second: page.transfer(second, yuan * YUAN, party, purpose)


def pay(yuan: int, party: Party, **more: Any) -> Deed:
    """Pay a transfer."""
    return lambda page, second: page.transfer(second, -yuan * YUAN, party, **more)


def pay_part(part: float, party: Party, *, least: int = 0, **more: Any) -> Deed:
    """Pay a part of what is on the account (0 to 1), at least `least` yuan, in whole yuan."""

    def deed(page: Page, second: float) -> Event:
        cents = max(int(page.balance * part) // YUAN * YUAN, least * YUAN)
        return page.transfer(second, -cents, party, **more)

    return deed


def bring(yuan: int, device: Mapping[str, Any] | None = None) -> Deed:
    """Bring money from the customer's savings account."""

    def deed(page: Page, second: float) -> Event:
        party = page.own_account()
        used = device or page.customer.device
        return page.transfer(
            second, yuan * YUAN, party, "SAVG", device=used, is_own_account=True, rail="book"
        )

    return deed


def pay_in(yuan: int, branch_id: str) -> Deed:
    """Pay cash in over the counter."""
    return lambda page, second: page.cash(second, yuan * YUAN, branch_id=branch_id)


def take_out(yuan: int) -> Deed:
    """Take cash at a machine."""
    return lambda page, second: page.cash(second, -yuan * YUAN)


def take_most(yuan: int) -> Deed:
    """Take cash at a machine: so much, or what the account still holds, in hundreds."""

    def deed(page: Page, second: float) -> Event:
        left = page.balance // (100 * YUAN) * 100
        return page.cash(second, -max(100, min(yuan, left)) * YUAN)

    return deed


def buy(cents: int, shop: Merchant, response_code: str = "00") -> Deed:
    """Ask for a card payment on credit, or on the debit card of who has no other."""

    def deed(page: Page, second: float) -> Event:
        credit = bool(page.customer.credit_token)
        return page.card(second, shop, cents, credit=credit, response_code=response_code)

    return deed


def access(kind: str, device: Mapping[str, Any] | None = None, geo: Mapping[str, Any] | None = None) -> Deed:
    """Log in, fail to, or reset the password."""
    return lambda page, second: page.login(second, kind=kind, device=device, geo=geo, method="password")


def add_payee(party: Party, device: Mapping[str, Any] | None = None) -> Deed:
    """Save a payee."""

    def deed(page: Page, second: float) -> Event:
        fields = {
            "payee_id": f"Y{party['account']}",
            "counterparty": party,
            "channel": "mobile_app",
            "device": device or page.customer.device,
        }
        return page.write("payee.added", second, "ebank", fields)

    return deed


def tell(kind: str, source: str, fields: Mapping[str, Any]) -> Deed:
    """Write an event of any kind with fixed fields."""
    return lambda page, second: page.write(kind, second, source, dict(fields))


def tell_about(kind: str, source: str, episode: Episode, key: str, fields: Mapping[str, Any]) -> Deed:
    """Write an event about an earlier one of the episode."""
    return lambda page, second: page.write(kind, second, source, {"of_event": episode.event(key), **fields})


def snapshot() -> Deed:
    """Write the balance as it is in the middle of the day."""

    def deed(page: Page, second: float) -> Event:
        fields = {
            "account_id": page.customer.account_id,
            "balance": money(page.balance),
            "available": money(page.balance),
            "currency": "CNY",
            "as_of": page.day.rfc3339(page.day.moment(second)),
        }
        return page.write("balance.snapshot", second, "core", fields)

    return deed


def snoop(employee: Employee, customer_id: str) -> Deed:
    """Open the file of somebody the employee does not look after, without a ticket."""
    return lambda page, second: look(
        page,
        second,
        employee,
        customer_id,
        is_assigned=False,
        access_purpose="other",
        fields=["profile", "accounts", "contacts"],
    )


def foreign_device(number: int) -> dict[str, Any]:
    """Return a device nobody has used before, somewhere else; addresses of documentation networks."""
    return {
        "device_id": f"DX{number:08d}",
        "ip": f"203.0.113.{number % 254 + 1}",
        "os": "android",
        "app_version": "8.3",
        "is_rooted": True,
        "vpn": True,
        "remote_control": False,
    }
