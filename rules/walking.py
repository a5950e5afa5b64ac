"""Nodes of expressions by their place: found by walking, replaced by their path.

It walks the fields of whatever a node is made of, so that a node the language gets later is walked too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

Path = tuple[str | int, ...]


def parts(node: Any) -> Iterator[tuple[Path, Any]]:
    """Give what a node is directly made of, with the path to each."""
    for one in fields(node):
        value = getattr(node, one.name)
        if is_dataclass(value):
            yield (one.name,), value
        elif isinstance(value, tuple):
            for place, item in enumerate(value):
                if is_dataclass(item):
                    yield (one.name, place), item
                elif isinstance(item, tuple) and len(item) == 2 and is_dataclass(item[1]):
                    yield (one.name, place, 1), item[1]


def walk(node: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Give a node and everything below it, with the path to each."""
    yield path, node
    for more, part in parts(node):
        yield from walk(part, path + more)


def replaced(node: Any, path: Path, new: Any) -> Any:
    """Return a node with what lies at a path replaced.

    Examples
    --------
    >>> from rules.grammar import parse
    >>> node = parse("amount >= 10 CNY and count(24h) > 3")
    >>> replaced(node, ("right", "left", "arguments", 0), parse("2d")).text()
    '((amount >= 10 CNY) and (count(172800000ms) > 3))'
    """
    if not path:
        return new
    head, *rest = path
    if isinstance(node, tuple):
        assert isinstance(head, int)
        return (*node[:head], replaced(node[head], tuple(rest), new), *node[head + 1 :])
    return replace(node, **{str(head): replaced(getattr(node, str(head)), tuple(rest), new)})
