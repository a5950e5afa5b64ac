"""The card of a model version: what it was trained on, what it sees, what it cannot. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from alerts.inbox import model_charts
from monitor.core.feature import Feature
from monitor.core.models.calibration import Reliability
from monitor.core.models.version import Version

LIMITS: Mapping[str, str] = {
    "densities": "It looks at one feature at a time (and at its random directions, where it has any): values "
    "that are usual by themselves and odd together may stay unseen.",
    "half_space_trees": "Odd events that come in a burst, a tenth of a window or more, are soon taken for "
    "usual.",
    "river_loda": "Its bins move with the data: scores of two versions are comparable by rank only.",
    "river_one_class_svm": "One boundary for all: where usual events form several groups, the space between "
    "them counts as usual.",
}
"""What a detector is known not to do well."""
ALWAYS = (
    "A high score says that an event is unusual, not that it is a fraud.",
    "No score of a model alone gives the highest grade: it counts at most 70 of 100 points of a dimension.",
    "Values beyond the bounds of a feature count as the bound.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts:
    """A version with what was learnt of it since."""

    version: Version
    threshold: float | None = None
    """The score above which an event is worth a look, at the moment; None where it is not set yet."""
    alerts_a_day: float | None = None
    """The budget behind it."""
    reliability: Sequence[Reliability] = ()
    """Verdicts on events it scored."""
    in_use: bool = False
    """Whether it scores at the moment."""
    features: Sequence[Feature] = ()
    """What the monitor declares at present; one that is gone is shown by its bare numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureRow:
    """One feature on the card."""

    name: str
    words: str
    low: str
    typical: str
    high: str
    picture: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What the page shows."""

    facts: CardFacts
    rows: Sequence[FeatureRow]
    scores: Sequence[tuple[str, str]]
    """Percentile of the training sample to raw score."""
    reliability: Markup
    limits: Sequence[str]

    @property
    def version(self) -> Version:
        """The version."""
        return self.facts.version


def card(facts: CardFacts) -> Card:
    """Return the card of a version."""
    version, features = facts.version, {feature.name: feature for feature in facts.features}
    rows = [
        _row(features.get(name) or Feature(name=name, unit="number", words=name), limits, median, counts)
        for name, limits, median, counts in zip(
            version.features, version.limits, version.medians, version.counts, strict=True
        )
    ]
    last = len(version.scores) - 1
    scores = [
        (f"{share * 100:g} %", f"{version.scores[round(share * last)]:.4f}")
        for share in (0.5, 0.9, 0.95, 0.99, 0.995, 1.0)
    ]
    label = f"{sum(part.count for part in facts.reliability)} verdicts: predicted against found"
    own = [LIMITS[version.detector]] if version.detector in LIMITS else []
    return Card(
        facts=facts,
        rows=rows,
        scores=scores,
        reliability=model_charts.reliability(facts.reliability, label),
        limits=[*own, *ALWAYS],
    )


def _row(feature: Feature, limits: tuple[float, float], median: float, counts: Sequence[int]) -> FeatureRow:
    low, high = limits
    shown = [feature.shown(value) for value in (low, median, high)]
    return FeatureRow(
        name=feature.name,
        words=feature.told(median),
        low=shown[0],
        typical=shown[1],
        high=shown[2],
        picture=model_charts.distribution(
            counts, (median - low) / (high - low), f"from {shown[0]} to {shown[2]}, typical {shown[1]}"
        ),
    )
