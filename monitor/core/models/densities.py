"""Densities: how rare each of an event's values is, one histogram a feature and one a random cut.

The axes alone are the histogram-based outlier score (Goldstein and Dengel, 2012); with `cuts`, sparse
random projections are added as in LODA (Pevny, "Loda: lightweight on-line detector of anomalies",
Machine Learning 102, 2016). Bounds are given, so the bins are too, and every count is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import log, sqrt
from typing import Any

import numpy as np

Bins = tuple[int, ...]
"""The bin of a vector in every histogram."""


class Densities:
    """Scores 0 to 1, higher where a vector's values are rarer; 1 where none was ever seen.

    Every vector has a value for each feature, in the order of `limits`; values outside count in the
    outermost bin. The first full window makes the first reference; from then on each window adds
    its counts to what is left of the older ones. Before it every score is 0.0.

    Parameters
    ----------
    limits
        Lowest and highest value of each feature.
    bins
        Of equal width, in each histogram.
    cuts
        Random directions through about the square root of all features each, besides the axes.
    window
        Vectors learnt until the reference changes.
    fading
        What is left of a count a window later, 0 to 1.
    seed
        Which cuts are drawn.

    Examples
    --------
    >>> densities = Densities([(0.0, 1.0), (0.0, 10.0)], bins=10, window=100)
    >>> for n in range(100):
    ...     densities.learn_one((n % 10 / 20, 5.0))
    >>> round(densities.score_one((0.2, 5.0)), 2), round(densities.score_one((0.2, 9.0)), 2)
    (0.19, 0.68)
    >>> [round(share, 2) for share in densities.shares((0.2, 9.0))]
    [0.18, 0.5]
    """

    __slots__ = (
        "_bins",
        "_code",
        "_counts",
        "_features",
        "_fresh",
        "_most",
        "_parameters",
        "_rarity",
        "_sources",
        "_tables",
        "_waiting",
        "window",
    )

    def __init__(
        self,
        limits: Sequence[tuple[float, float]],
        *,
        bins: int = 40,
        cuts: int = 0,
        window: int = 1000,
        fading: float = 0.9,
        seed: int = 0,
    ) -> None:
        self.window = window
        self._parameters = (bins, cuts, window, fading, seed)
        self._features, self._bins = len(limits), bins
        self._sources = _sources(len(limits), cuts, seed)
        """Each histogram's features with the share each has in it."""
        self._code, self._rarity = _compiled(tuple(limits), bins, cuts, seed)
        self._counts: list[list[float]] | None = None
        self._tables: list[list[float]] = []
        """Surprise of each bin (negative logarithm of its share); empty before the first window."""
        self._most = 1.0
        self._fresh = [[0] * bins for _ in self._sources]
        self._waiting = 0

    @property
    def is_warm(self) -> bool:
        """Whether a window was full."""
        return self._counts is not None

    def score_one(self, x: Sequence[float]) -> float:
        """Return how rare the vector's values are, 0 to 1. Changes nothing."""
        if self._counts is None:
            return 0.0
        return self._rarity(self._tables, *x) / self._most

    def learn_one(self, x: Sequence[float]) -> None:
        """Count a vector."""
        for counts, place in zip(self._fresh, self._code(*x), strict=True):
            counts[place] += 1
        self._waiting += 1
        if self._waiting == self.window:
            self._turn()

    def shares(self, x: Sequence[float]) -> list[float]:
        """Return what each feature has in the score; they add up to it. All 0.0 before the first window."""
        found = [0.0] * self._features
        if self._counts is None:
            return found
        for source, table, place in zip(self._sources, self._tables, self._code(*x), strict=True):
            for feature, share in source.items():
                found[feature] += abs(share) * table[place] / self._most
        return found

    def snapshot(self) -> list[Any]:
        """Return what was learnt as plain data; limits and parameters are the caller's."""
        return [self._counts, [row.copy() for row in self._fresh], self._waiting]

    def resume(self, plain: Sequence[Any]) -> None:
        """Go on from a `snapshot()` taken with the same limits and parameters."""
        counts, fresh, self._waiting = plain
        self._fresh = [list(row) for row in fresh]
        if counts is not None:
            self._refer([list(row) for row in counts])

    def _turn(self) -> None:
        fading = self._parameters[3]
        old = self._counts or [[0.0] * self._bins for _ in self._sources]
        self._refer(
            [
                [before * fading + new for before, new in zip(row, fresh, strict=True)]
                for row, fresh in zip(old, self._fresh, strict=True)
            ]
        )
        self._fresh = [[0] * self._bins for _ in self._sources]
        self._waiting = 0

    def _refer(self, counts: list[list[float]]) -> None:
        self._counts = counts
        # One more in every bin: what was never seen is rare, not impossible.
        whole = sum(counts[0]) + self._bins
        self._tables = [[log(whole / (count + 1.0)) for count in row] for row in counts]
        self._most = len(counts) * log(whole)


def _sources(features: int, cuts: int, seed: int) -> list[dict[int, float]]:
    """Return the axes and random directions: features to weights, whose sizes add up to 1."""
    rng, found = np.random.RandomState([seed]), [{n: 1.0} for n in range(features)]
    for _ in range(cuts):
        chosen = rng.permutation(features)[: max(1, int(sqrt(features)))].tolist()
        weights = rng.standard_normal(len(chosen)).tolist()
        size = sum(map(abs, weights))
        found.append({n: weight / size for n, weight in sorted(zip(chosen, weights, strict=True))})
    return found


@lru_cache(maxsize=64)
def _compiled(
    limits: tuple[tuple[float, float], ...], bins: int, cuts: int, seed: int
) -> tuple[Callable[..., Bins], Callable[..., float]]:
    """Return code from a vector's values to its bins, and to the sum of what tables say of these."""
    sources = _sources(len(limits), cuts, seed)
    values = ", ".join(f"x{n}" for n in range(len(limits)))
    body = _places(limits, sources, bins)
    count = range(len(sources))
    tables = "".join(f"t{n}, " for n in count)
    lines = [f"def bins({values}):", *body]
    lines.append(f" return ({''.join(f'int(x{n}), ' for n in count)})")
    lines += [f"def rarity(tables, {values}):", f" {tables}= tables", *body]
    lines.append(f" return {' + '.join(f't{n}[int(x{n})]' for n in count)}")
    space: dict[str, Any] = {}
    exec(compile("\n".join(lines), "<densities>", "exec"), space)  # noqa: S102  numbers alone
    return space["bins"], space["rarity"]


def _places(
    limits: tuple[tuple[float, float], ...], sources: Sequence[dict[int, float]], bins: int
) -> list[str]:
    """Return lines of code that turn values into places among the bins."""
    lines = []
    for n, (low, high) in enumerate(limits):
        lines.append(f" x{n} = (x{n} - {float(low)!r}) * {bins / (high - low)!r}")
        # Written so that what is no number falls into the last bin.
        lines.append(f" x{n} = 0.0 if x{n} < 0.0 else x{n} if x{n} < {bins - 0.5!r} else {bins - 0.5!r}")
    for n, source in enumerate(sources):
        if n >= len(limits):
            terms = " + ".join(
                f"{weight!r} * x{m}" if weight > 0 else f"{-weight!r} * ({bins - 0.5!r} - x{m})"
                for m, weight in source.items()
            )
            lines.append(f" x{n} = {terms}")
    return lines
