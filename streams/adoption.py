"""Going on by another configuration between two events: its new windows are filled from the journal."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from monitor.core.events import ALSO, Event
from streams.journal import facts_of, is_at_once, tick_of
from streams.ports import Codec, Engine, JournalRow
from streams.recall import earlier, note_passed
from streams.states import Key, StateCache

log = logging.getLogger(__name__)
_TELL_EVERY = 50_000
_WRITE_EVERY = 5_000
"""States filled between two writings: they must not pile up in memory."""


class Refill(Protocol):
    """`monitor.core.refill.Refill`."""

    fresh: list[Any]

    def feed(self, event: Event) -> None:
        """Take an event in."""

    def elapse(self, time_ms: int, *, at_once: bool) -> None:
        """Let time pass; see `StateCache.due`."""

    def keys(self) -> Iterator[Key]:
        """Give the subjects that have something to be handed over."""

    def hand_over(self, key: Key, state: Any, *, is_whole: bool) -> None:
        """Give a subject's state the windows it lacks."""

    def told(self, rows: int, since_ms: int | None, now_ms: int) -> dict[str, Any]:
        """Return for the ledger how windows were filled."""


class Past:
    """The newest events of a journal, as another engine and codec see them.

    Parameters
    ----------
    rows
        Gives the journal from a position on.
    find
        Gives an event by its reference, where it is journaled before a position.
    """

    def __init__(
        self,
        rows: Callable[[int], Iterator[JournalRow]],
        find: Callable[[int, int], Event | None],
        engine: Engine,
        codec: Codec,
    ) -> None:
        self._rows, self._find, self._engine, self._codec = rows, find, engine, codec

    def events(self, first: int) -> Iterator[Event]:
        """Give ticks and events with the facts of then, from a journal position on."""
        for row in self._rows(first):
            event = tick_of(row.body) or self._codec.decode(row.body)
            if type(event) is not Event:
                continue  # what its currencies do not know cannot count
            event.facts = facts_of(row)
            # Whom the event it is about touched is this engine's to say.
            event.facts.pop(ALSO, None)
            if (target := earlier(event)) is not None and (old := self._find(target, row.seq)) is not None:
                note_passed(self._engine, event, old)
            yield event


def fill(
    refill: Refill,
    past: Past,
    states: StateCache,
    head: int,
    rows: int,
    write: Callable[[], None],
    now_ms: int,
) -> Mapping[str, Any]:
    """Fill windows from the journal; return for the ledger what came of it.

    A pure function of the journal up to `head`, of the two configurations and of `rows`.

    Parameters
    ----------
    head
        Last journal position; every state that changes includes it then.
    rows
        Newest journal rows that are read; 0: windows begin empty.
    write
        Writes the states that changed.
    now_ms
        Event time of the change.
    """
    if not refill.fresh or not rows:
        return refill.told(0, now_ms if head else None, now_ms)
    first, since_ms, count = max(1, head - rows + 1), None, 0
    for count, event in enumerate(past.events(first), 1):
        if since_ms is None and first > 1:
            since_ms = event.time_ms
        if event.kind == "tick":
            refill.elapse(event.time_ms, at_once=is_at_once(event))
        else:
            refill.feed(event)
        if not count % _TELL_EVERY:
            log.info("windows_filling events=%d of=%d", count, head - first + 1)
    for number, key in enumerate(refill.keys(), 1):
        state = states.get(key)
        refill.hand_over(key, state, is_whole=first == 1)
        states.changed(key, state, head)
        if not number % _WRITE_EVERY:
            write()
    log.info("windows_filled windows=%d events=%d", len(refill.fresh), count)
    return refill.told(count, since_ms, now_ms)
