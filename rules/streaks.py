"""Streaks: in how many days, weeks or months in a row something held, up to now."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from rules.errors import nearest
from rules.nodes import Binary, Call, Literal, Name, Node
from rules.over_periods import (
    Cut,
    is_over_periods,
    is_short,
    over_periods,
    spans_of,
    value_code,
    value_of_period,
    whole_number,
)
from rules.period_functions import PERIOD_EXAMPLES, UNITS
from rules.terms import WORDS, WRONG, Scope, Term, shared
from rules.windows import periods_ms

LONGEST_STREAK = {"day": 30, "bd": 30, "week": 12, "month": 12, "quarter": 4, "year": 1}
"""How many units a streak counts where the rule does not say `up_to`."""


def streak(scope: Scope, node: Call) -> Term:
    """Return the term of a number of units in a row in which something held.

    `streak(bd, where=...)` asks for events in each unit, `streak(sum(amount) > 0 CNY, month)` for
    anything else of it.
    """
    if scope.is_where or scope.period_ms:
        return scope.fail(node.at, "a window cannot hold a streak", "compare outside the window")
    asked = _streak_asked(scope, node)
    if asked is None:
        return WRONG
    condition, unit = asked
    up_to = dict(node.named).get("up_to")
    size = LONGEST_STREAK[unit] if up_to is None else whole_number(scope, up_to, "up_to=10")
    if size is None:
        return WRONG
    retain_ms = periods_ms(
        scope, Literal(node.at, "business_days" if unit == "bd" else "periods", size, unit), size
    )
    if not is_short(scope, node, retain_ms):
        return WRONG
    inner = value_of_period(scope, condition, retain_ms)
    if inner and inner.type != "bool":
        return scope.fail(
            condition.at, f"expected a condition on a {unit}, was {WORDS[inner.type]}", f"e.g. {STREAKS}"
        )
    if not inner:
        return WRONG
    cut = Cut(shared(f"cut(PERIODS, {unit!r}, {size}, 0, {unit!r}, t)"), retain_ms)
    code = shared(f"in_a_row({cut.code}, {value_code(inner)})")
    return Term("number", code, cost=15 + inner.cost, spans=spans_of(inner, cut))


STREAKS = "streak(bd, where=amount >= 1000 CNY) >= 3, streak(sum(amount) > 5000 CNY, month)"


def _streak_asked(scope: Scope, node: Call) -> tuple[Node, str] | None:
    named, arguments = dict(node.named), node.arguments
    options = ("up_to",) if len(arguments) == 2 else ("where", "of", "key", "at_least", "up_to")
    unit = arguments[-1] if arguments else None
    if len(arguments) not in (1, 2) or not (isinstance(unit, Name) and unit.name in UNITS):
        scope.fail(
            unit.at if unit else node.at, f"streak takes a unit: {', '.join(UNITS)}", f"e.g. {STREAKS}"
        )
        return None
    for name, value in node.named:
        if name not in options:
            hint = nearest(name, options) or f"options: {', '.join(options)}"
            scope.fail(value.at, f"this streak has no option {name!r}", hint)
            return None
    if len(arguments) == 2:
        return scope.inline(arguments[0]), unit.name
    least = whole_number(scope, named["at_least"], "at_least=2") if "at_least" in named else 1
    if least is None:
        return None
    chosen = tuple((name, value) for name, value in node.named if name in ("where", "of", "key"))
    events = Call(node.at, "count", (), chosen)
    return Binary(node.at, ">=", events, Literal(node.at, "number", Fraction(least))), unit.name


def in_a_row(scope: Scope, node: Call) -> Term:
    """Return the term of `falls` or `rises`, which are asked of periods alone."""
    if is_over_periods(node):
        return over_periods(scope, node)
    return scope.fail(
        node.at, f"{node.function} compares values of periods", f"e.g. {PERIOD_EXAMPLES[node.function]}"
    )


PERIODICAL: dict[str, Callable[[Scope, Call], Term]] = {
    "streak": streak,
    "falls": in_a_row,
    "rises": in_a_row,
}
"""Functions that are asked of periods alone."""
