"""Journal rows: made in a chain, read back as events."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import msgspec
import orjson

from monitor.core.events import Event, reference
from streams.ports import Journal, JournalRow

GENESIS = bytes(32)
"""The hash before the first row."""

_FRAME = struct.Struct(">qqqiiq")
_TICK = b'{"event_id":"tick-'
_AT_ONCE = "-all"
_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.decode


def journal_row(
    previous: bytes,
    seq: int,
    event: Event,
    answer: tuple[float, bool, tuple[str, ...]],
    received_ms: int,
    customer_id: str | None = None,
    features: bytes = b"",
) -> JournalRow:
    """Return the row of an accepted event, chained to the hash of the row before.

    Parameters
    ----------
    answer
        Score, lateness and rules that hit: what a duplicate of the event gets again.
    customer_id
        Whose customer stage the event had, if any.
    features
        What models saw of a payment; a label that comes later is learnt with them.
    """
    facts = _encode(event.facts) if event.facts else None
    answered = _encode((*answer, features) if features else answer) if features or any(answer) else None
    digest = row_hash(previous, seq, event.ref, received_ms, facts, answered, event.body)
    return JournalRow(seq, event.ref, received_ms, digest, facts, answered, event.body, customer_id)


def row_hash(
    previous: bytes,
    seq: int,
    ref: int,
    received_ms: int,
    facts: bytes | None,
    answer: bytes | None,
    body: bytes,
) -> bytes:
    """Return the hash of a row; lengths go in, so that no two rows have the same encoding."""
    lengths = (-1 if facts is None else len(facts), -1 if answer is None else len(answer), len(body))
    frame = _FRAME.pack(seq, ref, received_ms, *lengths)
    return sha256(b"%b%b%b%b%b" % (previous, frame, facts or b"", answer or b"", body)).digest()


def position(store: Journal, ref: int) -> int | None:
    """Return the journal position of an event, of the running batch too; None where it is not there."""
    seq: int | None = store.index.get_unsealed(ref) or store.index.find([ref]).get(ref)
    return seq


def facts_of(row: JournalRow) -> dict[str, Any]:
    """Return what the entity stages attached to the event."""
    return dict(_decode(row.facts)) if row.facts else {}


def answer_of(row: JournalRow) -> tuple[float, bool, tuple[str, ...]]:
    """Return score, lateness and the rules that hit."""
    if row.answer is None:
        return 0.0, False, ()
    score, late, rules, *_ = _decode(row.answer)
    return score, late, tuple(rules)


def features_of(row: JournalRow) -> bytes:
    """Return what models saw of the event; empty where they saw nothing."""
    features: bytes = b"".join(_decode(row.answer)[3:]) if row.answer else b""
    return features


def tick(time_ms: int, *, at_once: bool = False) -> Event:
    """Return the event that lets time pass; the same moment twice is the same event.

    Parameters
    ----------
    at_once
        Schedules that fell due by then are asked of everybody, not of one after another.

    Examples
    --------
    >>> tick(0).body
    b'{"event_id":"tick-0","event_type":"tick","occurred_at":"1970-01-01T00:00:00+00:00","source_system":"riskmon"}'
    """
    name = f"tick-{time_ms}{_AT_ONCE if at_once else ''}"
    body = {
        "event_id": name,
        "event_type": "tick",
        "occurred_at": datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(),
        "source_system": "riskmon",
    }
    return Event(
        kind="tick",
        id=name,
        ref=reference("riskmon", name),
        time_ms=time_ms,
        data=None,
        body=orjson.dumps(body),
    )


def is_at_once(event: Event) -> bool:
    """Tell whether an event is a tick that asks everybody's schedules."""
    return event.kind == "tick" and event.id.endswith(_AT_ONCE)


def due_ticks(stream_time_ms: int, time_ms: int, every_ms: int, *, is_turn: bool = False) -> Sequence[Event]:
    """Return the ticks that come before an event: none before the first event of all.

    One where it brings the stream past a multiple of `every_ms` (0: never). And one at once where it
    puts other rules into force (`is_turn`): what fell due before is asked by the rules of then.

    Examples
    --------
    >>> [found.id for found in due_ticks(59_000, 125_000, 60_000, is_turn=True)]
    ['tick-120000', 'tick-120000-all']
    >>> [*due_ticks(59_000, 59_500, 60_000), *due_ticks(0, 125_000, 60_000), *due_ticks(59_000, 125_000, 0)]
    []
    """
    is_due = bool(every_ms) and time_ms // every_ms > stream_time_ms // every_ms
    if not stream_time_ms or not (is_due or is_turn):
        return ()
    found = []
    if is_due:
        stream_time_ms = time_ms // every_ms * every_ms
        found.append(tick(stream_time_ms))
    if is_turn:
        found.append(tick(stream_time_ms, at_once=True))
    return found


def tick_of(body: bytes) -> Event | None:
    """Return the tick a journal row holds, or None where it holds another event.

    Examples
    --------
    >>> tick_of(tick(3_600_000).body) == tick(3_600_000), tick_of(b"{}")
    (True, None)
    """
    if not body.startswith(_TICK):
        return None
    name = body[len(_TICK) :].partition(b'"')[0]
    digits = name.removesuffix(_AT_ONCE.encode())
    if not digits.isdigit():
        return None
    event = tick(int(digits), at_once=digits != name)
    return event if event.body == body else None
