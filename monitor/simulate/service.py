"""The bank's side of a customer's day: the file, its reviews, and what seldom happens."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from monitor.simulate.agenda import Agenda
from monitor.simulate.credit import lend, rate_credit, use_line
from monitor.simulate.customers import Customer
from monitor.simulate.habits import APP_HOURS, moment
from monitor.simulate.market import Market
from monitor.simulate.page import Page, money
from monitor.simulate.trade import OFFICE_HOURS
from monitor.simulate.wealth import invest

_YEAR = 365
_NOTICE = 25
"""Days before its end that a review is asked for."""
_CATEGORIES = ("fees", "service", "waiting", "app", "advice")


def open_file(page: Page, second: float) -> None:
    """Write the events that make a customer known: file, account, device, document, credit."""
    customer, day = page.customer, page.day
    page.write("customer.created", second, "crm", _profile(page, customer))
    page.write(
        "account.opened",
        second + 0.01,
        "core",
        {
            "account_id": customer.account_id,
            "account_class": "I" if customer.segment.is_natural else "business",
            "account_kind": "current",
            "account_status": "dormant" if customer.is_dormant else "active",
            "opened_via": "branch",
            "opened_at": _since(page),
            "currency": "CNY",
            "balance": money(customer.routine.target_cents),
        },
    )
    device = {"device": customer.device, "method": "otp"}
    page.write("device.registered", second + 0.02, "ebank", device)
    due = day.date + timedelta(days=(customer.review_day - day.number) % _YEAR)
    review = {"grade": 13 if customer.segment.is_natural else 12, "next_due": due.isoformat()}
    page.write("kyc.review_completed", second + 0.03, "crm", review)
    if customer.loan or customer.credit_token:
        rate_credit(page, second + 0.04)
        use_line(page, second + 0.05)

    if customer.has_extra_account:
        extra = {"account_id": customer.extra_id, "account_class": "II", "account_kind": "savings"}
        page.write(
            "account.opened", second + 0.06, "core", extra | {"opened_at": _since(page), "currency": "CNY"}
        )


def _since(page: Page) -> str:
    """Return when the relationship began: today for who joins, years ago for the others."""
    customer, day = page.customer, page.day
    back = 0 if customer.joined_day or customer.is_dormant else customer.opened_days_ago
    return day.rfc3339(day.start_ms).replace(
        day.date.isoformat(), (day.date - timedelta(days=back)).isoformat()
    )


def _profile(page: Page, customer: Customer) -> dict[str, Any]:
    segment = customer.segment
    # Dates of the file are counted from the start, whenever it is opened.
    today = page.day.date - timedelta(days=page.day.number)
    born = today.replace(year=today.year - customer.age, month=1, day=1) + timedelta(
        days=customer.birth_offset
    )
    fields: dict[str, Any] = {
        "segment": segment.name,
        "customer_type": "natural" if segment.is_natural else "entity",
        "name": f"Customer {customer.index:06d}",
        "residence_country": "CN",
        "currency": "CNY",
        "opened_at": _since(page),
        "lifecycle": "dormant" if customer.is_dormant else "active",
        "onboarding_channel": "branch",
        "branch_id": customer.branch_id,
        "manager_id": customer.adviser_id,
        "monthly_income": money(customer.declared_cents),
        "pep": "none",
        "tolerance": customer.tolerance,
        "valid_until": (today + timedelta(days=customer.review_day + 30)).isoformat(),
        "id_type": "identity_card" if segment.is_natural else "licence",
        "id_hash": f"h{customer.index:06d}",
        "id_expiry": (today + timedelta(days=customer.id_expiry_day)).isoformat(),
        "completeness": 0.95,
    }
    if segment.is_natural:
        fields |= {"birth_date": born.isoformat(), "nationality": "CN", "occupation": customer.occupation}
    else:
        fields |= {
            "industry": customer.occupation,
            "registered_on": born.isoformat(),
            "annual_turnover": money(customer.declared_cents * 12),
            "legal_representative": f"R{customer.index:06d}",
        }
    return fields


def serve(page: Page, market: Market, agenda: Agenda) -> None:
    """Write what the bank, its bureau and its advisers do about the customer today."""
    customer = page.customer
    _files(page, customer)
    if customer.loan or customer.credit_token:
        lend(page, customer, agenda)
    if customer.holdings:
        invest(page, customer, market)
    lot = page.rng.random()
    for chance, happens in _SELDOM:
        if lot < chance:
            happens(page, agenda)
            break
        lot -= chance


def _files(page: Page, customer: Customer) -> None:
    day = page.day
    passed = (day.number - customer.review_day) % _YEAR
    if passed == 0 or passed == _YEAR - _NOTICE:
        due = day.date + timedelta(days=_NOTICE if passed else _YEAR)
        kind = "kyc.review_due" if passed else "kyc.review_completed"
        grade = 13 if customer.segment.is_natural else 12
        page.write(kind, 10 * 3600, "crm", {"grade": grade, "next_due": due.isoformat()})
        if not passed and customer.segment.is_natural:
            assessed = {"tolerance": customer.tolerance, "valid_until": due.isoformat()}
            page.write("suitability.assessed", 10 * 3600 + 60, "crm", assessed)
    if customer.has_extra_account and day.number == customer.joined_day + 3 + customer.index % 50:
        gone = {"account_id": customer.extra_id, "reason": "not needed", "balance": "0.00", "currency": "CNY"}
        page.write("account.closed", 14 * 3600, "core", gone)
    # One customer in ten forgets to bring the new document.
    if day.number == customer.id_expiry_day - 20 and customer.index % 10:
        until = (day.date + timedelta(days=10 * _YEAR)).isoformat()
        page.write("kyc.identity_updated", 11 * 3600, "crm", {"id_type": "identity_card", "id_expiry": until})


def _complain(page: Page, agenda: Agenda) -> None:
    rng, customer = page.rng, page.customer
    complaint: dict[str, Any] = {
        "complaint_id": f"Q{customer.index:06d}-{page.day.number}",
        "category": rng.choice(_CATEGORIES),
        "severity": rng.choice(("low", "low", "medium")),
    }
    page.write("complaint.opened", moment(page, OFFICE_HOURS), "crm", {"channel": "phone", **complaint})
    answer = complaint | {"outcome": "answered"}
    agenda.put(
        page.day.number + rng.randint(1, 10), customer.id, "complaint.resolved", 15 * 3600, "crm", answer
    )


def _change_contact(page: Page, agenda: Agenda) -> None:
    changed = {
        "field": page.rng.choice(("phone", "email", "address")),
        "channel": "mobile_app",
        "device": page.customer.device,
    }
    page.write("profile.contact_changed", moment(page, APP_HOURS), "ebank", changed)


def _answer_survey(page: Page, agenda: Agenda) -> None:
    answer = {"survey_score": page.rng.randint(5, 10), "topic": "app"}
    page.write("survey.submitted", moment(page, APP_HOURS), "crm", answer)


def _save_payee(page: Page, agenda: Agenda) -> None:
    customer = page.customer
    friend = page.bank.people[page.rng.choice(customer.routine.friends)]
    payee = {"payee_id": f"Y{friend['account']}", "counterparty": friend, "device": customer.device}
    page.write("payee.added", moment(page, APP_HOURS), "ebank", {"channel": "mobile_app", **payee})


def _buy_device(page: Page, agenda: Agenda) -> None:
    """Register a second device, on the same line as the first."""
    device = page.customer.device | {"device_id": f"D{page.customer.index:06d}-{page.day.number}"}
    page.write("device.registered", moment(page, APP_HOURS), "ebank", {"device": device, "method": "otp"})


def _reset_password(page: Page, agenda: Agenda) -> None:
    page.login(moment(page, APP_HOURS), kind="auth.password_reset", method="otp")


def _update_file(page: Page, agenda: Agenda) -> None:
    fields = {"completeness": 0.98, "manager_id": page.customer.adviser_id, "reason": "data checked"}
    page.write("customer.updated", moment(page, OFFICE_HOURS), "crm", fields)


_SELDOM: tuple[tuple[float, Callable[[Page, Agenda], None]], ...] = (
    (1 / 900, _complain),
    (1 / 700, _change_contact),
    (1 / 250, _answer_survey),
    (1 / 60, _save_payee),
    (1 / 1200, _buy_device),
    (1 / 1500, _reset_password),
    (1 / 800, _update_file),
)
"""What happens to a customer with which chance a day; at most one of it."""
