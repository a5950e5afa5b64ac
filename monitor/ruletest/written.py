"""Nodes as a person would write them: for messages, where canonical text is hard to read."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

from rules.grammar import MILLISECONDS
from rules.nodes import Binary, Call, Filtered, Group, Literal, Name, Unary

LOOSE_TO_TIGHT = {"or": 1, "and": 2, "+": 5, "-": 5, "*": 6, "/": 6, "%": 6}
COMPARISON = 4
HOURS_UP_TO_MS = 3 * 86_400_000
"""People write 24h, 48h and 72h, but 7d."""


def written(node: Any, within: int = 0) -> str:
    """Return a node as text that reads like the rule's own.

    Examples
    --------
    >>> from rules.grammar import parse
    >>> written(parse("count(24h,where=amount>=1_000 CNY or x)/3>=0.9 and not (y or z)"))
    'count(24h, where=amount >= 1000 CNY or x) / 3 >= 0.9 and not (y or z)'
    """
    match node:
        case Literal():
            return _literal(node)
        case Name():
            return node.name
        case Binary():
            rank = LOOSE_TO_TIGHT.get(node.operator, COMPARISON)
            text = f"{written(node.left, rank)} {node.operator} {written(node.right, rank + 1)}"
            return f"({text})" if rank < within else text
        case Unary():
            return f"{node.operator}{' ' * (node.operator == 'not')}{written(node.operand, 3)}"
        case Call():
            parts = [written(one) for one in node.arguments]
            parts += [f"{name}={written(value)}" for name, value in node.named]
            return f"{node.function}({', '.join(parts)})"
        case Filtered():
            return node.kind if node.condition is None else f"{node.kind}[{written(node.condition)}]"
        case Group():
            return "{" + ", ".join(written(item) for item in node.items) + "}"
    return re.sub(r"\b(\d+)ms\b", lambda match: length(int(match[1])), str(node.text()))


def _literal(node: Literal) -> str:
    if node.kind == "duration":
        return length(int(node.value))
    if isinstance(node.value, Fraction):
        return f"{decimal(node.value)} {node.unit}".rstrip()
    return node.text()


def decimal(value: Fraction) -> str:
    """Return a decimal number without a float's noise.

    Examples
    --------
    >>> decimal(Fraction("19999.99")), decimal(Fraction(3)), decimal(Fraction("0.895"))
    ('19999.99', '3', '0.895')
    """
    digits = 0
    while (value * 10**digits).denominator != 1 and digits < 12:
        digits += 1
    whole = abs(int(value * 10**digits))
    text = str(whole).rjust(digits + 1, "0")
    text = f"{text[:-digits]}.{text[-digits:]}" if digits else text
    return f"-{text}" if value < 0 else text


def length(length_ms: int) -> str:
    """Return a duration in the largest unit that leaves no rest; up to three days in hours.

    Examples
    --------
    >>> length(86_400_000), length(604_800_000), length(82_800_000), length(86_399_999)
    ('24h', '7d', '23h', '86399999ms')
    """
    for unit in ("d", "h", "m", "s"):
        is_whole = length_ms and length_ms % MILLISECONDS[unit] == 0
        if is_whole and (unit != "d" or length_ms > HOURS_UP_TO_MS):
            return f"{length_ms // MILLISECONDS[unit]}{unit}"
    return f"{length_ms}ms"
