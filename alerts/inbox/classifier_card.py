"""The card of a version of the classifier: what it learnt from, what it looks at, what came of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from alerts.inbox import model_charts
from monitor.core.classifier import ClassifierVersion
from monitor.core.feature import Feature
from monitor.core.margins import weights
from monitor.core.models.calibration import Reliability

MOST_SHOWN = 15
"""Features, the weightiest first."""
LIMITS = (
    "It knows frauds of kinds that were told to it: a new kind looks genuine until somebody finds out.",
    "A payment nobody disputes for a week counts as genuine.",
    "Its chances are corrected by what came true in the last weeks; when frauds change quickly they lag.",
    "No score of a model alone gives the highest grade: it counts at most 70 of 100 points of a dimension.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierFacts:
    """A version with what was learnt of it since."""

    version: ClassifierVersion
    threshold: float | None = None
    """The chance above which a payment is shown to officers; None where it is not set yet."""
    alerts_a_day: float | None = None
    """The budget behind it."""
    reliability: Sequence[Reliability] = ()
    """Told chances and what came of them."""
    in_use: bool = False
    """Whether it scores at the moment."""
    features: Sequence[Feature] = ()
    """What the monitor declares at present."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierCard:
    """What the page shows."""

    facts: ClassifierFacts
    hash: str
    rows: Sequence[tuple[str, str, str]]
    """Feature, its words, its share of all that the trees decide."""
    reliability: Markup
    limits: Sequence[str] = LIMITS


def classifier_card(facts: ClassifierFacts) -> ClassifierCard:
    """Return the card of a version."""
    version, known = facts.version, {feature.name: feature for feature in facts.features}
    found = weights(version.trees)
    whole = sum(found.values()) or 1.0
    ranked = sorted(found, key=lambda place: (-found[place], place))[:MOST_SHOWN]
    rows = [
        (name, _words(known.get(name)), f"{100 * found[place] / whole:.0f} %")
        for place, name in ((place, version.features[place]) for place in ranked)
    ]
    label = f"{sum(part.count for part in facts.reliability)} payments: chance told against frauds found"
    return ClassifierCard(
        facts=facts,
        hash=version.hash,
        rows=rows,
        reliability=model_charts.reliability(facts.reliability, label),
    )


def _words(feature: Feature | None) -> str:
    return feature.words.replace("{value}", "…") if feature else ""
