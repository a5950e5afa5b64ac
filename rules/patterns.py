"""Absence: what did not happen in time; and the patterns that sequences are made of."""

from __future__ import annotations

from rules.errors import nearest
from rules.nodes import Call, Filtered, Group, Literal, Name, Node
from rules.plan import TimerSlot
from rules.terms import Scope, allowed

LENGTHS = ("duration", "business_days", "periods")
ABSENCE = "absent(loan.repayment, for=30d, after=loan.repayment_due, key=loan_id)"


def inlined(scope: Scope, pattern: Filtered) -> Filtered:
    """Return a pattern with parameters and predicates written out."""
    return (
        pattern
        if pattern.condition is None
        else Filtered(pattern.at, pattern.kind, scope.inline(pattern.condition))
    )


def is_pattern(scope: Scope, pattern: Filtered) -> bool:
    """Return whether kind and condition of a pattern can be asked for; tells why not."""
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
    awaited = _events(scope, node.arguments[0]) if len(node.arguments) == 1 else ()
    after, length = _events(scope, named.get("after")), named.get("for")
    is_length = isinstance(length, Literal) and length.kind in LENGTHS and int(length.value) > 0
    if not awaited or not after or not is_length or set(named) - {"for", "after", "key"}:
        scope.fail(node.at, "absent takes an event, `for` how long, `after` which event", f"e.g. {ABSENCE}")
        return None
    if not all([is_pattern(scope, pattern) for pattern in (*awaited, *after)]):  # noqa: C419
        return None
    key = tuple(item.name for item in _items(named.get("key")) if isinstance(item, Name))
    for name in key:
        if name not in scope.vocabulary.fields:
            scope.fail(node.at, f"unknown key {name!r}", nearest(name, scope.vocabulary.fields))
            return None
        if not allowed(scope, node.at, name):
            return None
    assert isinstance(length, Literal)
    ends = tuple(inlined(scope, pattern) for pattern in awaited)
    begins = tuple(inlined(scope, pattern) for pattern in after)
    made = TimerSlot(scope.rule.id, ends, begins, int(length.value), key)
    if length.kind != "duration":
        made = TimerSlot(scope.rule.id, ends, begins, 0, key, int(length.value), length.unit or "bd")
    return scope.plan.slot(made.signature(), made)


def _items(node: Node | None) -> tuple[Node, ...]:
    if node is None:
        return ()
    return node.items if isinstance(node, Group) else (node,)


def _events(scope: Scope, node: Node | None) -> tuple[Filtered, ...]:
    """Return the events that are named: one, several in brackets, or all of `kind.*`."""
    found: list[Filtered] = []
    for item in _items(node):
        if isinstance(item, Filtered):
            found.append(item)
        elif isinstance(item, Name):
            kinds = scope.vocabulary.match(item.name) or (item.name,)
            found += [Filtered(item.at, kind, None) for kind in kinds]
        else:
            return ()
    return tuple(found)
