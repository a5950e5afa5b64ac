"""Parts of the score by themselves, on the features that a replay journaled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from monitor.core.boosting import Growth, Steps, finished
from monitor.core.classifier import Classifier, ClassifierVersion
from monitor.core.events import reference
from monitor.core.features import FEATURES, NAMES
from monitor.core.lessons import Lessons
from monitor.core.models.config import ModelsConfig
from monitor.core.models.ensemble import Ensemble, Trainer
from monitor.core.models.trees import HalfSpaceTrees
from monitor.core.scorer import SUSPICIOUS_POINTS
from streams.learning import FIRST, MOST, PART

Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]
POINTS = NAMES.index("points")


def plain_trees(features: Vectors, since: int, until: int) -> Floats:
    """Return scores of plain half-space trees: river's, every feature, its declared bounds, nothing tuned.

    Parameters
    ----------
    since, until
        Only payments between these places are learnt and scored; 0.0 elsewhere.
    """
    limits = [(feature.low or 0.0, feature.high or 1.0) for feature in FEATURES]
    trees = HalfSpaceTrees(limits, trees=25, height=10, window=1000, seed=1, even=True)
    scores = np.zeros(len(features))
    for place, row in _rows(features, since, until):
        scores[place] = trees.score_one(row)
        trees.learn_one(row)
    return scores


def populations(features: Vectors, times_ms: Sequence[int], models: Path, until: int) -> Floats:
    """Return scores of the configured populations up to a place, by the versions in force at each time."""
    config = ModelsConfig.from_plain(yaml.safe_load(models.read_text()), NAMES, str(models))
    trainer, scores = Trainer(config.populations, FEATURES), np.zeros(len(features))
    versions: dict[tuple[str, str], Any] = {}
    ensemble = Ensemble(config.populations, FEATURES, ())
    for place, row in _rows(features, 0, until):
        if times_ms[place] >= trainer.due_ms:
            versions |= {(one.model, one.segment): one for one in trainer.publish(times_ms[place])}
            ensemble = Ensemble(config.populations, FEATURES, versions.values())
        scores[place] = ensemble.score_one(None, row) or 0.0
        if row[POINTS] >= SUSPICIOUS_POINTS:
            trainer.pass_over(None, row)
        else:
            trainer.learn_one(times_ms[place], None, row)
    return scores


def without_rules(
    features: Vectors, names: Sequence[str], times_ms: Sequence[int], source: str, disputes: Path
) -> Floats:
    """Return scores of a classifier that does not see what rules gave.

    Parameters
    ----------
    source
        Of the events' ids.
    disputes
        Parquet of `tx_id` and `occurred_at`: frauds as they become known.
    """
    seen = features.copy()
    seen[:, POINTS] = 0.0
    refs = [reference(source, name) for name in names]
    places = {name: place for place, name in enumerate(names)}
    table = pq.read_table(disputes).sort_by("occurred_at")
    told_ms = table["occurred_at"].cast(pa.timestamp("ms", tz="UTC")).cast(pa.int64()).to_pylist()
    told = [places[f"tx-{number}"] for number in table["tx_id"].to_pylist()]
    lessons, scores, label, boundary = Lessons(), np.zeros(len(refs)), 0, FIRST
    classifier: Classifier | None = None
    waiting: Steps[ClassifierVersion] | None = None
    for place, row in _rows(seen, 0, len(seen)):
        while label < len(told) and told_ms[label] <= times_ms[place]:
            one = told[label]
            lessons.judge(refs[one], True, times_ms[one], seen[one].tobytes())
            label += 1
        scores[place] = classifier.score_one(row) if classifier else 0.0
        lessons.see(refs[place], times_ms[place], seen[place].tobytes())
        if place + 1 == boundary:
            boundary += min(max(boundary // PART, FIRST), MOST)
            classifier = Classifier(finished(waiting)) if waiting else classifier
            waiting = lessons.learn(times_ms[place], Growth())
    return scores


def _rows(features: Vectors, since: int, until: int) -> Any:
    lot = 10_000
    for start in range(since, until, lot):
        rows = features[start : min(start + lot, until)].astype(np.float64).tolist()
        yield from enumerate(map(tuple, rows), start)
