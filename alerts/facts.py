"""What the ledger keeps of hits, ratings and alerts: event time only, the same in every run. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from alerts.lifecycle import CONFIDENTIAL, Alert
from monitor.core.assessment import Assessment, Hit, RatingChange, RatingNotice
from monitor.core.notable import RULES as MODELS

RATING_RULE: Final = "rating"
"""The rule id of alerts that a rise of the grade raises."""

_RATING_VERSION: Final = "1"
_TIMER: Final = "timer"
_ALERTED_GRADES: Final[Mapping[int, tuple[str, str]]] = {10: ("high", "high"), 11: ("medium-high", "medium")}
_GRADE_NAMES: Final[Mapping[int, str]] = {
    10: "high",
    11: "medium-high",
    12: "medium",
    13: "medium-low",
    14: "low",
}
_DIMENSIONS: Final = frozenset(
    {
        "credit", "market", "operational", "reputation", "liquidity", "fraud", "compliance", "infosec",
        "product_service",
    }
)  # fmt: skip


def hit_fact(hit: Hit) -> dict[str, Any]:
    """Return the ledger body of a hit; time and subject are columns of their own."""
    return {
        "rule": hit.rule,
        "version": hit.version,
        "event": hit.event_id,
        "ref": hit.ref,
        "late": hit.late,
        "status": hit.status,
        "dimension": hit.dimension,
        "severity": hit.severity,
        "points": hit.points,
        "alert": hit.alert,
        "say": hit.say,
        "saw": hit.saw,
        "evidence": hit.evidence,
        "disclosure": hit.disclosure,
        "customers": hit.customers,
    }


def rating_fact(change: RatingChange) -> dict[str, Any]:
    """Return the ledger body of a rating change."""
    return {
        "cause": change.cause,
        "previous_grade": change.previous_grade,
        "grade": change.grade,
        "score": change.score,
        "parts": change.parts,
        "reason": change.reason,
        "review_ms": change.review_ms,
        "parameters": change.parameters,
        "limits": change.limits,
        "segment": change.segment,
    }


def notice_fact(notice: RatingNotice) -> dict[str, Any]:
    """Return the ledger body of something about a rating that is no change of the grade."""
    return {"action": notice.kind, "cause": notice.cause, **notice.facts}


def late_fact(assessment: Assessment) -> dict[str, Any]:
    """Return the ledger body of an event that came after the grace period."""
    return {"event": assessment.event_id, "ref": assessment.ref, "kind": assessment.kind}


def raised_fact(alert: Alert) -> dict[str, Any]:
    """Return the ledger body of an alert that was raised, without its id."""
    return {
        "action": "raised",
        "case": alert.case_id,
        "rule": alert.rule,
        "version": alert.version,
        "event": alert.event_id,
        "severity": alert.severity,
        "priority": alert.priority,
        "grade": alert.grade,
        "due_ms": alert.due_ms,
    }


def decision_fact(alert: Alert, *, is_case_open: bool = False) -> dict[str, Any]:
    """Return what the engine needs of an officer's action, journaled with its event as facts.

    Parameters
    ----------
    is_case_open
        Other alerts of the same case are still open.

    Notes
    -----
    Of a model's alert it names the payment it is `about`: what it was found to be is learnt.
    """
    about = {"about": alert.evidence[-1]} if alert.rule in MODELS and alert.evidence else {}
    return about | {
        "case": alert.case_id,
        "is_case_open": is_case_open or alert.is_open,
        "proposed_by": alert.proposed_by,
        "subject": alert.subject,
        "subject_id": alert.subject_id,
        "rule": alert.rule,
        "status": str(alert.status),
        "hit_ms": alert.last_hit_ms,
        "disposition": alert.disposition,
        "quiet_ms": alert.opened_ms + alert.cooldown_ms,
    }


def rise(change: RatingChange, ref: int, cooldown_ms: int) -> Hit | None:
    """Return a rise of the grade to high or medium-high as a hit of the rule `rating`, else None.

    The first grade of a customer counts as a rise. The alert is confidential, because its parts name
    whatever rules hit.
    """
    if change.grade not in _ALERTED_GRADES:
        return None
    if change.previous_grade is not None and change.previous_grade <= change.grade:
        return None
    name, severity = _ALERTED_GRADES[change.grade]
    is_timed = change.cause == _TIMER
    return Hit(
        rule=RATING_RULE,
        version=_RATING_VERSION,
        subject="customer",
        subject_id=change.customer_id,
        event_id=f"{_TIMER}:{RATING_RULE}:{change.time_ms}" if is_timed else change.cause,
        ref=0 if is_timed else ref,
        time_ms=change.time_ms,
        late=False,
        status="live",
        title=f"Rating rose to {name}",
        dimension=_main_dimension(change),
        severity=severity,
        points=0.0,
        alert=True,
        cooldown_ms=cooldown_ms,
        say=_say(change, name),
        saw={
            "grade": change.grade,
            "previous_grade": change.previous_grade,
            "score": change.score,
            "parts": list(change.parts),
        },
        evidence=() if is_timed else (ref,),
        disclosure=CONFIDENTIAL,
        triage=("Read what the rating is made of.", "Decide the alerts of the customer that are open."),
    )


def _say(change: RatingChange, name: str) -> str:
    top = max(change.parts, key=_points, default=None)
    most = f"; most of it from {top['name']} ({_points(top):.2f} points)" if top else ""
    if change.previous_grade is None:
        return f"First rating is {name} ({change.grade}) with a score of {change.score:.2f}{most}."
    was = f"{_GRADE_NAMES[change.previous_grade]} ({change.previous_grade})"
    return f"Rating rose from {was} to {name} ({change.grade}) with a score of {change.score:.2f}{most}."


def _main_dimension(change: RatingChange) -> str:
    points: dict[str, float] = {}
    for part in change.parts:
        dimension = str(part.get("dimension") or part.get("name"))
        if dimension in _DIMENSIONS:
            points[dimension] = points.get(dimension, 0.0) + _points(part)
    return max(points, key=lambda one: points[one], default="compliance")


def _points(part: Mapping[str, Any]) -> float:
    return float(part.get("points", 0.0))
