"""Curves as SVG, drawn by hand: no library for three pictures."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10
from typing import Any

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 460, 320, 64, 34, 52
_WHOLE = (_LEFT + _WIDTH + 24, _TOP + _HEIGHT + _BOTTOM)
_INK, _RULE = "#1f2933", "#e4e7eb"
COLOURS = ("#1d6fb8", "#c2410c", "#4d7c0f", "#7e22ce")
_MOST = 400
"""Points of a line, at most."""

Line = tuple[str, Any, Any]
"""Name, values along, values up (sequences or arrays)."""


def plot(
    title: str,
    along: str,
    up: str,
    lines: Sequence[Line],
    *,
    ends: tuple[float, float] = (0.0, 1.0),
    logarithmic: bool = False,
    diagonal: bool = False,
    dots: bool = False,
) -> str:
    """Return an SVG of lines over a square grid.

    Parameters
    ----------
    along, up
        What the axes are.
    ends
        First and last value along; up it is 0 to 1, or the same where both are logarithmic.
    logarithmic
        Along in powers of ten (with `diagonal`: up, too).
    diagonal
        Draw where both are equal.
    """
    both = logarithmic and diagonal
    sides = (ends, ends if both else (0.0, 1.0))
    place_x = _place(sides[0], logarithmic, _LEFT, _WIDTH)
    place_y = _place(sides[1], both, _TOP + _HEIGHT, -_HEIGHT)
    parts = [f'<text x="{_LEFT}" y="20" font-weight="bold">{title}</text>']
    for value in _steps(sides[0], logarithmic):
        x = place_x(value)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_TOP + _HEIGHT}" stroke="{_RULE}"/>')
        parts.append(f'<text x="{x:.1f}" y="{_TOP + _HEIGHT + 18}" text-anchor="middle">{value:g}</text>')
    for value in _steps(sides[1], both):
        y = place_y(value)
        parts.append(f'<line x1="{_LEFT}" x2="{_LEFT + _WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_RULE}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    if diagonal:
        corners = [(place_x(end), place_y(end)) for end in ends]
        parts.append(_line(corners, "#9aa5b1", "4 4"))
    for number, (name, xs, ys) in enumerate(lines):
        colour = COLOURS[number % len(COLOURS)]
        step = max(1, len(xs) // _MOST)
        points = [(place_x(x), place_y(y)) for x, y in zip(xs[::step], ys[::step], strict=True)]
        parts.append(_line(points, colour))
        if dots:
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
        y = _TOP + 16 + 16 * number
        parts.append(
            f'<text x="{_LEFT + _WIDTH - 8}" y="{y}" text-anchor="end" fill="{colour}">{name}</text>'
        )
    middle, low = _TOP + _HEIGHT / 2, _TOP + _HEIGHT + 40
    parts.append(f'<text x="{_LEFT + _WIDTH / 2}" y="{low}" text-anchor="middle">{along}</text>')
    parts.append(f'<text transform="translate(16 {middle}) rotate(-90)" text-anchor="middle">{up}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WHOLE[0]} {_WHOLE[1]}" '
        f'font-family="sans-serif" font-size="12" fill="{_INK}">'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{"".join(parts)}</svg>\n'
    )


def _place(ends: tuple[float, float], logarithmic: bool, start: float, length: float) -> Any:
    low, high = (log10(end) for end in ends) if logarithmic else ends

    def place(value: float) -> float:
        at = log10(max(value, ends[0])) if logarithmic else value
        return start + length * (min(max(at, low), high) - low) / (high - low)

    return place


def _steps(ends: tuple[float, float], logarithmic: bool) -> list[float]:
    if logarithmic:
        return [10.0**power for power in range(round(log10(ends[0])), round(log10(ends[1])) + 1)]
    return [ends[0] + (ends[1] - ends[0]) * n / 5 for n in range(6)]


def _line(points: Sequence[tuple[float, float]], colour: str, dashes: str = "") -> str:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2"{dashed}/>'
