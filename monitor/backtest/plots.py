"""Pictures of a back-test as SVG: numbers in, markup out. Colours come from the page's style by class."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

_WIDTH, _HEIGHT, _LEFT, _TOP, _ROW = 860, 170, 56, 22, 30
_LABEL = 110
_MOST_LABELS = 16

Bars = Sequence[tuple[str, Sequence[float]]]
"""Label and one value a side."""


def columns(bars: Bars) -> Markup:
    """Return upright bars in groups, one group a label: days with their alerts."""
    most = max((value for _, values in bars for value in values), default=0) or 1
    step = _WIDTH / max(1, len(bars))
    every = -(-len(bars) // _MOST_LABELS)
    parts = [_grid(most)]
    for number, (label, values) in enumerate(bars):
        wide = step * 0.8 / max(1, len(values))
        for side, value in enumerate(values):
            x, high = _LEFT + step * number + step * 0.1 + wide * side, _HEIGHT * value / most
            top = _TOP + _HEIGHT - high
            parts.append(
                Markup('<rect class="side{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
                    side, x, top, wide, high
                )
            )
        if number % every == 0:
            x = _LEFT + step * (number + 0.5)
            parts.append(_text(x, _TOP + _HEIGHT + 16, label[-5:], "middle"))
    return _svg(_LEFT + _WIDTH + 10, _TOP + _HEIGHT + 26, parts)


def rows(bars: Bars) -> Markup:
    """Return lying bars in groups, one group a label: rules with their alerts."""
    most = max((value for _, values in bars for value in values), default=0) or 1
    parts = []
    for number, (label, values) in enumerate(bars):
        top = 6 + _ROW * number
        thick = (_ROW - 8) / max(1, len(values))
        parts.append(_text(_LABEL - 8, top + 15, label, "end"))
        for side, value in enumerate(values):
            long, y = (_WIDTH - _LABEL - 60) * value / most, top + thick * side
            parts.append(
                Markup('<rect class="side{}" x="{}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
                    side, _LABEL, y, long, thick - 1
                )
            )
            parts.append(_text(_LABEL + long + 5, y + thick - 2, f"{value:,.0f}", "start"))
    return _svg(_WIDTH, 10 + _ROW * len(bars), parts)


def steps(labels: Sequence[str], lines: Sequence[tuple[str, Sequence[float]]], marked: int) -> Markup:
    """Return lines over the steps of a threshold, with a mark where it stands now.

    Parameters
    ----------
    labels
        The threshold at each step.
    lines
        Name and one value a step.
    marked
        The step that is in force.
    """
    most = max((value for _, values in lines for value in values), default=0) or 1
    wide = _WIDTH / max(1, len(labels) - 1)
    parts = [_grid(most)]
    for number, label in enumerate(labels):
        if number % -(-len(labels) // 11) == 0 or number == marked:
            parts.append(_text(_LEFT + wide * number, _TOP + _HEIGHT + 16, label, "middle"))
    x = _LEFT + wide * marked
    parts.append(
        Markup('<line class="mark" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>').format(
            x, _TOP - 6, _TOP + _HEIGHT
        )
    )
    for number, (name, values) in enumerate(lines):
        places = [
            (_LEFT + wide * step, _TOP + _HEIGHT * (1 - value / most)) for step, value in enumerate(values)
        ]
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(Markup('<polyline class="line{}" points="{}"/>').format(number, joined))
        parts += [
            Markup('<circle class="dot{}" cx="{:.1f}" cy="{:.1f}" r="3"/>').format(number, x, y)
            for x, y in places
        ]
        parts.append(_text(_LEFT + _WIDTH - 8, _TOP + 12 + 15 * number, name, "end", f"name{number}"))
    return _svg(_LEFT + _WIDTH + 60, _TOP + _HEIGHT + 26, parts)


def _grid(most: float) -> Markup:
    parts = []
    for share in (0.0, 0.5, 1.0):
        y = _TOP + _HEIGHT * (1 - share)
        parts.append(
            Markup('<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(
                _LEFT, _LEFT + _WIDTH, y, y
            )
        )
        parts.append(_text(_LEFT - 8, y + 4, f"{most * share:,.4g}", "end"))
    return Markup("").join(parts)


def _text(x: float, y: float, text: str, anchor: str, css: str = "") -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        css, x, y, anchor, text
    )


def _svg(width: float, height: float, parts: Sequence[Markup]) -> Markup:
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox="0 0 {:.0f} {:.0f}" role="img">{}</svg>'
    ).format(width, height, Markup("").join(parts))
