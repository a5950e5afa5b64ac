"""Aggregates over windows: from `sum(amount, 24h, where=...)` to code. `rules.windows` has the windows.

Named arguments: `where=condition`, `of=kinds` (default: the rule's own), `key=field` (within or
instead of the subject), `lag=10d` (the window ends so long ago), `prior=true` (without the event at
hand), `min_n=20` (missing below so many events).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from rules.asked import Asked, taken_apart
from rules.circles import cycle
from rules.echoes import ALONE, ECHOES
from rules.flows import retention, turned_over
from rules.neighbours import neighbour
from rules.nodes import Binary, Call, Group, Literal, Name
from rules.over_periods import is_over_periods, over_periods
from rules.plan import MarkerSlot, Selection, SightingsSlot
from rules.rarity import rarity
from rules.ratios import change, cv, median
from rules.terms import WORDS, WRONG, Scope, Term, shared
from rules.windowed import EXAMPLES, needed, numeric, series, shortened, through, value_of

MICRO = 1_000_000
"""Plain numbers are summed as whole millionths, so that sums do not depend on their order."""


def aggregate(scope: Scope, node: Call) -> Term:
    """Return the term of an aggregate, making the slots it needs."""
    if scope.is_where:
        return scope.fail(
            node.at, "a window's condition cannot hold another window", "compare outside the window"
        )
    if not scope.period_ms and is_over_periods(node):
        return over_periods(scope, node)
    asked = taken_apart(scope, node)
    if asked is None:
        return WRONG
    if asked.stage != scope.stage:
        return _fact(scope, node, asked)
    return AGGREGATES[node.function](scope, asked)


def _fact(scope: Scope, node: Call, asked: Asked) -> Term:
    """Have an earlier stage compute the aggregate and attach it to the event."""
    if scope.kind is None:
        return scope.fail(
            node.at, f"no event is at hand when a time runs out, so no {asked.stage}", "leave the key out"
        )
    if not ECHOES.isdisjoint(asked.kinds):
        return scope.fail(
            node.at, f"a {asked.stage} hears of no such event: {ALONE}", "add customer_id to the key"
        )
    inner = replace(scope, stage=asked.stage, seen={})
    named = tuple((name, value) for name, value in node.named if name != "key")
    if asked.key:
        parts = tuple(Name(node.at, field) for field in asked.key)
        named = (*named, ("key", parts[0] if len(parts) == 1 else Group(node.at, parts)))
    of = dict(named).get("of") or Group(node.at, tuple(Name(node.at, kind) for kind in asked.kinds))
    named = (*((name, value) for name, value in named if name != "of"), ("of", of))
    # Facts are told apart by their text, so it must mean the same in every rule.
    moved = scope.inline(Call(node.at, node.function, node.arguments, named))
    term = inner.check(moved)
    if not term:
        return WRONG
    name = f"{moved.text()} by {asked.stage}"
    inner.plan.exports.setdefault(scope.kind, {})[name] = term.code
    return Term(term.type, f"F.get({name!r})", nullable=True, cost=0.4)


def _count(scope: Scope, asked: Asked) -> Term:
    need = needed(scope, asked, 0)
    window = through(scope, need[1], asked) if need else None
    if window is None:
        return WRONG
    _, s = series(scope, asked, "", window, asked.where)
    span = shared(window.span.format(s=s))
    code = shared(f"count_after({s}, {window.cut})") if window.cut else f"width({span})"
    return shortened(Term("number", code, cost=3, spans=(f"({s}, {span})",)), asked, code)


def _sum(scope: Scope, asked: Asked) -> Term:
    found = numeric(scope, asked, 1, square=False)
    if found is None:
        return WRONG
    value, window, s, k = found
    span = shared(window.span.format(s=s))
    code = (
        shared(f"total_after({s}, {k}, {window.cut})") if window.cut else shared(f"total({s}, {k}, {span})")
    )
    plain = f"({code} / {MICRO})" if value.type == "number" else code
    return shortened(Term(value.type, plain, cost=3, spans=(f"({s}, {span})",)), asked, f"width({span})")


def _statistic(function: str, *, square: bool) -> Callable[[Scope, Asked], Term]:
    def build(scope: Scope, asked: Asked) -> Term:
        found = numeric(scope, asked, 1, square=square)
        if found is None:
            return WRONG
        value, window, s, k = found
        span = shared(window.span.format(s=s))
        scale = f", {MICRO}" if value.type == "number" else ""
        code = shared(f"{function}({s}, {k}, {span}{scale})")
        term = Term(value.type, code, nullable=True, cost=4, spans=(f"({s}, {span})",))
        return shortened(term, asked, f"width({span})")

    return build


def _zscore(scope: Scope, asked: Asked) -> Term:
    asked.prior = True
    asked.min_n = max(asked.min_n, 2)
    found = numeric(scope, asked, 1, square=True)
    if found is None:
        return WRONG
    if scope.kind is None:
        return scope.fail(asked.node.at, "no event is at hand when a time runs out, so nothing to score")
    _, window, s, k = found
    here = scope.check(asked.node.arguments[0])
    span = shared(window.span.format(s=s))
    scale = MICRO if here.type == "number" else 1
    code = shared(f"zscore({here.code}, {scale}, {s}, {k}, {span}, {asked.min_n})")
    return Term("number", code, nullable=True, cost=5, spans=(f"({s}, {span})",))


def _raw(method: str, *, orderly: bool) -> Callable[[Scope, Asked], Term]:
    def build(scope: Scope, asked: Asked) -> Term:
        need = needed(scope, asked, 1)
        window = through(scope, need[1], asked) if need else None
        value = value_of(scope, asked, need[0][0]) if need else WRONG
        if need is None or window is None or not value:
            return WRONG
        if orderly and value.type in ("text", "bool"):
            return scope.fail(
                need[0][0].at, f"{WORDS[value.type]} has no order", "use distinct, first or last"
            )
        slot, s = series(scope, asked, need[0][0].text() if value.nullable else "", window, asked.where)
        span = shared(window.span.format(s=s))
        code = shared(f"{method}({s}, {slot.column(need[0][0], item=True)}, {span})")
        counts = method == "distinct"
        # Whom it counted, a hit about another subject can tell.
        people = (
            f", {slot.column(need[0][0], item=True)}" if counts and need[0][0].text() == "customer_id" else ""
        )
        term = Term(
            "number" if counts else value.type,
            code,
            nullable=not counts,
            # The ends of a range are at hand; for the others an index is kept once it is asked for.
            cost=3 if method in ("first", "last") else 7,
            spans=(f"({s}, {span}{people})",),
        )
        return shortened(term, asked, f"width({span})")

    return build


def _quantile(scope: Scope, asked: Asked) -> Term:
    need = needed(scope, asked, 2)
    window = through(scope, need[1], asked) if need else None
    value = value_of(scope, asked, need[0][0]) if need else WRONG
    if need is None or window is None or not value:
        return WRONG
    share = need[0][1]
    if not (isinstance(share, Literal) and isinstance(share.value, Fraction) and 0 < share.value <= 1):
        return scope.fail(
            share.at, "expected the share as a number from 0 to 1", "e.g. quantile(amount, 0.95, 90d)"
        )
    slot, s = series(scope, asked, need[0][0].text() if value.nullable else "", window, asked.where)
    span = shared(window.span.format(s=s))
    code = shared(f"quantile({s}, {slot.column(need[0][0], item=True)}, {float(share.value)!r}, {span})")
    return shortened(
        Term(value.type, code, nullable=True, cost=9, spans=(f"({s}, {span})",)), asked, f"width({span})"
    )


def _share(scope: Scope, asked: Asked) -> Term:
    need = needed(scope, asked, 1)
    if need is None:
        return WRONG
    condition = need[0][0]
    if not all([scope.inside(kind).check(condition, "bool") for kind in asked.kinds]):  # noqa: C419
        return WRONG
    both = condition if asked.where is None else Binary(condition.at, "and", asked.where, condition)
    window = through(scope, need[1], asked)
    if window is None:
        return WRONG
    _, part = series(scope, asked, "", window, both)
    _, whole = series(scope, asked, "", window, asked.where)
    spans = tuple(shared(window.span.format(s=s)) for s in (part, whole))
    code = f"divide(width({spans[0]}), width({spans[1]}))"
    term = Term("number", code, nullable=True, cost=6, spans=(f"({part}, {spans[0]})",))
    return shortened(term, asked, f"width({spans[1]})")


def _sightings(scope: Scope, asked: Asked) -> tuple[str, str] | None:
    """Return code of the sightings and of the value at hand."""
    node = asked.node.arguments[0] if asked.node.arguments else None
    if not isinstance(node, Name) or node.name not in scope.vocabulary.fields:
        scope.fail(
            asked.node.at, f"{asked.node.function} takes a field", f"e.g. {EXAMPLES[asked.node.function]}"
        )
        return None
    carrying = tuple(kind for kind in asked.kinds if node.name in scope.vocabulary.kinds[kind].fields)
    here = scope.check(node)
    if not here:
        return None
    if not carrying:
        scope.fail(
            node.at, f"none of {', '.join(asked.kinds)} carries {node.name!r}", "say which kinds do: of=kind"
        )
        return None
    made = SightingsSlot(Selection(carrying, asked.where), node)
    return f"S[{scope.plan.slot(made.signature(), made)}]", here.code


def _known(scope: Scope, asked: Asked) -> Term:
    found = _sightings(scope, asked)
    window = asked.node.arguments[1] if len(asked.node.arguments) == 2 else None
    if found is None:
        return WRONG
    if not (isinstance(window, Literal) and window.kind == "duration"):
        return scope.fail(asked.node.at, "known takes a field and a duration", f"e.g. {EXAMPLES['known']}")
    return Term("bool", f"known({found[0]}, {found[1]}, t - {window.value})", cost=1)


def _seen_for(scope: Scope, asked: Asked) -> Term:
    found = _sightings(scope, asked)
    if found is None:
        return WRONG
    return Term("duration", f"seen_for({found[0]}, {found[1]}, t)", nullable=True, cost=1)


def _quiet_for(scope: Scope, asked: Asked) -> Term:
    if asked.node.arguments:
        return scope.fail(asked.node.at, "quiet_for takes no value", f"e.g. {EXAMPLES['quiet_for']}")
    made = MarkerSlot(Selection(asked.kinds, asked.where))
    place = scope.plan.slot(made.signature(), made)
    return Term(
        "duration", f"(None if S[{place}] is None else max(0, t - S[{place}]))", nullable=True, cost=0.6
    )


AGGREGATES: dict[str, Callable[[Scope, Asked], Term]] = {
    "count": _count,
    "sum": _sum,
    "avg": _statistic("mean", square=False),
    "stddev": _statistic("deviation", square=True),
    "zscore": _zscore,
    "min": _raw("minimum", orderly=True),
    "max": _raw("maximum", orderly=True),
    "distinct": _raw("distinct", orderly=False),
    "first": _raw("first", orderly=False),
    "last": _raw("last", orderly=False),
    "quantile": _quantile,
    "share": _share,
    "cv": cv,
    "median": median,
    "change": change,
    "known": _known,
    "seen_for": _seen_for,
    "quiet_for": _quiet_for,
    "retention": retention,
    "turned_over": turned_over,
    "cycle": cycle,
    "neighbour": neighbour,
    "rarity": rarity,
}
"""Every aggregate by name."""
