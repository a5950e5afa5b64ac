"""One YAML file with the place of everything in it; what is wrong is collected, not raised.

Nodes are those of PyYAML, which `rules.loader` makes; this module only looks at them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from rules.errors import ExpressionError, Mistake, nearest
from rules.grammar import MILLISECONDS, parse
from rules.model import Expression

Node = Any
"""A node of PyYAML: `id` (scalar, sequence, mapping), `value`, `start_mark`, `end_mark`, `style`, `tag`."""


class Reader:
    """One YAML file with the place of everything in it; collects mistakes instead of stopping."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.lines = text.splitlines()
        self.mistakes: list[Mistake] = []

    def wrong(self, node: Node, problem: str, hint: str = "") -> None:
        """Note a mistake at a node; at the start of the file where there is none."""
        mark = node.start_mark if node is not None else None
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        self.mistakes.append(Mistake(self.file, line, column, problem, hint))

    def mapping(self, node: Node, what: str) -> dict[str, tuple[Node, Node]]:
        """Return key -> (key node, value node); tells of doubles and of what is no mapping."""
        if getattr(node, "id", "") != "mapping":
            hint = (
                "indent its lines by two spaces"
                if getattr(node, "id", "") == "scalar"
                else "write the lines without dashes"
            )
            self.wrong(node, f"{what}: expected `key: value` lines", hint)
            return {}
        found: dict[str, tuple[Node, Node]] = {}
        for key, value in node.value:
            if key.value in found:
                self.wrong(key, f"{key.value!r} is given twice", "keep one")
            found[str(key.value)] = (key, value)
        return found

    def text(self, node: Node, what: str) -> str:
        """Return a text with its white space made single."""
        if node.id == "scalar" and node.value.strip():
            return " ".join(str(node.value).split())
        self.wrong(node, f"{what}: expected a text")
        return ""

    def one_of(self, node: Node, what: str, choices: Sequence[str]) -> str:
        """Return a text that must be one of some choices."""
        value = self.text(node, what)
        if value and value not in choices:
            hint = nearest(value, choices) or f"write one of {', '.join(choices)}"
            self.wrong(node, f"{what}: unknown {value!r}", hint)
        return value

    def texts(self, node: Node, what: str) -> tuple[str, ...]:
        """Return a list of texts; a single text is a list of one."""
        items = node.value if node.id == "sequence" else [node]
        return tuple(self.text(item, what) for item in items)

    def some_of(self, node: Node, what: str, choices: Sequence[str]) -> tuple[str, ...]:
        """Return a list of texts, each one of some choices and none twice; a single text is a list of one."""
        items = node.value if node.id == "sequence" else [node]
        found = tuple(self.one_of(item, what, choices) for item in items)
        for number, item in enumerate(items):
            if found[number] and found[number] in found[:number]:
                self.wrong(item, f"{what}: {found[number]!r} is given twice", "keep one")
        return found

    def number(self, node: Node, what: str) -> float:
        """Return a number, 0 where it is none."""
        try:
            return float(node.value)
        except (TypeError, ValueError):
            self.wrong(node, f"{what}: expected a number, was {getattr(node, 'value', '')!r}", "e.g. 15")
            return 0.0

    def duration_ms(self, node: Node, what: str) -> int:
        """Return a duration in milliseconds, 0 where it is none."""
        text = str(getattr(node, "value", ""))
        digits = text.rstrip("abcdefghijklmnopqrstuvwxyz")
        unit = text[len(digits) :]
        if not digits.isdecimal() or unit not in MILLISECONDS:
            self.wrong(node, f"{what}: expected a duration, was {text!r}", "write 30m, 24h or 7d")
            return 0
        return int(digits) * MILLISECONDS[unit]

    def days(self, pairs: Mapping[str, tuple[Node, Node]], what: str = "") -> tuple[int | None, int | None]:
        """Return the span that `from` and `to` give: starts of days (UTC), the end exclusive.

        None where one of them is not there or is no date; an end before the start is a mistake.
        """
        found: dict[str, int] = {}
        for name, (_, node) in pairs.items():
            try:
                day = date.fromisoformat(str(node.value))
            except ValueError:
                self.wrong(node, f"{what}{name}: expected a date, was {node.value!r}", "write 2026-01-31")
                continue
            found[name] = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
        if len(found) == 2 and found["to"] <= found["from"]:
            self.wrong(
                pairs["to"][1],
                f"{what}to: expected a day after `from`",
                "the last day is the day before `to`",
            )
        return found.get("from"), found.get("to")

    def expression(self, node: Node, what: str) -> Expression | None:
        """Return an expression, or None where it cannot be read."""
        if node.id != "scalar":
            self.wrong(node, f"{what}: expected an expression", "e.g. amount >= 1000 CNY")
            return None
        if node.tag.startswith("!"):
            self.wrong(node, f"{what}: unexpected {node.tag!r}", f'write "not" for "!": not {node.tag[1:]}')
            return None
        text, places = node.value, self.places(node)
        try:
            return Expression(text, parse(text), self.file, places)
        except ExpressionError as error:
            line, column = places[min(error.at, len(places) - 1)]
            self.mistakes.append(Mistake(self.file, line, column, error.problem, error.hint))
            return None

    def places(self, node: Node) -> tuple[tuple[int, int], ...]:
        """Return line and column of every character of a scalar's value, and of its end."""
        start, end = node.start_mark, node.end_mark
        line, column = start.line, start.column
        if node.style in ("|", ">"):
            line, column = line + 1, 0
        elif node.style in ("'", '"'):
            column += 1
        found: list[tuple[int, int]] = []
        for character in node.value:
            while line <= end.line and line < len(self.lines):
                row = self.lines[line]
                if character.isspace():
                    break
                while (
                    column < len(row)
                    and row[column] != character
                    and (row[column].isspace() or row[column] == "\\")
                ):
                    column += 1
                if column < len(row):
                    break
                line, column = line + 1, 0
            found.append((line + 1, column + 1))
            column += 1
            if character.isspace() and line < len(self.lines) and column > len(self.lines[line]):
                line, column = line + 1, 0
        return (*found, (line + 1, column + 1))
