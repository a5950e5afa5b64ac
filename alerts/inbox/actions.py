"""Officers' actions, as the events that carry them out. An action changes nothing by itself."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from alerts.desk import ACTIONS
from alerts.inbox.words import iso
from alerts.lifecycle import Action

EVENT_TYPES: Final[Mapping[Action, str]] = MappingProxyType(
    {action: kind for kind, action in ACTIONS.items()}
)
"""Kind of event of each action."""


def action_event(
    action: Action,
    alert_id: str,
    *,
    actor: str,
    time_ms: int,
    key: str,
    reason: str = "",
    disposition: str = "",
    until_ms: int | None = None,
) -> dict[str, Any]:
    """Return the event of an action.

    Parameters
    ----------
    key
        Makes the event's id: the same key again is the same action, sent twice.
    until_ms
        Of a snooze, epoch milliseconds.

    Examples
    --------
    >>> event = action_event(Action.TAKE, "1f", actor="ada", time_ms=0, key="k")
    >>> event["event_id"], event["event_type"], event["occurred_at"]
    ('take-k-1f', 'alert.taken', '1970-01-01T00:00:00.000+00:00')
    """
    event: dict[str, Any] = {
        "event_id": f"{action.value}-{key}-{alert_id}",
        "event_type": EVENT_TYPES[action],
        "source_system": "inbox",
        "occurred_at": iso(time_ms),
        "alert_id": alert_id,
        "actor": actor,
    }
    if reason:
        event["reason"] = reason
    if disposition:
        event["disposition"] = disposition
    if until_ms is not None:
        event["until"] = iso(until_ms)
    return event
