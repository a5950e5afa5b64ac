"""Answers: hits as facts, and what a state keeps of them so that a duplicate gets the same one again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from monitor.core.assessment import Assessment, Hit, RatingChange, RatingNotice
from rules.model import Rule

HIT = tuple(field.name for field in fields(Hit))
CHANGE = tuple(field.name for field in fields(RatingChange))
NOTICE = tuple(field.name for field in fields(RatingNotice))
MILLION = 1_000_000
"""Scores are kept in millionths."""
MOST_CUSTOMERS = 20
"""Of the customers a hit about another subject involves, so many are told."""
Sight = tuple[Any, ...]
"""What a condition saw, the sentence, the references of the events; about another subject than the
customer the customers it counted too."""


def make_hit(
    rule: Rule,
    band: int,
    sight: Sight,
    answer: Assessment,
    event_id: str,
    ref: int,
    time_ms: int,
    customers: tuple[str, ...],
) -> Hit:
    """Return the hit of a rule's band, with what it saw."""
    chosen = rule.bands[band]
    saw, say, refs, *people = sight
    customers = tuple(dict.fromkeys((*customers, *(name for found in people for name in found))))
    return Hit(
        rule=rule.id,
        version=rule.version,
        subject=answer.subject,
        subject_id=answer.subject_id,
        event_id=event_id,
        ref=ref,
        time_ms=time_ms,
        late=answer.late,
        status=rule.status,
        title=rule.title,
        dimension=rule.dimension,
        severity=chosen.severity,
        points=chosen.points,
        alert=rule.alert,
        cooldown_ms=rule.cooldown_ms,
        say=say,
        saw=saw,
        evidence=refs,
        disclosure=rule.disclosure,
        triage=rule.triage,
        customers=customers[:MOST_CUSTOMERS],
        recommended=rule.disposition,
        half_life_ms=rule.half_life_ms,
    )


def plain_answer(answer: Assessment) -> Any:
    """Return what is kept of an answer beside its score; None where there is nothing, as mostly."""
    kept: dict[str, Any] = {}
    if answer.hits:
        kept["hits"] = [[getattr(hit, name) for name in HIT] for hit in answer.hits]
    if answer.rating:
        kept["rating"] = [[getattr(change, name) for name in CHANGE] for change in answer.rating]
    if answer.notices:
        kept["notices"] = [[getattr(notice, name) for name in NOTICE] for notice in answer.notices]
    if answer.late:
        kept |= {"late": True, "too_late": answer.too_late}
    if answer.reasons:
        kept["reasons"] = answer.reasons
    if answer.failures:
        kept["failures"] = answer.failures
    return kept or None


def again(answer: Assessment, score: int, kept: Any) -> Assessment:
    """Make an empty answer the first answer to the same event again."""
    answer.duplicate = True
    answer.score = score / MILLION
    if kept:
        answer.late = bool(kept.get("late"))
        answer.too_late = bool(kept.get("too_late"))
        answer.reasons = tuple(kept.get("reasons", ()))
        answer.failures = [(rule, reason) for rule, reason in kept.get("failures", ())]
        answer.hits = [_restored(Hit, HIT, values) for values in kept.get("hits", ())]
        answer.rating = [_restored(RatingChange, CHANGE, values) for values in kept.get("rating", ())]
        answer.notices = [_restored(RatingNotice, NOTICE, values) for values in kept.get("notices", ())]
    return answer


def _restored(kind: Callable[..., Any], names: tuple[str, ...], values: list[Any]) -> Any:
    # An answer kept by an older version has fewer values: the rest stands at its default.
    plain = zip(names, values, strict=False)
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in plain})
