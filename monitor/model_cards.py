"""Published versions of models, read from the archive for the pages."""

from __future__ import annotations

from alerts.inbox.model_card import CardFacts
from monitor.core.features import FEATURES
from monitor.core.models.version import ARTIFACT, Version
from monitor.database import Database
from streams.stores.reading import artifact, artifacts


def model_versions(db: Database) -> list[CardFacts]:
    """Return every published version, newest first; of each model and segment the last one is in use."""
    versions = [Version.of_packed(body) for body in artifacts(db, ARTIFACT)]
    versions.sort(key=lambda one: (-one.to_ms, one.model, one.segment, -one.number))
    newest: dict[tuple[str, str], int] = {}
    for version in versions:
        key = version.model, version.segment
        newest[key] = max(newest.get(key, 0), version.number)
    return [
        CardFacts(
            version=version,
            in_use=version.number == newest[version.model, version.segment],
            features=FEATURES,
        )
        for version in versions
    ]


def model_version(db: Database, digest: str) -> CardFacts | None:
    """Return a published version by its hash; None where there is none."""
    if artifact(db, ARTIFACT, digest) is None:
        return None
    return next(facts for facts in model_versions(db) if facts.version.hash == digest)
