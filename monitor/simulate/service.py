"""The bank's side of a customer's day: files, reviews, credit, portfolio, complaints."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from monitor.simulate.agenda import Agenda
from monitor.simulate.customers import Customer, Loan
from monitor.simulate.habits import APP_HOURS, moment
from monitor.simulate.market import PRODUCTS, Market
from monitor.simulate.page import Event, Page, money
from monitor.simulate.segments import YUAN
from monitor.simulate.trade import OFFICE_HOURS

_YEAR = 365
_COMPLAINTS = 1 / 900
_CONTACT_CHANGES = 1 / 700
_SURVEYS = 1 / 250
_PAYEES = 1 / 60
_PURCHASES = 1 / 25
"""Chance a day that somebody with a portfolio buys a product."""
_REDEMPTIONS = 1 / 70
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
        _score(page, second + 0.04)
        _utilisation(page, second + 0.05)


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
        _credit(page, customer)
    if customer.holdings:
        _invest(page, customer, market)
    _service(page, customer, agenda)


def _files(page: Page, customer: Customer) -> None:
    day = page.day
    passed = (day.number - customer.review_day) % _YEAR
    if passed == 0 or passed == _YEAR - 30:
        due = day.date + timedelta(days=30 if passed else _YEAR)
        kind = "kyc.review_due" if passed else "kyc.review_completed"
        grade = 13 if customer.segment.is_natural else 12
        page.write(kind, 10 * 3600, "crm", {"grade": grade, "next_due": due.isoformat()})
        if not passed and customer.segment.is_natural:
            assessed = {"tolerance": customer.tolerance, "valid_until": due.isoformat()}
            page.write("suitability.assessed", 10 * 3600 + 60, "crm", assessed)
    # One customer in ten forgets to bring the new document.
    if day.number == customer.id_expiry_day - 20 and customer.index % 10:
        until = (day.date + timedelta(days=10 * _YEAR)).isoformat()
        page.write("kyc.identity_updated", 11 * 3600, "crm", {"id_type": "identity_card", "id_expiry": until})


def _credit(page: Page, customer: Customer) -> None:
    day = page.day
    if day.falls_on(2 + customer.index % 26):
        _score(page, 6 * 3600)
    if day.number % 7 == customer.index % 7:
        _utilisation(page, 6 * 3600 + 60)
    loan = customer.loan
    if loan is None or "loan" in page.factors:
        return
    if day.number == loan.start_day:
        _pay_out(page, loan)
    if loan.start_day < day.number <= loan.start_day + loan.months * 30:
        _instalment(page, loan)


def _score(page: Page, second: float) -> None:
    shift = page.rng.randint(-6, 6)
    fields = {"bureau": "bureau-1", "credit_score": page.customer.score + shift, "score_scale": "300-850"}
    page.write("credit.score_updated", second, "bureau", fields)


def _utilisation(page: Page, second: float) -> None:
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


def _instalment(page: Page, loan: Loan) -> None:
    day, customer = page.day, page.customer
    if (day.date + timedelta(days=3)).day == loan.due_day:
        due = (day.date + timedelta(days=3)).isoformat()
        page.write(
            "loan.repayment_due",
            7 * 3600,
            "loans",
            loan_fields(loan, amount_due=loan.instalment_cents) | {"due_date": due},
        )
    if day.falls_on(loan.due_day):
        page.balances[customer.index] -= loan.instalment_cents
        owed = loan.outstanding(day.number)
        page.write(
            "loan.repayment",
            8 * 3600,
            "loans",
            loan_fields(
                loan,
                amount=loan.instalment_cents,
                amount_due=loan.instalment_cents,
                amount_paid=loan.instalment_cents,
                outstanding=owed,
                exposure=owed,
            )
            | {"due_date": day.date.isoformat(), "source_account": customer.account_id},
        )


def worth(page: Page, market: Market) -> tuple[int, int, float]:
    """Return the portfolio's worth now and at the start of the quarter in cents, and its largest share."""
    day, customer = page.day, page.customer
    today = day.date
    first = today.replace(month=(today.month - 1) // 3 * 3 + 1, day=1)
    start = max(0, day.number - (today - first).days)
    parts = [int(cents * market.price(product, day.number)) for product, cents in customer.holdings]
    before = sum(int(cents * market.price(product, start)) for product, cents in customer.holdings)
    total = sum(parts)
    return int(total * page.factors.get("portfolio", 1.0)), before, max(parts) / max(1, total)


def value_portfolio(page: Page, market: Market) -> Event:
    """Write the evening's valuation of the portfolio."""
    value, before, largest = worth(page, market)
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


def _invest(page: Page, customer: Customer, market: Market) -> None:
    rng = page.rng
    if page.day.is_workday:
        value_portfolio(page, market)
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


def _service(page: Page, customer: Customer, agenda: Agenda) -> None:
    """Write what seldom happens; one draw decides which of it, if any."""
    rng = page.rng
    lot = rng.random()
    if lot < _COMPLAINTS:
        _complain(page, agenda)
    elif lot < _COMPLAINTS + _CONTACT_CHANGES:
        changed = {
            "field": rng.choice(("phone", "email", "address")),
            "channel": "mobile_app",
            "device": customer.device,
        }
        page.write("profile.contact_changed", moment(page, APP_HOURS), "ebank", changed)
    elif lot < _COMPLAINTS + _CONTACT_CHANGES + _SURVEYS:
        page.write(
            "survey.submitted",
            moment(page, APP_HOURS),
            "crm",
            {"survey_score": rng.randint(3, 5), "topic": "app"},
        )
    elif lot < _COMPLAINTS + _CONTACT_CHANGES + _SURVEYS + _PAYEES:
        friend = page.bank.people[customer.routine.friends[rng.randrange(len(customer.routine.friends))]]
        payee = {"payee_id": f"Y{friend['account']}", "counterparty": friend, "device": customer.device}
        page.write("payee.added", moment(page, APP_HOURS), "ebank", {"channel": "mobile_app", **payee})


def _complain(page: Page, agenda: Agenda) -> None:
    rng, customer = page.rng, page.customer
    complaint: dict[str, Any] = {
        "complaint_id": f"Q{customer.index:06d}-{page.day.number}",
        "category": rng.choice(_CATEGORIES),
        "severity": rng.choice(("low", "low", "medium")),
    }
    page.write("complaint.opened", moment(page, OFFICE_HOURS), "crm", {"channel": "phone", **complaint})
    days = rng.randint(1, 10)
    agenda.put(
        page.day.number + days,
        customer.id,
        "complaint.resolved",
        15 * 3600,
        "crm",
        complaint | {"outcome": "answered"},
    )
