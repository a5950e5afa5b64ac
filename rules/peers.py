"""Peer figures: `peer("cash_share", 0.99)`, what is usual among customers alike, published and frozen.

A figure is an expression with a name, of a pack, so that the rule and the table mean the
same. `riskmon rules peers` measures it for every customer and writes the table `peers`, one row a
group: type, industry, region, size. The table is a list like others: versioned, part of the hash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from hashlib import blake2b
from typing import Any

from rules.aggregates import AGGREGATES
from rules.errors import nearest
from rules.model import Table
from rules.nodes import Binary, Call, Group, Literal, Name, Node, Unary
from rules.terms import SCALE, WORDS, WRONG, Scope, Term

PEERS = "peers"
"""Name of the list that holds the table."""
GROUP = ("type", "industry", "region", "size")
KEY = ("figure", *GROUP)
COLUMNS = {Fraction(1, 2): "p50", Fraction(19, 20): "p95", Fraction(99, 100): "p99"}
"""Shares of a group to the columns that hold what so many stay at or below."""
TABLE = {
    **dict.fromkeys(KEY, "text"), "n": "number", **dict.fromkeys(COLUMNS.values(), "number"),
    "definition": "text",
}  # fmt: skip
"""Columns of the table and their types, in their order."""
ALL = "*"
SIZES = {"<100k": 100_000, "<1m": 1_000_000, "<10m": 10_000_000, "<100m": 100_000_000}
"""Sizes by what comes in a year, in the base currency: a company's turnover, a person's income. [D]"""
LARGEST = ">=100m"
_LEVELS = ((1, 1, 1), (1, 1, 0), (1, 0, 1), (1, 0, 0), (0, 0, 1), (0, 0, 0))
"""Which of industry, region and size a group is told by, the finest first."""
_EXAMPLE = 'e.g. cash_share > peer("cash_share", 0.99)'


def groups(profile: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the groups a customer belongs to, the finest first; none where the type is not known.

    Examples
    --------
    >>> groups({"type": "entity", "industry": "5211", "annual_turnover": 20_000_000_000})[:2]
    [('entity', '5211', '*', '<10m'), ('entity', '5211', '*', '*')]
    """
    kind = profile.get("type")
    if kind is None:
        return []
    told = (profile.get("industry"), profile.get("region"), _size(profile))
    return [
        (kind, *(str(value) if wanted else ALL for value, wanted in zip(told, level, strict=True)))
        for level in _LEVELS
        if not any(wanted and value is None for value, wanted in zip(told, level, strict=True))
    ]


def _size(profile: Mapping[str, Any]) -> str | None:
    income = profile.get("monthly_income")
    yearly = profile.get("annual_turnover", income * 12 if income is not None else None)
    if yearly is None:
        return None
    return next((name for name, edge in SIZES.items() if yearly < edge * SCALE), LARGEST)


def definition(node: Node) -> str:
    """Return the name of what a figure means, 12 hex digits: its expression and how groups are made."""
    return blake2b(f"{node.text()} {GROUP} {SIZES}".encode(), digest_size=6).hexdigest()


def peer(scope: Scope, node: Call) -> Term:
    """Return the term of a quantile of the customer's peers; missing where no group is published."""
    name, share = node.arguments if len(node.arguments) == 2 else (node, node)
    if not (isinstance(name, Literal) and name.kind == "text" and isinstance(share, Literal)) or node.named:
        return scope.fail(node.at, "peer takes the name of a figure and a share", _EXAMPLE)
    column = COLUMNS.get(share.value) if isinstance(share.value, Fraction) else None
    if column is None:
        return scope.fail(share.at, f"no peer figure of {share.text()}", "take 0.5, 0.95 or 0.99")
    if scope.stage != "customer" or scope.is_where:
        return scope.fail(node.at, "only a customer has peers", "compare outside the window")
    figure = figure_of(scope, str(name.value), name.at)
    if figure is None:
        return WRONG
    published = scope.lists.get(PEERS)
    if published is not None and not _is_current(scope, node, str(name.value), figure[0], published.table):
        return WRONG
    place, scale = list(TABLE).index(column), SCALE if figure[1] == "money" else 1
    code = f"peer(LISTS.get({PEERS!r}), {place}, t, {name.value!r}, st.profile, {scale})"
    return Term(figure[1], code, nullable=True, cost=2)


def figure_of(scope: Scope, name: str, at: int) -> tuple[Node, str] | None:
    """Return what a figure means and its type, or tell what is wrong with it."""
    if name not in scope.predicates:
        hint = nearest(name, scope.predicates) or "name its expression in `names` of a pack.yaml"
        scope.fail(at, f"no expression {name!r} is named, so no such peer figure", hint)
        return None
    node = scope.inline(Name(at, name))
    for call in _calls(node):
        if call.function in AGGREGATES and "of" not in dict(call.named):
            # Without it, the figure would mean other events in every rule.
            scope.fail(at, f"{name}: {call.function} does not say of which events", "add of=kinds to it")
            return None
    term = scope.check(node)
    if term and term.type not in ("number", "money"):
        scope.fail(at, f"a peer figure is a number or money, was {WORDS[term.type]}")
        return None
    return (node, term.type) if term else None


def _is_current(scope: Scope, node: Call, name: str, meaning: Node, table: Table | None) -> bool:
    if table is None or table.key != KEY or table.columns != tuple(TABLE.items()):
        scope.fail(node.at, f"list.{PEERS} is no table of peers", "write it by: riskmon rules peers")
        return False
    # A table from elsewhere says no definition: whoever put it there answers for what it means.
    told, figure = table.place("definition"), table.place("figure")
    found = {row.cells[told] for row in table.rows if row.cells[figure] == name}
    if found <= {None, definition(meaning)}:
        return True
    problem = f"{name!r} of the table of peers means something else now"
    scope.fail(node.at, problem, f"run: riskmon rules peers {name}")
    return False


def _calls(node: Node) -> Iterator[Call]:
    children: tuple[Node, ...] = ()
    match node:
        case Call():
            yield node
            children = (*node.arguments, *(value for _, value in node.named))
        case Binary():
            children = (node.left, node.right)
        case Unary():
            children = (node.operand,)
        case Group():
            children = node.items
    for child in children:
        yield from _calls(child)


COMPARISONS: dict[str, Callable[[Scope, Call], Term]] = {"peer": peer}
"""Functions that compare with others, by name."""
