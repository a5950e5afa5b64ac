"""How a hit becomes an alert. Pure."""

from __future__ import annotations

from alerts import grouping
from alerts.lifecycle import Alert
from monitor.core.assessment import Hit


def raise_alert(
    hit: Hit, *, customers: tuple[str, ...], case_id: str | None, grade: int | None, due_ms: int
) -> Alert:
    """Return the alert that a hit raises: open, with this one hit.

    Parameters
    ----------
    customers
        Those it concerns.
    case_id
        The open case of the subject; None opens one.
    grade
        The worst grade of the customers; None for an ordinary one.
    due_ms
        When the first decision is due, epoch milliseconds.
    """
    anchor = f"{hit.event_id}/{hit.ref}"
    alert_id = grouping.alert_id(hit.rule, hit.version, hit.subject, hit.subject_id, anchor)
    return Alert(
        id=alert_id,
        case_id=case_id or grouping.case_id(alert_id),
        subject=hit.subject,
        subject_id=hit.subject_id,
        rule=hit.rule,
        version=hit.version,
        title=hit.title,
        severity=hit.severity,
        dimension=hit.dimension,
        priority=grouping.priority(hit.severity, grade, hit.saw, len(customers)),
        grade=grade,
        event_id=hit.event_id,
        opened_ms=hit.time_ms,
        changed_ms=hit.time_ms,
        due_ms=due_ms,
        last_hit_ms=hit.time_ms,
        cooldown_ms=hit.cooldown_ms,
        say=hit.say,
        saw=hit.saw,
        evidence=hit.evidence,
        triage=hit.triage,
        recommended=hit.recommended,
        disclosure=hit.disclosure,
        customers=customers,
    )
