"""What the desk and the workers of a cluster say to each other: messages of many items, MessagePack.

The desk gives every event its place in one order and sends it, in that order, to the partition of
each of its subjects. A partition answers in the same order. So every subject meets its events in
the order of arrival however many partitions and workers there are, and the desk commits answers in
that order too.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

import msgspec

from monitor.core.assessment import Assessment

EVERYBODY = ""
"""The subject of what a whole partition is told."""


class Work(msgspec.Struct, array_like=True, tag=0, frozen=True):
    """An event for one subject of the partition."""

    order: int
    """Place in the order of all events; ascends in a partition. Seen again: sent twice, done already."""
    subject_id: str
    body: bytes
    """The record, as journaled."""
    facts: dict[str, Any] | None = None
    """What is known before any stage: subjects of the event taken back, for instance."""
    awaits: tuple[str, ...] = ()
    """Who else sends facts for it; the event waits for all of them, and what follows waits behind it."""
    reply_to: int | None = None
    """The partition of the customer stage that waits for this stage's facts."""


class Tick(msgspec.Struct, array_like=True, tag=1, frozen=True):
    """Time passes for every subject of the partition."""

    order: int
    time_ms: int
    at_once: bool = False
    """Schedules are asked of everybody, not of one after another."""


class Adopt(msgspec.Struct, array_like=True, tag=2, frozen=True):
    """From here on another configuration (or model version) is in force."""

    order: int
    kind: str
    """`configuration` or `model`."""
    hash: str


Item = Work | Tick | Adopt


class Batch(msgspec.Struct, array_like=True, frozen=True):
    """A message to one partition of a stage: items in order."""

    items: list[Item]


class Facts(msgspec.Struct, array_like=True, frozen=True):
    """What a stage, or the desk, attaches to events that wait in a partition of the customer stage."""

    origin: str
    """The stage, or `desk`."""
    facts: list[tuple[int, dict[str, Any] | None]]
    """Order of the event, and what is attached; None where the event is to be passed over (refused)."""


class Answer(msgspec.Struct, array_like=True, frozen=True):
    """What one stage answered about one subject."""

    order: int
    subject_id: str
    due_ms: int
    """For a tick, when the timer fell due; 0 for an event."""
    assessment: Assessment | None
    facts: dict[str, Any] | None = None
    """What the stage attached to the event."""
    failure: str | None = None
    """Why the engine could not assess it; its state is as if the event had not come."""


class Answers(msgspec.Struct, array_like=True, frozen=True):
    """A message from one partition of a stage to the desk."""

    stage: str
    partition: int
    orders: list[int]
    """Every item that is done, in order, whether it has something to tell or not."""
    scores: list[tuple[int, float, bytes]]
    """(order, score, features) of events whose answer is these and nothing else."""
    answers: list[Answer]


def partition_of(subject_id: str, partitions: int) -> int:
    """Return the partition that holds a subject.

    Examples
    --------
    >>> partition_of("C-1", 12), partition_of("C-1", 1)
    (6, 0)
    """
    return crc32(subject_id.encode()) % partitions


encode = msgspec.msgpack.Encoder().encode
decode_batch = msgspec.msgpack.Decoder(Batch).decode
decode_facts = msgspec.msgpack.Decoder(Facts).decode
decode_answers = msgspec.msgpack.Decoder(Answers).decode
