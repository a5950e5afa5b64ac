"""A version of the classifier: frozen, plain data, named by its content; and the version at work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp
from typing import Any

from monitor.core.features import FEATURES
from monitor.core.margins import UNIT, Tree, margin_of, shares
from monitor.core.models.packed import Packed

LEAST_TOLD = 0.2
"""A feature that moved the natural logarithm of the odds by less is not worth a sentence."""
MOST_TOLD = 4
FARTHEST = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierVersion(Packed):
    """What was learnt from verdicts at one moment. Never changed after it is made."""

    WHAT = "classifier version"

    number: int
    """1 for the first."""
    features: tuple[str, ...]
    base: int
    """Margin every vector begins with, 1024ths of the natural logarithm of the odds."""
    trees: list[Tree]
    offset: int
    """Added to the margin: genuine payments were sampled more thinly than frauds."""
    from_ms: int
    """Event time of the first payment learnt."""
    to_ms: int
    """Event time of the last one."""
    frauds: int
    """Payments learnt as fraud."""
    genuine: int
    """Payments learnt as genuine."""

    @classmethod
    def _tuples(cls, plain: dict[str, Any]) -> dict[str, Any]:
        return {"features": tuple(plain["features"])}


class Classifier:
    """Scores vectors with one version; frozen.

    Parameters
    ----------
    version
        What was learnt.
    """

    __slots__ = ("_margin", "version")

    def __init__(self, version: ClassifierVersion) -> None:
        self.version = version
        self._margin = margin_of(version.base + version.offset, version.trees, len(version.features))

    def margin(self, vector: Sequence[float]) -> int:
        """Return what the trees say of a vector: 1024ths of the natural logarithm of the odds."""
        return self._margin(vector)

    def score_one(self, vector: Sequence[float]) -> float:
        """Return the chance that a payment is fraud, 0 to 1, in millionths."""
        return chance(self._margin(vector))

    def pushes(self, vector: Sequence[float]) -> list[tuple[str, float]]:
        """Return features and how far each moved the logarithm of the odds, the largest rise first."""
        found = shares(self.version.trees, vector)
        named = ((self.version.features[place], size / UNIT) for place, size in found.items())
        return sorted(named, key=lambda push: (-push[1], push[0]))

    def reasons(self, vector: Sequence[float]) -> tuple[str, ...]:
        """Return in words what raised the chance, the strongest first, at most four sentences."""
        raising = [name for name, size in self.pushes(vector) if size >= LEAST_TOLD][:MOST_TOLD]
        places = {feature.name: place for place, feature in enumerate(FEATURES)}
        return tuple(FEATURES[places[name]].told(vector[places[name]]) for name in raising)


@lru_cache(maxsize=65_536)
def chance(margin: int) -> float:
    """Return the probability of a margin.

    Examples
    --------
    >>> chance(0), chance(-6 * UNIT), chance(6 * UNIT)
    (0.5, 0.002473, 0.997527)
    """
    odds = margin / UNIT
    return round(1.0 / (1.0 + exp(-max(-FARTHEST, min(FARTHEST, odds)))), 6)
