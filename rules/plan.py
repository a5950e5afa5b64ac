"""What the rules of one stage need to remember: the layout of a subject's state.

The compiler finds every aggregate of every rule, gives equal ones the same slot, and knows how long
each slot must look back. A slot is named by its `signature`, which is what snapshots carry: a state
written under another rulebook keeps every slot that both rulebooks have.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b

from rules.nodes import Filtered, Node


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events a slot sees: their kinds, and a condition on their fields."""

    kinds: tuple[str, ...]
    where: Node | None

    def text(self) -> str:
        """Render canonically."""
        condition = f"[{self.where.text()}]" if self.where is not None else ""
        return f"{'|'.join(self.kinds)}{condition}"


@dataclass(slots=True)
class SeriesSlot:
    """Events of a selection with the values that aggregates read."""

    selection: Selection
    key: tuple[str, ...]
    """Fields that part the series within the subject, e.g. the card of a customer."""
    guard: str = ""
    """Canonical text of a value that may be missing: such events are left out."""
    sums: dict[str, Node] = field(default_factory=dict)
    """Canonical text of a value to the value, by column."""
    squares: set[str] = field(default_factory=set)
    items: dict[str, Node] = field(default_factory=dict)
    retain_ms: int = 0
    keep_last: int = 0

    def column(self, value: Node, *, item: bool, square: bool = False) -> int:
        """Return the column of a value; the first asking makes it."""
        columns = self.items if item else self.sums
        columns.setdefault(value.text(), value)
        if square:
            self.squares.add(value.text())
        return list(columns).index(value.text())

    @property
    def square_columns(self) -> tuple[int, ...]:
        """Sum columns that keep squares too."""
        return tuple(n for n, name in enumerate(self.sums) if name in self.squares)

    def signature(self) -> str:
        """Return the text that tells this slot from all others, columns included."""
        columns = [*self.sums, "/", *sorted(self.squares), "/", *self.items]
        return (
            f"series {self.selection.text()} by {','.join(self.key)} if {self.guard} of {';'.join(columns)}"
        )


@dataclass(slots=True)
class SightingsSlot:
    """First and last time each value of a field was seen."""

    selection: Selection
    value: Node

    def signature(self) -> str:
        """Return the text that tells this slot from all others."""
        return f"sightings {self.selection.text()} of {self.value.text()}"


@dataclass(slots=True)
class MarkerSlot:
    """When an event of the selection was last seen."""

    selection: Selection

    def signature(self) -> str:
        """Return the text that tells this slot from all others."""
        return f"marker {self.selection.text()}"


@dataclass(slots=True)
class SequenceSlot:
    """Times of the events of a pattern's tracks: its steps, and what must not come between."""

    text: str
    """The pattern, canonically."""
    tracks: tuple[tuple[Filtered, ...], ...]
    """What each track takes in: an event of any of some patterns; nothing where nobody looks back at it."""
    retain_ms: int
    """How far back a step can still matter, also to an event that comes late."""
    key: tuple[str, ...] = ()
    """Fields that have one value throughout."""

    def signature(self) -> str:
        """Return the text that tells this slot from all others."""
        return f"sequence {self.text}"


@dataclass(slots=True)
class TimerSlot:
    """What must happen within a time after an event: started, cancelled, due."""

    rule: str
    awaited: tuple[Filtered, ...]
    """Events any of which ends the wait."""
    after: tuple[Filtered, ...]
    for_ms: int
    """0 where it waits by the calendar: `count` of `unit`."""
    key: tuple[str, ...]
    count: int = 0
    unit: str = ""

    @property
    def due(self) -> str:
        """Code of the time it falls due, begun at `t`."""
        return f'PERIODS.after("{self.unit}", {self.count}, t)' if self.unit else f"t + {self.for_ms}"

    def signature(self) -> str:
        """Return the text that tells this slot from all others."""
        awaited, after = (" or ".join(one.text() for one in ones) for ones in (self.awaited, self.after))
        length = f"{self.count} {self.unit}" if self.unit else self.for_ms
        return f"timer {self.rule} {awaited} for {length} after {after} by {','.join(self.key)}"


@dataclass(slots=True)
class ScheduleSlot:
    """When rules are asked next though no event comes: at the begin of the next unit."""

    unit: str

    def signature(self) -> str:
        """Return the text that tells this slot from all others."""
        return f"schedule {self.unit}"


Slot = SeriesSlot | SightingsSlot | MarkerSlot | SequenceSlot | TimerSlot | ScheduleSlot


@dataclass(slots=True)
class StagePlan:
    """The slots of one kind of subject, in order."""

    subject: str
    slots: list[Slot] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)
    exports: dict[str, dict[str, str]] = field(default_factory=dict)
    """Event kind to (aggregate's text to code): what the stage attaches to the event for later stages."""

    @property
    def is_timed(self) -> bool:
        """Whether something may fall due for a subject though no event comes."""
        return any(isinstance(slot, TimerSlot | ScheduleSlot) for slot in self.slots)

    def slot(self, identity: str, made: Slot) -> int:
        """Return the place of the slot with this identity; the first asking makes it."""
        if identity not in self.places:
            self.places[identity] = len(self.slots)
            self.slots.append(made)
        return self.places[identity]

    def signatures(self) -> list[bytes]:
        """Return the 8-byte signature of each slot, in order."""
        return [blake2b(slot.signature().encode(), digest_size=8).digest() for slot in self.slots]
