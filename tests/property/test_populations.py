"""A population publishes what it learnt: same events, same versions; what was passed over leaves no trace."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from monitor.core.feature import Feature
from monitor.core.models.config import PARAMETERS, PopulationConfig
from monitor.core.models.densities import Densities
from monitor.core.models.population import Population
from monitor.core.models.published import Published
from monitor.core.models.version import Version

FEATURES = (
    Feature(name="amount", unit="number", words="amount is {value}, usually {typical}", low=0.0, high=10.0),
    Feature(name="count", unit="count", words="{value} payments a day", low=0.0, high=20.0),
    Feature(name="share", unit="percent", words="{value} of them abroad", low=0.0, high=1.0),
)
SMALL = {
    "densities": {"bins": 10, "cuts": 3, "window": 50, "fading": 0.5},
    "half_space_trees": {"trees": 5, "height": 5, "window": 50},
    "river_loda": {"bins": 8, "cuts": 10},
    "river_one_class_svm": {"nu": 0.1},
}
DETECTORS = tuple(PARAMETERS)

vectors = st.tuples(st.floats(0, 10), st.floats(0, 20), st.floats(0, 1))
streams = st.lists(vectors, min_size=100, max_size=160)


def config(detector: str, features: tuple[str, ...] = ()) -> PopulationConfig:
    return PopulationConfig(
        name="unusual",
        detector=detector,
        parameters=SMALL[detector],
        features=features,
        bounds={},
        segments=(),
        weight=1.0,
        warm_up=100,
        publish_ms=86_400_000,
        seed=3,
    )


def learnt(detector, stream, features=FEATURES):
    population = Population(config(detector), "", features)
    for n, vector in enumerate(stream):
        population.learn_one(n, vector)
    return population


@cache
def calm_version(detector):
    return learnt(detector, calm()).publish()


def calm(rows=400):
    """Events close to each other: amount 2 to 3, one to three payments, one in ten abroad."""
    return [(2 + n % 11 / 10, 1 + n % 3, 0.1 + n % 7 / 100) for n in range(rows)]


@pytest.mark.parametrize("detector", DETECTORS)
@settings(max_examples=8, deadline=None)
@given(stream=streams, probe=vectors)
def test_published_scores_lie_between_0_and_1(detector, stream, probe):
    published = Published(learnt(detector, stream).publish(), FEATURES)
    assert 0.0 <= published.score_one(probe) <= 1.0


@pytest.mark.parametrize("detector", DETECTORS)
@settings(max_examples=5, deadline=None)
@given(stream=streams, cut=st.integers(0, 160))
def test_a_restart_anywhere_gives_the_same_version_to_the_last_bit(detector, stream, cut):
    straight, resumed = learnt(detector, stream), Population(config(detector), "", FEATURES)
    for n, vector in enumerate(stream):
        if n == cut:
            plain = msgspec.msgpack.decode(msgspec.msgpack.encode(resumed.snapshot()))
            resumed = Population(config(detector), "", FEATURES)
            resumed.resume(plain)
        resumed.learn_one(n, vector)
    assert resumed.publish().packed == straight.publish().packed
    assert resumed.snapshot() == straight.snapshot()


@pytest.mark.parametrize("detector", DETECTORS)
def test_a_version_scores_the_same_after_being_kept(detector):
    version = calm_version(detector)
    kept = Version.of_packed(version.packed)
    assert kept.hash == version.hash
    one, other = Published(version, FEATURES), Published(kept, FEATURES)
    assert [one.score_one(vector) for vector in calm(50)] == [other.score_one(vector) for vector in calm(50)]


@pytest.mark.parametrize("detector", ["densities", "half_space_trees"])
def test_what_is_far_from_everybody_scores_higher(detector):
    published = Published(calm_version(detector), FEATURES)
    assert published.score_one((9.5, 18.0, 0.9)) > 0.5
    assert published.score_one((2.5, 2.0, 0.12)) < 0.5


def test_a_version_does_not_change_while_its_successor_learns():
    population = learnt("densities", calm())
    published = Published(population.publish(), FEATURES)
    before = published.score_one((9.0, 2.0, 0.1))
    for n in range(500):
        population.learn_one(1000 + n, (9.0, 2.0, 0.1))
    assert published.score_one((9.0, 2.0, 0.1)) == before
    second = population.publish()
    assert second.number == 2
    assert Published(second, FEATURES).score_one((9.0, 2.0, 0.1)) < before


@settings(max_examples=20, deadline=None)
@given(st.lists(vectors, max_size=40))
def test_what_was_passed_over_is_not_learnt(odd):
    plain, watched = learnt("densities", calm()), learnt("densities", calm())
    for vector in odd:
        watched.pass_over(vector)
    one, other = plain.publish(), watched.publish()
    assert one.learned == other.learned
    assert one.medians == other.medians
    assert other.passed_over == len(odd)


@pytest.mark.parametrize("detector", DETECTORS)
def test_nothing_is_published_before_the_warm_up(detector):
    assert learnt(detector, calm(99)).publish() is None


def test_nothing_is_published_twice_without_anything_new():
    population = learnt("densities", calm())
    assert population.publish() is not None
    assert population.publish() is None


def test_limits_that_are_not_declared_are_learnt_from_the_first_vectors():
    free = tuple(Feature(name=feature.name, unit="number", words="") for feature in FEATURES)
    version = learnt("densities", calm(), free).publish()
    assert version.limits[0] == pytest.approx((1.5, 3.5))
    assert Published(version, free).score_one((50.0, 50.0, 50.0)) > 0.5


def test_bounds_of_the_configuration_go_before_those_of_the_feature():
    one_sided = replace(config("densities"), bounds={"amount": (3.0, 10.0)})
    population = Population(one_sided, "", FEATURES)
    for n, vector in enumerate(calm()):
        population.learn_one(n, vector)
    published = Published(population.publish(), FEATURES)
    assert published.version.limits[0] == (3.0, 10.0)
    assert published.score_one((0.0, 2.0, 0.1)) == published.score_one((2.5, 2.0, 0.1))


def test_a_version_knows_its_features_by_name():
    population = Population(config("densities", ("share", "amount")), "private", FEATURES)
    for n, vector in enumerate(calm()):
        population.learn_one(n, vector)
    version = population.publish()
    assert version.features == ("share", "amount")
    odd = Published(version, FEATURES)
    assert odd.score_one((2.5, 19.0, 0.1)) == odd.score_one((2.5, 1.0, 0.1)) < odd.score_one((9.0, 1.0, 0.1))


@pytest.mark.parametrize("detector", ["densities", "half_space_trees"])
@settings(max_examples=20, deadline=None)
@given(changed=st.integers(0, 2), to=st.floats(0, 1))
def test_the_explanation_points_to_the_one_feature_that_is_changed(detector, changed, to):
    version = calm_version(detector)
    published = Published(version, FEATURES)
    vector = list(version.medians)
    vector[changed] = to * FEATURES[changed].high
    distance = published.score_one(vector) - published.score_one(version.medians)
    pushes = {push.feature.name: push.size for push in published.pushes(vector)}
    assert pushes.pop(FEATURES[changed].name) == pytest.approx(distance, abs=1e-12)
    assert set(pushes.values()) == {0.0}


@settings(max_examples=20, deadline=None)
@given(probe=vectors)
def test_pushes_add_up_to_the_distance_from_the_typical_event(probe):
    version = calm_version("densities")
    published = Published(version, FEATURES)
    distance = published.score_one(probe) - published.score_one(version.medians)
    assume(distance > 0.01)
    assert sum(push.size for push in published.pushes(probe)) == pytest.approx(distance)


def test_reasons_are_told_strongest_first_in_the_features_words():
    version = calm_version("densities")
    reasons = Published(version, FEATURES).reasons((9.0, 18.0, 0.1))
    assert set(reasons) == {"amount is 9, usually 2.5", "18 payments a day"}
    assert Published(version, FEATURES).reasons(version.medians) == ()


@settings(max_examples=20, deadline=None)
@given(streams, vectors, st.integers(0, 6))
def test_shares_of_the_features_add_up_to_the_score(stream, probe, cuts):
    densities = Densities([(0.0, 10.0), (0.0, 20.0), (0.0, 1.0)], bins=7, cuts=cuts, window=60)
    for vector in stream:
        densities.learn_one(vector)
    assert sum(densities.shares(probe)) == pytest.approx(densities.score_one(probe))
    assert 0.0 <= densities.score_one(probe) <= 1.0


@given(st.tuples(*[st.floats(allow_nan=True, allow_infinity=True)] * 3))
def test_no_number_falls_outside_the_bins(probe):
    densities = Densities([(0.0, 10.0), (0.0, 20.0), (0.0, 1.0)], bins=7, cuts=5, window=10)
    for _ in range(10):
        densities.learn_one(probe)
    assert 0.0 <= densities.score_one(probe) <= 1.0


def test_a_file_that_is_no_version_is_refused():
    with pytest.raises(ValueError, match="model version: cannot be read"):
        Version.of_packed(b"\x81\xa5model\xa1x")
