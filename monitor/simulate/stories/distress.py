"""Stories about customers in difficulty, or on their way out."""

from __future__ import annotations

from typing import Any

from monitor.simulate.credit import credit_line, loan_fields
from monitor.simulate.customers import Customer, Loan
from monitor.simulate.market import PRODUCTS
from monitor.simulate.page import Event, Page
from monitor.simulate.segments import YUAN
from monitor.simulate.stories.deeds import pay_part, tell
from monitor.simulate.stories.episode import Deed, Episode
from monitor.simulate.wealth import deal


def concentrated_redemption(episode: Episode) -> None:
    """Six wealthy customers redeem most of the same product within three days and take the money elsewhere.

    Rules: L-503 (concentrated redemption), L-502 (huge redemption of a product), L-501 (assets withdrawn).
    """
    rng, market = episode.rng, episode.cast.market
    group = episode.cast.take(lambda c: c.segment.name in ("private", "vip") and bool(c.holdings), 6)
    product = rng.randrange(5, len(PRODUCTS))
    for n, one in enumerate(group):
        total = sum(cents for _, cents in one.holdings)
        cents = max(int(total * rng.uniform(0.5, 0.85)), 1_200_000 * YUAN) // (100 * YUAN) * (100 * YUAN)
        held = rng.randint(40, 700)

        def redeem(page: Page, second: float, cents: int = cents, held: int = held) -> Event:
            return deal(page, second, "product.redemption", product, cents, market, holding_days=held)

        episode.add(n // 2, f"{9 + 2 * (n % 2)}:{rng.randint(30, 59)}", one, "redemption", redeem)
        [elsewhere] = episode.strangers(1)
        episode.add(n // 2, "15:40", one, "withdrawal", pay_part(0.9, {**elsewhere, "type": "natural"}))


def portfolio_drawdown(episode: Episode) -> None:
    """A portfolio loses a third of its worth in eight days and recovers over six weeks.

    Rules: M-601 (down 10 % and every further 10 %), M-606 (drawdown beyond tolerance).
    """
    [holder] = episode.cast.take(lambda c: bool(c.holdings) and not c.is_sparse)

    def factor(day: int) -> float:
        return 1 - 0.042 * (day + 1) if day < 8 else 1 - 0.336 * (1 - (day - 7) / 44)

    episode.change(
        holder, "portfolio", 50, factor, "fall", lambda event: event["event_type"] == "portfolio.valuation"
    )


def credit_deterioration(episode: Episode) -> None:
    """The salary halves, the credit line fills up, the score falls, the loan goes unpaid for weeks.

    Rules: CR-405 (score drop), CR-406 (utilisation jump), CR-408 (salary lower), CR-404, CR-403 and CR-402
    (growing delinquency).
    """
    [debtor] = episode.cast.take(
        lambda c: (
            c.segment.is_natural
            and bool(c.credit_token)
            and c.loan is not None
            and c.loan.start_day < -60
            and c.occupation not in ("retired", "student", "self_employed")
        )
    )
    loan = debtor.loan
    assert loan is not None  # the cast asked for one
    episode.change(
        debtor, "salary", 55, lambda _: 0.5, "lower_salary", lambda e: e.get("purpose_code") == "SALA"
    )
    episode.change(
        debtor,
        "used",
        55,
        lambda day: min(0.97, 0.86 + day * 0.01),
        "high_utilisation",
        lambda e: e["event_type"] == "credit.utilisation",
    )
    episode.change(debtor, "loan", 55, lambda _: 0.0, "unpaid", lambda _: False)
    used = int(debtor.credit_limit_cents * 0.88)
    episode.add(
        1, "06:10", debtor, "high_utilisation", tell("credit.utilisation", "cards", credit_line(debtor, used))
    )
    _fall_behind(episode, debtor, loan)


def complaint_burst(episode: Episode) -> None:
    """Seven customers complain about a product within a week; one four times, then to the regulator.

    Rules: RP-801 (complaint burst, of a customer and of a product), RP-807 (group complaint), RP-803
    (escalated), RP-805 (satisfaction collapse), RP-808 (complaint about lost money).
    """
    rng = episode.rng
    leader, *others = episode.cast.take(lambda c: c.segment.is_natural and not c.is_sparse, 7)
    product = rng.choice(PRODUCTS).id
    for n in range(4):
        category = "unauthorised" if n == 3 else "advice"
        episode.add(
            2 * n, f"{10 + n}:20", leader, "complaint", _complain(episode, leader.id, n, product, category)
        )
    for n, one in enumerate(others):
        episode.add(
            1 + n // 2,
            f"{9 + n}:45",
            one,
            "joint_complaint",
            _complain(episode, one.id, 0, product, "advice"),
        )
    for day in (3, 6):
        answer = {"survey_score": 1, "topic": "complaint"}
        episode.add(day, "18:00", leader, "survey", tell("survey.submitted", "crm", answer))
    escalated = {
        "complaint_id": _complaint_id(episode, leader.id, 3),
        "escalated_to": "regulator",
        "severity": "critical",
        "product_id": product,
        "regulator_ref": f"G{rng.randrange(10**6):06d}",
    }
    episode.add(8, "14:00", leader, "escalation", tell("complaint.escalated", "crm", escalated))


def _complaint_id(episode: Episode, customer_id: str, number: int) -> str:
    return f"Q{customer_id[1:]}-{episode.start_day}-{number}s"


def _complain(episode: Episode, customer_id: str, number: int, product: str, category: str) -> Deed:
    fields: dict[str, Any] = {
        "complaint_id": _complaint_id(episode, customer_id, number),
        "category": category,
        "severity": "high",
        "product_id": product,
        "group_id": f"GC-{episode.id}",
        "channel": "phone",
    }
    return tell("complaint.opened", "crm", fields)


def _fall_behind(episode: Episode, debtor: Customer, loan: Loan) -> None:
    """Let the bureau and the loan system tell how it goes on."""
    for day, drop in ((2, 45), (9, 95), (30, 130)):
        score = {
            "bureau": "bureau-1",
            "credit_score": debtor.score - drop - episode.rng.randint(0, 9),
            "previous_score": debtor.score,
            "score_scale": "300-850",
            "reason_codes": ["late_payment", "utilisation"],
        }
        episode.add(day, "06:30", debtor, "score_drop", tell("credit.score_updated", "bureau", score))
    for past_due in (1, 6, 11, 31, 36, 45):
        arrears = loan_fields(
            loan,
            overdue_principal=loan.instalment_cents * (1 + past_due // 30),
            overdue_interest=past_due * 3 * YUAN,
        )
        fields: dict[str, Any] = {
            **arrears,
            "days_past_due": past_due,
            "loan_class": 2 if past_due < 31 else 3,
        }
        episode.add(past_due, "07:00", debtor, "delinquency", tell("loan.delinquency", "loans", fields))
