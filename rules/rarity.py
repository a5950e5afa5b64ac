"""How rare a value or a combination of values is: `rarity((channel, mcc), 180d)`, `together(a, b)`."""

from __future__ import annotations

from collections.abc import Callable

from rules.asked import Asked
from rules.nodes import Call, Group, Node
from rules.terms import WRONG, Scope, Term, shared
from rules.windowed import needed, series, shortened, through, value_of


def rarity(scope: Scope, asked: Asked) -> Term:
    """Return the term of the share of earlier events that had the value at hand."""
    asked.prior = True
    need = needed(scope, asked, 1)
    window = through(scope, need[1], asked) if need else None
    if need is None or window is None:
        return WRONG
    if scope.kind is None:
        return scope.fail(asked.node.at, "no event is at hand when a time runs out, so nothing to look for")
    node = _combined(need[0][0])
    value = value_of(scope, asked, node)
    here = scope.check(node) if value else WRONG
    if not here:
        return WRONG
    slot, s = series(scope, asked, node.text() if value.nullable else "", window, asked.where)
    span = shared(window.span.format(s=s))
    code = shared(f"rarity({s}, {slot.column(node, item=True)}, {here.code}, {span})")
    return shortened(Term("number", code, nullable=True, cost=9), asked, f"width({span})")


def _combined(node: Node) -> Node:
    """Return several values as one."""
    if not isinstance(node, Group):
        return node
    # In one order, so that the same combination is the same series.
    return Call(node.at, "together", tuple(sorted(node.items, key=lambda item: item.text())))


def together(scope: Scope, node: Call) -> Term:
    """Return the term of several values as one text; a missing one is a value like others."""
    if len(node.arguments) < 2 or node.named:
        return scope.fail(node.at, "together takes several values", f"e.g. {COMBINED['together']}")
    terms = [scope.check(argument) for argument in node.arguments]
    if not all(terms):
        return WRONG
    code = f"combined({', '.join(term.code for term in terms)})"
    return Term("text", code, cost=sum(term.cost for term in terms) + 0.4)


COMBINATIONS: dict[str, Callable[[Scope, Call], Term]] = {"together": together}
"""Functions of any number of values, by name."""
COMBINED = {"together": "distinct(together(channel, counterparty.country), 30d)"}
"""Name to an example."""
