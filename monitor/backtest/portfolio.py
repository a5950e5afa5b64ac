"""Rules as a portfolio: what each adds to the others, and which say the same."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from typing import Any, Final

from alerts.facts import RATING_RULE
from monitor.backtest.outcome import FoundAlert, Outcome, Quality, quality
from rules.vocabulary import Vocabulary

RUNNING: Final = ("live", "shadow")
NOISY_SHARE: Final = 0.05
"""A rule with a smaller share of all alerts is not called noisy."""
PAIRS: Final = 20
"""Pairs of rules that are told, the most alike first."""


def if_removed(
    rule: str, alerts: Sequence[FoundAlert], outcome: Outcome, cases: Collection[str]
) -> dict[str, Any]:
    """Return what would be lost without a rule, everything else being as it was.

    Its points would be gone, too, and with them perhaps a rise of a rating: that takes a
    run without it to know (`--without`).
    """
    only = outcome.unique(rule)
    return {
        "alerts": sum(alert.is_new for alert in alerts),
        "customers": len(only),
        "cases": sorted(only.intersection(cases)),
    }


def overlap(outcome: Outcome) -> list[dict[str, Any]]:
    """Return pairs of rules that alert the same customers, by the share of both in either.

    Examples
    --------
    >>> overlap(Outcome(alerted={"A": {"c1", "c2"}, "B": {"c2"}, "C": {"c3"}}))
    [{'rules': ['A', 'B'], 'both': 1, 'either': 2, 'jaccard': 0.5}]
    """
    names = sorted(name for name in outcome.alerted if name != RATING_RULE)
    found: list[dict[str, Any]] = []
    for one, other in combinations(names, 2):
        ours, theirs = outcome.alerted[one], outcome.alerted[other]
        both, either = len(ours & theirs), len(ours | theirs)
        if both:
            found.append(
                {"rules": [one, other], "both": both, "either": either, "jaccard": round(both / either, 4)}
            )
    return sorted(found, key=lambda pair: (-pair["jaccard"], pair["rules"]))[:PAIRS]


def silent(
    rules: Mapping[str, Mapping[str, Any]],
    hits: Mapping[str, int],
    kinds: Mapping[str, int],
    vocabulary: Vocabulary,
) -> list[dict[str, Any]]:
    """Return the rules that run and never hit, and whether anything came that they look at."""
    found = []
    for name, content in sorted(rules.items()):
        if content["status"] not in RUNNING or hits.get(name):
            continue
        asked = content["on"] if isinstance(content["on"], list) else [content["on"]]
        seen = sum(kinds.get(kind, 0) for pattern in asked for kind in vocabulary.match(pattern))
        found.append({"rule": name, "title": content["title"], "events": seen})
    return found


def noisy(outcome: Outcome, total: Quality, cases: Collection[str]) -> list[dict[str, Any]]:
    """Return the rules with many of all alerts whose precision is below half of that of all.

    Without any verdict about a rule nobody can tell, and it is not named.
    """
    found = []
    for rule, alerts in sorted(outcome.by_rule().items()):
        ours = quality(alerts, cases)
        is_large = total.alerts and ours.alerts >= NOISY_SHARE * total.alerts
        if is_large and ours.precision is not None and ours.precision < (total.precision or 0.0) / 2:
            share = round(ours.alerts / total.alerts, 4)
            found.append({"rule": rule, "share": share, **ours.plain()})
    return found
