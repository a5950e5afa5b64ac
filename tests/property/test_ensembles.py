"""Populations together: each event meets its segment's, and versions depend on the events alone."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.feature import Feature
from monitor.core.models.config import PopulationConfig
from monitor.core.models.ensemble import Ensemble, Trainer

DAY_MS = 86_400_000
FEATURES = tuple(
    Feature(name=name, unit="number", words=f"{name} is {{value}}", low=0.0, high=1.0) for name in ("a", "b")
)


def config(name="unusual", weight=1.0, segments=(), detector="densities"):
    parameters = {
        "densities": {"bins": 10, "cuts": 0, "window": 100, "fading": 0.9},
        "half_space_trees": {"trees": 5, "height": 4, "window": 100},
    }
    return PopulationConfig(
        name=name,
        detector=detector,
        parameters=parameters[detector],
        features=(),
        bounds={},
        segments=segments,
        weight=weight,
        warm_up=100,
        publish_ms=DAY_MS,
        seed=1,
    )


def trained(configs, days=2, segment=None, level=0.2):
    trainer, versions = Trainer(configs, FEATURES), {}
    for n in range(days * 200):
        time_ms = n * DAY_MS // 200
        if time_ms >= trainer.due_ms:
            for version in trainer.publish(time_ms):
                versions[version.model, version.segment] = version
        trainer.learn_one(time_ms, segment, (level + n % 7 / 100, 0.5))
    return trainer, list(versions.values())


def test_before_the_first_version_nothing_is_said():
    ensemble = Ensemble([config()], FEATURES, [])
    assert ensemble.score_one(None, (0.9, 0.9)) is None
    assert ensemble.reasons(None, (0.9, 0.9)) == ()


def test_a_boundary_publishes_once():
    trainer, _ = trained([config()])
    assert trainer.due_ms == 2 * DAY_MS
    assert [version.number for version in trainer.publish(2 * DAY_MS)] == [2]
    assert trainer.publish(2 * DAY_MS) == []
    assert trainer.due_ms == 3 * DAY_MS


def test_a_version_contains_what_came_before_its_boundary():
    _, (version,) = trained([config()])
    assert (version.from_ms, version.to_ms, version.learnt) == (0, 199 * DAY_MS // 200, 200)


def test_the_combined_score_is_the_weighted_mean():
    one, other = config("one", 1.0), config("other", 3.0, detector="half_space_trees")
    _, versions = trained([one, other])
    x = (0.9, 0.1)
    alone = [Ensemble([each], FEATURES, versions).score_one(None, x) for each in (one, other)]
    combined = Ensemble([one, other], FEATURES, versions).score_one(None, x)
    assert combined == pytest.approx((alone[0] + 3 * alone[1]) / 4)
    assert 0.0 <= combined <= 1.0


def test_a_segment_with_a_population_of_its_own_is_compared_with_itself():
    own = config(segments=("private",))
    trainer, versions = trained([own], segment="private", level=0.8)
    ensemble = Ensemble([own], FEATURES, versions)
    assert ensemble.score_one("private", (0.83, 0.5)) < 0.5
    assert ensemble.score_one("private", (0.2, 0.5)) > 0.5
    trainer.learn_one(8 * DAY_MS, "private", (0.8, 0.5))
    trainer.learn_one(8 * DAY_MS, "retail", (0.8, 0.5))
    learnt = {row[1]: row[2][3] for row in trainer.snapshot()[0]}
    assert learnt == {"private": 401, "": 201}


def test_a_segment_counts_among_everybody_until_its_own_population_is_warm():
    own = config(segments=("private",))
    _, versions = trained([own], segment="private", level=0.8)
    assert [version.segment for version in versions] == ["", "private"]
    shared = Ensemble([own], FEATURES, versions[:1])
    assert shared.score_one("private", (0.83, 0.5)) < 0.5
    assert shared.score_one("private", (0.83, 0.5)) == shared.score_one("retail", (0.83, 0.5))


def test_a_version_of_features_that_are_gone_is_left_out():
    _, versions = trained([config()])
    ensemble = Ensemble([config()], FEATURES[:1], versions)
    assert ensemble.versions == ()
    assert ensemble.score_one(None, (0.5,)) is None


def test_reasons_come_in_the_features_words():
    _, versions = trained([config()])
    assert Ensemble([config()], FEATURES, versions).reasons(None, (0.95, 0.5)) == ("a is 0.9",)


events = st.lists(
    st.tuples(
        st.integers(0, DAY_MS // 50),
        st.sampled_from([None, "private", "retail"]),
        st.tuples(st.floats(0, 1), st.floats(0, 1)),
        st.booleans(),
    ),
    min_size=100,
    max_size=250,
)


@settings(max_examples=10, deadline=None)
@given(events, st.integers(0, 250))
def test_a_restart_anywhere_publishes_the_same_versions(stream, cut):
    configs = [config(segments=("private",))]

    def run(restarts_at):
        trainer, found, time_ms = Trainer(configs, FEATURES), [], 0
        for n, (gap_ms, segment, x, is_learnt) in enumerate(stream):
            if n == restarts_at:
                plain = msgspec.msgpack.decode(msgspec.msgpack.encode(trainer.snapshot()))
                trainer = Trainer(configs, FEATURES)
                trainer.resume(plain)
            time_ms += gap_ms
            if time_ms >= trainer.due_ms:
                found += trainer.publish(time_ms)
            if is_learnt:
                trainer.learn_one(time_ms, segment, x)
            else:
                trainer.pass_over(segment, x)
        return [version.hash for version in found], trainer.snapshot()

    assert run(cut) == run(None)


def test_what_was_learnt_for_a_model_that_is_gone_is_not_taken_over():
    trainer, _ = trained([config("old")])
    with pytest.raises(ValueError, match="models: expected one of new, was 'old'"):
        Trainer([config("new")], FEATURES).resume(trainer.snapshot())
