"""Employees at work, systems saying they are alive, and the day's public figures."""

from __future__ import annotations

from typing import Any

from monitor.simulate.bank import Employee
from monitor.simulate.market import PAIRS, PRODUCTS, Market
from monitor.simulate.page import Event, Page
from monitor.simulate.randomness import count

SOURCES: tuple[str, ...] = ("core", "cards", "ebank", "crm", "loans", "wealth", "bureau", "hr", "screening")
"""Systems of the bank; each sends a heartbeat every `BEAT_S`."""
BEAT_S = 600
"""Seconds; shorter than any silence a rule takes for an outage."""
_LOOKS = 7.0
"""Customers an employee looks at on a working day."""


def look(
    page: Page,
    second: float,
    employee: Employee,
    customer_id: str,
    *,
    is_assigned: bool,
    ticket_id: str = "",
    **more: Any,
) -> Event:
    """Write that an employee opened a customer's file."""
    hour = int(second // 3600)
    fields: dict[str, Any] = {
        "customer_id": customer_id,
        "employee_id": employee.id,
        "branch_id": employee.branch_id,
        "workstation": employee.workstation,
        "access_purpose": "service",
        "object": "customer",
        "fields": ["profile", "accounts"],
        "record_count": 1,
        "is_assigned": is_assigned,
        "is_on_shift": employee.shift[0] <= hour < employee.shift[1],
        "channel": "staff",
    }
    if ticket_id:
        fields["ticket_id"] = ticket_id
    return page.write("data.access", second, "crm", fields | more)


def work(page: Page, employee: Employee) -> None:
    """Write an employee's day: own customers, or others with a ticket, inside the shift."""
    rng, bank = page.rng, page.bank
    if not page.day.is_workday and not employee.is_call_centre:
        return
    mine = bank.clients.get(employee.index, ())
    first, last = employee.shift
    for n in range(count(rng, _LOOKS)):
        second = rng.uniform(first * 3600, last * 3600 - 1)
        is_mine = bool(mine) and rng.random() < 0.75
        index = mine[rng.randrange(len(mine))] if is_mine else rng.randrange(len(bank.customers))
        customer = bank.customers[index]
        if customer.joined_day > page.day.number:
            continue
        ticket = f"K-{employee.index}-{page.day.number}-{n}" if not is_mine or rng.random() < 0.3 else ""
        look(page, second, employee, customer.id, is_assigned=is_mine, ticket_id=ticket)


def beat(page: Page, market: Market) -> None:
    """Write the heartbeats of all systems, the evening's prices and the week's list update."""
    day = page.day
    beats = round((day.end_ms - day.start_ms) / 1000 / BEAT_S)
    for number in range(beats):
        for n, source in enumerate(SOURCES):
            second = number * BEAT_S + n * 7.0 + 1
            mark = {"watermark": day.rfc3339(day.moment(second))}
            page.write("source.heartbeat", second, source, mark)
    if day.is_workday:
        _publish(page, market)
    if day.date.weekday() == 0:
        updated = {
            "list_id": "sanctions",
            "version": day.date.isoformat(),
            "added": [f"S{max(day.number, 0):05d}"],
            "source": "screening",
        }
        page.write("list.updated", 5 * 3600, "screening", updated)


def _publish(page: Page, market: Market) -> None:
    day, rng = page.day, page.rng
    as_of = day.rfc3339(day.moment(16 * 3600))
    for n, product in enumerate(PRODUCTS):
        price = {"instrument": product.id, "price": round(market.price(n, day.number), 6), "currency": "CNY"}
        page.write("market.price", 16 * 3600 + n, "wealth", {**price, "as_of": as_of})
    for n, (pair, rate) in enumerate(PAIRS.items()):
        quote = {"pair": pair, "price": round(rate * rng.uniform(0.99, 1.01), 6), "as_of": as_of}
        page.write("market.fx_rate", 16 * 3600 + 60 + n, "wealth", quote)
