"""Rules that no event asks: `on: every day`, and what a rule waits for."""

from __future__ import annotations

from rules.errors import nearest
from rules.model import Rule
from rules.nodes import Node
from rules.patterns import absence, is_absence
from rules.plan import ScheduleSlot
from rules.terms import Scope, conjuncts

SCHEDULES = {
    "every day": "day",
    "every business day": "bd",
    "every week": "week",
    "every month": "month",
    "every quarter": "quarter",
    "every year": "year",
}
"""What `on` may say instead of kinds of events, and the unit at whose begin the rule is asked."""


def is_scheduled(rule: Rule) -> bool:
    """Return whether a rule is asked when a period begins, not for events."""
    return any(name.startswith("every ") for name in rule.on)


def waits_for(scope: Scope, rule: Rule) -> tuple[int | None, list[Node]]:
    """Return the slot of what a rule waits for, and the conditions beside it.

    None where it cannot be: what is wrong was told.
    """
    parts = conjuncts(rule.when.node)
    waits = [part for part in parts if is_absence(part)]
    others = [part for part in parts if not is_absence(part)]
    if is_scheduled(rule):
        for wait in waits:
            scope.fail(wait.at, "absent(...) has a time of its own", "say in `on` what kinds it is about")
        return schedule(scope, rule) if not waits else None, others
    for second in waits[1:]:
        scope.fail(second.at, "a rule waits for one thing only", "make two rules of it")
    return absence(scope, waits[0]), others


def schedule(scope: Scope, rule: Rule) -> int | None:
    """Return the slot of a rule's schedule; None where `on` names none alone."""
    if len(rule.on) != 1 or rule.on[0] not in SCHEDULES:
        return None
    made = ScheduleSlot(SCHEDULES[rule.on[0]])
    return scope.plan.slot(made.signature(), made)


def schedule_mistakes(rule: Rule) -> list[tuple[str, str]]:
    """Return what is wrong with the schedule in `on`, each with a hint."""
    unknown = [name for name in rule.on if name.startswith("every ") and name not in SCHEDULES]
    found = [
        (f"unknown schedule {name!r} in `on`", nearest(name, SCHEDULES) or f"one of {', '.join(SCHEDULES)}")
        for name in unknown
    ]
    if len(rule.on) > 1:
        found.append(("a rule is asked by one schedule or by events", "make two rules of it"))
    return found
