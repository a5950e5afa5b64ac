"""Aggregates over two flows of money, what came and what left: `retention`, `turned_over`.

Beside the options of all aggregates they take `in` and `out`, the conditions of inflows and of
outflows (default: by `direction`); `turned_over` takes `within`, a duration or `day`.
"""

from __future__ import annotations

from dataclasses import dataclass

from rules.asked import Asked
from rules.nodes import Binary, Literal, Name, Node
from rules.terms import WORDS, WRONG, Scope, Term, shared
from rules.windowed import needed, series, through, value_of


@dataclass(frozen=True, slots=True)
class Flows:
    """Inflows and outflows as code: (series, sum column, index range) of each."""

    inflow: str
    outflow: str
    spans: tuple[str, ...]


def retention(scope: Scope, asked: Asked) -> Term:
    """Return the term of how long money stayed on average, by amount, first in, first out."""
    flows = _flows(scope, asked)
    if flows is None:
        return WRONG
    code = shared(f"retention({flows.inflow}, {flows.outflow}, {asked.min_n})")
    return Term("duration", code, nullable=True, cost=20, spans=flows.spans)


def turned_over(scope: Scope, asked: Asked) -> Term:
    """Return the term of the share of the inflows that left soon after."""
    flows = _flows(scope, asked)
    within_ms = _within_ms(scope, asked)
    if flows is None or within_ms is None:
        return WRONG
    code = shared(f"turned_over({flows.inflow}, {flows.outflow}, {within_ms}, PERIODS, {asked.min_n})")
    return Term("number", code, nullable=True, cost=20, spans=flows.spans)


def _flows(scope: Scope, asked: Asked) -> Flows | None:
    need = needed(scope, asked, 1)
    window = through(scope, need[1], asked) if need else None
    value = value_of(scope, asked, need[0][0]) if need else WRONG
    if need is None or window is None or not value:
        return None
    if value.type not in ("money", "number"):
        scope.fail(need[0][0].at, f"expected money, was {WORDS[value.type]}", "e.g. retention(amount, 7d)")
        return None
    if window.keep_last:
        scope.fail(asked.node.at, "the last events of two flows do not begin together", "give a length: 7d")
        return None
    guard = need[0][0].text() if value.nullable else ""
    columns, spans = [], []
    for side in ("in", "out"):
        where = flow(scope, asked, side)
        if where is None:
            return None
        slot, s = series(scope, asked, guard, window, where)
        span = shared(window.span.format(s=s))
        columns.append(f"({s}, {slot.column(need[0][0], item=False)}, {span})")
        spans.append(f"({s}, {span})")
    return Flows(columns[0], columns[1], tuple(spans))


def flow(scope: Scope, asked: Asked, side: str) -> Node | None:
    """Return the condition of one flow, `in` or `out`, or tell what is wrong with it."""
    given = dict(asked.node.named).get(side)
    at = asked.node.at
    own = given or Binary(at, "==", Name(at, "direction"), Literal(at, "text", side))
    if not all([scope.inside(kind).check(own, "bool") for kind in asked.kinds]):  # noqa: C419
        return None
    own = scope.inline(own)
    return own if asked.where is None else Binary(at, "and", asked.where, own)


def _within_ms(scope: Scope, asked: Asked) -> int | None:
    """Return how soon money must leave; 0 = on the same local day."""
    within = dict(asked.node.named).get("within")
    within = scope.inline(within) if within is not None else None
    if isinstance(within, Name) and within.name == "day":
        return 0
    if isinstance(within, Literal) and within.kind == "duration" and within.value:
        return int(within.value)
    scope.fail(
        within.at if within is not None else asked.node.at,
        "turned_over needs `within`, a duration or `day`",
        "e.g. turned_over(amount, 30d, within=day)",
    )
    return None
