"""States in memory over their snapshots: bounded, written lazily, with the timers in order."""

from __future__ import annotations

from collections import OrderedDict
from heapq import heapify, heappop, heappush
from typing import Any

from monitor.core.schedules import LEISURE_MS, is_due, leisure_ms
from streams.ports import Engine, Snapshots, StateRow

Key = tuple[str, str]
"""Kind and id of a subject."""


class StateCache:
    """The states in use, the order of their first unwritten change, and the due times of all.

    A snapshot is written when a state leaves memory, or when its oldest unwritten change is about
    to fall out of the tail of the journal that recovery is willing to replay.

    Parameters
    ----------
    engine
        Makes and restores states.
    store
        Holds the snapshots.
    limit
        States kept in memory.
    """

    def __init__(self, engine: Engine, store: Snapshots, limit: int) -> None:
        self._engine = engine
        self._store = store
        self._limit = limit
        self._states: OrderedDict[Key, Any] = OrderedDict()
        self._dirty: OrderedDict[Key, int] = OrderedDict()
        self._timers = list(store.timers())
        heapify(self._timers)
        # Due time of the heap entry that counts for a subject; others of its entries are left overs.
        self._queued: dict[Key, int] = {(kind, subject_id): due for due, kind, subject_id in self._timers}

    def __len__(self) -> int:
        return len(self._states)

    @property
    def unwritten(self) -> int:
        """Number of states with changes that no snapshot has."""
        return len(self._dirty)

    def get(self, key: Key) -> Any:
        """Return the state of a subject: from memory, from its snapshot, or new."""
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = self.stored(key)
        else:
            self._states.move_to_end(key)
        return state

    def changed(self, key: Key, state: Any, seq: int) -> None:
        """Note that the event at `seq` changed a state."""
        state.seq = seq
        if key not in self._dirty:
            self._dirty[key] = seq
        self._watch(key, state)

    def replace(self, key: Key, state: Any) -> None:
        """Go on with another state of a subject that is equal to the one before its last, failed change."""
        self._states[key] = state
        self._watch(key, state)

    def stored(self, key: Key) -> Any:
        """Return the state of a subject as its snapshot has it, or new; memory keeps what it has."""
        row = self._store.state(*key)
        state = self._engine.restore(key[0], row.packed) if row else self._engine.new_state(key[0])
        state.leisure_ms = leisure_ms(*key)
        if row is not None:
            state.seq, state.due_ms = row.seq, row.due_ms
        return state

    def due(self, time_ms: int, seq: int, *, at_once: bool = False) -> list[tuple[Key, Any]]:
        """Return the subjects with a timer due by then, in order of (due time, kind, id).

        Subjects that include the tick at journal position `seq` already are left alone.

        Parameters
        ----------
        at_once
            Those as well that might be asked later, at leisure.
        """
        ready: list[tuple[int, Key, Any]] = []
        passed: list[tuple[int, Key]] = []
        until_ms = time_ms + LEISURE_MS if at_once else time_ms
        while self._timers and self._timers[0][0] <= until_ms:
            queued, kind, subject_id = heappop(self._timers)
            key = (kind, subject_id)
            if self._queued.get(key) != queued:
                continue
            del self._queued[key]
            state = self.get(key)
            if is_due(state, time_ms, at_once=at_once) and state.seq < seq:
                ready.append((state.due_ms, key, state))
            elif state.due_ms:
                passed.append((state.due_ms, key))
        for due, key in passed:
            self._queue(due, key)
        return [(key, state) for _, key, state in sorted(ready, key=lambda entry: entry[:2])]

    def snapshots(self, oldest: int, few: int) -> list[StateRow]:
        """Take what is to be written now.

        Parameters
        ----------
        oldest
            States whose unwritten changes begin before this journal position are taken.
        few
            At least so many are taken (where there are as many), oldest change first.
        """
        rows: list[StateRow] = []
        while self._dirty and (len(rows) < few or next(iter(self._dirty.values())) < oldest):
            key, _ = self._dirty.popitem(last=False)
            rows.append(self._snapshot(key, self._states[key]))
        while len(self._states) > self._limit:
            key, state = self._states.popitem(last=False)
            if self._dirty.pop(key, 0):
                rows.append(self._snapshot(key, state))
        return rows

    def floor(self, head: int) -> int:
        """Return the journal position recovery starts from: the oldest unwritten change."""
        return next(iter(self._dirty.values()), head + 1)

    def _watch(self, key: Key, state: Any) -> None:
        due = state.due_ms
        if due and due < self._queued.get(key, due + 1):
            self._queue(due, key)

    def _queue(self, due_ms: int, key: Key) -> None:
        self._queued[key] = due_ms
        heappush(self._timers, (due_ms, *key))

    @staticmethod
    def _snapshot(key: Key, state: Any) -> StateRow:
        return StateRow(*key, state.seq, state.due_ms, state.pack())
