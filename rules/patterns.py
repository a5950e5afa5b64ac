"""Patterns over time that no window says: sequences and absence."""

from __future__ import annotations

from rules.errors import nearest
from rules.nodes import Call, Filtered, Group, Literal, Name, Node, Sequence, Step
from rules.plan import SequenceSlot, TimerSlot
from rules.terms import WRONG, Scope, Term, allowed

ABSENCE = "absent(loan.repayment, for=30d, after=loan.repayment_due, key=loan_id)"


def sequence(scope: Scope, node: Node) -> Term:
    """Return the term of a sequence: true when the event at hand is its last step."""
    assert isinstance(node, Sequence)
    if scope.is_where:
        return scope.fail(node.at, "a window's condition cannot hold a sequence")
    patterns = [step.event for step in node.steps] + ([node.without] if node.without else [])
    if not all([_pattern(scope, pattern) for pattern in patterns]):  # noqa: C419
        return WRONG
    inner = [Step(_inline(scope, step.event), step.within_ms) for step in node.steps]
    node = Sequence(node.at, tuple(inner), _inline(scope, node.without) if node.without else None)
    made = SequenceSlot(node)
    place = scope.plan.slot(made.signature(), made)
    last = node.steps[-1].event
    if last.kind not in scope.rule.on:
        return scope.fail(
            last.at, f"the rule does not look at {last.kind}, the last step", f"add it: on: {last.kind}"
        )
    if scope.kind != last.kind:
        return Term("bool", "False", cost=0)
    here = (
        scope.inside(last.kind).check(last.condition, "bool").code if last.condition is not None else "True"
    )
    limits = tuple(step.within_ms for step in node.steps)
    code = f"({here} and completed(S[{place}], {limits!r}, t, r))"
    return Term("bool", code, cost=5, spans=(f"steps(S[{place}], {sum(limits)}, t)",))


def _inline(scope: Scope, pattern: Filtered) -> Filtered:
    return (
        pattern
        if pattern.condition is None
        else Filtered(pattern.at, pattern.kind, scope.inline(pattern.condition))
    )


def _pattern(scope: Scope, pattern: Filtered) -> bool:
    if pattern.kind not in scope.vocabulary.kinds:
        scope.fail(
            pattern.at, f"unknown event kind {pattern.kind!r}", nearest(pattern.kind, scope.vocabulary.kinds)
        )
        return False
    return pattern.condition is None or bool(scope.inside(pattern.kind).check(pattern.condition, "bool"))


def is_absence(node: Node) -> bool:
    """Return whether a node is `absent(...)`."""
    return isinstance(node, Call) and node.function == "absent"


def absence(scope: Scope, node: Node) -> int | None:
    """Return the slot of the timers of an absence, or tell what is wrong with it."""
    assert isinstance(node, Call)
    named = {name: scope.inline(value) for name, value in node.named}
    awaited = _event(node.arguments[0]) if len(node.arguments) == 1 else None
    after, length = _event(named.get("after")), named.get("for")
    is_length = isinstance(length, Literal) and length.kind == "duration"
    if awaited is None or after is None or not is_length or set(named) - {"for", "after", "key"}:
        scope.fail(node.at, "absent takes an event, `for` how long, `after` which event", f"e.g. {ABSENCE}")
        return None
    if not _pattern(scope, awaited) or not _pattern(scope, after):
        return None
    key = tuple(item.name for item in _items(named.get("key")) if isinstance(item, Name))
    for name in key:
        if name not in scope.vocabulary.fields:
            scope.fail(node.at, f"unknown key {name!r}", nearest(name, scope.vocabulary.fields))
            return None
        if not allowed(scope, node.at, name):
            return None
    assert isinstance(length, Literal)
    for_ms = int(length.value)
    made = TimerSlot(scope.rule.id, _inline(scope, awaited), _inline(scope, after), for_ms, key)
    return scope.plan.slot(made.signature(), made)


def _items(node: Node | None) -> tuple[Node, ...]:
    if node is None:
        return ()
    return node.items if isinstance(node, Group) else (node,)


def _event(node: Node | None) -> Filtered | None:
    if isinstance(node, Name):
        return Filtered(node.at, node.name, None)
    return node if isinstance(node, Filtered) else None
