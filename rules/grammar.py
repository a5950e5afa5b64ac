"""From the text of an expression to nodes."""

from __future__ import annotations

from fractions import Fraction
from functools import cache, lru_cache
from typing import Any

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from rules.errors import ExpressionError
from rules.nodes import AnyOf, Binary, Call, Filtered, Group, Literal, Name, Node, Sequence, Step, Unary
from rules.unreadable import hint_of

GRAMMAR = r"""
start: _expr
_expr: or_ | and_ | not_ | compare | _sum
_or: and_ | not_ | compare | _sum
or_: _or ("or" _or)+
_and: not_ | compare | _sum
and_: _and ("and" _and)+
not_: "not" _and
compare: _sum COMPARISON _sum
       | _sum "in" _sum -> in_
       | _sum "not" "in" _sum -> not_in
_sum: add | _term
add: _sum SIGN _term
_term: multiply | _unary
multiply: _term FACTOR _unary
_unary: negative | _atom
negative: "-" _unary
_atom: number | money | duration | events | periods | string | boolean | filtered | name | call
     | sequence | skipped | any_of | group
     | "(" _expr ")"
number: NUMBER
money: MONEY
duration: DURATION
events: EVENTS
periods: PERIODS
string: STRING
boolean: TRUE | FALSE
name: NAME | KINDS
filtered: NAME "[" _expr "]"
call: (NAME | "if") "(" [_argument ("," _argument)*] ")"
_argument: named | _expr
named: (NAME | "for" | IN) "=" _expr
group: "{" _expr ("," _expr)* "}"
     | "(" _expr ("," _expr)+ ")"
sequence: "seq" "(" [least] _steps ["without" pattern] ["," same] ")"
skipped: "skipped" "(" _steps ["without" pattern] ["," same] ")"
any_of: "any" "(" least pattern ("," pattern)+ "within" DURATION ["," same] ")"
_steps: step ("->" step)+
step: pattern ("or" pattern)* ["within" DURATION]
least: NUMBER "of"
same: "same" "=" (NAME | "(" NAME ("," NAME)+ ")")
pattern: NAME ["[" _expr "]"]

COMPARISON: "==" | "!=" | ">=" | "<=" | ">" | "<"
SIGN: "+" | "-"
FACTOR: "*" | "/" | "%"
TRUE: "true"
FALSE: "false"
IN: "in"
KINDS.3: /[a-z_]+\.\*/
NAME: /[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*/
MONEY.4: /\d[\d_]*(\.\d+)?[ ]+[A-Z]{3}\b/
DURATION.4: /\d+(ms|bd|s|m|h|d|w|y)\b/
EVENTS.4: /\d+[ ]+events\b/
PERIODS.4: /\d+[ ]+(day|week|month|quarter|year)s?\b/
NUMBER.2: /\d[\d_]*(\.\d+)?/
STRING: /"([^"\\]|\\.)*"|'([^'\\]|\\.)*'/
%import common.WS
%ignore WS
"""

MILLISECONDS = {
    "ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "y": 31_536_000_000,
}  # fmt: skip
"""Units of a duration; a year is 365 days. Calendar years are a window of their own (`year`)."""

MEMORY = 8192
"""Texts whose nodes are kept: cells of tables and conditions of rules are written alike many times."""


@cache
def _parser() -> Lark:
    return Lark(GRAMMAR, parser="lalr", propagate_positions=True, maybe_placeholders=False)


@lru_cache(maxsize=MEMORY)
def parse(text: str) -> Node:
    """Return the node of an expression; of a text read before the same one.

    Raises
    ------
    ExpressionError
        With the offset of the first place that cannot be read.

    Examples
    --------
    >>> parse('sum(amount,24h,where=direction=="in") >= 50_000 CNY').text()
    '(sum(amount, 86400000ms, where=(direction == "in")) >= 50000 CNY)'
    """
    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        raise _unreadable(text, error) from None
    return _node(tree.children[0])


def _unreadable(text: str, error: UnexpectedInput) -> ExpressionError:
    if not text.strip():
        return ExpressionError(0, "the expression is empty", "write a condition, e.g. amount >= 1000 CNY")
    ended = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    if ended:
        hint = "close the bracket" if text.count("(") > text.count(")") else "something is missing at the end"
        hint = hint_of(text, len(text), "") or hint
        return ExpressionError(len(text.rstrip()), "the expression ends too early", hint)
    at = int(getattr(error, "pos_in_stream", 0) or 0)
    if isinstance(error, UnexpectedCharacters):
        problem, word = f"unexpected character {text[at]!r}", text[at]
    else:
        word = str(error.token) if isinstance(error, UnexpectedToken) else text[at : at + 1]
        problem = f"unexpected {word!r}"
    return ExpressionError(at, problem, hint_of(text, at, word))


def _node(tree: Tree[Token] | Token) -> Node:
    assert isinstance(tree, Tree)
    built: Node = _BUILDERS[str(tree.data)](tree)
    return built


def _at(tree: Tree[Token]) -> int:
    return int(tree.meta.start_pos)


def _fold(operator: str) -> Any:
    def build(tree: Tree[Token]) -> Node:
        nodes = [_node(child) for child in tree.children]
        left = nodes[0]
        for right in nodes[1:]:
            left = Binary(left.at, operator, left, right)
        return left

    return build


