"""What a mapping file says, as plain facts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rules.vocabulary import Kind

ROW_NUMBER = "_row"
"""A column every row has: its place in its file, from 1."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What a row must look like; every part must hold."""

    has: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    equals: tuple[tuple[str, tuple[Any, ...]], ...] = ()

    def __bool__(self) -> bool:
        """Return whether there is anything to ask."""
        return bool(self.has or self.missing or self.equals)


@dataclass(frozen=True, slots=True)
class Moment:
    """How a column says when."""

    how: str
    """`iso`, `epoch_s`, `epoch_ms`, `epoch_us`, `format`, `days_from` or `seconds_from`."""
    detail: str = ""
    """The format, or the day counted from."""
    zone: str = "UTC"
    """Zone of times that name none."""


@dataclass(frozen=True, slots=True)
class Spec:
    """Where one field of an event comes from."""

    field: str
    column: str | None = None
    const: Any = None
    template: tuple[tuple[str, str | None], ...] = ()
    """Pieces of text, each followed by a column or None."""
    lookup: dict[str, Any] | None = None
    default: Any = None
    scale: str = "1"
    moment: Moment | None = None


@dataclass(frozen=True, slots=True)
class EventSpec:
    """One event made of a row."""

    kind: Kind
    fields: tuple[Spec, ...]
    when: Condition = Condition()


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of row."""

    name: str
    when: Condition
    skip_if: Condition
    events: tuple[EventSpec, ...]


@dataclass(slots=True)
class MappingFile:
    """What a mapping file says."""

    name: str = ""
    source_system: str | None = None
    columns: dict[str, tuple[str, ...]] = field(default_factory=lambda: {ROW_NUMBER: (ROW_NUMBER,)})
    """Column name to its path in a row; one step for a plain column."""
    shapes: list[Shape] = field(default_factory=list)
