"""Filling what a new rulebook remembers and the one before did not, from events of the past.

The events are taken into states of their own, as if the new rulebook had been in force when they
came. Of these states the windows that the former rulebook could not keep are handed over. So they
equal what they would be had the rulebook been in force from the first event on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

from monitor.core.engine import Engine
from monitor.core.events import Event
from monitor.core.routes import CUSTOMER
from monitor.core.schedules import LEISURE_MS, is_due, leisure_ms
from monitor.core.state import State
from rules.echoes import MOMENTARY
from rules.plan import SequenceSlot, SeriesSlot, Slot, StagePlan

Key = tuple[str, str]
_LIST = re.compile(r"\blist\.(\w+)")


@dataclass(frozen=True, slots=True)
class Fresh:
    """Something remembered that the rulebook before did not give."""

    stage: str
    place: int
    """In the plan of the stage."""
    text: str
    """Its signature, for people."""
    keeps_ms: int | None
    """How far back it looks; None: as far as it goes."""
    is_longer: bool
    """Whether it was there, but looked less far back."""
    is_momentary: bool
    """Whether it remembers grades or scores, which are not found again."""


def fresh(former: Engine, engine: Engine) -> list[Fresh]:
    """Return what states of `former` cannot give to `engine`: new, longer, or by a list that changed."""
    before, after = former.rulebook, engine.rulebook
    lists = {name for name, data in after.lists.items() if before.lists.get(name) != data}
    found = []
    for stage, plan in after.plans.items():
        old = {slot.signature(): slot for slot in before.plans.get(stage, StagePlan(stage)).slots}
        for place, slot in enumerate(plan.slots):
            text = slot.signature()
            kept = None if lists.intersection(_LIST.findall(text)) else old.get(text)
            if kept is None or _reach(kept) < _reach(slot):
                is_momentary = any(kind in text for kind in MOMENTARY)
                found.append(Fresh(stage, place, text, _keeps_ms(slot), kept is not None, is_momentary))
    return found


class Refill:
    """The states of a rulebook that is to come into force, from past events in their order.

    Parameters
    ----------
    former, engine
        What was in force, and what is to be.
    """

    def __init__(self, former: Engine, engine: Engine) -> None:
        self._engine = engine
        self.fresh = fresh(former, engine)
        """Nothing: there is nothing to fill."""
        stages = {one.stage for one in self.fresh}
        # What a customer's window counts may be told by the stages before.
        self._stages = stages | engine.attaching if CUSTOMER in stages else stages
        self._states: dict[Key, State] = {}
        self._due: list[tuple[int, Key]] = []
        # Due time of the heap entry that counts for a subject; others of its entries are left overs.
        self._watched: dict[Key, int] = {}

    def feed(self, event: Event) -> None:
        """Take an event in."""
        for key in self._engine.subjects(event):
            if key[0] in self._stages:
                state = self._states.get(key)
                if state is None:
                    state = self._states[key] = self._engine.new_state(key[0])
                    state.leisure_ms = leisure_ms(*key)
                self._engine.feed(event, *key, state)
                self._watch(key, state)

    def elapse(self, time_ms: int, *, at_once: bool) -> None:
        """Let time pass: what fell due by then, at leisure or at once, will not fall due again."""
        until_ms, seen = time_ms + LEISURE_MS if at_once else time_ms, []
        while self._due and self._due[0][0] <= until_ms:
            due_ms, key = heappop(self._due)
            if self._watched.get(key) == due_ms:
                del self._watched[key]
                seen.append(key)
        for key in seen:
            state = self._states[key]
            if is_due(state, time_ms, at_once=at_once):
                self._engine.elapse(time_ms, *key, state)
            self._watch(key, state)

    def keys(self) -> Iterator[Key]:
        """Give the subjects that have something to be handed over, in the order in which they came up."""
        stages = {one.stage for one in self.fresh}
        return (key for key in self._states if key[0] in stages)

    def hand_over(self, key: Key, state: State, *, is_whole: bool) -> None:
        """Give a subject's state the windows it lacks.

        Parameters
        ----------
        is_whole
            Whether the events were all there ever were; else what was kept is kept.
        """
        found = self._states[key]
        for one in self.fresh:
            is_kept = one.is_longer and not is_whole and state.slots[one.place] is not None
            if one.stage != key[0] or is_kept or one.is_momentary:
                continue
            state.slots[one.place] = found.slots[one.place]
        state.now_ms = max(state.now_ms, found.now_ms)
        self._engine.rearm(state)

    def told(self, rows: int, since_ms: int | None, now_ms: int) -> dict[str, Any]:
        """Return for the ledger how windows were filled.

        Parameters
        ----------
        rows
            Events they were filled from.
        since_ms
            Event time of the first of them; None where all there ever were are among them.
        now_ms
            Event time of the change.
        """
        facts: dict[str, Any] = {"new": len(self.fresh), "events": rows, "since_ms": since_ms}
        incomplete = list(self._incomplete(since_ms, now_ms))
        if since_ms is None and not incomplete:
            return facts
        return facts | {"incomplete": incomplete}

    # Inside.

    def _incomplete(self, since_ms: int | None, now_ms: int) -> Iterator[Mapping[str, Any]]:
        for one in self.fresh:
            begins_ms = now_ms if one.is_momentary else since_ms
            if begins_ms is None:
                continue
            complete_ms = None if one.keeps_ms is None else begins_ms + one.keeps_ms
            if complete_ms is None or complete_ms > now_ms:
                yield {"subject": one.stage, "window": one.text, "complete_ms": complete_ms}

    def _watch(self, key: Key, state: State) -> None:
        state.set_due()
        if state.due_ms and state.due_ms < self._watched.get(key, state.due_ms + 1):
            self._watched[key] = state.due_ms
            heappush(self._due, (state.due_ms, key))


def _reach(slot: Slot) -> tuple[int, int]:
    return getattr(slot, "retain_ms", 0), getattr(slot, "keep_last", 0)


def _keeps_ms(slot: Slot) -> int | None:
    if isinstance(slot, SeriesSlot):
        return None if slot.keep_last else slot.retain_ms
    return slot.retain_ms if isinstance(slot, SequenceSlot) else None
