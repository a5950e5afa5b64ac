"""What it costs to score a payment with the default models."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np

from monitor.bench.standard import HOUR_MS, best_us
from monitor.configuration import Configuration
from monitor.core.boosting import Growth, grow
from monitor.core.classifier import Classifier, ClassifierVersion
from monitor.core.features import FEATURES, NAMES
from monitor.core.models.config import ModelsConfig
from monitor.core.models.ensemble import Ensemble, Trainer

SCORED = 4_096
"""Vectors scored in a round; all different, as payments are."""
HARDEST = 60.0
"""Features without a narrower range are drawn up to here."""

Vector = tuple[float, ...]


def scoring_us(configuration: Configuration) -> tuple[float, float]:
    """Return microseconds to score a vector: by the configured populations, and by the classifier's trees."""
    config = ModelsConfig.from_plain(configuration.plain["models"], NAMES)
    random = Random(1)  # noqa: S311  figures, not secrets
    vectors = [_vector(random) for _ in range(SCORED)]
    ensemble, classifier = _ensemble(config, random), _classifier(random)
    return (
        best_us(lambda: [ensemble.score_one(None, vector) for vector in vectors], SCORED),
        best_us(lambda: [classifier.score_one(vector) for vector in vectors], SCORED),
    )


def _vector(random: Random) -> Vector:
    """Return features of a payment that never was; most of them low, as in life."""
    return tuple(
        (feature.low or 0.0)
        + random.random() ** 3 * (min(feature.high or 1.0, HARDEST) - (feature.low or 0.0))
        for feature in FEATURES
    )


def _ensemble(config: ModelsConfig, random: Random) -> Ensemble:
    trainer, versions, time_ms = Trainer(config.populations, FEATURES), dict[str, Any](), 0
    warm = max((one.warm_up for one in config.populations), default=0)
    trainer.publish(time_ms)
    for _ in range(2 * warm):
        trainer.learn_one(time_ms, None, _vector(random))
    time_ms += max((one.publish_ms for one in config.populations), default=HOUR_MS)
    versions |= {one.model: one for one in trainer.publish(time_ms)}
    return Ensemble(config.populations, FEATURES, versions.values())


def _classifier(random: Random) -> Classifier:
    rows = np.array([_vector(random) for _ in range(4 * SCORED)])
    # Many features matter, so the trees are as deep and wide as any.
    doubt = rows[:, ::3].sum(axis=1) + rows[:, 1] * rows[:, 5]
    base, trees = grow(rows, (doubt > np.quantile(doubt, 0.9)).astype(np.int64), Growth())
    return Classifier(
        ClassifierVersion(
            number=1,
            features=NAMES,
            base=base,
            trees=trees,
            offset=0,
            from_ms=0,
            to_ms=0,
            frauds=1,
            genuine=1,
        )
    )
