"""A customer's rating, prepared for a page: the arithmetic row by row, and the curve. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from markupsafe import Markup

from alerts.inbox import charts
from alerts.inbox.service import Part, Rating, RatingPoint

RECENT = 5
"""Changes of the rating that are also written out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A rating and its pictures."""

    customer_id: str
    rating: Rating | None
    rows: Sequence[charts.Step] = ()
    curve: Markup | None = None
    """The history as a picture; None where there is only one rating."""
    recent: Sequence[RatingPoint] = ()

    @property
    def total(self) -> Decimal:
        """The sum of the parts, as printed under them."""
        return self.rows[-1].end if self.rows else Decimal(0)

    @property
    def adds_up(self) -> bool:
        """True where the parts equal the score to the last printed digit."""
        return self.rating is None or round(self.total, 2) == round(Decimal(str(self.rating["score"])), 2)


def explained(rating: Rating | None) -> list[tuple[str, Sequence[str]]]:
    """Return the explanations that came with a rating: for whom, and the lines."""
    if rating is None:
        return []
    found: list[tuple[str, Sequence[str]]] = []
    if "detail" in rating:
        found += [("officer", rating["detail"]["officer"]), ("auditor", rating["detail"]["auditor"])]
    return [*found, ("customer", rating["customer"])] if rating.get("customer") else found


def profile(customer_id: str, rating: Rating | None) -> Profile:
    """Return what a page shows of a rating; of a customer without one, just that."""
    if rating is None:
        return Profile(customer_id=customer_id, rating=None)
    points = [(point["time_ms"], point["score"]) for point in rating["history"]]
    points.append((rating["time_ms"], rating["score"]))
    return Profile(
        customer_id=customer_id,
        rating=rating,
        rows=charts.steps([(_name(part), part["kind"], part["points"]) for part in rating["parts"]]),
        curve=charts.history(points, f"Score, {len(points)} changes") if points[1:] else None,
        recent=list(rating["history"])[-RECENT:],
    )


def _name(part: Part) -> str:
    """Return the part's name with its title: `A-124 Pass-through`."""
    return f"{part['name']} {part.get('title', '')}".rstrip()
