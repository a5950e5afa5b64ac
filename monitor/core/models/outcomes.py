"""What became of scored payments: every one counts, once silence says that it was genuine."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import exp
from typing import Any

from monitor.core.models.calibration import Calibration
from monitor.core.repute import MATURES_S

DAY_MS = 86_400_000
MATURES_DAYS = MATURES_S * 1000 // DAY_MS + 1
"""A whole day is judged when its last payment is old enough for genuine, and disputes of that day are in."""
FADES_DAYS = 28
"""After so long what was counted counts half."""
REMEMBERED = 16_384
"""Payments known as fraud, at most: a later verdict may take one back."""
CALM = 5.0
"""Keeps the correction near none while there are few verdicts."""
LEAST_SLOPE, MOST_SLOPE, MOST_SHIFT = 0.25, 4.0, 6.0
STEPS = 30
GRAIN = 1024
"""Slope and shift are told in so many parts of 1."""


class Outcomes:
    """Counts raw scores by day, and what the payments turned out to be.

    Examples
    --------
    >>> outcomes = Outcomes()
    >>> for n in range(100):
    ...     outcomes.see(n, 0.2)
    >>> for n in range(60):
    ...     outcomes.judge(n, True, n, 0.2)
    >>> outcomes.mature(20 * DAY_MS)
    >>> sum(outcomes.calibration.counts), sum(outcomes.calibration.bad)
    (100, 60)
    """

    __slots__ = ("_faded", "_frauds", "_open", "calibration")

    def __init__(self) -> None:
        self.calibration = Calibration()
        """Of the days that are judged."""
        self._open: dict[int, Calibration] = {}
        """Days that are not yet, by their number since 1970."""
        self._frauds: dict[int, tuple[int, float]] = {}
        """Reference of a payment known as fraud to its time and score."""
        self._faded = -1

    def see(self, time_ms: int, raw: float) -> None:
        """Count a payment with its raw score."""
        day = time_ms // DAY_MS
        held = self._open.get(day)
        if held is None:
            held = self._open[day] = Calibration()
        held.learn_one(raw, False)

    def judge(self, ref: int, is_fraud: bool, time_ms: int, raw: float) -> None:
        """Learn what a payment turned out to be; the same again changes nothing."""
        held = self._open.get(time_ms // DAY_MS, self.calibration)
        if is_fraud and ref not in self._frauds:
            self._frauds[ref] = (time_ms, raw)
            held.confirm(raw, 1)
            while len(self._frauds) > REMEMBERED:
                del self._frauds[next(iter(self._frauds))]
        elif not is_fraud and self._frauds.pop(ref, None) is not None:
            held.confirm(raw, -1)

    def mature(self, now_ms: int) -> None:
        """Take days that are long enough ago for judged."""
        today = now_ms // DAY_MS
        for day in sorted(day for day in self._open if day <= today - MATURES_DAYS):
            self.calibration.take(self._open.pop(day))
        if self._faded < 0:
            self._faded = today
        elif today - self._faded >= FADES_DAYS:
            self._faded = today
            self.calibration.halve()

    @property
    def known_frauds(self) -> Collection[int]:
        """References of the payments known as fraud, the latest of them."""
        return self._frauds.keys()

    def correction(self) -> tuple[float, float]:
        """Return slope and shift that bring the logarithm of the odds to what came true; 1 and 0 at first.

        Logistic regression over the bins of the calibration (Platt, 1999).
        """
        rows = self.calibration.rows()
        if not self.calibration.is_known:
            return 1.0, 0.0
        slope, shift = 1.0, 0.0
        for _ in range(STEPS):
            slope, shift, moved = _step(rows, slope, shift)
            if moved < 0.1 / GRAIN:
                break
        slope = min(max(slope, LEAST_SLOPE), MOST_SLOPE)
        shift = min(max(shift, -MOST_SHIFT), MOST_SHIFT)
        return round(slope * GRAIN) / GRAIN, round(shift * GRAIN) / GRAIN

    def snapshot(self) -> list[Any]:
        """Return all of it as plain data."""
        return [
            self.calibration.snapshot(),
            [[day, held.snapshot()] for day, held in self._open.items()],
            [[ref, *known] for ref, known in self._frauds.items()],
            self._faded,
        ]

    def resume(self, plain: Sequence[Any]) -> None:
        """Go on from a `snapshot()`."""
        calibration, days, frauds, self._faded = plain
        self.calibration.resume(calibration)
        self._open = {}
        for day, held in days:
            self._open[day] = Calibration()
            self._open[day].resume(held)
        self._frauds = {ref: (time_ms, raw) for ref, time_ms, raw in frauds}


def _step(
    rows: Sequence[tuple[float, float, float]], slope: float, shift: float
) -> tuple[float, float, float]:
    """Return slope and shift after one step of Newton's, and how far they moved."""
    down_a, down_b = -CALM * (slope - 1.0), -CALM * shift
    aa, ab, bb = CALM, 0.0, CALM
    for odds, count, bad in rows:
        chance = 1.0 / (1.0 + exp(-max(-30.0, min(30.0, slope * odds + shift))))
        gap, weight = bad - count * chance, count * chance * (1.0 - chance)
        down_a += gap * odds
        down_b += gap
        aa += weight * odds * odds
        ab += weight * odds
        bb += weight
    whole = aa * bb - ab * ab
    left, right = (bb * down_a - ab * down_b) / whole, (aa * down_b - ab * down_a) / whole
    # A long step overshoots.
    most = max(abs(left), abs(right), 1.0)
    return slope + left / most, shift + right / most, max(abs(left), abs(right))
