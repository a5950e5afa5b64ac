"""What is looked up beside the event: entries of lists that take more than equality, and tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rules.errors import nearest
from rules.functions import FUNCTIONS
from rules.model import ListData, Table
from rules.nodes import Binary, Call, Name, Node, Unary
from rules.terms import WRONG, Scope, Term, nullsafe, shared


def listed(scope: Scope, node: Binary, left: Term) -> Term | None:
    """Return the term of `x in list.name` where the list is no plain set of texts; else None."""
    data = _data(scope, node.right)
    if data is None or data.is_plain:
        return None
    if data.table is not None:
        column = next((name for name, _ in data.table.columns if name not in data.table.key), "column")
        hint = f"write lookup(table.{data.name}.{column}, {node.left.text()})"
        return scope.fail(node.right.at, f"list.{data.name} is a table", hint)
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


def _lookup(scope: Scope, node: Call) -> Term:
    found = _table_and_column(scope, node)
    if found is None:
        return WRONG
    name, table, column = found
    types = dict(table.columns)
    keys = [
        scope.check(argument, types[key]) for argument, key in zip(node.arguments[1:], table.key, strict=True)
    ]
    if not all(keys):
        return WRONG
    places = ", ".join(f"{{{place}}}" for place in range(len(keys)))
    code = f"LISTS[{name!r}].cell({table.place(column)}, t, {places})"
    spans = tuple(span for key in keys for span in key.spans)
    cost = 0.8 + sum(key.cost for key in keys)
    found_code = shared(nullsafe("None if {0} is None else ", code, *keys))
    return Term(types[column], found_code, nullable=True, cost=cost, spans=spans)


def _table_and_column(scope: Scope, node: Call) -> tuple[str, Table, str] | None:
    example = LOOKUPS_SHOWN["lookup"]
    first = node.arguments[0] if node.arguments else node
    head, name, column = (*(first.name if isinstance(first, Name) else "").split(".", 2), "", "", "")[:3]
    if head != "table" or not column or node.named:
        scope.fail(first.at, "expected the column of a table", f"e.g. {example}")
        return None
    tables = {data.name: data.table for data in scope.lists.values() if data.table is not None}
    if name not in tables:
        hint = nearest(name, tables) or f"add it as a list file {name}.yaml with `kind: table`"
        scope.fail(first.at, f"unknown table {name!r}", hint)
        return None
    table = tables[name]
    if table.type_of(column) is None:
        known = [column for column, _ in table.columns]
        hint = nearest(column, known) or f"columns: {', '.join(known)}"
        scope.fail(first.at, f"the table {name!r} has no column {column!r}", hint)
        return None
    if len(node.arguments) != len(table.key) + 1:
        hint = f"write lookup({first.text()}, {', '.join(table.key)})"
        scope.fail(node.at, f"the key of {name!r} is {' and '.join(table.key)}", hint)
        return None
    return name, table, column


def bare_table(scope: Scope, node: Name, name: str) -> Term:
    """Tell that a table has no value without a key."""
    return scope.fail(node.at, "a table is looked into by a key", f"write lookup(table.{name}, ...)")


LOOKUPS: dict[str, Callable[[Scope, Call], Term]] = {
    "match": _match,
    "matched": _matched,
    "lookup": _lookup,
}
"""Functions that look into lists and tables, by name."""
LOOKUPS_SHOWN = {
    "match": "match(counterparty.name, list.watched_names) >= 90",
    "matched": "matched(counterparty.name, list.watched_names)",
    "lookup": "lookup(table.country_risk.score, counterparty.country) >= 60",
}
"""Name to an example."""


def met(scope: Scope, node: Node) -> dict[str, Term]:
    """Return what a hit shows of the lists and tables an expression looks into; windows aside.

    Of `match(x, list.y)`, and of `x in list.y` where the list is no plain set of texts, the entry that
    was met; of `lookup(...)` the value.
    """
    found: dict[str, Term] = {}
    for value, data in _looks(scope, scope.inline(node)):
        if data is None:
            found[value.text()] = scope.check(value)
            continue
        term = scope.check(value)
        if term:
            code = f"by_entry({data.name!r}, {term.code}, t)"
            found[f"{value.text()} in list.{data.name}"] = Term("text", code, nullable=True)
    return found


def _looks(scope: Scope, node: Node) -> Iterator[tuple[Node, ListData | None]]:
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
    elif isinstance(node, Call) and node.function == "lookup":
        yield node, None
    elif isinstance(node, Call) and (node.function in FUNCTIONS or node.function == "if"):
        children = node.arguments
    data = _data(scope, target) if target is not None else None
    if value is not None and data is not None and not data.is_plain and data.table is None:
        yield value, data
    for child in children:
        yield from _looks(scope, child)
