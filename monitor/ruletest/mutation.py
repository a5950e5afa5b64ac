"""Thresholds moved at their edge: a rule's cases must notice each.

`>=` becomes `>`, a threshold moves by its smallest unit, a window by one of the units it is written in.
Money moves by 0.01, the least that is paid; a count by 1; a share by one in the digit after the last
one written; a duration that is compared by 1 ms; `min_n` by 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from monitor.ruletest.variants import Key, Subject, Variant, told
from monitor.ruletest.written import decimal, length, written
from rules.aggregates import AGGREGATES
from rules.grammar import MILLISECONDS
from rules.model import Expression
from rules.nodes import Binary, Call, Filtered, Literal, Name, Node, Unary
from rules.walking import Path, parts, replaced, walk

EDGES = {">=": ">", ">": ">=", "<=": "<", "<": "<="}
COMPARISONS = (*EDGES, "==")
FLIPPED = {">=": "<=", ">": "<", "<=": ">=", "<": ">"}
CENT = Fraction(1, 100)
THROUGH = {"larger": (0, 1), "smaller": (0, 1), "abs": (0,), "default": (0,), "if": (1, 2)}
"""Functions, and which of their arguments are thresholds where their result is compared."""
TIMED = ("for", "within", "lag", "min_n", "min", "max")
NEXT_UNIT = {"w": "d", "d": "h", "h": "m", "m": "s", "s": "ms", "y": "d"}


@dataclass(frozen=True, slots=True)
class _Spot:
    """An expression of a subject, and where in it something is changed."""

    subject: Subject
    key: Key
    expression: Expression

    def variant(self, path: Path, before: Any, after: Any, text: str, changed: str, hint: str) -> Variant:
        problem = f"no case notices {text} becoming {changed}"
        at = next(one.at for _, one in walk(before) if hasattr(one, "at"))
        return Variant(
            self.subject.changed(self.key, path, after),
            told(self.expression, at, problem, hint),
            before,
            after,
        )


def mutants(subject: Subject) -> Iterator[Variant]:
    """Give a rule with each of its thresholds, windows and least numbers moved at the edge."""
    for key, expression, _ in subject.expressions():
        spot = _Spot(subject, key, expression)
        for path, node in walk(expression.node):
            if isinstance(node, Binary) and node.operator in COMPARISONS:
                yield from _comparison(spot, path, node)
            elif isinstance(node, Call):
                yield from _windows(spot, path, node)
            elif getattr(node, "within_ms", 0):
                yield from _within(spot, path, node)
    for name, segment in subject.parameters():
        yield from _figures(subject, name, segment)


def _comparison(spot: _Spot, path: Path, node: Binary) -> Iterator[Variant]:
    literals = [one for side in ("left", "right") for one in _thresholds(getattr(node, side), (side,))]
    if not literals and not any(_is_figure(getattr(node, side)) for side in ("left", "right")):
        return
    text = written(node)
    if node.operator == "==":
        if literals:
            for operator in (">=", "<="):
                other = replace(node, operator=operator)
                hint = f"add a case on the other side of {text}"
                yield spot.variant(path, node, other, text, written(other), hint)
        return
    other = replace(node, operator=EDGES[node.operator])
    verb = "holds" if "=" in node.operator else "does not hold"
    hint = f"add a case where {written(node.left)} is exactly {written(node.right)}: {text} {verb}"
    yield spot.variant(path, node, other, text, written(other), hint)
    for more, literal in literals:
        yield from _moved(spot, path, node, more, literal)


def _moved(spot: _Spot, path: Path, node: Binary, more: Path, literal: Literal) -> Iterator[Variant]:
    """Give the comparison with a literal moved to the side that the operator's change does not show."""
    operator = node.operator if more[0] == "right" else FLIPPED[node.operator]
    directions = (-1,) if operator in (">=", "<") else (1,)
    for sign in directions if len(more) == 1 else (-1, 1):
        moved = step(literal, spot.expression, sign)
        if moved is None:
            continue
        other = replaced(node, more, moved)
        hint = f"add a case where the threshold is missed by {_least(literal, moved)} alone"
        if len(more) == 1:
            value = written(node.left if more[0] == "right" else node.right)
            hint = f"add a case where {value} is {written(moved)}"
        yield spot.variant(path, node, other, written(node), written(other), hint)


def _thresholds(node: Any, path: Path) -> Iterator[tuple[Path, Literal]]:
    """Give the literals that a comparison compares with, arithmetic looked through."""
    if isinstance(node, Literal):
        if node.kind in ("number", "money", "duration"):
            yield path, node
    elif isinstance(node, Binary | Unary):
        for more, part in parts(node):
            yield from _thresholds(part, path + more)
    elif isinstance(node, Call):
        for place in THROUGH.get(node.function, ()):
            yield from _thresholds(node.arguments[place], (*path, "arguments", place))


def _is_figure(node: Node) -> bool:
    return any(isinstance(one, Name) and one.name.startswith("param.") for _, one in walk(node))


