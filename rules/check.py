"""From nodes to typed code: what an expression means for one kind of event at one stage.

The language is total. A value that was not sent is *missing*: comparisons with it are false (`!=`
and `not in` too), arithmetic with it is missing, and so is division by zero. `missing(x)` and
`default(x, y)` are there for whoever wants to tell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from rules.aggregates import AGGREGATES, aggregate
from rules.errors import nearest
from rules.figures import figure
from rules.functions import FUNCTIONS, Function
from rules.lookups import LOOKUPS, bare_table
from rules.nodes import AnyOf, Binary, Call, Filtered, Group, Literal, Name, Node, Sequence, Unary
from rules.operators import arithmetic, compare, member
from rules.peers import COMPARISONS
from rules.rarity import COMBINATIONS
from rules.sequences import any_of, sequence
from rules.streaks import PERIODICAL
from rules.terms import (
    CHECKS,
    FIELD_TYPES,
    SCALE,
    WORDS,
    WRONG,
    Scope,
    Term,
    allowed,
    conjuncts,
    nullsafe,
    number_code,
    shared,
)
from rules.vocabulary import Field


def _literal(scope: Scope, node: Node) -> Term:
    assert isinstance(node, Literal)
    if node.kind == "number":
        assert isinstance(node.value, Fraction)
        return Term("number", number_code(node.value), cost=0)
    if node.kind == "money":
        return _money(scope, node)
    if node.kind in ("events", "business_days", "periods"):
        what = {"events": "events", "business_days": "business days"}.get(node.kind, f"{node.unit}s")
        return scope.fail(
            node.at, f"a number of {what} is a window, not a value", "use it in an aggregate: count(10bd)"
        )
    types = {"text": "text", "bool": "bool", "duration": "duration"}
    return Term(types[node.kind], repr(node.value), cost=0)


def _money(scope: Scope, node: Literal) -> Term:
    assert isinstance(node.value, Fraction)
    scaled = node.value * SCALE
    if scaled.denominator != 1:
        return scope.fail(node.at, "money has at most four decimals", "round it")
    if node.unit == scope.base_currency:
        return Term("money", str(scaled.numerator), cost=0)
    return Term("money", f"FX({scaled.numerator}, {node.unit!r}, t)", cost=1)


def _name(scope: Scope, node: Node) -> Term:
    assert isinstance(node, Name)
    head, _, tail = node.name.partition(".")
    if head in _SPECIAL and tail:
        return _SPECIAL[head](scope, node, tail)
    if node.name in scope.lets:
        return _let(scope, node)
    if node.name in scope.predicates:
        return scope.check(scope.inline(node))
    return _field(scope, node)


def _is_name(scope: Scope, name: str) -> bool:
    return "." in name or any(
        name in known for known in (scope.vocabulary.fields, scope.lets, scope.predicates)
    )


def _let(scope: Scope, node: Name) -> Term:
    if scope.is_where:
        return scope.fail(
            node.at, f"a window's condition cannot read the let {node.name!r}", "write the condition out"
        )
    if node.name not in scope.seen:
        lets = {name: value for name, value in scope.lets.items() if name != node.name}
        inner = replace(scope, lets=lets, period_ms=0, wrong=lambda at, problem, hint: None)
        scope.seen[node.name] = inner.check(scope.lets[node.name])
    return scope.seen[node.name]


def _field(scope: Scope, node: Name) -> Term:
    known = scope.vocabulary.fields
    found = known.get(node.name)
    if found is None or found.type == "list_of_text":
        names = [*known, *scope.lets, *scope.predicates]
        hint = nearest(node.name, names) or "docs/rule-language.md lists the fields"
        if node.name in scope.rule.params:
            hint = f"write param.{node.name}"
        return scope.fail(node.at, f"unknown field {node.name!r}", hint)
    if not allowed(scope, node.at, node.name):
        return WRONG
    kinds = scope.rule.on if scope.kind is None else (scope.kind,)
    if node.name == "occurred_at":
        return Term("time", "t", cost=0)
    if scope.kind is None:
        hint = "read profile.x, parameters and windows, which need no event"
        return scope.fail(node.at, f"no event is at hand when a time runs out, so no {node.name!r}", hint)
    if node.name not in scope.vocabulary.kinds[scope.kind].fields:
        carried = [name for kind in kinds for name in scope.vocabulary.kinds[kind].fields]
        if len(scope.rule.on) == 1 or scope.is_where:
            others = [name for name, kind in scope.vocabulary.kinds.items() if node.name in kind.fields]
            hint = nearest(node.name, carried) or f"it comes with {', '.join(others[:3])}"
            return scope.fail(node.at, f"{' and '.join(kinds)} has no field {node.name!r}", hint)
        return Term(FIELD_TYPES[found.type], "None", nullable=True, cost=0, values=found.values)
    return field_term(scope, found)


def field_term(scope: Scope, found: Field) -> Term:
    """Return the term of a field of the event at hand."""
    assert scope.kind is not None
    required = found.name in scope.vocabulary.kinds[scope.kind].required
    head, _, tail = found.name.partition(".")
    # Objects are always there, so a field below one needs no look at the object first.
    code = f"d.{head}.{tail}" if tail else f"d.{head}"
    return Term(FIELD_TYPES[found.type], code, nullable=not required, cost=0.2, values=found.values)


def _profile(scope: Scope, node: Name, name: str) -> Term:
    return _remembered(scope, node, name, scope.vocabulary.profile, "st.profile")


def _account(scope: Scope, node: Name, name: str) -> Term:
    if scope.kind is None:
        return scope.fail(node.at, f"no event is at hand when a time runs out, so no account.{name}")
    if "account_id" not in scope.vocabulary.kinds[scope.kind].fields:
        return scope.fail(node.at, f"{scope.kind} has no account_id, so no account.{name}")
    return _remembered(scope, node, name, scope.vocabulary.account, shared("account_of(st, d)"))


def _remembered(scope: Scope, node: Name, name: str, known: Mapping[str, Field], holder: str) -> Term:
    if scope.is_where:
        return scope.fail(
            node.at,
            "a window's condition can read the event alone",
            f"compare {node.name} outside the window",
        )
    if scope.stage != "customer":
        return scope.fail(node.at, f"only a customer has {node.name}", "set `subject: customer`")
    found = known.get(name)
    if found is None:
        return scope.fail(node.at, f"unknown name {node.name!r}", nearest(name, known))
    return Term(
        FIELD_TYPES[found.type], f"{holder}.get({name!r})", nullable=True, cost=0.3, values=found.values
    )


def _list(scope: Scope, node: Name, name: str) -> Term:
    if name not in scope.lists:
        hint = nearest(name, scope.lists) or f"add it as a list file {name}.yaml"
        return scope.fail(node.at, f"unknown list {name!r}", hint)
    return Term("set", f"LISTS[{name!r}]", cost=0)


_SPECIAL = {"profile": _profile, "account": _account, "param": figure, "list": _list, "table": bare_table}


def _unary(scope: Scope, node: Node) -> Term:
    assert isinstance(node, Unary)
    if node.operator == "not":
        operand = scope.check(node.operand, "bool")
        return Term("bool", f"(not {operand.code})", cost=operand.cost, spans=operand.spans)
    operand = scope.check(node.operand)
    if operand and operand.type not in ("number", "money", "duration"):
        return scope.fail(
            node.at, f"expected a number, money or a duration after '-', was {WORDS[operand.type]}"
        )
    code = f"(-{operand.code})" if not operand.nullable else f"negative({operand.code})"
    return replace(operand, code=code)


def _binary(scope: Scope, node: Node) -> Term:
    assert isinstance(node, Binary)
    if node.operator in ("and", "or"):
        return _logic(scope, node)
    if node.operator in ("in", "not in"):
        return member(scope, node)
    left = scope.check(node.left)
    if left.type == "text" and isinstance(node.right, Name) and not _is_name(scope, node.right.name):
        hint = f'a text is written in quotes: "{node.right.name}"'
        return scope.fail(node.right.at, f"unknown name {node.right.name!r}", hint)
    right = scope.check(node.right)
    if not left or not right:
        return WRONG
    if node.operator in ("==", "!=", "<", "<=", ">", ">="):
        return compare(scope, node, left, right)
    return arithmetic(scope, node, left, right)


def _logic(scope: Scope, node: Binary) -> Term:
    parts = [scope.check(part, "bool") for part in conjuncts(node, node.operator)]
    # Cheap conditions first: the language has no side effects, so the order is ours.
    ordered = sorted(parts, key=lambda part: part.cost)
    code = f"({f' {node.operator} '.join(part.code for part in ordered)})"
    spans = tuple(span for part in parts for span in part.spans)
    return Term("bool", code, cost=sum(part.cost for part in parts), spans=spans)


CALLS = {**PERIODICAL, **LOOKUPS, **COMBINATIONS, **COMPARISONS}
"""What reads its arguments itself, by name; the others are in `FUNCTIONS`."""


def _call(scope: Scope, node: Node) -> Term:
    assert isinstance(node, Call)
    if node.function in AGGREGATES:
        return aggregate(scope, node)
    if node.function in CALLS:
        return CALLS[node.function](scope, node)
    if node.function == "absent":
        return scope.fail(
            node.at, "absent(...) stands alone or is joined with `and`", "write: when: absent(...) and ..."
        )
    if node.function == "if":
        return _choice(scope, node)
    function = FUNCTIONS.get(node.function)
    if function is None:
        names = [*FUNCTIONS, *AGGREGATES, *CALLS, "seq", "skipped", "any", "absent", "if"]
        return scope.fail(node.at, f"unknown function {node.function!r}", nearest(node.function, names))
    if len(node.arguments) != len(function.parameters) or node.named:
        count = len(function.parameters)
        return scope.fail(
            node.at, f"{function.name} takes {count} argument{'s' * (count != 1)}", f"e.g. {function.example}"
        )
    return _applied(scope, node, function)


def _applied(scope: Scope, node: Call, function: Function) -> Term:
    terms: list[Term] = []
    for argument, expected in zip(node.arguments, function.parameters, strict=True):
        wanted = terms[0].type if expected == "same" else None if expected == "any" else expected
        term = scope.check(argument, wanted if wanted != "wrong" else None)
        if not term:
            return WRONG
        terms.append(term)
    if function.name == "matches" and not _is_pattern(scope, node.arguments[1]):
        return WRONG
    result = terms[0].type if function.result == "same" else function.result
    spans = tuple(span for term in terms for span in term.spans)
    cost = sum(term.cost for term in terms) + 0.4
    if function.name == "missing" and not terms[0].nullable:
        return Term("bool", "False", cost=0)
    if function.handles_missing:
        code = function.code.format(*(term.code for term in terms))
        nullable = function.name == "default" and all(term.nullable for term in terms)
        return Term(result, code, nullable=nullable, cost=cost, spans=spans)
    nullable = any(term.nullable for term in terms) or function.may_be_missing
    code = nullsafe("None if {0} is None else ", function.code, *terms)
    return Term(result, code, nullable=nullable, cost=cost, spans=spans)


def _is_pattern(scope: Scope, node: Node) -> bool:
    node = scope.inline(node)
    if not isinstance(node, Literal):
        scope.fail(
            node.at,
            "the regular expression is not written out",
            'e.g. matches(remittance_info, "bet|casino")',
        )
        return False
    try:
        re.compile(str(node.value))
    except re.error as error:
        scope.fail(
            node.at,
            f"not a regular expression: {error}",
            "put a backslash before ( ) [ ] . * + ? meant literally",
        )
        return False
    return True


def _choice(scope: Scope, node: Call) -> Term:
    if len(node.arguments) != 3 or node.named:
        return scope.fail(node.at, "if takes 3 arguments", "write if(condition, then, otherwise)")
    condition = scope.check(node.arguments[0], "bool")
    first = scope.check(node.arguments[1])
    second = scope.check(node.arguments[2], first.type if first else None)
    if not (condition and first and second):
        return WRONG
    code = f"({first.code} if {condition.code} else {second.code})"
    cost = condition.cost + first.cost + second.cost
    spans = condition.spans + first.spans + second.spans
    return Term(first.type, code, nullable=first.nullable or second.nullable, cost=cost, spans=spans)


def _misplaced(scope: Scope, node: Node) -> Term:
    what = "a set" if isinstance(node, Group) else "an event kind with a condition"
    hint = "use it after `in`" if isinstance(node, Group) else "use it in seq(...), absent(...) or of=..."
    return scope.fail(node.at, f"{what} is no value of its own", hint)


CHECKS.update(
    {
        Literal: _literal,
        Name: _name,
        Unary: _unary,
        Binary: _binary,
        Call: _call,
        Group: _misplaced,
        Filtered: _misplaced,
        Sequence: sequence,
        AnyOf: any_of,
    }
)
