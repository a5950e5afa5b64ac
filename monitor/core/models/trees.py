"""Half-space trees: how few of the population lie where an event lies.

Tan, Ting and Liu, "Fast anomaly detection for streaming data", IJCAI 2011, in the form of river's
`HalfSpaceTrees`: the same seed gives the same scores to the last bit. The trees never change once
they are drawn, so the way to a leaf is generated code; only the leaves count, and what a whole path
is worth is added up once a window.
"""

from __future__ import annotations

from array import array
from bisect import bisect
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from itertools import accumulate
from operator import getitem
from typing import Any

import numpy as np

Leaves = tuple[int, ...]
"""The leaf a vector reaches in every tree, counted from the left."""

PADDING = 0.15
"""A split keeps this share of the range away from both ends."""
TOO_FEW = 0.1
"""A path ends where fewer than this share of a window lie: the paper's size limit."""
GENERATED = 8
"""Levels that are written out as code; those below them are walked in a list."""
TALLEST = 20


class Splits:
    """The splits of all trees, drawn once; shared by every detector of the same seed and limits.

    Parameters
    ----------
    limits
        Lowest and highest value of each feature; a wide one is split more often than a narrow one.
    trees, height
        How many trees; how many questions to a leaf.
    seed
        Of the Mersenne Twister.
    even
        Split every feature equally often, whatever its width: as if all were brought into 0 to 1.
    """

    __slots__ = ("_code", "_features", "_leaves", "_seen", "_thresholds", "height", "trees")

    def __init__(
        self, limits: Sequence[tuple[float, float]], trees: int, height: int, seed: int, even: bool
    ) -> None:
        self.trees, self.height = trees, height
        self._features: list[list[int]] = []
        self._thresholds: list[list[float]] = []
        # Seeded as an array it is the stream of Python's own generator, which river draws from.
        draws = iter(np.random.RandomState([seed]).random_sample(2 * trees * ((1 << height) - 1)).tolist())
        for _ in range(trees):
            self._draw([(0.0, 1.0)] * len(limits) if even else list(limits), draws)
        if even:
            self._widen(limits)
        self._code = self._compiled(len(limits))
        self._seen: Sequence[float] | None = None
        self._leaves: Leaves = ()

    def leaves(self, x: Sequence[float]) -> Leaves:
        """Return the leaves a vector reaches; asked again for the same object, the same answer."""
        if x is self._seen:
            return self._leaves
        found: Leaves = self._code(*x)
        if self.height > GENERATED:
            found = self._walk(x, found)
        # A list may be another one the next time.
        self._seen, self._leaves = x if type(x) is tuple else None, found
        return found

    def _draw(self, limits: list[tuple[float, float]], draws: Any) -> None:
        inner = (1 << self.height) - 1
        features, thresholds = [0] * inner, [0.0] * inner

        def draw(node: int) -> None:
            if node >= inner:
                return
            bounds = list(accumulate(high - low for low, high in limits))
            on = bisect(bounds, next(draws) * (bounds[-1] + 0.0), 0, len(bounds) - 1)
            whole = low, high = limits[on]
            start, end = low + PADDING * (high - low), high - PADDING * (high - low)
            at = start + (end - start) * next(draws)
            features[node], thresholds[node] = on, at
            limits[on] = (low, at)
            draw(2 * node + 1)
            limits[on] = (at, high)
            draw(2 * node + 2)
            limits[on] = whole

        draw(0)
        self._features.append(features)
        self._thresholds.append(thresholds)

    def _widen(self, limits: Sequence[tuple[float, float]]) -> None:
        for features, thresholds in zip(self._features, self._thresholds, strict=True):
            for node, on in enumerate(features):
                low, high = limits[on]
                thresholds[node] = low + thresholds[node] * (high - low)

    def _compiled(self, features: int) -> Callable[..., Leaves]:
        """Return code that asks the questions of the upper levels: nested `if`, one tree after another."""
        levels = min(self.height, GENERATED)
        lines = [f"def leaves({', '.join(f'x{n}' for n in range(features))}):"]
        for tree in range(self.trees):
            self._write(lines, tree, 0, levels, 1)
        lines.append(f" return ({''.join(f't{tree}, ' for tree in range(self.trees))})")
        space: dict[str, Any] = {}
        exec(compile("\n".join(lines), "<half-space trees>", "exec"), space)  # noqa: S102  numbers alone
        code: Callable[..., Leaves] = space["leaves"]
        return code

    def _write(self, lines: list[str], tree: int, node: int, levels: int, depth: int) -> None:
        indent = " " * depth
        if not levels:
            # Where the tree goes on below, the node; else the leaf's number.
            number = node if self.height > GENERATED else node + 1 - (1 << self.height)
            lines.append(f"{indent}t{tree} = {number}")
            return
        lines.append(f"{indent}if x{self._features[tree][node]} < {float(self._thresholds[tree][node])!r}:")
        self._write(lines, tree, 2 * node + 1, levels - 1, depth + 1)
        lines.append(f"{indent}else:")
        self._write(lines, tree, 2 * node + 2, levels - 1, depth + 1)

    def _walk(self, x: Sequence[float], nodes: Leaves) -> Leaves:
        first = (1 << self.height) - 1
        found = []
        for tree, node in enumerate(nodes):
            features, thresholds = self._features[tree], self._thresholds[tree]
            at = node
            while at < first:
                at = 2 * at + (1 if x[features[at]] < thresholds[at] else 2)
            found.append(at - first)
        return tuple(found)


