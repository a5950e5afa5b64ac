"""A version of a population's model: frozen, plain data, named by its content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monitor.core.models.packed import Packed

ARTIFACT = "model"
"""Kind under which versions are archived, each by its hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version(Packed):
    """What one population had learnt at one moment. Never changed after it is made."""

    WHAT = "model version"

    model: str
    segment: str
    """Whose population; empty: everybody without one of their own."""
    number: int
    """1 for the first; each publication counts one on."""
    detector: str
    parameters: Mapping[str, int | float]
    seed: int
    features: tuple[str, ...]
    limits: tuple[tuple[float, float], ...]
    """Lowest and highest value of each feature, as the vector has them."""
    from_ms: int
    """Event time of the first vector learnt."""
    to_ms: int
    """Event time of the last one."""
    learnt: int
    """Vectors learnt in all."""
    passed_over: int
    """Events it did not learn from: flagged, restricted, or outside its purpose."""
    medians: tuple[float, ...]
    """Of each feature, in the sample."""
    counts: tuple[tuple[int, ...], ...]
    """Of each feature: a histogram of the sample, bins of equal width between its limits."""
    scores: tuple[float, ...]
    """Quantiles of the detector's raw scores in the sample, evenly spaced, ascending."""
    learned: Any
    """What the detector had learnt, plain data."""

    @classmethod
    def _tuples(cls, plain: dict[str, Any]) -> dict[str, Any]:
        return {
            "features": tuple(plain["features"]),
            "limits": tuple((low, high) for low, high in plain["limits"]),
            "medians": tuple(plain["medians"]),
            "counts": tuple(tuple(row) for row in plain["counts"]),
            "scores": tuple(plain["scores"]),
        }
