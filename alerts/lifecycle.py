"""The life of an alert: its statuses, and what an officer may do in each.

Pure. `act` takes an alert and returns another one; who keeps it and who is told is the desk's
affair. What may follow what is one table, `NEXT`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

SEVERITIES: Final = ("info", "low", "medium", "high", "critical")
"""From the mildest to the gravest."""

DISPOSITIONS: Final = (
    "true_positive.str_filed",
    "true_positive.fraud_confirmed",
    "true_positive.measure_applied",
    "true_positive.credit_action",
    "true_positive",
    "false_positive.explained",
    "false_positive.data_error",
    "false_positive.rule_too_wide",
    "false_positive",
    "not_determinable",
    "duplicate",
    "out_of_scope",
)
"""How an alert may be closed: the verdict, and where known what came of it."""

CONFIDENTIAL: Final = "aml_confidential"
"""Disclosure class of what the customer and the relationship manager must not learn."""


class Status(StrEnum):
    """Where an alert stands."""

    OPEN = "open"
    TAKEN = "taken"
    SNOOZED = "snoozed"
    CLOSED = "closed"


class Action(StrEnum):
    """What an officer does with an alert."""

    TAKE = "take"
    RELEASE = "release"
    NOTE = "note"
    SNOOZE = "snooze"
    WAKE = "wake"
    CLOSE = "close"
    REOPEN = "reopen"


NEXT: Final[Mapping[tuple[Status, Action], Status]] = MappingProxyType(
    {
        (Status.OPEN, Action.TAKE): Status.TAKEN,
        (Status.OPEN, Action.NOTE): Status.OPEN,
        (Status.OPEN, Action.SNOOZE): Status.SNOOZED,
        (Status.OPEN, Action.CLOSE): Status.CLOSED,
        (Status.TAKEN, Action.RELEASE): Status.OPEN,
        (Status.TAKEN, Action.NOTE): Status.TAKEN,
        (Status.TAKEN, Action.SNOOZE): Status.SNOOZED,
        (Status.TAKEN, Action.CLOSE): Status.CLOSED,
        (Status.SNOOZED, Action.NOTE): Status.SNOOZED,
        (Status.SNOOZED, Action.WAKE): Status.OPEN,
        (Status.CLOSED, Action.NOTE): Status.CLOSED,
        (Status.CLOSED, Action.REOPEN): Status.OPEN,
    }
)
"""Status and action to the status that follows; what is not here is not allowed."""


class ActionNotAllowedError(ValueError):
    """The action does not fit the alert or lacks what it needs; nothing was changed."""


class UnknownAlertError(LookupError):
    """No alert has this id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Work for an officer: one rule (or the rating) about one subject. Never changed, only replaced."""

    id: str
    """32 hex digits, a content hash; see `alerts.grouping.alert_id`."""
    case_id: str
    """Alerts of one subject that are open together share a case."""
    subject: str
    """Kind of subject: `customer`, `device`, `employee`, ..."""
    subject_id: str
    rule: str
    """Rule id, or `rating` for a rise of the customer's grade."""
    version: str
    title: str
    severity: str
    """One of `SEVERITIES`."""
    dimension: str
    status: Status = Status.OPEN
    priority: int
    """0 to 100, higher first; see `alerts.grouping.priority`."""
    grade: int | None = None
    """The customer's grade when the alert last changed; None where it is better than 12 or not given."""
    event_id: str
    """The event that raised it."""
    opened_ms: int
    """Event time of the hit that raised it, epoch milliseconds."""
    changed_ms: int
    due_ms: int
    """When the first decision is due, epoch milliseconds."""
    assignee: str | None = None
    hits: int = 1
    """Hits counted so far, the first included."""
    last_hit_ms: int
    cooldown_ms: int = 0
    """How long after `opened_ms` a further hit belongs to this alert even when it is closed."""
    snoozed_until_ms: int | None = None
    say: str
    """One sentence with the actual numbers of the first hit."""
    saw: Mapping[str, Any] = field(default_factory=dict)
    evidence: tuple[int, ...] = ()
    """References of the contributing events of the first hit, newest last."""
    triage: tuple[str, ...] = ()
    recommended: tuple[str, ...] = ()
    """What the rule recommends, e.g. `("L1", "STR")`; how it was closed is `disposition`."""
    disclosure: str = "internal"
    customers: tuple[str, ...] = ()
    """The customers it concerns: the subject itself, or those an entity was seen with."""
    disposition: str | None = None
    """One of `DISPOSITIONS`: how it was closed, or how `proposed_by` would close it."""
    reason: str | None = None
    """Why it stands as it stands: of the snooze, the closing, the reopening or the release."""
    proposed_by: str | None = None
    """The officer who asked to close an alert that takes two persons; None where nobody did."""

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to decide it: open, taken or snoozed."""
        return self.status is not Status.CLOSED

    @property
    def fingerprint(self) -> tuple[str, str, str]:
        """What a further hit is recognised by: rule, kind of subject, subject."""
        return self.rule, self.subject, self.subject_id


def act(
    alert: Alert,
    action: Action,
    *,
    actor: str,
    time_ms: int,
    reason: str = "",
    disposition: str | None = None,
    until_ms: int | None = None,
    four_eyes: frozenset[str] = frozenset(),
) -> Alert:
    """Return the alert after an officer's action.

    Parameters
    ----------
    actor
        Who acts; required.
    time_ms
        When, epoch milliseconds.
    reason
        Required to note, snooze, close and reopen.
    disposition
        Required to close: one of `DISPOSITIONS`.
    until_ms
        Required to snooze: later than `time_ms`.
    four_eyes
        Severities that take two persons to close: the first `close` only proposes (the alert
        stays as it is, with `proposed_by`); the same disposition by another person closes; another
        disposition by another person is a new proposal.

    Raises
    ------
    ActionNotAllowedError
        The status does not allow the action, or something it needs is missing; every mistake is
        named.
    """
    status = _next_status(alert, action)
    mistakes = _mistakes(action, actor, time_ms, reason, disposition, until_ms)
    if mistakes:
        raise ActionNotAllowedError(f"cannot {action} alert {alert.id}: " + "; ".join(mistakes))
    if action is Action.CLOSE and alert.severity in four_eyes:
        return _close_by_two(alert, actor, time_ms, reason, disposition)
    change = _CHANGES[action](actor, reason.strip(), disposition, until_ms)
    return replace(alert, status=status, changed_ms=max(time_ms, alert.changed_ms), **change)


def _next_status(alert: Alert, action: Action) -> Status:
    try:
        return NEXT[alert.status, action]
    except KeyError:
        expected = " or ".join(status for status, allowed in NEXT if allowed is action)
        by = f" by {alert.assignee}" if alert.status is Status.TAKEN and alert.assignee else ""
        raise ActionNotAllowedError(
            f"cannot {action} alert {alert.id}: it is {alert.status}{by}, expected {expected}"
        ) from None


def _mistakes(
    action: Action, actor: str, time_ms: int, reason: str, disposition: str | None, until_ms: int | None
) -> list[str]:
    found = []
    if not actor.strip():
        found.append("actor: expected the name of the officer, was ''")
    if action in _NEED_REASON and not reason.strip():
        found.append(f"reason: expected why, was {reason!r}")
    if action is Action.CLOSE and disposition not in DISPOSITIONS:
        found.append(f"disposition: expected one of {', '.join(DISPOSITIONS)}, was {disposition!r}")
    if action is Action.SNOOZE and (until_ms is None or until_ms <= time_ms):
        found.append(f"until: expected a time after {time_ms}, was {until_ms}")
    return found


def _close_by_two(alert: Alert, actor: str, time_ms: int, reason: str, disposition: str | None) -> Alert:
    if alert.proposed_by == actor:
        raise ActionNotAllowedError(
            f"cannot close alert {alert.id}: {actor} proposed it, expected approval by another person"
        )
    approved = alert.proposed_by is not None and alert.disposition == disposition
    return replace(
        alert,
        status=Status.CLOSED if approved else alert.status,
        changed_ms=max(time_ms, alert.changed_ms),
        disposition=disposition,
        reason=reason.strip(),
        proposed_by=alert.proposed_by if approved else actor,
        snoozed_until_ms=None,
    )


_NEED_REASON = frozenset({Action.NOTE, Action.SNOOZE, Action.CLOSE, Action.REOPEN})

_UNDECIDED: Final = {"disposition": None, "proposed_by": None}

_Change = Callable[[str, str, str | None, int | None], dict[str, Any]]

_CHANGES: Final[Mapping[Action, _Change]] = MappingProxyType(
    {
        Action.TAKE: lambda actor, reason, disposition, until: {"assignee": actor},
        Action.RELEASE: lambda actor, reason, disposition, until: {
            "assignee": None,
            "reason": reason or None,
            **_UNDECIDED,
        },
        Action.NOTE: lambda actor, reason, disposition, until: {},
        Action.SNOOZE: lambda actor, reason, disposition, until: {
            "assignee": actor,
            "reason": reason,
            "snoozed_until_ms": until,
            **_UNDECIDED,
        },
        Action.WAKE: lambda actor, reason, disposition, until: {"assignee": None, "snoozed_until_ms": None},
        Action.CLOSE: lambda actor, reason, disposition, until: {
            "reason": reason,
            "disposition": disposition,
            "snoozed_until_ms": None,
        },
        Action.REOPEN: lambda actor, reason, disposition, until: {
            "assignee": None,
            "reason": reason,
            **_UNDECIDED,
        },
    }
)
