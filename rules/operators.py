"""Operators with two operands: comparison, membership, arithmetic with types and units."""

from __future__ import annotations

from fractions import Fraction

from rules.errors import nearest
from rules.lookups import listed
from rules.nodes import Binary, Group, Literal, Node
from rules.terms import EXAMPLES, WORDS, WRONG, Scope, Term, nullsafe


def member(scope: Scope, node: Binary) -> Term:
    """Return the term of `x in set`."""
    left = scope.check(node.left)
    if not left:
        return WRONG
    negated = node.operator == "not in"
    if isinstance(node.right, Group):
        items = [scope.check(item, left.type) for item in node.right.items]
        for item, found in zip(node.right.items, items, strict=True):
            _known_value(scope, item, left, found)
        values = f"({', '.join(item.code for item in items)},)"
    else:
        looked = listed(scope, node, left)
        if looked is not None:
            return looked
        right = scope.check(node.right)
        if right and (right.type != "set" or left.type != "text"):
            return scope.fail(
                node.right.at,
                "expected a list or a {set} after 'in'",
                'write x in list.name or x in {"a", "b"}',
            )
        values = right.code
    operator = "not in" if negated else "in"
    if not left.nullable:
        return Term("bool", f"({left.code} {operator} {values})", cost=left.cost + 0.2, spans=left.spans)
    code = f"known_in({left.code}, {values})" if not negated else f"known_out({left.code}, {values})"
    return Term("bool", code, cost=left.cost + 0.4, spans=left.spans)


def _known_value(scope: Scope, node: Node, enum: Term, value: Term) -> None:
    if enum.values and isinstance(node, Literal) and value.type == "text" and node.value not in enum.values:
        hint = nearest(str(node.value), enum.values) or f"one of {', '.join(enum.values)}"
        scope.fail(node.at, f"it is never {node.value!r}", hint)


def compare(scope: Scope, node: Binary, left: Term, right: Term) -> Term:
    """Return the term of `left == right` and its like; both must be of one type."""
    if left.type != right.type:
        hint = (
            EXAMPLES.get(left.type, "") if isinstance(node.right, Literal) else EXAMPLES.get(right.type, "")
        )
        if {left.type, right.type} == {"time", "number"}:
            hint = "no dates in conditions: take a difference, occurred_at - profile.opened_at < 30d"
        return scope.fail(node.right.at, f"cannot compare {WORDS[left.type]} with {WORDS[right.type]}", hint)
    if node.operator not in ("==", "!=") and left.type in ("bool", "text", "set"):
        return scope.fail(node.at, f"{WORDS[left.type]} has no order", "compare with == or !=")
    _known_value(scope, node.right, left, right)
    _known_value(scope, node.left, right, left)
    cost, spans = left.cost + right.cost, left.spans + right.spans
    if node.operator == "==" and not (left.nullable and right.nullable):
        return Term("bool", f"({left.code} == {right.code})", cost=cost, spans=spans)
    code = nullsafe("{0} is not None and ", f"{{0}} {node.operator} {{1}}", left, right)
    return Term("bool", code, cost=cost, spans=spans)


def arithmetic(scope: Scope, node: Binary, left: Term, right: Term) -> Term:
    """Return the term of a sum, difference, product, quotient or rest; units must fit."""
    types = (left.type, node.operator, right.type)
    result = _RESULTS.get(types)
    if result is None:
        verb = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "%": "take the rest of"}[
            node.operator
        ]
        hint = (
            EXAMPLES.get(left.type, "")
            if "number" in (left.type, right.type) and node.operator in "+-"
            else ""
        )
        return scope.fail(node.at, f"cannot {verb} {WORDS[left.type]} and {WORDS[right.type]}", hint)
    if node.operator in ("/", "%") and isinstance(node.right, Literal) and not node.right.value:
        return scope.fail(node.right.at, "division by zero", "divide by something else")
    code, nullable = f"{{0}} {node.operator} {{1}}", left.nullable or right.nullable
    literal = next(
        (x for x in (node.left, node.right) if isinstance(x, Literal) and x.kind == "number"), None
    )
    if (
        node.operator == "*"
        and literal is not None
        and isinstance(literal.value, Fraction)
        and literal.value.denominator != 1
    ):
        # Whole numbers first, one division last: money times 0.9 is rounded once, not twice.
        value, other = literal.value, "{1}" if literal is node.left else "{0}"
        code = f"{other} * {value.numerator} / {value.denominator}"
    if node.operator in ("/", "%"):
        right_code = right.code
        if not isinstance(node.right, Literal):
            return Term(
                result,
                f"divide({left.code}, {right_code})"
                if node.operator == "/"
                else f"rest({left.code}, {right_code})",
                nullable=True,
                cost=left.cost + right.cost + 0.2,
                spans=left.spans + right.spans,
            )
    if nullable:
        code = nullsafe("None if {0} is None else ", code, left, right)
    else:
        code = f"({code.format(left.code, right.code)})"
    return Term(result, code, nullable=nullable, cost=left.cost + right.cost, spans=left.spans + right.spans)


_RESULTS = {
    ("money", "+", "money"): "money",
    ("money", "-", "money"): "money",
    ("money", "*", "number"): "money",
    ("number", "*", "money"): "money",
    ("money", "/", "number"): "money",
    ("money", "/", "money"): "number",
    ("number", "+", "number"): "number",
    ("number", "-", "number"): "number",
    ("number", "*", "number"): "number",
    ("number", "/", "number"): "number",
    ("number", "%", "number"): "number",
    ("time", "-", "time"): "duration",
    ("time", "+", "duration"): "time",
    ("time", "-", "duration"): "time",
    ("duration", "+", "duration"): "duration",
    ("duration", "-", "duration"): "duration",
    ("duration", "*", "number"): "duration",
    ("number", "*", "duration"): "duration",
    ("duration", "/", "number"): "duration",
    ("duration", "/", "duration"): "number",
    ("money", "%", "money"): "money",
}
