"""Steps in the life of rules as the events that carry them out; shared by pages, API and terminal."""

from __future__ import annotations

from typing import Any, Final

from alerts.inbox.access import Right
from alerts.inbox.words import iso
from monitor.core.rule_life import ACTIVATED, APPROVED, PROPOSED, REJECTED, ROLLED_BACK, TURNS

KINDS: Final = {
    "propose": PROPOSED,
    "approve": APPROVED,
    "reject": REJECTED,
    "activate": ACTIVATED,
    "rollback": ROLLED_BACK,
}
"""What a person does to the kind of the event."""
RIGHTS: Final = {
    "propose": Right.CHANGE,
    "approve": Right.APPROVE,
    "reject": Right.CHANGE,
    "activate": Right.CHANGE,
    "rollback": Right.CHANGE,
}
"""What it takes."""


def step_event(
    verb: str,
    digest: str,
    *,
    actor: str,
    time_ms: int,
    key: str,
    reason: str = "",
    backfill: int = 0,
    note: str = "",
) -> dict[str, Any]:
    """Return the event of a step; the same key again is the same step, sent twice.

    Parameters
    ----------
    verb
        One of `KINDS`.
    backfill
        Newest events that new windows are filled from.

    Examples
    --------
    >>> event = step_event("approve", "ab12", actor="bob", time_ms=0, key="k")
    >>> event["event_id"], event["event_type"], event["configuration"]
    ('rules-approve-k', 'rules.approved', 'ab12')
    """
    kind = KINDS[verb]
    event: dict[str, Any] = {
        "event_id": f"rules-{verb}-{key}",
        "event_type": kind,
        "source_system": "inbox",
        "occurred_at": iso(time_ms),
        "configuration": digest,
        "actor": actor,
    }
    if reason:
        event["reason"] = reason
    if note and kind == PROPOSED:
        event["note"] = note
    if backfill and kind in TURNS:
        event["backfill"] = backfill
    return event
