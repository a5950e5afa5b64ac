"""What one run of a back-test is asked to do; passed to a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from monitor.app import DATABASE
from monitor.database import Database, connect_postgres
from streams.stores.sqlite import read_only


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the journal lies."""

    folder: Path
    url: str = field(default="", repr=False)
    """Of PostgreSQL; empty where the data directory holds the database."""

    def connect(self) -> Database:
        """Return a connection of its own that reads."""
        if self.url:
            return connect_postgres(self.url, read_only=True)
        return read_only(self.folder / DATABASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """What is compared, and what is replayed before it. A period holds its beginning, not its end."""

    from_ms: int
    to_ms: int
    last_seq: int
    """Journal position after which nothing is read: all runs see the same rows beside a running service."""
    warm_up_ms: int | None = None
    """How long before `from_ms` events are replayed; None: from the first one on."""

    @property
    def days(self) -> float:
        """Its length in days."""
        return (self.to_ms - self.from_ms) / 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run: a configuration over a period of a journal, into a scratch database."""

    name: str
    origin: Origin
    archive: bytes = field(repr=False)
    """The configuration, as archived."""
    period: Period
    scratch: Path
    """The file of its results; made by the run."""
    cache_subjects: int = 50_000
    """States kept in memory; the others lie in the scratch database."""
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Rule to the rules that stand for it here: what officers did with its alerts is done with theirs."""
