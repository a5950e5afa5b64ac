"""Conditions of an expression, and where in it they stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rules.nodes import Binary, Call, Filtered, Literal, Name, Node, Unary
from rules.walking import Path, parts, walk

LOGIC = ("and", "or")


def conditions(node: Any, path: Path = (), *, is_condition: bool) -> Iterator[tuple[Path, Node]]:
    """Give the sub-conditions of an expression: what `and`, `or` and `not` join, in windows too.

    Parameters
    ----------
    is_condition
        The node itself is true or false.

    Examples
    --------
    >>> from rules.grammar import parse
    >>> node = parse('not (a == "x" or b) and count(24h, where=c and d < 3) > 2')
    >>> [atom.text() for _, atom in conditions(node, is_condition=True)]
    ['(a == "x")', 'b', '(count(86400000ms, where=(c and (d < 3))) > 2)', 'c', '(d < 3)']
    """
    is_joint = isinstance(node, Binary) and node.operator in LOGIC
    is_joint = is_joint or (isinstance(node, Unary) and node.operator == "not")
    if is_condition and not is_joint and not _is_said(node):
        yield path, node
    for more, part in parts(node):
        inner = is_condition if is_joint else _is_condition(node, more)
        yield from conditions(part, path + more, is_condition=inner)


def _is_said(node: Any) -> bool:
    """Return whether a condition cannot be replaced: a word of the language, or what a rule waits for."""
    return isinstance(node, Literal) or (isinstance(node, Call) and node.function == "absent")


def _is_condition(node: Any, path: Path) -> bool:
    """Return whether a part of a node that is no `and`, `or` or `not` is true or false."""
    if isinstance(node, Filtered):
        return path == ("condition",)
    if not isinstance(node, Call):
        return False
    if path[0] == "named":
        return node.named[int(path[1])][0] == "where"
    return path == ("arguments", 0) and node.function in ("if", "share")


def names(node: Any) -> set[str]:
    """Return the names an expression reads."""
    return {one.name for _, one in walk(node) if isinstance(one, Name)}
