"""Boosted trees learnt in whole numbers: the same rows give the same trees on every machine.

Gradients, leaf values and margins are integers (units below), so sums depend neither on their order
nor on the processor, and a version can be learnt again bit for bit. What floating point is left is
single operations that IEEE 754 fixes. The method is gradient boosting with second-order gains
(Chen and Guestrin, "XGBoost", KDD 2016) on histograms.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from monitor.core.margins import UNIT, Tree

FULL = 65_536
"""Gradients: a probability of 1 is so many."""
WIDEST = 10 * UNIT
"""Margins beyond count as this when learning."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

Made = TypeVar("Made")
Steps = Generator[None, None, Made]
"""Work done a step at a time; what is made of it comes at the end."""

_CHANCES = np.array([round(FULL / (1.0 + exp(-n / UNIT))) for n in range(-WIDEST, WIDEST + 1)], np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How trees are grown."""

    trees: int = 40
    depth: int = 4
    rate: float = 0.15
    """How much of what is left of the error each tree mends."""
    bins: int = 200
    """Values of a feature told apart, at most."""
    calm: float = 10.0
    """Curvature that every leaf is given beside its own: keeps leaves of few rows near 0."""
    least: float = 10.0
    """Curvature that a leaf needs."""
    skip: int = 2
    """Each tree is grown on every so-manieth row, in turn."""


def grow(rows: Floats, labels: Ints, growth: Growth) -> tuple[int, list[Tree]]:
    """Return the margin every row begins with, and the trees that mend it.

    Parameters
    ----------
    rows
        Features, a row an event.
    labels
        1 or 0 a row; both occur.

    Examples
    --------
    >>> rows = np.arange(400.0).reshape(400, 1)
    >>> base, trees = grow(rows, (rows[:, 0] >= 300).astype(int), Growth(trees=1, depth=1, least=1))
    >>> base, trees
    (-1125, [[0, 300.0, -151, 297]])
    """
    return finished(growing(rows, labels, growth))


def growing(rows: Floats, labels: Ints, growth: Growth) -> Steps[tuple[int, list[Tree]]]:
    """Do what `grow` does, in steps of some milliseconds: one a feature, then one a tree."""
    ones = int(labels.sum())
    base = round(UNIT * log(ones / (len(labels) - ones)))
    places, edges = np.empty(rows.shape[::-1], np.int64), []
    for feature, values in enumerate(rows.T):
        edges.append(_edges(values, growth.bins))
        places[feature] = np.searchsorted(edges[-1], values, side="right")
        yield
    margins, target, trees = np.full(len(labels), base), labels.astype(np.float64) * FULL, []
    for number in range(growth.trees):
        chances = _CHANCES[np.clip(margins, -WIDEST, WIDEST) + WIDEST]
        curves = np.maximum(1.0, np.rint(chances * (FULL - chances) / FULL))
        tree, values = _Grower(places, target - chances, curves, number % growth.skip, growth).grow(edges)
        trees.append(tree)
        margins += values
        yield
    return base, trees


def finished(steps: Steps[Made]) -> Made:
    """Do all the steps that are left; return what was made."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            made: Made = end.value
            return made


def _edges(values: Floats, bins: int) -> Floats:
    """Return where the values of a feature are told apart, rising."""
    ordered = np.sort(values)
    edges = np.unique(ordered[(np.arange(1, bins) * len(ordered)) // bins])
    rising: Floats = edges[edges > ordered[0]]
    return rising


class _Grower:
    """Grows one tree, level by level."""

    def __init__(self, places: Ints, slopes: Floats, curves: Floats, first: int, growth: Growth) -> None:
        self._growth, self._all, self._seen = growth, places, slice(first, None, growth.skip)
        self._places = places[:, self._seen]
        self._slopes, self._curves = slopes[self._seen], curves[self._seen]
        self._width = int(places.max(initial=0)) + 1
        """More places than any feature has; as a threshold: everything is below."""
        self._calm, self._least = growth.calm * FULL, growth.least * FULL

    def grow(self, edges: Sequence[Floats]) -> tuple[Tree, Ints]:
        """Return the tree, and the value of its leaf for every row."""
        every = np.zeros(self._all.shape[1], np.int64)
        nodes, levels = every[self._seen], []
        sums = self._sums(nodes, slice(None), 1)
        for level in range(self._growth.depth):
            if level:
                sums = self._divided(sums, nodes, 1 << level)
            features, places = self._split(sums, 1 << level)
            levels.append((features, places))
            every = _descend(self._all, every, features, places)
            nodes = every[self._seen]
        leaves = 1 << self._growth.depth
        top = np.bincount(nodes, weights=self._slopes, minlength=leaves)
        bottom = np.bincount(nodes, weights=self._curves, minlength=leaves) + self._calm
        values = np.rint(self._growth.rate * UNIT * top / bottom).astype(np.int64)
        return _nested(levels, edges, values, 0, 0), values[every]

    def _sums(self, nodes: Ints, rows: Any, count: int) -> Floats:
        """Return slopes and curves of some rows added up by feature, node and place."""
        size, starts, places = count * self._width, nodes[rows] * self._width, self._places[:, rows]
        weights = self._slopes[rows], self._curves[rows]
        found = np.empty((2, len(places), size))
        for feature, row in enumerate(places):
            keys = starts + row
            for what, weight in enumerate(weights):
                found[what, feature] = np.bincount(keys, weight, size)
        return found.reshape(2, len(places), count, self._width)

    def _divided(self, sums: Floats, nodes: Ints, count: int) -> Floats:
        """Return the sums of a level from those of the level above.

        Of two nodes the one with fewer rows is added up; what is left of both is the other. Sums of
        whole numbers below 2^53 are exact, so it makes no difference which.
        """
        rows = np.bincount(nodes, minlength=count)
        is_fewer = np.zeros(count, bool)
        is_fewer[0::2] = rows[0::2] <= rows[1::2]
        is_fewer[1::2] = ~is_fewer[0::2]
        fewer = self._sums(nodes >> 1, np.flatnonzero(is_fewer[nodes]), count // 2)
        found = np.empty((*sums.shape[:2], count, self._width))
        found[:, :, is_fewer], found[:, :, ~is_fewer] = fewer, sums - fewer
        return found

    def _split(self, sums: Floats, count: int) -> tuple[Ints, Ints]:
        """Return for each node of a level the feature and the place from which rows go up."""
        if self._width < 2:  # nothing differs: there is no place to part at
            return np.zeros(count, np.int64), np.full(count, self._width)
        gains = self._gains(*sums.cumsum(axis=3)).transpose(1, 0, 2).reshape(count, -1)
        found = gains.argmax(axis=1)
        is_better = gains[np.arange(count), found] > 0.0
        features, places = np.divmod(found, self._width - 1)
        return np.where(is_better, features, 0), np.where(is_better, places + 1, self._width)

    def _gains(self, top: Floats, bottom: Floats) -> Floats:
        """Return what each place of a feature would gain in each node: feature, node, place."""
        below, under = top[..., :-1], bottom[..., :-1]
        above, over = top[..., -1:] - below, bottom[..., -1:] - under
        whole: Floats = top[..., -1:] * top[..., -1:] / (bottom[..., -1:] + self._calm)
        gains: Floats = below * below / (under + self._calm) + above * above / (over + self._calm) - whole
        gains[(under < self._least) | (over < self._least)] = 0.0
        return gains


def _descend(rows: Ints, nodes: Ints, features: Ints, places: Ints) -> Ints:
    down: Ints = 2 * nodes + (rows[features[nodes], np.arange(len(nodes))] >= places[nodes])
    return down


def _nested(
    levels: Sequence[tuple[Ints, Ints]], edges: Sequence[Floats], values: Ints, level: int, node: int
) -> Tree:
    if level == len(levels):
        return int(values[node])
    feature, place = int(levels[level][0][node]), int(levels[level][1][node])
    below = _nested(levels, edges, values, level + 1, 2 * node)
    if place > len(edges[feature]):
        return below
    above = _nested(levels, edges, values, level + 1, 2 * node + 1)
    return below if below == above else [feature, float(edges[feature][place - 1]), below, above]
