"""What officers do in a test: lines like `{at: +30m, action: close, outcome: ..., by: anna}` as events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monitor.ruletest.case import Step

WORDS = {
    "by": "actor", "outcome": "disposition", "reason": "reason", "until": "until", "grade": "grade",
    "limit": "limit_name", "approver": "approver_id", "customer_id": "customer_id",
}  # fmt: skip
"""The word of a test to the field of the event."""
EVERY = ("action", "at", "by", "id", "refused")
REASON = "as tested"
OFFICER = "officer"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing an officer can do."""

    kind: str
    """The event it is."""
    keys: tuple[str, ...]
    """What may be said of it besides when, by whom and whether it is refused."""
    of_alert: bool = True


ACTIONS = {
    "take": Action("alert.taken", ("rule", "reason")),
    "release": Action("alert.released", ("rule", "reason")),
    "note": Action("alert.noted", ("rule", "reason")),
    "snooze": Action("alert.snoozed", ("rule", "reason", "until")),
    "wake": Action("alert.woken", ("rule",)),
    "close": Action("alert.closed", ("rule", "reason", "outcome")),
    "reopen": Action("alert.reopened", ("rule", "reason")),
    "override": Action("rating.override", ("grade", "until", "reason", "approver", "customer_id"), False),
    "impose": Action("rating.limit_imposed", ("limit", "until", "reason", "approver", "customer_id"), False),
    "lift": Action("rating.limit_lifted", ("limit", "reason", "approver", "customer_id"), False),
    "suppress": Action(
        "rating.rule_suppressed", ("rule", "until", "reason", "approver", "customer_id"), False
    ),
    "restore": Action("rating.rule_restored", ("rule", "reason", "approver", "customer_id"), False),
}
"""Every action by its word."""


def action(
    line: int, at_ms: int, identity: str, rule: str, given: Mapping[str, Any]
) -> tuple[Step, list[str]]:
    """Return the step of an action, and the words it does not take.

    An action on an alert is about the latest alert of `rule` (by default the rule under test);
    one on a rating about customer `c1`.

    Examples
    --------
    >>> step, unknown = action(7, 0, "a2", "A-1", {"action": "take", "at": "+0m", "grade": "10"})
    >>> step.kind, step.alert_of, dict(step.values), unknown
    ('alert.taken', 'A-1', {'actor': 'officer', 'reason': 'as tested'}, ['grade'])
    """
    chosen = ACTIONS[str(given["action"])]
    values = {"actor": OFFICER, "reason": REASON}
    values |= {
        WORDS[name]: str(text)
        for name, text in given.items()
        if name in WORDS and name in (*chosen.keys, "by")
    }
    about = str(given.get("rule", rule))
    if not chosen.of_alert:
        values.setdefault("customer_id", "c1")
        if "rule" in chosen.keys:
            values["rule"] = about
    step = Step(
        line=line, at_ms=at_ms, kind=chosen.kind, id=str(given.get("id", identity)), values=values,
        alert_of=about if chosen.of_alert else "", is_refused=given.get("refused") == "true",
    )  # fmt: skip
    return step, [name for name in given if name not in (*EVERY, *chosen.keys)]
