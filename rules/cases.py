"""A condition as cases: the sets of simple conditions that would do, with every name written out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product

from rules.model import Parameter
from rules.nodes import Binary, Call, Filtered, Group, Literal, Name, Node, Unary

MOST_CASES = 128
"""A condition with more alternatives is not looked into."""
OPPOSITE = {"and": "or", "or": "and"}


@dataclass(frozen=True, slots=True)
class Atom:
    """A condition without `and` and `or`, asked or denied."""

    node: Node
    is_negated: bool = False

    def text(self) -> str:
        """Render canonically."""
        return f"not {self.node.text()}" if self.is_negated else self.node.text()


Case = tuple[Atom, ...]
"""Conditions that hold together."""


def cases(node: Node) -> list[Case]:
    """Return the alternatives of a condition; one that says nothing where there are too many.

    Examples
    --------
    >>> from rules.grammar import parse
    >>> for case in cases(parse("a and not (b or c)")):
    ...     print(" and ".join(atom.text() for atom in case))
    a and not b and not c
    """
    return _cases(node, is_negated=False) or [()]


def _cases(node: Node, *, is_negated: bool) -> list[Case] | None:
    if isinstance(node, Unary) and node.operator == "not":
        return _cases(node.operand, is_negated=not is_negated)
    if not isinstance(node, Binary) or node.operator not in OPPOSITE:
        return [(Atom(node, is_negated),)]
    sides = [_cases(side, is_negated=is_negated) for side in (node.left, node.right)]
    left, right = sides
    if left is None or right is None:
        return None
    operator = OPPOSITE[node.operator] if is_negated else node.operator
    found = left + right if operator == "or" else [one + other for one, other in product(left, right)]
    return found if len(found) <= MOST_CASES else None


@dataclass(frozen=True, slots=True)
class Names:
    """What the names of a rule stand for."""

    nodes: Mapping[str, Node]
    """Lets and shared conditions."""
    params: Mapping[str, Parameter]

    def written_out(self, node: Node, segment: str = "") -> Node:
        """Return the node with its names written out, for customers of a segment; "" for all others.

        Arithmetic with constants is carried out, so that `0.8 * param.limit` can be compared.
        """
        if isinstance(node, Name):
            return self._named(node, segment)
        if isinstance(node, Binary):
            sides = (self.written_out(node.left, segment), self.written_out(node.right, segment))
            return _computed(replace(node, left=sides[0], right=sides[1]))
        if isinstance(node, Unary):
            return replace(node, operand=self.written_out(node.operand, segment))
        if isinstance(node, Group):
            return replace(node, items=tuple(self.written_out(item, segment) for item in node.items))
        if isinstance(node, Filtered) and node.condition is not None:
            return replace(node, condition=self.written_out(node.condition, segment))
        if isinstance(node, Call):
            named = tuple((name, self.written_out(value, segment)) for name, value in node.named)
            return replace(
                node, arguments=tuple(self.written_out(one, segment) for one in node.arguments), named=named
            )
        return node

    def _named(self, node: Name, segment: str) -> Node:
        head, _, tail = node.name.partition(".")
        if head == "param" and tail in self.params:
            parameter = self.params[tail]
            return parameter.by_segment.get(segment, parameter.default)
        meant = self.nodes.get(node.name)
        return node if meant is None else self.written_out(meant, segment)


def _computed(node: Binary) -> Node:
    """Return a product of a number and a constant as one constant, at the place of the product."""
    left, right = node.left, node.right
    if node.operator != "*" or not isinstance(left, Literal) or not isinstance(right, Literal):
        return node
    number, other = (left, right) if left.kind == "number" else (right, left)
    if number.kind != "number" or isinstance(number.value, str) or isinstance(other.value, str):
        return node
    if other.kind not in ("number", "money", "duration"):
        return node
    value = number.value * other.value
    return Literal(node.at, other.kind, value if other.kind != "duration" else int(value), other.unit)
