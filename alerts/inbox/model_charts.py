"""Pictures of a model card as SVG: distributions, and what came of scores. Pure: numbers in, markup out.

No colour is written here; the style sheet gives it by class.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from monitor.core.models.calibration import Reliability

WIDE, HIGH = 200, 40
SIDE = 200


def distribution(counts: Sequence[int], typical: float, label: str) -> Markup:
    """Return a histogram with a mark at the typical value.

    Parameters
    ----------
    counts
        Of bins of equal width.
    typical
        Where the mark stands, 0 (left edge) to 1.
    label
        What a reader who does not see the picture is told.
    """
    most, width = max(counts, default=0) or 1, WIDE / max(len(counts), 1)
    bars = Markup("").join(
        Markup('<rect x="{}" y="{}" width="{}" height="{}"/>').format(
            round(n * width, 2), round(HIGH - tall, 2), round(width * 0.92, 2), round(tall, 2)
        )
        for n, count in enumerate(counts)
        if (tall := HIGH * count / most)
    )
    mark = Markup('<line class="typical" x1="{0}" x2="{0}" y1="0" y2="{1}"/>').format(
        round(min(max(typical, 0.0), 1.0) * WIDE, 2), HIGH
    )
    return Markup(
        '<svg class="distribution" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img"'
        ' aria-label="{}">{}{}</svg>'
    ).format(WIDE, HIGH, label, bars, mark)


def reliability(parts: Sequence[Reliability], label: str) -> Markup:
    """Return predicted against observed shares; points on the diagonal are right. Nothing without any."""
    if not parts:
        return Markup("")
    most = max(part.count for part in parts)
    points = Markup("").join(
        Markup('<circle cx="{}" cy="{}" r="{}"><title>{}</title></circle>').format(
            round(part.predicted * SIDE, 1),
            round(SIDE - part.observed * SIDE, 1),
            round(3 + 5 * (part.count / most) ** 0.5, 1),
            f"{part.predicted:.2f} predicted, {part.observed:.2f} found, {part.count} verdicts",
        )
        for part in parts
    )
    return Markup(
        '<svg class="reliability" viewBox="-8 -8 {0} {0}" role="img" aria-label="{1}">'
        '<rect x="0" y="0" width="{2}" height="{2}"/><line x1="0" y1="{2}" x2="{2}" y2="0"/>{3}</svg>'
    ).format(SIDE + 16, label, SIDE, points)
