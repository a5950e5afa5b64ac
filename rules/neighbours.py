"""The other accounts a customer moved money with: `neighbour(amount, 90d, at_least=..., among=list.x)`."""

from __future__ import annotations

from dataclasses import replace

from rules.asked import Asked
from rules.model import ListData
from rules.nodes import Name, Node
from rules.terms import WORDS, WRONG, Scope, Term, shared
from rules.windowed import EXAMPLES, needed, series, through, value_of

OTHER = "counterparty.account"
EXAMPLE = f"e.g. {EXAMPLES['neighbour']}"


def neighbour(scope: Scope, asked: Asked) -> Term:
    """Return the term of the listed account most money moved with; missing where there is none."""
    need = needed(scope, asked, 1)
    window = through(scope, need[1], asked) if need else None
    value = value_of(scope, asked, need[0][0]) if need else WRONG
    least, among = _least(scope, asked), _among(scope, asked)
    if need is None or window is None or not value or least is None or among is None:
        return WRONG
    if scope.stage != "customer" or value.type != "money" or not window.cut:
        return scope.fail(
            asked.node.at, "neighbour takes money of a customer and a window that ends now", EXAMPLE
        )
    carrying = tuple(kind for kind in asked.kinds if OTHER in scope.vocabulary.kinds[kind].fields)
    if not carrying:
        return scope.fail(asked.node.at, f"none of {', '.join(asked.kinds)} carries {OTHER!r}", EXAMPLE)
    parted = replace(asked, key=(OTHER,), kinds=carrying)
    slot, _ = series(scope, parted, need[0][0].text() if value.nullable else "", window, asked.where)
    place = next(place for place, one in enumerate(scope.plan.slots) if one is slot)
    k = slot.column(need[0][0], item=False)
    found = shared(f"neighbour(S[{place}], {k}, {window.cut}, {least}, {among})")
    spans = (f"moved_with(S[{place}], {found}, {window.cut})",)
    return Term("text", found, nullable=True, cost=15, spans=spans)


def _least(scope: Scope, asked: Asked) -> str | None:
    """Return code of how much must have moved."""
    node = dict(asked.node.named).get("at_least")
    term = scope.check(node) if node is not None else Term("money", "1")
    if term and term.type != "money":
        scope.fail(node.at if node else asked.node.at, f"expected money, was {WORDS[term.type]}", EXAMPLE)
        return None
    return term.code if term else None


def _among(scope: Scope, asked: Asked) -> str | None:
    """Return code of a function that says whether an account is one of those looked for."""
    node = dict(asked.node.named).get("among")
    data = _list(scope, node) if node is not None else None
    if node is None or (data is None and (not isinstance(node, Name) or scope.check(node))):
        scope.fail(asked.node.at, "neighbour needs `among`, a list of accounts", EXAMPLE)
        return None
    if data is None:
        return None
    if data.kind == "names":
        scope.fail(node.at, f"list.{data.name} holds names, not accounts", EXAMPLE)
        return None
    held = f"LISTS[{data.name!r}]"
    return f"{held}.__contains__" if data.is_plain else f"(lambda one: {held}.holds(one, t))"


def _list(scope: Scope, node: Node) -> ListData | None:
    head, _, tail = node.name.partition(".") if isinstance(node, Name) else ("", "", "")
    return scope.lists.get(tail) if head == "list" else None
