"""River's detectors behind the project's verbs; the one module that knows river.

Their scores have no common range; `0..1` comes from the population, which ranks them. What they learnt
is written as plain data, never as pickled objects.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from river import anomaly, drift, sketch
from river.sketch.histogram import Bin


class RiverLoda:
    """River's LODA: random cuts with histograms that find their own bins. Any real score.

    Parameters
    ----------
    limits
        Lowest and highest value of each feature; vectors are brought into 0..1 by them.
    bins, cuts, seed
        As river's `n_bins`, `n_random_cuts` and `seed`.
    """

    def __init__(
        self, limits: Sequence[tuple[float, float]], *, bins: int = 10, cuts: int = 100, seed: int = 0
    ) -> None:
        self._limits = limits
        self._model = anomaly.LODA(n_bins=bins, n_random_cuts=cuts, seed=seed)

    @property
    def is_warm(self) -> bool:
        """Whether anything was learnt."""
        return bool(self._model.projections_)

    def score_one(self, x: Sequence[float]) -> float:
        """Return the mean surprise of the cuts."""
        return float(self._model.score_one(_scaled(self._limits, x)))

    def learn_one(self, x: Sequence[float]) -> None:
        """Count a vector."""
        self._model.learn_one(_scaled(self._limits, x))

    def snapshot(self) -> list[Any]:
        """Return what was learnt: the directions, and of each the bins."""
        model = self._model
        return [
            [list(projection.items()) for projection in model.projections_],
            [[[one.left, one.right, one.count] for one in held.data] for held in model.histograms_],
            [held.n for held in model.histograms_],
        ]

    def resume(self, plain: Sequence[Any]) -> None:
        """Go on from a `snapshot()`."""
        projections, histograms, counts = plain
        model = self._model
        model.features_ = list(range(len(self._limits))) if projections else []
        model.projections_ = [dict(row) for row in projections]
        model.histograms_ = []
        for bins, count in zip(histograms, counts, strict=True):
            held = sketch.Histogram(max_bins=model.n_bins)
            held.data, held.n = [Bin(*row) for row in bins], count
            model.histograms_.append(held)


class RiverOneClassSvm:
    """River's one-class support vector machine, by stochastic gradients. Any real score.

    Parameters
    ----------
    limits
        Lowest and highest value of each feature; vectors are brought into 0..1 by them.
    nu
        The share of the population expected to be odd.
    seed
        Not used: nothing is drawn.
    """

    def __init__(self, limits: Sequence[tuple[float, float]], *, nu: float = 0.1, seed: int = 0) -> None:
        self._limits = limits
        self._model = anomaly.OneClassSVM(nu=nu)

    @property
    def is_warm(self) -> bool:
        """Whether anything was learnt."""
        return bool(self._model.optimizer.n_iterations)

    def score_one(self, x: Sequence[float]) -> float:
        """Return river's score as it is."""
        return float(self._model.score_one(_scaled(self._limits, x)))

    def learn_one(self, x: Sequence[float]) -> None:
        """Move the boundary."""
        self._model.learn_one(_scaled(self._limits, x))

    def snapshot(self) -> list[Any]:
        """Return the weights, the intercept and how many steps were made."""
        model = self._model
        return [list(model.weights.items()), float(model.intercept), int(model.optimizer.n_iterations)]

    def resume(self, plain: Sequence[Any]) -> None:
        """Go on from a `snapshot()`."""
        weights, self._model.intercept, steps = plain
        self._model._weights.update(dict(weights))  # noqa: SLF001  `weights` gives a copy
        self._model.optimizer.n_iterations = steps


class Adwin:
    """River's adaptive windowing: whether the mean of a sequence of numbers has changed.

    Bifet and Gavalda, "Learning from time-changing data with adaptive windowing", SDM 2007.

    Parameters
    ----------
    delta
        How probable a false alarm may be.
    """

    def __init__(self, delta: float = 0.002) -> None:
        self._model = drift.ADWIN(delta=delta)

    def update(self, value: float) -> bool:
        """Take a number; return whether the mean has changed with it."""
        self._model.update(value)
        return bool(self._model.drift_detected)


def _scaled(limits: Sequence[tuple[float, float]], x: Sequence[float]) -> dict[int, float]:
    return {
        n: min(max((value - low) / (high - low), 0.0), 1.0)
        for n, (value, (low, high)) in enumerate(zip(x, limits, strict=True))
    }


DETECTORS: dict[str, Callable[..., Any]] = {"river_loda": RiverLoda, "river_one_class_svm": RiverOneClassSvm}
"""Names in the configuration to what makes the detector."""
