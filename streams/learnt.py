"""What learners are told of events, and what they have written down: messages, so they may be elsewhere."""

from __future__ import annotations

from typing import Any

import msgspec

from monitor.core.models.ensemble import NEVER_MS

KEEP_EVERY = 50_000
"""Journal positions that a restart has to follow again, at most."""


class Told(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What an earlier payment turned out to be."""

    ref: int
    """The payment's reference."""
    is_fraud: bool
    time_ms: int
    """When it was made."""
    features: bytes
    """What models saw of it then."""


class Lesson(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A payment, an outcome or a tick."""

    seq: int
    """Journal position."""
    time_ms: int
    ref: int
    features: bytes
    """What models saw of it; empty for whatever is no payment."""
    is_tick: bool = False
    told: Told | None = None


class Agenda(msgspec.Struct, array_like=True):
    """When learners have something to say again, so that nobody waits for them before.

    Attributes
    ----------
    seq
        The last journal position that all of them include.
    counted
        From the position after this one on, payments count for `remaining`.
    remaining
        Payments to come before a tick may bring the classifier's next version.
    tick_ms
        From then on a tick may bring other versions of the rest.
    keep
        From this position on, what was learnt is to be kept again.
    """

    seq: int = 0
    counted: int = 0
    remaining: int = 0
    tick_ms: int = NEVER_MS
    keep: int = KEEP_EVERY


class Learnt(msgspec.Struct, array_like=True):
    """What learners have written down, in one transaction with the event it follows from.

    Attributes
    ----------
    archives
        Kind, hash and body of versions.
    epochs
        Which series of `Progress`, from which journal position on, and the hash; empty: none is in force.
    entries
        Event time, subject and facts for the ledger.
    alarms
        Model, feature and measure of each drift.
    kept
        What was learnt, by its key of the bookkeeping.
    failed
        Who could not learn from a lesson, once for each.
    agenda
        When they have something to say again.
    """

    archives: list[tuple[str, str, bytes]] = []
    epochs: list[tuple[str, int, str]] = []
    entries: list[tuple[int, str, dict[str, Any]]] = []
    alarms: list[tuple[str, str, str]] = []
    kept: dict[str, bytes] = {}
    failed: list[str] = []
    agenda: Agenda = msgspec.field(default_factory=Agenda)
