"""A day of a cluster as a picture: what came, what was settled, and how long alerts waited."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.sizing import Minute

_WIDTH, _HEIGHT, _LEFT, _TOP = 900, 190, 70, 30
_INK, _CAME, _DONE, _WAIT = "#1f2933", "#b6c2cf", "#1d6fb8", "#c2410c"


def plot(minutes: Sequence[Minute], dies_at: str) -> str:
    """Return an SVG of two panels over the hours of a day.

    Parameters
    ----------
    dies_at
        Marked where it is not empty, `HH:MM`.
    """
    rates = _panel(
        0, "events a second", minutes, (("came", _CAME, "arriving"), ("settled", _DONE, "settled")), dies_at
    )
    delays = _panel(1, "seconds until an alert", minutes, (("wait", _WAIT, "delay_s"),), dies_at)
    height = 2 * (_HEIGHT + 70) + 10
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH + _LEFT + 30} {height}" '
        f'font-family="sans-serif" font-size="12" fill="{_INK}">'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{rates}{delays}</svg>\n'
    )


def _panel(
    row: int, title: str, minutes: Sequence[Minute], lines: Sequence[tuple[str, str, str]], dies_at: str
) -> str:
    top = _TOP + row * (_HEIGHT + 70)
    most = max(getattr(minute, name) for minute in minutes for _, _, name in lines) or 1.0
    parts = [f'<text x="{_LEFT}" y="{top - 12}" font-weight="bold">{title}</text>']
    for share in (0.0, 0.5, 1.0):
        y = top + _HEIGHT * (1 - share)
        parts.append(f'<line x1="{_LEFT}" x2="{_LEFT + _WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e4e7eb"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{most * share:,.0f}</text>')
    for hour in range(0, 25, 3):
        x = _LEFT + _WIDTH * hour / 24
        parts.append(f'<text x="{x:.1f}" y="{top + _HEIGHT + 18}" text-anchor="middle">{hour:02d}:00</text>')
    for number, (label, colour, name) in enumerate(lines):
        shares = [(minute.number / 1_440, 1 - getattr(minute, name) / most) for minute in minutes]
        points = " ".join(f"{_LEFT + _WIDTH * x:.1f},{top + _HEIGHT * y:.1f}" for x, y in shares)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        x = _LEFT + _WIDTH - 80 * (len(lines) - number)
        parts.append(f'<text x="{x}" y="{top - 12}" fill="{colour}">{label}</text>')
    if dies_at:
        died, _, minute = dies_at.partition(":")
        x = _LEFT + _WIDTH * (int(died) * 60 + int(minute)) / 1_440
        ends = f'x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{top + _HEIGHT}"'
        parts.append(f'<line {ends} stroke="{_INK}" stroke-dasharray="4 4"/>')
    return "".join(parts)
