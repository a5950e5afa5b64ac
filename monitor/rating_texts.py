"""A rating's explanations and open decisions, as pages and the API take them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from alerts.inbox.service import ProposalRow, RatingDetail
from alerts.inbox.service import Rating as Shown
from monitor.core.explain import explain_rating
from monitor.core.rating_shown import Rating


def explain(shown: Shown, rating: Rating) -> None:
    """Add to what is shown of a rating its explanations and open decisions."""
    shown["review_ms"] = rating.review_ms
    shown["customer"] = explain_rating(rating, "customer").splitlines()
    shown["detail"] = RatingDetail(
        officer=explain_rating(rating, "officer").splitlines(),
        auditor=explain_rating(rating, "auditor").splitlines(),
    )
    shown["proposals"] = [
        ProposalRow(
            kind=one.kind,
            value=one.value,
            actor=one.actor,
            reason=one.reason,
            time_ms=one.time_ms,
            until_ms=one.until_ms,
        )
        for one in rating.proposals
    ]


def plain(rating: Rating) -> dict[str, Any]:
    """Return everything about a rating as values that JSON knows."""
    return {
        "limits": [asdict(one) for one in rating.limits],
        "override": asdict(rating.override) if rating.override else None,
        "suppressions": [asdict(one) for one in rating.suppressions],
        "proposals": [asdict(one) for one in rating.proposals],
        "ahead": [asdict(one) for one in rating.ahead],
        "without": [asdict(one) for one in rating.without],
        "held_by": list(rating.held_by),
    }
