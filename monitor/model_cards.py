"""Published versions of models, read from the archive for the pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alerts.inbox.classifier_card import ClassifierFacts
from alerts.inbox.model_card import CardFacts
from monitor.core.classifier import ClassifierVersion
from monitor.core.features import FEATURES
from monitor.core.models.scale import ARTIFACT as SCALE
from monitor.core.models.scale import NOBODY, Scale
from monitor.core.models.version import ARTIFACT, Version
from monitor.database import Database
from streams.learning import ARTIFACT as CLASSIFIER
from streams.stores.reading import artifact, artifacts


def model_versions(db: Database) -> list[CardFacts]:
    """Return every published version, newest first; of each model and segment the last one is in use."""
    versions = [Version.of_packed(body) for body in artifacts(db, ARTIFACT)]
    versions.sort(key=lambda one: (-one.to_ms, one.model, one.segment, -one.number))
    scales, found = _scales(db), list[CardFacts]()
    newer: dict[tuple[str, str], int] = {}
    for version in versions:
        key = version.model, version.segment
        until_ms = newer.get(key)
        newer[key] = version.to_ms
        facts = _of_scale(scales, version.to_ms, until_ms)
        found.append(CardFacts(version=version, in_use=until_ms is None, features=FEATURES, **facts))
    return found


def model_version(db: Database, digest: str) -> CardFacts | None:
    """Return a published version by its hash; None where there is none."""
    if artifact(db, ARTIFACT, digest) is None:
        return None
    return next(facts for facts in model_versions(db) if facts.version.hash == digest)


def classifier_versions(db: Database) -> list[ClassifierFacts]:
    """Return every published version of the classifier, newest first; the last one is in use."""
    versions = [ClassifierVersion.of_packed(body) for body in artifacts(db, CLASSIFIER)]
    versions.sort(key=lambda one: -one.number)
    scales, found = _scales(db), list[ClassifierFacts]()
    until_ms = None
    for version in versions:
        facts = _of_scale(scales, version.to_ms, until_ms)
        found.append(ClassifierFacts(version=version, in_use=until_ms is None, features=FEATURES, **facts))
        until_ms = version.to_ms
    return found


def _scales(db: Database) -> list[Scale]:
    return sorted((Scale.of_packed(body) for body in artifacts(db, SCALE)), key=lambda one: one.to_ms)


def _of_scale(scales: Sequence[Scale], from_ms: int, until_ms: int | None) -> dict[str, Any]:
    """Return what the last scale of a version's time tells; nothing where there was none."""
    own = [one for one in scales if one.to_ms >= from_ms and (until_ms is None or one.to_ms <= until_ms)]
    if not own:
        return {}
    last = own[-1]
    is_set = last.threshold < NOBODY
    return {
        "threshold": last.told(last.threshold) if is_set else None,
        "alerts_a_day": last.alerts_a_day if is_set else None,
        "reliability": last.points() if last.curve else (),
    }
