"""Segments of customers: how many, how old, how rich, how busy. Parameters of a made-up bank, in CNY."""

from __future__ import annotations

from dataclasses import dataclass

YUAN = 100
"""Cents of one unit of the base currency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """What customers of a segment have in common."""

    name: str
    share: float
    """Of all customers, 0 to 1."""
    is_natural: bool
    income_cents: int
    """Median of a month's income, or turnover of a company."""
    income_sigma: float
    """Spread of the logarithm of the income."""
    ages: tuple[int, int]
    """Years, both inclusive; of a company, since its registration."""
    tolerance: tuple[float, float, float, float, float]
    """Weights of the risk tolerances C1 to C5."""
    loan_share: float
    credit_card_share: float
    portfolio_months: float
    """Median worth of the portfolio in months of income; 0 = none."""
    purchases: float
    """Card payments a day."""
    logins: float
    """Log-ins a day."""
    receipts: float
    """Payments received a day, salaries apart."""


SEGMENTS: tuple[Segment, ...] = (
    Segment(
        name="ordinary",
        share=0.70,
        is_natural=True,
        income_cents=9_000 * YUAN,
        income_sigma=0.45,
        ages=(18, 82),
        tolerance=(3, 4, 3, 1, 0.3),
        loan_share=0.30,
        credit_card_share=0.45,
        portfolio_months=0,
        purchases=2.7,
        logins=1.8,
        receipts=0.20,
    ),
    Segment(
        name="premium",
        share=0.12,
        is_natural=True,
        income_cents=28_000 * YUAN,
        income_sigma=0.40,
        ages=(25, 78),
        tolerance=(1, 3, 4, 2, 0.6),
        loan_share=0.40,
        credit_card_share=0.80,
        portfolio_months=12,
        purchases=3.2,
        logins=2.2,
        receipts=0.25,
    ),
    Segment(
        name="vip",
        share=0.05,
        is_natural=True,
        income_cents=75_000 * YUAN,
        income_sigma=0.40,
        ages=(30, 80),
        tolerance=(1, 2, 4, 3, 1),
        loan_share=0.30,
        credit_card_share=0.90,
        portfolio_months=30,
        purchases=3.4,
        logins=2.2,
        receipts=0.30,
    ),
    Segment(
        name="private",
        share=0.04,
        is_natural=True,
        income_cents=260_000 * YUAN,
        income_sigma=0.50,
        ages=(35, 84),
        tolerance=(1, 2, 3, 4, 2),
        loan_share=0.20,
        credit_card_share=0.90,
        portfolio_months=60,
        purchases=3.0,
        logins=1.6,
        receipts=0.30,
    ),
    Segment(
        name="sme",
        share=0.07,
        is_natural=False,
        income_cents=350_000 * YUAN,
        income_sigma=0.60,
        ages=(1, 25),
        tolerance=(3, 3, 2, 1, 0),
        loan_share=0.45,
        credit_card_share=0.0,
        portfolio_months=0,
        purchases=0.5,
        logins=2.5,
        receipts=3.4,
    ),
    Segment(
        name="corporate",
        share=0.02,
        is_natural=False,
        income_cents=6_000_000 * YUAN,
        income_sigma=0.50,
        ages=(3, 40),
        tolerance=(2, 3, 2, 1, 0),
        loan_share=0.50,
        credit_card_share=0.0,
        portfolio_months=0,
        purchases=0.5,
        logins=3.5,
        receipts=4.5,
    ),
)

_GOLDEN = 0.6180339887498949


def segment_of(index: int) -> Segment:
    """Return the segment of the customer with that number.

    Spread evenly, not drawn: any run of customers has the shares of the whole bank, so a small bank
    has private customers too.

    Examples
    --------
    >>> sum(segment_of(index).name == "private" for index in range(200))
    8
    """
    left = (index * _GOLDEN) % 1.0
    for segment in SEGMENTS:
        if left < segment.share:
            return segment
        left -= segment.share
    return SEGMENTS[0]
