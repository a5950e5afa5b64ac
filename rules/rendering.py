"""The text of a generated function: what several rules ask for is computed once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from zlib import crc32

INDENT = "    "
_MARKS = re.compile("([\x01\x02])")


@dataclass(slots=True)
class Function:
    """A generated function in the making."""

    name: str
    lines: list[str] = field(default_factory=list)

    def render(self, arguments: str) -> str:
        """Return the source; code marked as shared is computed once where it is asked twice."""
        body = "\n".join(self.lines)
        uses = Counter(_marked(body))
        names = {code: f"a{crc32(code.encode()):08x}" for code, count in uses.items() if count > 1}
        resolved = _resolve(body, names)
        head = f"def {self.name}({arguments}):\n"
        if names:
            head += f"{INDENT}{' = '.join(sorted(names.values()))} = U\n"
        return head + (resolved or f"{INDENT}pass") + "\n"


def _marked(text: str) -> list[str]:
    """Return every marked part, inner ones too."""
    found, stack = [], []
    for mark in _MARKS.finditer(text):
        if mark[0] == "\x01":
            stack.append(mark.end())
        else:
            found.append(text[stack.pop() : mark.start()])
    return found


def _resolve(text: str, names: Mapping[str, str]) -> str:
    out: list[str] = []
    stack: list[tuple[int, list[str]]] = []
    for part in _MARKS.split(text):
        if part == "\x01":
            stack.append((len(out), []))
        elif part == "\x02":
            start, raw = stack.pop()
            code, inner = "".join(raw), "".join(out[start:])
            del out[start:]
            name = names.get(code)
            out.append(f"({name} if {name} is not U else ({name} := {inner}))" if name else inner)
            if stack:
                stack[-1][1].append(f"\x01{code}\x02")
        else:
            out.append(part)
            if stack:
                stack[-1][1].append(part)
    return "".join(out)


def band_lines(number: int, choices: Sequence[str], depth: int = 3) -> list[str]:
    """Return the lines that note a hit with its first band that holds."""
    indent = INDENT * depth
    if choices == ["True"]:
        return [f"{indent}hits.append(({number}, 0))"]
    lines = []
    for n, choice in enumerate(choices):
        lines += [
            f"{indent}{'if' if n == 0 else 'elif'} {choice}:",
            f"{indent}{INDENT}hits.append(({number}, {n}))",
        ]
    return lines
