"""Small charts as SVG: the parts of a rating, and its history. Pure: numbers in, markup out.

No colour is written here; the style sheet gives it by class, so that light and dark both work and
the content security policy can forbid inline style.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from markupsafe import Markup

GRADE_FLOORS: tuple[tuple[int, int], ...] = ((10, 80), (11, 60), (12, 40), (13, 20), (14, 0))
"""Grade and the lowest score that gives it (design of the rating, default parameters)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One row of the arithmetic of a rating: from `start` to `end` on the scale of 0 to 100."""

    name: str
    kind: str
    points: Decimal
    start: Decimal
    end: Decimal

    @property
    def bar(self) -> Markup:
        """The row's bar: begins where the row above ended, so the rows visibly add up."""
        left, right = sorted((_clip(self.start), _clip(self.end)))
        css = "down" if self.points < 0 else "up"
        return Markup(
            '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
            '<rect class="{}" x="{}" y="1" width="{}" height="8"/></svg>'
        ).format(css, left, max(right - left, Decimal("0.4")))


def steps(parts: Sequence[tuple[str, str, float]]) -> list[Step]:
    """Return the rows of an attribution, each beginning where the one before ended.

    Parameters
    ----------
    parts
        Name, kind and points of each part, in the order to show.

    Examples
    --------
    >>> [(row.name, str(row.start), str(row.end)) for row in steps([("S", "base", 9.0), ("R", "rule", 4.4)])]
    [('S', '0', '9.0'), ('R', '9.0', '13.4')]
    """
    rows, at = [], Decimal(0)
    for name, kind, points in parts:
        # Through text: 4.4 is meant, not the nearest binary fraction.
        exact = Decimal(str(points))
        rows.append(Step(name=name, kind=kind, points=exact, start=at, end=at + exact))
        at += exact
    return rows


def history(points: Sequence[tuple[int, float]], label: str) -> Markup:
    """Return the history of a score (0 to 100) as a stepped line over the bands of the five grades.

    Parameters
    ----------
    points
        Time (epoch milliseconds) and score, ascending; each score holds until the next point.
    label
        What a reader who does not see the picture is told.
    """
    if not points:
        return Markup("")
    width, height = 600, 100
    first, last = points[0][0], points[-1][0]
    span = max(last - first, 1)
    corners: list[str] = []
    previous = points[0][1]
    for time_ms, score in points:
        x = round((time_ms - first) / span * (width - 8), 1)
        corners += [f"{x},{_y(previous, height)}", f"{x},{_y(score, height)}"]
        previous = score
    corners.append(f"{width - 8},{_y(previous, height)}")
    bands = Markup("").join(
        Markup('<rect class="band g{}" x="0" y="{}" width="{}" height="{}"/>').format(
            grade, _y(ceiling, height), width, _y(floor, height) - _y(ceiling, height)
        )
        for (grade, floor), ceiling in zip(GRADE_FLOORS, (100, 80, 60, 40, 20), strict=True)
    )
    return Markup(
        '<svg class="history" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">'
        '{}<polyline points="{}" vector-effect="non-scaling-stroke"/></svg>'
    ).format(width, height, label, bands, " ".join(corners))


def _y(score: float, height: int) -> float:
    return round(height - score / 100 * height, 1)


def _clip(value: Decimal) -> Decimal:
    return min(max(value, Decimal(0)), Decimal(100))
