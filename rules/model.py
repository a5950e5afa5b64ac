"""What a rule file says, as plain facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rules.nodes import Node

DIMENSIONS = (
    "credit", "market", "operational", "reputation", "liquidity", "fraud", "compliance", "infosec",
    "product_service",
)  # fmt: skip
"""The nine dimensions of risk a rule may belong to."""
SEVERITIES = ("info", "low", "medium", "high", "critical")
STATUSES = ("draft", "shadow", "live", "retired")
DISCLOSURES = ("internal", "aml_confidential", "fraud_notify")
SEGMENTS = ("ordinary", "premium", "vip", "private", "sme", "corporate")
MARKS = ("V1", "V2", "P", "M", "D")
"""How well a figure is verified: V1 primary text, V2 secondary, P practice, M unverified, D own proposal."""


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression and the place of each of its characters in its file."""

    text: str
    node: Node
    file: str
    places: tuple[tuple[int, int], ...] = field(compare=False)
    """Line and column of every character of `text`, and of its end."""

    def place(self, at: int) -> tuple[int, int]:
        """Return line and column of an offset."""
        return self.places[min(at, len(self.places) - 1)]


SELECTORS = ("customer", "industry", "segment", "jurisdiction")
"""Whom an override is for, the most specific first."""


@dataclass(frozen=True, slots=True)
class Override:
    """A value an institution sets for a parameter, for some or for all, for a time or for good."""

    rule: str
    parameter: str
    value: Expression
    whom: tuple[tuple[str, str], ...]
    """Selector and value, in the order of `SELECTORS`; empty = everybody."""
    from_ms: int | None
    to_ms: int | None
    """Exclusive."""
    reason: str
    author: str
    line: int = field(compare=False)
    column: int = field(compare=False)

    @property
    def rank(self) -> tuple[bool, ...]:
        """How specific it is: of two that fit, the larger counts."""
        return tuple(name in dict(self.whom) for name in SELECTORS)

    def told(self) -> str:
        """Return where its value comes from, for hits and explanations."""
        whom = ", ".join(f"{name} {value}" for name, value in self.whom) or "institution"
        why = "; ".join(part for part in (self.reason, self.author) if part)
        return f"{whom} ({why})" if why else whom


@dataclass(frozen=True, slots=True)
class Parameter:
    """A threshold with a default, values for segments, and what the institution sets instead."""

    name: str
    default: Node
    by_segment: Mapping[str, Node]
    place: Expression
    """The default's expression, for messages."""
    overrides: tuple[Override, ...] = ()
    """Those that depend on whom it is about or when, the most specific first."""
    default_from: str = "rule"
    """Where the default comes from: the rule, or an override for everybody."""

    @property
    def differs(self) -> bool:
        """Whether its value depends on whom it is about or when."""
        return bool(self.by_segment or self.overrides)


@dataclass(frozen=True, slots=True)
class Band:
    """Points and severity for one range of outcomes; the first band that holds counts."""

    when: Expression | None
    points: float
    severity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule as its file says it; nothing compiled yet."""

    id: str
    title: str
    dimension: str
    subject: str
    on: tuple[str, ...]
    """Event kinds that make the rule look."""
    let: Mapping[str, Expression]
    when: Expression
    params: Mapping[str, Parameter]
    bands: tuple[Band, ...]
    """At least one; a plain rule has one band without a condition."""
    status: str
    alert: bool
    cooldown_ms: int
    half_life_ms: int | None = None
    """How soon its points halve in the rating; None = as the points of its dimension do."""
    say: str
    say_place: Expression
    why: str
    source: str
    verification: str
    triage: tuple[str, ...]
    disposition: tuple[str, ...]
    """What the rule recommends, keys of `rules.dispositions.DISPOSITIONS`; empty where it does not say."""
    disclosure: str
    owner: str
    valid_from_ms: int | None
    valid_to_ms: int | None
    pack: str
    file: str
    version: str
    """First 12 hex digits of the content hash: every key of the file but `status`, canonically written."""
    plain: Mapping[str, object] = field(compare=False)
    """The file as plain data, for the archive."""
    places: Mapping[str, tuple[int, int]] = field(compare=False, default_factory=dict)
    """Line and column of each key's value, for messages."""


LIST_KINDS = ("exact", "prefix", "names", "table")
"""How the entries of a list are compared: whole, as beginnings, as names that are like each other; a
table has rows with a key instead."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a list that says more than its text."""

    value: str
    from_ms: int | None = None
    """From when it holds, epoch milliseconds; None = ever since."""
    to_ms: int | None = None
    """Until when, exclusive; None = for good."""
    aliases: tuple[str, ...] = ()
    """Other names of the same; of lists of names alone."""
    reason: str = ""
    source: str = ""

    def holds(self, time_ms: int) -> bool:
        """Return whether it is in force at a time."""
        return (self.from_ms is None or self.from_ms <= time_ms) and (
            self.to_ms is None or time_ms < self.to_ms
        )


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: what its file says, by column; None where it says nothing."""

    cells: tuple[str | None, ...]
    from_ms: int | None = None
    to_ms: int | None = None
    """Until when, exclusive; None = for good."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows that are found by a key, each for the time it holds."""

    key: tuple[str, ...]
    """Columns whose values together tell rows apart."""
    columns: tuple[tuple[str, str], ...]
    """Every column and its type: text, number, bool, duration or money."""
    rows: tuple[Row, ...]

    def type_of(self, column: str) -> str | None:
        """Return the type of a column; None where there is none of that name."""
        return dict(self.columns).get(column)

    def place(self, column: str) -> int:
        """Return the place of a column in a row."""
        return [name for name, _ in self.columns].index(column)


@dataclass(frozen=True, slots=True)
class ListData:
    """A named list, e.g. of countries, account numbers or names; or a table."""

    name: str
    version: str
    entries: frozenset[str]
    """Entries that are a text and nothing else, always in force."""
    about: str = ""
    kind: str = "exact"
    """One of `LIST_KINDS`."""
    more: tuple[Entry, ...] = ()
    """Entries that say more, in the order of the file."""
    table: Table | None = None
    """Of the kind `table` alone, which has no entries."""

    @property
    def is_plain(self) -> bool:
        """Whether `x in list` asks for nothing but the text itself."""
        return self.kind == "exact" and not self.more

    @property
    def all(self) -> tuple[Entry, ...]:
        """Every entry: those that say more in their order, then the others by text."""
        return (*self.more, *map(Entry, sorted(self.entries)))
