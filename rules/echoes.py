"""Kinds of events by which the monitor tells its rules what it found, and who may ask about them."""

from __future__ import annotations

from collections.abc import Iterable

HIT, SCORED, CLOSED = "rule.hit", "model.scored", "case.closed"
ASSIGNED, CHANGED = "rating.assigned", "rating.changed"
ECHOES = frozenset({HIT, SCORED, CLOSED, ASSIGNED, CHANGED})
MOMENTARY = frozenset({SCORED, ASSIGNED, CHANGED})
"""What is found once, by models and ratings as they were; hits and closed alerts are found again."""
STATUS = "rule_status"
"""Whether the rule that hit is live or shadow."""
ALONE = "what the monitor finds is told to the customer's rules alone"
"""Why a rule about another subject, or a key of another subject, would wait in vain."""


def live_alone(kind: str, texts: Iterable[str]) -> tuple[str, ...]:
    """Return the condition under which a hit of another rule is heard.

    Whoever does not ask about the status of the rule hears of live rules alone: what a shadow rule
    says is not for alerts.

    Examples
    --------
    >>> live_alone("rule.hit", ["distinct(dimension, 7d) >= 3"])
    ("d.rule_status != 'shadow'",)
    >>> live_alone("rule.hit", ['rule_status in {"live", "shadow"}']), live_alone("auth.login", [])
    ((), ())
    """
    if kind != HIT or any(STATUS in text for text in texts):
        return ()
    return (f"d.{STATUS} != 'shadow'",)
