"""What a test file says: timelines, what is expected of them, and the offsets both are written in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from rules.grammar import MILLISECONDS
from rules.model import ListData

OFFSET = re.compile(r"([+-])((?:\d+(?:ms|s|m|h|d|w|y))+)")
PART = re.compile(r"(\d+)(ms|s|m|h|d|w|y)")
UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of a timeline: an event, an event again, an officer's action, or time passing."""

    line: int
    at_ms: int
    """Relative to the start."""
    kind: str = ""
    """Empty where only time passes."""
    id: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    """Dotted fields to texts."""
    again: str = ""
    """The id of the event delivered once more."""
    alert_of: str = ""
    """The rule whose latest alert an officer acts upon; empty for everything else."""
    is_refused: bool = False
    """The action must be refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """An expected hit, alert or rating: when, and what else the file says about it."""

    at_ms: int | None
    """None: at the end."""
    more: Mapping[str, str] = field(default_factory=dict)
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One timeline and what the rule must say to it."""

    file: Path
    line: int
    name: str
    rule: str
    start: datetime
    """Local time of `+0m`."""
    profile: Mapping[str, str]
    account: Mapping[str, str]
    lists: Mapping[str, ListData]
    """Of the kind of the list they stand in for, where their own is empty."""
    params: Mapping[str, str] = field(default_factory=dict)
    """Figures that the case sets: name to the text of an expression."""
    others: tuple[str, ...] = ()
    """Other rules in force when alerts and ratings are looked at."""
    steps: tuple[Step, ...]
    hits: tuple[Expected, ...]
    last: Mapping[str, str]
    """What must hold for the last hit: points, severity, say, late, subject, saw.x."""
    alerts: tuple[Expected, ...] | None = None
    """None: not said."""
    ratings: tuple[Expected, ...] = ()
    four_eyes: frozenset[str] = frozenset()
    """Severities that take two persons to close."""
    expect_line: int

    @property
    def place(self) -> str:
        """Return `file:line` of the case."""
        return f"{self.file}:{self.line}"

    @property
    def needs_desk(self) -> bool:
        """Whether alerts, ratings or officers play a part: then it runs through the real desk."""
        return self.alerts is not None or bool(self.ratings) or any(step.alert_of for step in self.steps)


def offset_ms(text: str) -> int | None:
    """Return an offset in milliseconds, or None where it is none.

    Examples
    --------
    >>> offset_ms("+1h30m"), offset_ms("-3d"), offset_ms("20m")
    (5400000, -259200000, None)
    """
    match = OFFSET.fullmatch(text)
    if match is None:
        return None
    length = sum(int(count) * MILLISECONDS[unit] for count, unit in PART.findall(match[2]))
    return length if match[1] == "+" else -length


def shown(offset: int) -> str:
    """Return an offset as the file writes it.

    Examples
    --------
    >>> shown(5_400_000), shown(0), shown(-1_000)
    ('+1h30m', '+0m', '-1s')
    """
    rest, parts = abs(offset), ""
    for unit, size in UNITS:
        count, rest = divmod(rest, size)
        parts += f"{count}{unit}" if count else ""
    return ("-" if offset < 0 else "+") + (parts or "0m")
