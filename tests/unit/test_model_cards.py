"""Versions of models are found in the archive, and the newest of each population is the one in use."""

from __future__ import annotations

from monitor.core.feature import Feature
from monitor.core.models.config import PopulationConfig
from monitor.core.models.population import Population
from monitor.core.models.scale import ARTIFACT as SCALE
from monitor.core.models.scale import Scale
from monitor.core.models.version import ARTIFACT, Version
from monitor.model_cards import model_version, model_versions
from streams.stores.sqlite import SqliteStore, open_database

FEATURES = (Feature(name="amount", unit="number", words="", low=0.0, high=1.0),)


def published(model: str, times: int) -> list[Version]:
    config = PopulationConfig(
        name=model,
        detector="densities",
        parameters={"bins": 5, "cuts": 0, "window": 100, "fading": 0.5},
        features=(),
        bounds={},
        segments=(),
        weight=1.0,
        warm_up=100,
        publish_ms=1,
        seed=0,
    )
    population, found = Population(config, "", FEATURES), []
    for turn in range(times):
        for n in range(100):
            population.learn_one(turn * 1000 + n, (n / 100,))
        found.append(population.publish())
    return [version for version in found if version]


def test_versions_are_listed_newest_first_and_found_by_hash(tmp_path):
    versions = published("unusual", 2) + published("other", 1)
    store = SqliteStore(open_database(tmp_path / "riskmon.db", sync="normal"))
    db = store.db
    for version in versions:
        store.archive(ARTIFACT, version.hash, version.packed)
    listed = [(facts.version.model, facts.version.number, facts.in_use) for facts in model_versions(db)]
    assert listed == [("unusual", 2, True), ("other", 1, True), ("unusual", 1, False)]
    found = model_version(db, versions[0].hash)
    assert found is not None
    assert (found.version, found.in_use) == (versions[0], False)
    assert model_version(db, "0" * 64) is None
    db.close()


def test_a_card_tells_the_last_scale_of_the_versions_time(tmp_path):
    first, second = published("unusual", 2)
    store = SqliteStore(open_database(tmp_path / "riskmon.db", sync="normal"))
    for version in (first, second):
        store.archive(ARTIFACT, version.hash, version.packed)
    plain = {"from_ms": 0, "scored": 100, "alerts_a_day": 20}
    for number, (to_ms, threshold) in enumerate(((500, 0.3), (900, 0.4), (1_500, 0.6)), 1):
        scale = Scale(number=number, to_ms=to_ms, threshold=threshold, **plain)
        store.archive(SCALE, scale.hash, scale.packed)
    assert [facts.threshold for facts in model_versions(store.db)] == [0.6, 0.4]
    store.db.close()
