"""A detector behind river's verbs, and how one is made from its name in the configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol


class Detector(Protocol):
    """Scores a vector, then learns it; deterministic."""

    @property
    def is_warm(self) -> bool:
        """Whether it has learnt enough to say anything."""

    def score_one(self, x: Sequence[float]) -> float:
        """Return how unusual a vector is, higher is odder; changes nothing."""

    def learn_one(self, x: Sequence[float]) -> None:
        """Take a vector for usual."""

    def snapshot(self) -> list[Any]:
        """Return what was learnt as plain data."""

    def resume(self, plain: Sequence[Any]) -> None:
        """Go on from a `snapshot()` of a detector with the same limits and parameters."""


def make_detector(
    name: str, limits: Sequence[tuple[float, float]], parameters: Mapping[str, int | float], seed: int
) -> Detector:
    """Return a new detector.

    Parameters
    ----------
    name
        As in `monitor.core.models.config.PARAMETERS`.
    limits
        Lowest and highest value of each feature.
    parameters
        As the configuration gives them.
    seed
        Of what is drawn.
    """
    return _maker(name)(limits, seed=seed, **parameters)


def _maker(name: str) -> Callable[..., Detector]:
    """Return what makes a detector; numpy, and river's second, are imported where they are asked for."""
    if name == "densities":
        from monitor.core.models.densities import Densities  # noqa: PLC0415

        return Densities
    if name == "half_space_trees":
        from monitor.core.models.trees import HalfSpaceTrees  # noqa: PLC0415

        return partial(HalfSpaceTrees, even=True)
    from monitor.core.models.river import DETECTORS  # noqa: PLC0415

    found: Callable[..., Detector] = DETECTORS[name]
    return found
