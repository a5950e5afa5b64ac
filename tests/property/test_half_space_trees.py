"""Half-space trees give river's scores to the last bit, whatever is learnt and in whichever window."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import anomaly

from monitor.core.models.trees import HalfSpaceTrees

Vector = tuple[float, ...]

shapes = st.fixed_dictionaries(
    {
        "trees": st.integers(1, 6),
        "height": st.integers(1, 10),
        "window": st.integers(1, 30),
        "seed": st.integers(0, 2**32 - 1),
    }
)
streams = st.integers(1, 4).flatmap(
    lambda features: st.lists(
        st.tuples(*[st.floats(-0.5, 1.5, allow_nan=False)] * features), min_size=1, max_size=80
    )
)


def river_scores(stream: list[Vector], limits: list[tuple[float, float]], **shape: int) -> list[float]:
    """Return river's score of each vector before it is learnt."""
    model = anomaly.HalfSpaceTrees(
        n_trees=shape["trees"],
        height=shape["height"],
        window_size=shape["window"],
        limits=dict(enumerate(limits)),
        seed=shape["seed"],
    )
    found = []
    for vector in stream:
        x = dict(enumerate(vector))
        found.append(model.score_one(x))
        model.learn_one(x)
    return found


def own_scores(stream: list[Vector], limits: list[tuple[float, float]], **shape: int) -> list[float]:
    model = HalfSpaceTrees(limits, **shape)
    found = []
    for vector in stream:
        found.append(model.score_one(vector))
        model.learn_one(vector)
    return found


def bursts(rows: int, seed: int) -> list[Vector]:
    """Return nine features in seven dense classes of very unequal size, as sensor data has them."""
    rng = random.Random(seed)
    centres = [[rng.random() for _ in range(9)] for _ in range(7)]
    return [
        tuple(rng.gauss(at, 0.03) for at in centres[min(6, int(rng.expovariate(1.5)))]) for _ in range(rows)
    ]


@settings(max_examples=60, deadline=None)
@given(streams, shapes)
def test_every_score_equals_rivers(stream, shape):
    limits = [(0.0, 1.0)] * len(stream[0])
    assert own_scores(stream, limits, **shape) == river_scores(stream, limits, **shape)


@settings(max_examples=30, deadline=None)
@given(streams, shapes, st.floats(-100, 100), st.floats(0.01, 1000))
def test_every_score_equals_rivers_with_limits_of_any_width(stream, shape, low, width):
    limits = [(low, low + width), (0.0, 1.0), (-1.0, 2.0), (0.0, 0.5)][: len(stream[0])]
    assert own_scores(stream, limits, **shape) == river_scores(stream, limits, **shape)


@pytest.mark.parametrize(("trees", "height"), [(25, 8), (5, 12)])
def test_a_long_stream_of_bursts_is_scored_as_river_scores_it(trees, height):
    stream, limits = bursts(2500, seed=7), [(0.0, 1.0)] * 9
    shape = {"trees": trees, "height": height, "window": 250, "seed": 42}
    scores = own_scores(stream, limits, **shape)
    assert scores == river_scores(stream, limits, **shape)
    assert len(set(scores)) > 400


@settings(max_examples=40, deadline=None)
@given(streams, shapes, st.integers(0, 80))
def test_a_snapshot_anywhere_changes_no_score(stream, shape, cut):
    limits = [(0.0, 1.0)] * len(stream[0])
    model = HalfSpaceTrees(limits, **shape)
    found = []
    for n, vector in enumerate(stream):
        if n == cut:
            packed = msgspec.msgpack.encode(model.snapshot())
            model = HalfSpaceTrees(limits, **shape)
            model.resume(msgspec.msgpack.decode(packed))
            assert msgspec.msgpack.encode(model.snapshot()) == packed
        found.append(model.score_one(vector))
        model.learn_one(vector)
    assert found == own_scores(stream, limits, **shape)


@settings(max_examples=40, deadline=None)
@given(streams, shapes)
def test_scores_lie_between_0_and_1_and_looking_changes_nothing(stream, shape):
    model = HalfSpaceTrees([(0.0, 1.0)] * len(stream[0]), **shape)
    for vector in stream:
        before = model.snapshot()
        assert 0.0 <= model.score_one(vector) <= 1.0
        assert model.snapshot() == before
        model.learn_one(vector)


@settings(max_examples=30, deadline=None)
@given(streams, shapes, st.randoms(use_true_random=False))
def test_the_order_inside_a_window_does_not_matter(stream, shape, rng):
    window, limits = len(stream), [(0.0, 1.0)] * len(stream[0])
    mixed = list(stream)
    rng.shuffle(mixed)
    models = [HalfSpaceTrees(limits, **(shape | {"window": window})) for _ in range(2)]
    for vector, other in zip(stream, mixed, strict=True):
        models[0].learn_one(vector)
        models[1].learn_one(other)
    assert [models[0].score_one(vector) for vector in stream] == [
        models[1].score_one(vector) for vector in stream
    ]


@pytest.mark.parametrize("height", [0, 21])
def test_a_height_that_cannot_be_is_refused(height):
    with pytest.raises(ValueError, match=f"height: expected 1 to 20, was {height}"):
        HalfSpaceTrees([(0.0, 1.0)], height=height)


def test_a_list_that_was_changed_is_looked_at_again():
    model = HalfSpaceTrees([(0.0, 1.0)], trees=3, height=3, window=10, seed=1)
    for n in range(10):
        model.learn_one((n / 100,))
    x = [0.05]
    before = model.score_one(x)
    x[0] = 0.95
    assert model.score_one(x) > before
