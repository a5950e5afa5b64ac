"""Boosted trees against a search by hand in exact fractions, and what whole numbers promise."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from random import Random

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.core.boosting import FULL, Growth, grow
from monitor.core.margins import margin_of, shares

STUMP = Growth(trees=1, depth=1, calm=1.0, least=0.5, skip=1, bins=1000)
cases = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 6), st.booleans()), min_size=12, max_size=60
).filter(lambda rows: 0 < sum(label for *_, label in rows) < len(rows))


def arrays(rows):
    return (
        np.array([row[:2] for row in rows], np.float64),
        np.array([row[2] for row in rows], np.int64),
    )


def best_gain(rows, base):
    """Return the largest gain of one question, in fractions, with the gradients that learning uses."""
    chance = round(FULL / (1 + np.exp(-base / 1024)))
    curve = max(1, round(Fraction(chance * (FULL - chance), FULL)))
    calm, least = FULL, Fraction(FULL, 2)

    def worth(part):
        slope = sum(FULL * label - chance for *_, label in part)
        return Fraction(slope * slope, curve * len(part) + calm)

    gains = {}
    for feature in (0, 1):
        for threshold in sorted({row[feature] for row in rows})[1:]:
            below = [row for row in rows if row[feature] < threshold]
            above = [row for row in rows if row[feature] >= threshold]
            if min(len(below), len(above)) * curve >= least:
                gains[feature, threshold] = worth(below) + worth(above) - worth(rows)
    return gains


@settings(max_examples=60, deadline=None)
@given(rows=cases)
@example(rows=[(0, 0, False)] * 11 + [(0, 0, True)])
def test_a_tree_asks_the_question_that_gains_most(rows) -> None:
    base, (tree,) = grow(*arrays(rows), STUMP)
    gains = best_gain(rows, base)
    most = max(gains.values(), default=Fraction(0))
    if isinstance(tree, int):
        # No question, or one whose two answers are worth the same.
        return
    assert gains[tree[0], tree[1]] >= most - Fraction(1, 1000) * abs(most)


@settings(max_examples=60, deadline=None)
@given(rows=cases)
def test_every_branch_below_asks_what_gains_most_among_its_own_rows(rows) -> None:
    base, (tree,) = grow(*arrays(rows), replace(STUMP, depth=3))

    def walk(node, own) -> None:
        if isinstance(node, int):
            return
        feature, threshold, below, above = node
        gains = best_gain(own, base)
        most = max(gains.values())
        # Between two of their values every threshold parts them alike.
        parted_at = min(row[feature] for row in own if row[feature] >= threshold)
        assert gains[feature, parted_at] >= most - Fraction(1, 1000) * abs(most)
        walk(below, [row for row in own if row[feature] < threshold])
        walk(above, [row for row in own if row[feature] >= threshold])

    walk(tree, rows)


@settings(max_examples=30, deadline=None)
@given(rows=cases, seed=st.integers(0, 1000))
def test_the_order_of_rows_changes_no_tree(rows, seed) -> None:
    growth = Growth(trees=5, depth=3, calm=1.0, least=0.5, skip=1)
    shuffled = rows.copy()
    Random(seed).shuffle(shuffled)
    assert grow(*arrays(rows), growth) == grow(*arrays(shuffled), growth)


@settings(max_examples=30, deadline=None)
@given(rows=cases)
def test_compiled_trees_say_what_walking_them_says_and_shares_add_up(rows) -> None:
    vectors, labels = arrays(rows)
    base, trees = grow(vectors, labels, Growth(trees=8, depth=3, calm=1.0, least=0.5, skip=1))

    def walk(tree, vector):
        while not isinstance(tree, int):
            tree = tree[2] if vector[tree[0]] < tree[1] else tree[3]
        return tree

    def mean(tree):
        return tree if isinstance(tree, int) else (mean(tree[2]) + mean(tree[3])) / 2

    margin = margin_of(base, trees, 2)
    for vector in vectors.tolist():
        walked = sum(walk(tree, vector) for tree in trees)
        assert margin(vector) == base + walked
        assert abs(sum(shares(trees, vector).values()) + sum(map(mean, trees)) - walked) < 1e-6