def step(literal: Literal, expression: Expression, sign: int) -> Literal | None:
    """Return a threshold moved by its smallest unit, or None where it has none.

    Examples
    --------
    >>> from rules.grammar import parse
    >>> def moved(text):
    ...     return written(step(parse(text), Expression(text, parse(text), "", ((1, 1),)), -1))
    >>> [moved(text) for text in ("20000 CNY", "3", "0.9", "24h")]
    ['19999.99 CNY', '2', '0.89', '86399999ms']
    """
    if literal.kind == "duration":
        return replace(literal, value=int(literal.value) + sign)
    if not isinstance(literal.value, Fraction):
        return None
    if literal.kind == "money":
        return replace(literal, value=literal.value + sign * CENT)
    digits = 0
    while (literal.value * 10**digits).denominator != 1:
        digits += 1
    return replace(literal, value=literal.value + sign * Fraction(1, 10 ** (digits + 1 if digits else 0)))


def _least(before: Literal, after: Literal) -> str:
    moved = abs(Fraction(after.value) - Fraction(before.value))
    return length(int(moved)) if before.kind == "duration" else f"{decimal(moved)} {before.unit}".rstrip()


def _windows(spot: _Spot, path: Path, node: Call) -> Iterator[Variant]:
    """Give a call with its windows and least numbers one longer and one shorter."""
    found: list[tuple[Path, Node, str]] = [
        ((*path, "named", n, 1), value, name) for n, (name, value) in enumerate(node.named) if name in TIMED
    ]
    if node.function in AGGREGATES:
        found += [((*path, "arguments", n), value, "") for n, value in enumerate(node.arguments)]
    for place, value, name in found:
        if not isinstance(value, Literal) or not (
            name or value.kind in ("duration", "business_days", "events")
        ):
            continue
        if value.kind == "events" and node.function == "last" and not dict(node.named).get("min_n"):
            continue  # the last of one event is the last of any number
        for sign in (-1, 1):
            moved = _stretched(value, spot.expression, sign)
            if moved is not None:
                text = f"{name}={written(value)}" if name else written(value)
                changed = f"{name}={written(moved)}" if name else written(moved)
                changed = f"{changed} in {written(node)}"
                yield spot.variant(place, value, moved, text, changed, _stretch_hint(value, moved, sign))


def _stretch_hint(value: Literal, moved: Literal, sign: int) -> str:
    short, long = (moved, value) if sign < 0 else (value, moved)
    if value.kind == "number":
        return f"add a case with exactly {written(short if sign > 0 else moved)} events"
    counts = "counts" if sign < 0 else "does not count any more"
    return f"add a case that hangs on an event {written(short)} to {written(long)} back: it {counts}"


def _stretched(value: Literal, expression: Expression, sign: int) -> Literal | None:
    """Return a window one of its units longer or shorter; None where nothing would be left."""
    if value.kind != "duration":
        left = int(value.value) + sign if not isinstance(value.value, str) else 0
        return replace(value, value=Fraction(left) if value.kind == "number" else left) if left > 0 else None
    return replace(value, value=int(value.value) + sign * _unit_ms(value, expression))


def _unit_ms(value: Literal, expression: Expression) -> int:
    """Return the unit a duration is written in; of one day, an hour."""
    match = re.match(r"(\d+)(ms|s|m|h|d|w|y)", expression.text[value.at :])
    if match is None:
        return 1
    unit = NEXT_UNIT.get(match[2], "ms") if int(match[1]) == 1 else match[2]
    return MILLISECONDS[unit]


def _within(spot: _Spot, path: Path, node: Any) -> Iterator[Variant]:
    """Give a step of a sequence with its limit of time one unit longer and one shorter."""
    unit_ms = next(ms for ms in (86_400_000, 3_600_000, 60_000, 1_000, 1) if node.within_ms % ms == 0)
    if unit_ms == node.within_ms:
        unit_ms = max(1, unit_ms // 24)
    events = " or ".join(written(one) for _, one in parts(node) if isinstance(one, Filtered))
    for sign in (-1, 1):
        other = replace(node, within_ms=node.within_ms + sign * unit_ms)
        short, long = map(length, sorted((node.within_ms, other.within_ms)))
        text, changed = f"within {length(node.within_ms)}", f"within {length(other.within_ms)}"
        hint = f"add a case where {short} to {long} lie between the steps"
        yield spot.variant(path, node, other, f"{text} of {events}", changed, hint)


def _figures(subject: Subject, name: str, segment: str) -> Iterator[Variant]:
    parameter = subject.rule.params[name]
    literal = parameter.by_segment[segment] if segment else parameter.default
    if not isinstance(literal, Literal) or literal.kind not in ("number", "money", "duration"):
        return
    whose = f" for {segment}" if segment else ""
    for sign in (-1, 1):
        moved = step(literal, parameter.place, sign)
        if moved is None:
            continue
        problem = f"no case notices param.{name}{whose} {written(literal)} becoming {written(moved)}"
        edge = written(moved if sign < 0 else literal)
        hint = f"add a case{whose and f' of segment {segment}'} right at it: {edge}"
        at = 0 if segment else literal.at
        yield Variant(
            subject.with_figure(name, segment, moved),
            told(parameter.place, at, problem, hint),
            literal,
            moved,
        )
