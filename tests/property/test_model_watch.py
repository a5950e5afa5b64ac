"""What watches a model: thresholds keep to a budget, drift is found where river finds it."""

from __future__ import annotations

import random
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import drift as river_drift

from monitor.core.feature import Feature
from monitor.core.models.adwin import Adwin
from monitor.core.models.calibration import Calibration
from monitor.core.models.config import PopulationConfig
from monitor.core.models.drift import Drift, psi
from monitor.core.models.population import Population
from monitor.core.models.published import Published
from monitor.core.models.thresholds import Threshold

DAY_MS = 86_400_000
scores = st.floats(0, 1)


def kept(plain):
    return msgspec.msgpack.decode(msgspec.msgpack.encode(plain))


# Thresholds.


def passed(threshold, days, a_day, draw):
    """Return how many scores a day passed, over the last half of the days."""
    found = 0
    for n in range(days * a_day):
        score = draw()
        found += n >= days * a_day / 2 and threshold.passes(score)
        threshold.learn_one(n * DAY_MS // a_day, score)
    return found / (days / 2)


@pytest.mark.parametrize("budget", [5, 20, 100])
@pytest.mark.parametrize("shape", [(0.5, 9), (8, 1), (1, 1)])
def test_about_the_budget_passes_each_day_whatever_the_shape_of_the_scores(budget, shape):
    rng = random.Random(1)
    found = passed(Threshold(budget, memory_days=5), 16, 1500, lambda: rng.betavariate(*shape))
    assert found == pytest.approx(budget, rel=0.4, abs=3)


def test_the_threshold_follows_scores_that_rise():
    rng, threshold = random.Random(2), Threshold(10, memory_days=3)
    for n in range(20_000):
        threshold.learn_one(n * DAY_MS // 1000, rng.random() / 2)
    low = threshold.value
    found = 0
    for n in range(20_000, 40_000):
        score = 0.4 + rng.random() / 2
        found += n >= 35_000 and threshold.passes(score)
        threshold.learn_one(n * DAY_MS // 1000, score)
    assert low < 0.5 < threshold.value
    assert found / 5 == pytest.approx(10, rel=0.5)


def test_nothing_passes_before_the_first_day_is_over():
    threshold = Threshold(1000, memory_days=14)
    for n in range(100):
        threshold.learn_one(n * DAY_MS // 100, 0.999)
    assert not threshold.passes(1.0)


@pytest.mark.parametrize("score", [1.0, 0.9999999])
def test_scores_too_high_to_be_told_apart_do_not_pass_beyond_the_budget(score):
    threshold = Threshold(5, memory_days=14)
    for n in range(3000):
        threshold.learn_one(n * DAY_MS // 1000, score)
    assert not threshold.passes(score)


def test_equal_scores_beyond_the_budget_do_not_pass():
    threshold = Threshold(5, memory_days=14)
    for n in range(3000):
        threshold.learn_one(n * DAY_MS // 1000, 0.7)
    assert not threshold.passes(0.7)
    assert threshold.passes(0.72)


@settings(max_examples=25, deadline=None)
@given(st.lists(scores, min_size=30, max_size=200), st.integers(0, 200))
def test_a_kept_threshold_goes_on_to_the_last_bit(stream, cut):
    straight, resumed = Threshold(3, 2), Threshold(3, 2)
    for n, score in enumerate(stream):
        if n == cut:
            plain, resumed = kept(resumed.snapshot()), Threshold(3, 2)
            resumed.resume(plain)
        for threshold in (straight, resumed):
            threshold.learn_one(n * DAY_MS // 20, score)
        assert straight.value == resumed.value
        assert 0.0 <= straight.value <= 1.0
    assert straight.snapshot() == resumed.snapshot()


@settings(max_examples=25, deadline=None)
@given(st.lists(scores, min_size=50, max_size=150), st.floats(0.5, 20), st.floats(0, 20))
def test_a_larger_budget_never_raises_the_threshold(stream, budget, more):
    small, large = Threshold(budget, 3), Threshold(budget + more, 3)
    for n, score in enumerate(stream):
        small.learn_one(n * DAY_MS // 20, score)
        large.learn_one(n * DAY_MS // 20, score)
    assert large.value <= small.value


def test_years_of_stream_time_do_not_overflow():
    threshold = Threshold(2, memory_days=1)
    for n in range(5000):
        threshold.learn_one(n * DAY_MS // 2, (n * 7919 % 1000) / 1000)
    assert 0.0 <= threshold.value < 1.0


# Drift.


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0.001, 0.3), st.integers(20, 400)), min_size=1, max_size=5),
    st.integers(0, 1000),
)
def test_adaptive_windows_are_cut_where_rivers_are(parts, seed):
    rng = random.Random(seed)
    river, own = river_drift.ADWIN(), Adwin()
    for mean, spread, length in parts:
        for _ in range(length):
            value = rng.gauss(mean, spread)
            river.update(value)
            assert own.update(value) == river.drift_detected
            assert own.width == river.width
            assert own.mean == pytest.approx(river.estimation)


@settings(max_examples=20, deadline=None)
@given(st.lists(scores, min_size=1, max_size=300), st.integers(0, 300))
def test_a_kept_window_goes_on_to_the_last_bit(stream, cut):
    straight, resumed = Adwin(), Adwin()
    for n, value in enumerate(stream):
        if n == cut:
            plain, resumed = kept(resumed.snapshot()), Adwin()
            resumed.resume(plain)
        assert straight.update(value) == resumed.update(value)
    assert straight.snapshot() == resumed.snapshot()


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=1, max_size=20))
def test_the_stability_index_is_no_distance_but_grows_from_0(parts):
    expected, actual = zip(*parts, strict=True)
    assert psi(expected, expected) == 0.0
    assert psi(expected, actual) >= 0.0
    assert psi(expected, actual) == pytest.approx(psi(actual, expected))


FEATURES = tuple(Feature(name=name, unit="number", words="", low=0.0, high=1.0) for name in ("one", "other"))


def published():
    config = PopulationConfig(
        name="unusual",
        detector="densities",
        parameters={"bins": 20, "cuts": 0, "window": 500, "fading": 0.9},
        features=(),
        bounds={},
        segments=(),
        weight=1.0,
        warm_up=500,
        publish_ms=DAY_MS,
        seed=0,
    )
    rng, population = random.Random(4), Population(config, "", FEATURES)
    for n in range(4000):
        population.learn_one(n, (rng.betavariate(2, 5), rng.betavariate(5, 2)))
    return Published(population.publish(), FEATURES)


def watched(model, shift, rows=2000):
    rng, drift, changes = random.Random(5), Drift(model, psi_alarm=0.25, delta=0.002), []
    for _ in range(rows):
        x = (min(rng.betavariate(2, 5) + shift, 1.0), rng.betavariate(5, 2))
        changes.append(drift.observe(x, model.score_one(x)))
    return drift, [change for change in changes if change]


def test_events_like_those_of_the_training_are_calm():
    drift, changes = watched(published(), 0.0)
    assert changes == []
    assert {shift.feature for shift in drift.compare()} == {"one", "other", "score"}
    assert max(shift.value for shift in watched(published(), 0.0)[0].compare()) < 0.1


def test_a_feature_that_moved_is_named():
    drift, _ = watched(published(), 0.3)
    shifts = {shift.feature: shift for shift in drift.compare()}
    assert shifts["one"].is_alarm
    assert shifts["one"].value > 0.25
    assert not shifts["other"].is_alarm
    assert (shifts["one"].model, shifts["one"].version, shifts["one"].measure) == ("unusual", 1, "psi")


def test_a_mean_that_moves_while_events_go_by_is_told_when_it_is_found():
    model = published()
    rng, drift, found = random.Random(6), Drift(model, psi_alarm=0.25, delta=0.002), []
    for n in range(3000):
        x = (min(rng.betavariate(2, 5) + 0.4 * (n >= 1500), 1.0), rng.betavariate(5, 2))
        if drift.observe(x, model.score_one(x)):
            found.append(n)
    assert found
    assert 1500 <= found[0] < 1700


def test_too_few_events_are_not_compared_but_count_on():
    drift, _ = watched(published(), 0.0, rows=300)
    assert drift.compare() == []
    plain = kept(drift.snapshot())
    again = Drift(published(), psi_alarm=0.25, delta=0.002)
    again.resume(plain)
    assert again.snapshot() == drift.snapshot()


# Calibration.

verdicts = st.lists(st.tuples(scores, st.booleans()), min_size=1, max_size=200)


@settings(max_examples=40, deadline=None)
@given(verdicts, st.lists(scores, min_size=2, max_size=20))
def test_probabilities_rise_with_the_score(stream, probes):
    calibration = Calibration()
    for score, is_bad in stream * 60:
        calibration.learn_one(score, is_bad)
    told = [calibration.probability(probe) for probe in sorted(probes)]
    if None in told:
        assert set(told) == {None}
    else:
        assert all(low <= high for low, high in pairwise(told))
        assert all(0.0 <= one <= 1.0 for one in told)


@settings(max_examples=40, deadline=None)
@given(verdicts, st.randoms(use_true_random=False))
def test_the_order_of_verdicts_does_not_matter_and_one_taken_back_is_gone(stream, rng):
    one, other = Calibration(), Calibration()
    mixed = list(stream)
    rng.shuffle(mixed)
    for score, is_bad in stream:
        one.learn_one(score, is_bad)
    for score, is_bad in mixed:
        other.learn_one(score, not is_bad)
        other.learn_one(score, is_bad)
        other.learn_one(score, not is_bad, times=-1)
    assert (one.counts, one.bad) == (other.counts, other.bad)
    assert sum(part.count for part in one.reliability()) == len(stream)
    restored = Calibration()
    restored.resume(kept(one.snapshot()))
    assert restored.reliability() == one.reliability()


def test_a_score_that_is_a_probability_stays_one():
    rng, calibration = random.Random(3), Calibration()
    for _ in range(30_000):
        score = rng.random()
        calibration.learn_one(score, rng.random() < score)
    for score in (0.1, 0.3, 0.5, 0.8, 0.95):
        assert calibration.probability(score) == pytest.approx(score, abs=0.05)
    assert all(abs(part.predicted - part.observed) < 0.05 for part in calibration.reliability())


def test_no_probability_is_told_from_a_handful_of_verdicts():
    calibration = Calibration()
    for n in range(1000):
        calibration.learn_one(0.5, n < 49)
    assert calibration.probability(0.5) is None
