"""The places in a cluster's one order: what stands there, what it waits for, how far all of it is settled."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from monitor.core.events import Event
from streams.ports import Record
from streams.wire import Answer

CUSTOMER = "customer"
JOIN = "+"
DESK = "desk"
"""Who sends the facts of officers' actions."""
Part = tuple[str, int, int]
"""Stage, partition and order of something sent."""


class Place(msgspec.Struct, kw_only=True):
    """How far a cluster is; committed with every batch."""

    order: int = 0
    """Last order settled."""
    position: int = 0
    """Where reading the log of records goes on."""
    stream_time_ms: int = 0
    """Largest event time up to there."""
    configuration: str = ""
    """Hash of the configuration that the stages were told there."""
    model: str = ""
    """Name of the model versions that score there; empty: none yet."""
    answers: dict[int, int] = {}
    """Where reading each partition of answers goes on."""


class Memory(Protocol):
    """What the sequencer looks up in what is committed."""

    def known(self, refs: Sequence[int]) -> set[int]:
        """Return those of the references that are journaled."""

    def record(self, ref: int) -> bytes | None:
        """Return the journaled record of an event."""

    def needs_approval(self, digest: str) -> bool:
        """Return whether what follows a configuration takes another person's approval."""

    def subject_of(self, alert_id: str) -> tuple[str, str] | None:
        """Return (kind, id) of whom an alert is about; None where it does not exist (yet)."""


class Models(Protocol):
    """What is learnt from settled entries."""

    @property
    def configuration(self) -> str:
        """Hash of the configuration that is settled as in force; empty before the first."""

    @property
    def in_force(self) -> str:
        """Name of the versions that score the next event; empty: there are none yet."""

    def would_turn(self, event: Event) -> bool:
        """Tell whether a step would put another configuration into force; all before it is settled."""

    def may_turn(self, time_ms: int, payments: int) -> bool:
        """Tell whether a tick may put others into force, `payments` being on their way before it."""


@dataclass(slots=True, eq=False)
class Entry:
    """One place in the order: a record, or a tick that a record brought with it."""

    order: int
    record: Record
    what: Any
    """An `Event`, a `Rejection` or an `Adopt`."""
    position: int
    """Where reading goes on after it."""
    stream_time_ms: int = 0
    model: str = ""
    """Name of the model versions in force behind it."""
    configuration: str = ""
    """Hash of the configuration that the stages were told, behind it."""
    is_brought: bool = False
    """Whether it is a tick that a record brought with it: that record comes next."""
    is_duplicate: bool = False
    subjects: list[tuple[int, str, str]] = field(default_factory=list)
    """Order, stage and id of each subject, in the order of the stages."""
    waiting: set[Part] = field(default_factory=set)
    answers: list[tuple[str, Answer]] = field(default_factory=list)
    """Stage and answer, as they came."""
    score: float = 0.0
    features: bytes = b""
    answered: threading.Event | None = None
    """Of an officer's action, in which the desk itself has a part: set once nothing is waited for."""

    @property
    def is_action(self) -> bool:
        """Whether it is an officer's action."""
        return self.answered is not None

    def take_in(self, part: Part, answers: Sequence[Answer], scored: tuple[float, bytes] | None) -> None:
        """Take what a stage answered; what is not waited for any more changes nothing."""
        if part not in self.waiting:
            return
        self.waiting.discard(part)
        self.answers += [(part[0], answer) for answer in answers]
        if scored is not None:
            self.score, self.features = scored
        self.tell_waiting()

    def tell_waiting(self) -> None:
        """Let the desk go on with an officer's action once nothing is waited for."""
        if self.answered and not self.waiting:
            self.answered.set()

    @property
    def failure(self) -> str | None:
        """Why a stage could not assess it, or None."""
        return next((answer.failure for _, answer in self.answers if answer.failure), None)

    def answer(self, stage: str, order: int) -> Answer | None:
        """Return what a stage answered to an event, or None where it had nothing to tell."""
        return next((one for name, one in self.answers if (name, one.order) == (stage, order)), None)


def in_force(configuration: str, model: str) -> str:
    """Return the name of a configuration together with the model version that scores.

    Examples
    --------
    >>> in_force("c0", ""), in_force("c0", "m1")
    ('c0', 'c0+m1')
    """
    return f"{configuration}{JOIN}{model}" if model else configuration


def parts_in_force(name: str) -> tuple[str, str]:
    """Return the configuration and the model version that a name stands for.

    Examples
    --------
    >>> parts_in_force("c0"), parts_in_force("c0+m1")
    (('c0', ''), ('c0', 'm1'))
    """
    configuration, _, model = name.partition(JOIN)
    return configuration, model
