"""What boosted trees say of a vector: its margin, what moved it, and which features the trees part by.

Apart from `monitor.core.boosting`, which grows them: who only asks them needs no numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

UNIT = 1024
"""Margins and leaf values: natural logarithm of the odds, in so many parts of 1."""

Tree = Any
"""A leaf is its value (int), a branch is [feature, threshold, below the threshold, from there on]."""


def margin_of(base: int, trees: Sequence[Tree], count: int) -> Callable[[Sequence[float]], int]:
    """Return code that gives the margin of a vector of `count` features.

    Examples
    --------
    >>> margin_of(-1125, [[0, 300.0, -76, 228]], 1)((299.0,))
    -1201
    """
    names = "".join(f"f{n}, " for n in range(count))
    terms = "".join(f"\n  + {_written(tree)}" for tree in trees)
    space: dict[str, Any] = {}
    text = f"def margin(vector):\n {names}= vector\n return (\n  {int(base)}{terms}\n )"
    exec(compile(text, "<trees>", "exec"), space)  # noqa: S102  numbers alone
    code: Callable[[Sequence[float]], int] = space["margin"]
    return code


def shares(trees: Sequence[Tree], vector: Sequence[float]) -> dict[int, float]:
    """Return how far each feature moved a margin, in its units: each branch by what it changed.

    A branch is worth the mean of the leaves below it, so that the sizes and the mean of all leaves
    (the same for every vector) add up to the margin.
    """
    found: dict[int, float] = {}
    for tree in trees:
        node, value = tree, _mean(tree)
        while not isinstance(node, int):
            feature, threshold, below, above = node
            node = below if vector[feature] < threshold else above
            found[feature] = found.get(feature, 0.0) + _mean(node) - value
            value = _mean(node)
    return found


def weights(trees: Sequence[Tree]) -> dict[int, float]:
    """Return of each feature how far its branches part what lies below them, added up over all trees.

    Examples
    --------
    >>> weights([[0, 300.0, -100, [1, 2.0, 0, 200]], 5])
    {0: 200.0, 1: 200.0}
    """
    found: dict[int, float] = {}
    waiting = [tree for tree in trees if not isinstance(tree, int)]
    while waiting:
        feature, _, below, above = waiting.pop()
        found[feature] = found.get(feature, 0.0) + abs(_mean(above) - _mean(below))
        waiting += [node for node in (below, above) if not isinstance(node, int)]
    return found


def _mean(tree: Tree) -> float:
    return float(tree) if isinstance(tree, int) else (_mean(tree[2]) + _mean(tree[3])) / 2.0


def _written(tree: Tree) -> str:
    if isinstance(tree, int):
        return repr(tree)
    feature, threshold, below, above = tree
    return f"({_written(below)} if f{int(feature)} < {float(threshold)!r} else {_written(above)})"
