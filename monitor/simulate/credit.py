"""Credit: scores, credit lines, loans from their first day to the last instalment."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from monitor.simulate.agenda import Agenda
from monitor.simulate.customers import Customer, Loan
from monitor.simulate.page import Page, money

_LATE_PAYERS = 0.03
"""Instalments paid some days late."""


def lend(page: Page, customer: Customer, agenda: Agenda) -> None:
    """Write the day of a customer with a credit line or a loan."""
    day = page.day
    if day.falls_on(2 + customer.index % 26):
        rate_credit(page, 6 * 3600)
    if day.number % 7 == customer.index % 7:
        use_line(page, 6 * 3600 + 60)
    loan = customer.loan
    if loan is None or "loan" in page.factors:
        return
    if day.number == loan.start_day:
        _pay_out(page, loan)
    if loan.start_day < day.number <= loan.start_day + loan.months * 30:
        _instalment(page, loan, agenda)


def rate_credit(page: Page, second: float) -> None:
    """Write the bureau's score."""
    shift = page.rng.randint(-6, 6)
    fields = {"bureau": "bureau-1", "credit_score": page.customer.score + shift, "score_scale": "300-850"}
    page.write("credit.score_updated", second, "bureau", fields)


def use_line(page: Page, second: float) -> None:
    """Write how much of the credit line is used, where there is one."""
    customer = page.customer
    if not customer.credit_token:
        return
    usual = 0.08 + (customer.index * 37 % 40) / 100
    used = int(customer.credit_limit_cents * page.factors.get("used", usual + page.rng.uniform(-0.05, 0.05)))
    page.write("credit.utilisation", second, "cards", credit_line(customer, used))


def credit_line(customer: Customer, used_cents: int) -> dict[str, Any]:
    """Return the fields of the customer's credit card line with so much of it used."""
    return {
        "limit": money(customer.credit_limit_cents),
        "used": money(used_cents),
        "currency": "CNY",
        "card_token": customer.credit_token,
    }


def loan_fields(loan: Loan, **cents: int) -> dict[str, Any]:
    """Return the fields that name a loan, and amounts given in cents."""
    return {
        "loan_id": loan.id,
        "loan_type": loan.kind,
        "currency": "CNY",
        **{name: money(amount) for name, amount in cents.items()},
    }


def _pay_out(page: Page, loan: Loan) -> None:
    asked: dict[str, Any] = {"bureau": "bureau-1", "inquirer": "own", "is_own_inquiry": True}
    page.write("credit.inquiry", 9.5 * 3600, "bureau", asked)
    terms = {"rate": 0.045, "term_months": loan.months, "loan_purpose": "renovation"}
    page.write("loan.approved", 10 * 3600, "loans", loan_fields(loan, amount=loan.amount_cents) | terms)
    page.balances[page.customer.index] += loan.amount_cents
    page.write(
        "loan.disbursed",
        11 * 3600,
        "loans",
        loan_fields(loan, amount=loan.amount_cents, outstanding=loan.amount_cents, exposure=loan.amount_cents)
        | {"account_id": page.customer.account_id},
    )


def _instalment(page: Page, loan: Loan, agenda: Agenda) -> None:
    day, customer = page.day, page.customer
    due = day.date + timedelta(days=3)
    if due.day == loan.due_day:
        notice = loan_fields(loan, amount_due=loan.instalment_cents) | {"due_date": due.isoformat()}
        page.write("loan.repayment_due", 7 * 3600, "loans", notice)
    if not day.falls_on(loan.due_day):
        return
    page.balances[customer.index] -= loan.instalment_cents
    paid = _paid(page, loan) | {"due_date": day.date.isoformat(), "source_account": customer.account_id}
    if page.rng.random() >= _LATE_PAYERS:
        page.write("loan.repayment", 8 * 3600, "loans", paid)
        return
    arrears = loan_fields(loan, overdue_principal=loan.instalment_cents) | {"days_past_due": 3}
    agenda.put(day.number + 3, customer.id, "loan.delinquency", 7 * 3600, "loans", arrears)
    agenda.put(day.number + 5, customer.id, "loan.repayment", 13 * 3600, "loans", paid)


def _paid(page: Page, loan: Loan) -> dict[str, Any]:
    owed = loan.outstanding(page.day.number)
    part = loan.instalment_cents
    return loan_fields(loan, amount=part, amount_due=part, amount_paid=part, outstanding=owed, exposure=owed)
