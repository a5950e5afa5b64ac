"""A scale: what scores are worth at the moment. Frozen, plain data, named by its content."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import exp, log
from typing import Any

from monitor.core.models.calibration import Reliability
from monitor.core.models.packed import Packed

ARTIFACT = "scale"
"""Kind under which scales are archived, each by its hash."""
NOBODY = 1.0
"""The threshold that no score passes."""
_FARTHEST = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale(Packed):
    """What was learnt from scores and what came of them, up to one moment. Never changed after it is made.

    Raw scores are those of the models before they are corrected: the classifier's, or what stands
    for it before there is one.
    """

    WHAT = "scale"

    number: int
    """1 for the first; each publication counts one on."""
    from_ms: int
    """Event time of the first score counted."""
    to_ms: int
    """Event time of the last one."""
    scored: int
    """Scores counted."""
    alerts_a_day: float
    """The budget."""
    threshold: float
    """The raw score that about so many a day pass; 1.0 while it is not set."""
    ranks: tuple[tuple[float, float], ...] = ()
    """Raw scores and the share of all scores that was below, of late; both rising."""
    slope: float = 1.0
    """What the logarithm of a raw score's odds is multiplied by ..."""
    shift: float = 0.0
    """... and what is added then, so that told chances come true."""
    curve: tuple[tuple[float, float], ...] = ()
    """Raw scores and the share that was found to be fraud, both rising; empty while verdicts are too few."""
    reliability: tuple[tuple[float, float, int], ...] = ()
    """Of the payments that were judged: mean score as told by this scale, share of frauds, how many."""
    judged: int = 0
    """Payments with a known outcome."""
    frauds: int = 0
    """Those of them that were fraud."""

    def told(self, raw: float) -> float:
        """Return the chance of fraud that a raw score of the classifier stands for, in millionths.

        It rises with the raw score, so it changes no ranking.

        Examples
        --------
        >>> scale = Scale(number=1, from_ms=0, to_ms=0, scored=0, alerts_a_day=20, threshold=1, slope=2)
        >>> scale.told(0.5), scale.told(0.75)
        (0.5, 0.9)
        """
        return corrected(raw, self.slope, self.shift)

    def observed(self, raw: float) -> float | None:
        """Return the share of earlier payments scored so that were fraud; None while too few are known."""
        curve = self.curve
        if not curve:
            return None
        if raw <= curve[0][0]:
            return curve[0][1]
        for (left, low), (right, high) in pairwise(curve):
            if raw <= right:
                return low + (high - low) * (raw - left) / (right - left) if right > left else high
        return curve[-1][1]

    def rank(self, raw: float) -> float:
        """Return which of the told shares of all scores lies below a raw score; 0.0 where none does."""
        found = 0.0
        for score, share in self.ranks:
            if score <= raw:
                found = max(found, share)
        return found

    def points(self) -> list[Reliability]:
        """Return the points of the reliability plot."""
        return [Reliability(predicted=p, observed=o, count=n) for p, o, n in self.reliability]

    @classmethod
    def _tuples(cls, plain: dict[str, Any]) -> dict[str, Any]:
        return {name: tuple(map(tuple, plain[name])) for name in ("curve", "ranks", "reliability")}


def corrected(raw: float, slope: float, shift: float) -> float:
    """Return a score whose logarithm of the odds was multiplied and moved.

    Examples
    --------
    >>> corrected(0.5, 3.0, 0.0), corrected(0.0, 1.0, 0.0), corrected(1.0, 1.0, 0.0)
    (0.5, 0.0, 1.0)
    """
    raw = min(max(raw, 1e-9), 1.0 - 1e-9)
    odds = slope * log(raw / (1.0 - raw)) + shift
    return round(1.0 / (1.0 + exp(-max(-_FARTHEST, min(_FARTHEST, odds)))), 6)


def out_of(share: float) -> str:
    """Return a share of payments in words.

    Examples
    --------
    >>> out_of(0.31), out_of(0.043), out_of(0.004), out_of(0.98)
    ('3 of 10', '4 of 100', 'fewer than 1 of 100', 'nearly all')
    """
    if share >= 0.95:
        return "nearly all"
    if share >= 0.095:
        return f"{round(share * 10)} of 10"
    return f"{round(share * 100)} of 100" if share >= 0.01 else "fewer than 1 of 100"
