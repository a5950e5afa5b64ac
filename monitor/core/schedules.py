"""Times at which rules are asked though no event comes: schedules, and waits by the calendar.

A schedule is armed by the first event (or tick) after its rule came into force and is due whenever
its unit begins. It falls due like every timer: with its due time as event time, before the
subject's next event or at a tick, so that the answer is the same however ticks come. But ticks look
at a subject at leisure, some time after: it falls due for all of them at one moment.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

from monitor.core.periods import Periods
from monitor.core.state import State, next_schedule
from rules.plan import ScheduleSlot

LEISURE_MS = 6 * 3_600_000
"""Ticks have asked everybody's schedules by then, counted from their due time: before offices open."""


def arm(state: State, periods: Periods, time_ms: int) -> None:
    """Set every schedule that is not set yet to the first begin of its unit after `time_ms`."""
    for place, unit in state.plan.schedules:
        if state.slots[place] is None:
            due_ms = periods.next_ms(unit, time_ms)
            state.slots[place] = {"": [due_ms, 0]}
            state.schedule_ms = min(state.schedule_ms or due_ms, due_ms)


def taken_due(state: State, periods: Periods, due_ms: int) -> list[tuple[int, int, int]]:
    """Take what falls due by then: (place of the slot, due time, reference of the event that began it).

    Timers are gone after; a schedule is set to its next time.
    """
    found = []
    for place, slot in state.plan.timed:
        held = state.slots[place] or {}
        for key in sorted(key for key, timer in held.items() if timer[0] <= due_ms):
            due, ref = held.pop(key)[:2]
            if isinstance(slot, ScheduleSlot):
                held[key] = [periods.next_ms(slot.unit, due), 0]
            found.append((place, due, ref))
    return found


def first_due(state: State) -> int:
    """Return when the first timer or schedule is thought to fall due; 0 where there is none."""
    timer, schedule = state.timer_ms, state.schedule_ms
    return timer if not schedule or 0 < timer < schedule else schedule


def look_up_due(state: State) -> int:
    """Set anew, and return, when the first timer or schedule falls due; 0 where there is none.

    A timer that was cancelled, or whose rule is gone, leaves its due time behind.
    """
    slots = state.slots
    dues = [timer[0] for place in state.plan.timers if slots[place] for timer in slots[place].values()]
    state.timer_ms, state.schedule_ms = min(dues, default=0), next_schedule(state)
    return first_due(state)


def leisure_ms(kind: str, subject_id: str) -> int:
    """Return how long after its due time ticks ask a subject's schedules: less than `LEISURE_MS`.

    By the id, so that it is the same everywhere and for ever.

    Examples
    --------
    >>> leisure_ms("customer", "C-1"), leisure_ms("customer", "C-2")
    (483938, 1000408)
    """
    return crc32(f"{kind} {subject_id}".encode()) % LEISURE_MS


def is_due(state: State, time_ms: int, *, at_once: bool) -> bool:
    """Tell whether a tick is to look at a subject: at its leisure, or at once."""
    return 0 < (state.due_at_once_ms if at_once else state.due_ms) <= time_ms


# Waits of business days or months, called by generated functions: key -> [due, reference, begun].


def start_wait(
    state: State, slots: list[Any], place: int, key: str | None, due_ms: int, ref: int, time_ms: int
) -> None:
    """Begin to wait for a key, or begin anew; a late beginning never shortens a wait."""
    if key is None:
        return
    waits = slots[place]
    if waits is None:
        waits = slots[place] = {}
    if key in waits and waits[key][0] >= due_ms:
        return
    waits[key] = [due_ms, ref, time_ms]
    if not state.timer_ms or due_ms < state.timer_ms:
        state.timer_ms = due_ms


def end_wait(slots: list[Any], place: int, key: str | None, time_ms: int) -> None:
    """End the wait of a key: what was waited for happened between its begin and its end."""
    waits = slots[place]
    if waits and key in waits and waits[key][2] <= time_ms <= waits[key][0]:
        del waits[key]


WAITS = {"start_wait": start_wait, "end_wait": end_wait}
"""What generated code may name."""
