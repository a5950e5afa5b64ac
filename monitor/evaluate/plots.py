"""Curves as SVG, drawn by hand: no library for three pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
Point = tuple[float, float]


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
    up_ends = ends if both else (0.0, 1.0)
    place_x = _place(ends, logarithmic, _LEFT, _WIDTH)
    place_y = _place(up_ends, both, _TOP + _HEIGHT, -_HEIGHT)
    parts = [f'<text x="{_LEFT}" y="20" font-weight="bold">{title}</text>']
    parts += _grid([(value, place_x(value)) for value in _steps(ends, logarithmic)],
                   [(value, place_y(value)) for value in _steps(up_ends, both)])  # fmt: skip
    if diagonal:
        corners = [(place_x(end), place_y(end)) for end in ends]
        parts.append(_line(corners, "#9aa5b1", "4 4"))
    for number, (name, xs, ys) in enumerate(lines):
        step = max(1, len(xs) // _MOST)
        points = [(place_x(x), place_y(y)) for x, y in zip(xs[::step], ys[::step], strict=True)]
        parts += _curve(number, name, points, dots=dots)
    middle, low = _TOP + _HEIGHT / 2, _TOP + _HEIGHT + 40
    parts.append(f'<text x="{_LEFT + _WIDTH / 2}" y="{low}" text-anchor="middle">{along}</text>')
    parts.append(f'<text transform="translate(16 {middle}) rotate(-90)" text-anchor="middle">{up}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WHOLE[0]} {_WHOLE[1]}" '
        f'font-family="sans-serif" font-size="12" fill="{_INK}">'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{"".join(parts)}</svg>\n'
    )


def _grid(along: Sequence[Point], up: Sequence[Point]) -> Iterator[str]:
    """Give lines and figures at values of both axes: (value, place)."""
    right, bottom = _LEFT + _WIDTH, _TOP + _HEIGHT
    for value, x in along:
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{bottom}" stroke="{_RULE}"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{value:g}</text>'
    for value, y in up:
        yield f'<line x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_RULE}"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'


def _curve(number: int, name: str, points: Sequence[Point], *, dots: bool) -> Iterator[str]:
    """Give a line and its name, in the colour of its number."""
    colour = COLOURS[number % len(COLOURS)]
    yield _line(points, colour)
    if dots:
        yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points)
    top = _TOP + 16 + 16 * number
    yield f'<text x="{_LEFT + _WIDTH - 8}" y="{top}" text-anchor="end" fill="{colour}">{name}</text>'


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


def _line(points: Sequence[Point], colour: str, dashes: str = "") -> str:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2"{dashed}/>'