@lru_cache(maxsize=16)
def splits(limits: tuple[tuple[float, float], ...], trees: int, height: int, seed: int, even: bool) -> Splits:
    """Return the splits of a seed; drawn and compiled once."""
    return Splits(limits, trees, height, seed, even)


class HalfSpaceTrees:
    """Scores 0 to 1, higher where fewer of the last full window lay.

    Every vector has a value for each feature, in the order of `limits`. Values outside the limits
    fall into the outermost half-space. Before the first full window every score is 0.0.

    Parameters
    ----------
    limits
        Lowest and highest value of each feature.
    trees, height
        How many trees; how many questions to a leaf, at most 20.
    window
        Vectors learnt until they become the reference.
    seed
        Which trees are drawn.
    even
        Split every feature equally often, whatever its width; river splits a wide one more often.

    Examples
    --------
    >>> trees = HalfSpaceTrees([(0.0, 1.0)], trees=5, height=3, window=3, seed=42)
    >>> for x in (0.5, 0.45, 0.43):
    ...     trees.learn_one((x,))
    >>> round(trees.score_one((0.44,)), 3), round(trees.score_one((0.0,)), 3)
    (0.107, 0.853)
    """

    __slots__ = (
        "_counts",
        "_limits",
        "_most",
        "_pack",
        "_seed",
        "_tables",
        "_waiting",
        "_waits",
        "splits",
        "window",
    )

    def __init__(
        self,
        limits: Sequence[tuple[float, float]],
        *,
        trees: int = 25,
        height: int = 8,
        window: int = 1000,
        seed: int = 0,
        even: bool = False,
    ) -> None:
        if not 1 <= height <= TALLEST:
            raise ValueError(f"height: expected 1 to {TALLEST}, was {height}")
        self.splits = splits(tuple(limits), trees, height, seed, even)
        self.window = window
        self._most = trees * window * ((1 << (height + 1)) - 1)
        self._counts: Any = None
        """Vectors in each leaf, of the last full window; None before it."""
        self._tables: Sequence[Sequence[int]] = ()
        """What a path to each leaf is worth, by tree; empty before the first full window."""
        # Bytes where they are enough: tuples of numbers go into them quickest.
        self._pack: Callable[[Leaves], Any] = bytes if height <= GENERATED else partial(array, "I")
        self._waiting: Any = bytearray() if height <= GENERATED else array("I")
        """Leaves of the vectors learnt since, one vector after another."""
        self._waits = 0

    @property
    def is_warm(self) -> bool:
        """Whether a window was full."""
        return self._counts is not None

    def score_one(self, x: Sequence[float]) -> float:
        """Return how few lie where the vector lies, 0 to 1. Changes nothing."""
        if self._counts is None:
            return 0.0
        return 1 - int(sum(map(getitem, self._tables, self.splits.leaves(x)))) / self._most

    def learn_one(self, x: Sequence[float]) -> None:
        """Count a vector."""
        self._waiting += self._pack(self.splits.leaves(x))
        self._waits += 1
        if self._waits == self.window:
            self._refer(self._counted())
            del self._waiting[:]
            self._waits = 0

    def snapshot(self) -> list[Any]:
        """Return what was learnt as plain data; limits and parameters are the caller's."""
        counts = None if self._counts is None else self._counts.astype("<u4").tobytes()
        return [counts, np.array(self._waiting, dtype="<u4").tobytes()]

    def resume(self, plain: Sequence[Any]) -> None:
        """Go on from a `snapshot()` taken with the same limits and parameters."""
        counts, waiting = plain
        trees = self.splits.trees
        del self._waiting[:]
        self._waiting += self._pack(np.frombuffer(waiting, dtype="<u4").tolist())
        self._waits = len(self._waiting) // trees
        if counts is not None:
            self._refer(np.frombuffer(counts, dtype="<u4").astype(np.int64).reshape(trees, -1))

    def _counted(self) -> Any:
        """Return how many of the waiting vectors reached each leaf."""
        trees, height = self.splits.trees, self.splits.height
        leaves = np.array(self._waiting).reshape(-1, trees).astype(np.int64)
        leaves += np.arange(trees) << height
        return np.bincount(leaves.ravel(), minlength=trees << height).reshape(trees, -1)

    def _refer(self, counts: Any) -> None:
        self._counts = counts
        worth = _worth(counts, self.splits.height, TOO_FEW * self.window)
        # Lists are quicker to look into; of tall trees too much would have to be copied.
        self._tables = worth.tolist() if self.splits.height <= GENERATED else list(worth)


def _worth(counts: Any, height: int, too_few: float) -> Any:
    """Return what the path to each leaf is worth: mass times 2 to the depth, down to where few lie."""
    trees = len(counts)
    masses = [counts]
    for _ in range(height):
        masses.append(masses[-1].reshape(trees, -1, 2).sum(axis=2))
    masses.reverse()
    worth, goes_on = masses[0], masses[0] >= too_few
    for depth in range(1, height + 1):
        goes_on = goes_on.repeat(2, axis=1)
        worth = worth.repeat(2, axis=1) + np.where(goes_on, masses[depth] << depth, 0)
        goes_on &= masses[depth] >= too_few
    return worth
