"""Mistakes in rules, lists and mappings: where, what, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One mistake at one place of a file.

    Examples
    --------
    >>> print(Mistake("rules/a.yaml", 7, 9, "unknown field 'amuont'", "did you mean 'amount'?"))
    rules/a.yaml:7:9: unknown field 'amuont'
      hint: did you mean 'amount'?
    """

    file: str
    line: int
    """From 1."""
    column: int
    """From 1."""
    problem: str
    hint: str = ""

    def __str__(self) -> str:
        """Return the message a person acts on."""
        place = f"{self.file}:{self.line}:{self.column}: {self.problem}"
        return f"{place}\n  hint: {self.hint}" if self.hint else place


class RuleError(Exception):
    """One or more mistakes: nothing of the input is used."""

    def __init__(self, mistakes: Iterable[Mistake], readable: Iterable[Any] = ()) -> None:
        self.mistakes = tuple(sorted(set(mistakes)))
        """Every mistake found, in the order of the file."""
        self.readable = tuple(readable)
        """Rules whose expressions could be read all the same: checking them tells the rest."""
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


class ExpressionError(Exception):
    """A mistake inside an expression, at an offset of its text."""

    def __init__(self, at: int, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.at = at
        self.problem = problem
        self.hint = hint


def nearest(name: str, names: Iterable[str]) -> str:
    """Return `did you mean 'x'?` for the name most like `name`, or an empty text.

    Examples
    --------
    >>> nearest("amuont", ["amount", "currency"])
    "did you mean 'amount'?"
    >>> nearest("zzz", ["amount"])
    ''
    """
    close = get_close_matches(name, list(names), n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else ""
