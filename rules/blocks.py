"""Blocks of generated code under conditions: a condition that many share is asked once, around them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

INDENT = "    "
_CALL = re.compile(r"[A-Za-z_]\(|:=|\x01")


@dataclass(frozen=True, slots=True)
class Block:
    """Lines to run where all conditions hold; the conditions have no side effects."""

    conditions: tuple[str, ...]
    lines: tuple[str, ...]
    last: str = ""
    """A condition that names something for the lines: asked after the others."""
    guarded: int | None = None
    """Number of the rule whose failure is noted, not raised."""

    def without(self, condition: str) -> Block:
        """Return the block as it stands inside an `if` of a condition."""
        rest = tuple(one for one in self.conditions if one != condition)
        return Block(rest, self.lines, self.last, self.guarded)


def nested(blocks: Sequence[Block], depth: int = 1) -> list[str]:
    """Return the lines of blocks in any order that asks shared conditions once.

    Examples
    --------
    >>> for line in nested([Block(("d.a == 1", "d.b"), ("x()",)), Block(("d.a == 1",), ("y()",))]):
    ...     print(line.lstrip())
    if d.a == 1:
    if d.b:
    x()
    y()
    """
    if not blocks:
        return []
    common = Counter(one for block in blocks for one in dict.fromkeys(block.conditions) if _is_plain(one))
    condition, count = max(common.items(), key=lambda item: (item[1], item[0]), default=("", 0))
    if count < 2:
        return [line for block in blocks for line in _alone(block, INDENT * depth)]
    sharing = [block.without(condition) for block in blocks if condition in block.conditions]
    others = [block for block in blocks if condition not in block.conditions]
    return [
        f"{INDENT * depth}if {condition}:",
        *nested(sharing, depth + 1),
        *(nested(others, depth) if others else ()),
    ]


def _is_plain(condition: str) -> bool:
    """Return whether a condition only compares fields: it cannot fail and costs next to nothing."""
    return _CALL.search(condition) is None


def _alone(block: Block, indent: str) -> list[str]:
    conditions = [*block.conditions, *([block.last] if block.last else [])]
    lines = list(block.lines)
    if conditions:
        lines = [f"if {' and '.join(conditions)}:", *(INDENT + line for line in lines)]
    if block.guarded is not None:
        failure = f"{INDENT}failures.append(({block.guarded}, repr(x)))"
        lines = ["try:", *(INDENT + line for line in lines), "except Exception as x:", failure]
    return [indent + line for line in lines]
