"""Values of periods in a row: `cv(sum(amount), previous(6 months))`, `streak(bd, where=...)`.

An aggregate without a window, as the value of another, is taken of each period of the outer window:
the highest daily sum inside ten days, the share of months with more out than in, how often in a row
a month's last value fell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction

from rules.asked import taken_apart
from rules.errors import nearest
from rules.nodes import Binary, Call, Literal, Name, Node, Unary
from rules.period_functions import INNER, OUTER, PERIOD_EXAMPLES, UNITS, How
from rules.terms import WORDS, WRONG, Scope, Term, shared
from rules.windows import DAY_MS, HIGH, LONGEST_DAYS, LOW, PERIODS, periods_ms

QUANTITIES = ("money", "number", "duration")


@dataclass(frozen=True, slots=True)
class Cut:
    """A window cut into periods."""

    code: str
    retain_ms: int


def is_over_periods(node: Call) -> bool:
    """Return whether an aggregate's value is itself an aggregate: one value a period."""
    return node.function in OUTER and bool(node.arguments) and bool(_aggregates(node.arguments[0]))


def _aggregates(node: Node) -> list[Call]:
    """Return the aggregates of an expression that are not inside another."""
    if isinstance(node, Call):
        if node.function in INNER:
            return [node]
        return [found for argument in node.arguments for found in _aggregates(argument)]
    if isinstance(node, Binary):
        return _aggregates(node.left) + _aggregates(node.right)
    return _aggregates(node.operand) if isinstance(node, Unary) else []


def over_periods(scope: Scope, node: Call) -> Term:
    """Return the term of a function over the values of the periods of a window."""
    how, example = OUTER[node.function], f"e.g. {PERIOD_EXAMPLES[node.function]}"
    values = 2 if node.function == "quantile" else 1
    arguments = [scope.inline(argument) for argument in node.arguments]
    if len(arguments) != values + 1:
        return scope.fail(node.at, f"{node.function} over periods takes a value and a window", example)
    if not any(len(one.arguments) == INNER[one.function] for one in _aggregates(arguments[0])):
        return scope.fail(
            arguments[0].at, "a window inside a window", f"leave the inner window out: {example[5:]}"
        )
    cut = _cut(scope, node, arguments[-1])
    if cut is None:
        return WRONG
    inner = value_of_period(scope, arguments[0], cut.retain_ms)
    if not inner or not _fits(scope, node, how, inner):
        return WRONG
    rank = _rank(scope, node, arguments)
    least = _least(scope, node)
    if rank is None or least is None:
        return WRONG
    found = shared(f"of_each({cut.code}, {value_code(inner)})")
    code = f"{how.code}({found}{rank})"
    if least:
        code = f"({code} if filled({found}) >= {least} else None)"
    nullable = bool(least) or node.function not in ("count", "falls", "rises")
    gives = inner.type if how.gives == "same" else how.gives
    return Term(gives, code, nullable=nullable, cost=30 + inner.cost, spans=spans_of(inner, cut))


def value_of_period(scope: Scope, node: Node, retain_ms: int) -> Term:
    """Return the term of the value of one period; it may read the event at hand and the profile too."""
    for one in _aggregates(node):
        asked = taken_apart(replace(scope, wrong=lambda at, problem, hint: None), one)
        if asked is not None and asked.stage != scope.stage:
            hint = f"add customer_id to the key, or make a rule with `subject: {asked.stage}`"
            return scope.fail(one.at, f"values of periods of a {asked.stage} stay with it", hint)
    return replace(scope, period_ms=retain_ms, seen={}).check(node)


def _fits(scope: Scope, node: Call, how: How, inner: Term) -> bool:
    at = node.arguments[0].at
    if how.takes == "bool" and inner.type != "bool":
        scope.fail(
            at, f"expected a condition on a period, was {WORDS[inner.type]}",
            f"e.g. {PERIOD_EXAMPLES[node.function]}",
        )  # fmt: skip
        return False
    if how.takes == "quantity" and inner.type not in QUANTITIES:
        scope.fail(at, f"cannot {node.function} {WORDS[inner.type]}", "give money or a number of each period")
        return False
    return True