def _infix(tree: Tree[Token]) -> Node:
    left, operator, right = tree.children
    return Binary(_at(tree), str(operator), _node(left), _node(right))


def _member(operator: str) -> Any:
    return lambda tree: Binary(_at(tree), operator, _node(tree.children[0]), _node(tree.children[1]))


def _token(tree: Tree[Token]) -> str:
    return str(tree.children[0])


def _duration(at: int, text: str) -> Literal:
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = text[len(digits) :]
    if unit == "bd":
        return Literal(at, "business_days", int(digits))
    return Literal(at, "duration", int(digits) * MILLISECONDS[unit])


def _periods(tree: Tree[Token]) -> Node:
    count, unit = _token(tree).split()
    return Literal(_at(tree), "periods", int(count), unit.removesuffix("s"))


def _money(tree: Tree[Token]) -> Node:
    amount, currency = _token(tree).split()
    return Literal(_at(tree), "money", Fraction(amount.replace("_", "")), currency)


def _string(tree: Tree[Token]) -> Node:
    body = _token(tree)[1:-1]
    return Literal(_at(tree), "text", body.replace('\\"', '"').replace("\\'", "'").replace("\\\\", "\\"))


def _call(tree: Tree[Token]) -> Node:
    function = "if"
    children = list(tree.children)
    if children and isinstance(children[0], Token):
        function = str(children.pop(0))
    plain: list[Node] = []
    named: list[tuple[str, Node]] = []
    for child in children:
        if isinstance(child, Tree) and child.data == "named":
            name = str(child.children[0]) if len(child.children) == 2 else "for"
            named.append((name, _node(child.children[-1])))
        else:
            plain.append(_node(child))
    return Call(_at(tree), function, tuple(plain), tuple(named))


def _pattern(tree: Tree[Token]) -> Filtered:
    condition = _node(tree.children[1]) if len(tree.children) > 1 else None
    return Filtered(_at(tree), _token(tree), condition)


def _sequence(tree: Tree[Token]) -> Node:
    children = _children(tree, "step")
    steps = [_step(child) for child in children]
    for step, child in zip(steps, children, strict=True):
        if step is not steps[0] and not step.within_ms:
            raise ExpressionError(_at(child), "this step has no limit of time", "write: -> kind within 24h")
        if step is steps[0] and step.within_ms:
            raise ExpressionError(
                _at(child), "the first step has nothing before it", "leave its `within` out"
            )
    without = _children(tree, "pattern")
    return Sequence(
        _at(tree), tuple(steps), _pattern(without[0]) if without else None, _same(tree), _least(tree),
        is_skipped=tree.data == "skipped",
    )  # fmt: skip


def _step(tree: Tree[Token]) -> Step:
    within = [child for child in tree.children if isinstance(child, Token)]
    patterns = tuple(_pattern(child) for child in _children(tree, "pattern"))
    return Step(patterns, _limit(_at(tree), within[0]) if within else 0)


def _any_of(tree: Tree[Token]) -> Node:
    (within,) = [child for child in tree.children if isinstance(child, Token)]
    events = tuple(_pattern(child) for child in _children(tree, "pattern"))
    return AnyOf(_at(tree), _least(tree), events, _limit(_at(tree), within), _same(tree))


def _limit(at: int, text: Token) -> int:
    limit = _duration(at, str(text))
    if limit.kind != "duration":
        raise ExpressionError(at, "a sequence counts hours and days, not business days", "write 24h or 3d")
    return int(limit.value)


def _least(tree: Tree[Token]) -> int:
    return next((int(Fraction(_token(child).replace("_", ""))) for child in _children(tree, "least")), 0)


def _same(tree: Tree[Token]) -> tuple[str, ...]:
    return tuple(str(name) for child in _children(tree, "same") for name in child.children)


def _children(tree: Tree[Token], name: str) -> list[Tree[Token]]:
    return [child for child in tree.children if isinstance(child, Tree) and child.data == name]


_BUILDERS: dict[str, Any] = {
    "or_": _fold("or"),
    "and_": _fold("and"),
    "not_": lambda tree: Unary(_at(tree), "not", _node(tree.children[0])),
    "compare": _infix,
    "in_": _member("in"),
    "not_in": _member("not in"),
    "add": _infix,
    "multiply": _infix,
    "negative": lambda tree: Unary(_at(tree), "-", _node(tree.children[0])),
    "number": lambda tree: Literal(_at(tree), "number", Fraction(_token(tree).replace("_", ""))),
    "money": _money,
    "duration": lambda tree: _duration(_at(tree), _token(tree)),
    "events": lambda tree: Literal(_at(tree), "events", int(_token(tree).split()[0])),
    "periods": _periods,
    "string": _string,
    "boolean": lambda tree: Literal(_at(tree), "bool", _token(tree) == "true"),
    "name": lambda tree: Name(_at(tree), _token(tree)),
    "filtered": _pattern,
    "call": _call,
    "group": lambda tree: Group(_at(tree), tuple(_node(child) for child in tree.children)),
    "sequence": _sequence,
    "skipped": _sequence,
    "any_of": _any_of,
}
