"""What is looked up beside the event: entries of lists that take more than equality, and tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rules.functions import FUNCTIONS
from rules.model import ListData
from rules.nodes import Binary, Call, Name, Node, Unary
from rules.terms import WRONG, Scope, Term, nullsafe, shared


def listed(scope: Scope, node: Binary, left: Term) -> Term | None:
    """Return the term of `x in list.name` where the list is no plain set of texts; else None."""
    data = _data(scope, node.right)
    if data is None or data.is_plain:
        return None
    if data.kind == "names":
        hint = f"write match({node.left.text()}, list.{data.name}) >= 90"
        return scope.fail(node.right.at, f"list.{data.name} holds names, which are alike or not", hint)
    negation = "not " if node.operator == "not in" else ""
    code = nullsafe("{0} is not None and ", f"{negation}LISTS[{data.name!r}].holds({{0}}, t)", left)
    return Term("bool", code, cost=left.cost + 0.8, spans=left.spans)


def _data(scope: Scope, node: Node) -> ListData | None:
    head, _, tail = node.name.partition(".") if isinstance(node, Name) else ("", "", "")
    return scope.lists.get(tail) if head == "list" else None


def _match(scope: Scope, node: Call) -> Term:
    found = _name_and_list(scope, node)
    if found is None:
        return WRONG
    name, data = found
    code = shared(nullsafe("None if {0} is None else ", f"LISTS[{data.name!r}].score({{0}}, t)", name))
    return Term("number", code, nullable=name.nullable, cost=name.cost + 8, spans=name.spans)


def _matched(scope: Scope, node: Call) -> Term:
    found = _name_and_list(scope, node)
    if found is None:
        return WRONG
    name, data = found
    return Term("text", f"by_entry({data.name!r}, {name.code}, t)", nullable=True, cost=9, spans=name.spans)


def _name_and_list(scope: Scope, node: Call) -> tuple[Term, ListData] | None:
    if len(node.arguments) != 2 or node.named:
        scope.fail(node.at, f"{node.function} takes 2 arguments", f"e.g. {LOOKUPS_SHOWN[node.function]}")
        return None
    name = scope.check(node.arguments[0], "text")
    data = _data(scope, node.arguments[1])
    if data is None:
        # Told as an unknown list where it is one.
        if not isinstance(node.arguments[1], Name) or scope.check(node.arguments[1]):
            scope.fail(
                node.arguments[1].at, "expected a list of names", f"e.g. {LOOKUPS_SHOWN[node.function]}"
            )
        return None
    if data.kind != "names":
        hint = f"write {node.arguments[0].text()} in list.{data.name}, or `kind: names` in the list"
        scope.fail(node.arguments[1].at, f"list.{data.name} is no list of names", hint)
        return None
    return (name, data) if name else None


LOOKUPS: dict[str, Callable[[Scope, Call], Term]] = {"match": _match, "matched": _matched}
"""Functions that look into lists and tables, by name."""
LOOKUPS_SHOWN = {
    "match": "match(counterparty.name, list.watched_names) >= 90",
    "matched": "matched(counterparty.name, list.watched_names)",
}
"""Name to an example."""


def met(scope: Scope, node: Node) -> dict[str, Term]:
    """Return what a hit shows of the lists an expression looks into: the entry that was met.

    Of `match(x, list.y)`, and of `x in list.y` where the list is no plain set of texts; windows aside.
    """
    found: dict[str, Term] = {}
    for value, data in _looks(scope, scope.inline(node)):
        term = scope.check(value)
        if term:
            code = f"by_entry({data.name!r}, {term.code}, t)"
            found[f"{value.text()} in list.{data.name}"] = Term("text", code, nullable=True)
    return found


def _looks(scope: Scope, node: Node) -> Iterator[tuple[Node, ListData]]:
    children: tuple[Node, ...] = ()
    value: Node | None = None
    target: Node | None = None
    if isinstance(node, Binary):
        children = (node.left, node.right)
        value, target = (node.left, node.right) if node.operator == "in" else (None, None)
    elif isinstance(node, Unary):
        children = (node.operand,)
    elif isinstance(node, Call) and node.function == "match" and len(node.arguments) == 2:
        value, target = node.arguments
    elif isinstance(node, Call) and (node.function in FUNCTIONS or node.function == "if"):
        children = node.arguments
    data = _data(scope, target) if target is not None else None
    if value is not None and data is not None and not data.is_plain:
        yield value, data
    for child in children:
        yield from _looks(scope, child)