def _rank(scope: Scope, node: Call, arguments: list[Node]) -> str | None:
    if node.function == "median":
        return ", 0.5"
    if node.function != "quantile":
        return ""
    share = arguments[1]
    if isinstance(share, Literal) and isinstance(share.value, Fraction) and 0 < share.value <= 1:
        return f", {float(share.value)!r}"
    scope.fail(share.at, "expected the share as a number from 0 to 1", f"e.g. {PERIOD_EXAMPLES['quantile']}")
    return None


def _least(scope: Scope, node: Call) -> int | None:
    for name, value in node.named:
        if name not in ("per", "min_n"):
            hint = "say which events inside: " + PERIOD_EXAMPLES["cv"]
            scope.fail(value.at, f"{node.function} over periods has no option {name!r}", hint)
            return None
    least = dict(node.named).get("min_n")
    if least is None:
        return 0
    return whole_number(scope, least, "min_n=3")


def whole_number(scope: Scope, node: Node, example: str) -> int | None:
    """Return a whole number above 0 that is written out or a parameter, or tell what is wrong."""
    node = scope.inline(node)
    if isinstance(node, Literal) and node.kind == "number":
        assert isinstance(node.value, Fraction)
        if node.value.denominator == 1 and node.value > 0:
            return node.value.numerator
    scope.fail(node.at, "expected a whole number above 0, written out", f"e.g. {example}")
    return None


# Windows, cut into periods.


def _cut(scope: Scope, node: Call, window: Node) -> Cut | None:
    whole, counted = False, window
    if isinstance(window, Call) and window.function == "previous" and len(window.arguments) == 1:
        whole, counted = True, window.arguments[0]
    if isinstance(counted, Name) and counted.name in PERIODS:
        counted = Literal(counted.at, "periods", 1, counted.name)
    if not isinstance(counted, Literal) or counted.kind not in ("periods", "business_days"):
        is_length = isinstance(counted, Literal) and counted.kind == "duration"
        problem = "a length of time has no periods" if is_length else "this window has no periods"
        scope.fail(window.at, problem, "count them: 30 days, 10bd, previous(6 months); or month, per=day")
        return None
    unit, size = counted.unit or "bd", int(counted.value)
    per = _per(scope, node, unit, size)
    retain_ms = periods_ms(scope, counted, size + whole)
    if per is None or not is_short(scope, window, retain_ms):
        return None
    base = "now" if unit == "bd" else "t"
    return Cut(shared(f"cut(PERIODS, {unit!r}, {size}, {int(whole)}, {per!r}, {base})"), retain_ms)


def _per(scope: Scope, node: Call, unit: str, size: int) -> str | None:
    named = dict(node.named).get("per")
    per = named.name if isinstance(named, Name) else unit if named is None else ""
    if per not in UNITS:
        hint = nearest(per, UNITS) or f"one of {', '.join(UNITS)}"
        scope.fail(named.at if named else node.at, "expected a period to cut the window into", hint)
        return None
    if size < 1:
        scope.fail(node.at, "a window of nothing", "write a positive length")
        return None
    if UNITS.index(per) > UNITS.index(unit) or (per == unit and size == 1):
        scope.fail(
            named.at if named else node.arguments[-1].at, "the window is one period alone",
            f"take several ({'6 months' if unit == 'month' else f'3 {unit}s'}) or cut it smaller: per=day",
        )  # fmt: skip
        return None
    return per


def is_short(scope: Scope, window: Node, retain_ms: int) -> bool:
    """Return whether events need not be kept for longer than any may be; tells where they must."""
    if retain_ms <= LONGEST_DAYS * DAY_MS + scope.grace_ms:
        return True
    scope.fail(window.at, f"a window looks back at most {LONGEST_DAYS} days", "take fewer periods")
    return False


def value_code(inner: Term) -> str:
    """Return the code of a function of a period's bounds."""
    # What is asked of each period must not be computed once for all.
    return f"lambda {LOW}, {HIGH}: {_unshared(inner.code)}"


def _unshared(code: str) -> str:
    return code.replace("\x01", "").replace("\x02", "")


def spans_of(inner: Term, cut: Cut) -> tuple[str, ...]:
    """Return the code of the events of all periods."""
    ends = {LOW: f"{cut.code}[0][0]", HIGH: f"{cut.code}[-1][1]"}
    return tuple(
        re.sub(rf"\b({LOW}|{HIGH})\b", lambda match: ends[match[1]], _unshared(span)) for span in inner.spans
    )
