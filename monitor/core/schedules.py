"""Times at which rules are asked though no event comes: schedules, and waits by the calendar.

A schedule is armed by the first event (or tick) after its rule came into force and is due whenever
its unit begins. It falls due like every timer: with its due time as event time, before the
subject's next event or at the next tick, so that the answer is the same however ticks come.
"""

from __future__ import annotations

from typing import Any

from monitor.core.periods import Periods
from monitor.core.state import State
from rules.plan import ScheduleSlot


def arm(state: State, periods: Periods, time_ms: int) -> None:
    """Set every schedule that is not set yet to the first begin of its unit after `time_ms`."""
    for place, unit in state.plan.schedules:
        if state.slots[place] is None:
            due_ms = periods.next_ms(unit, time_ms)
            state.slots[place] = {"": [due_ms, 0]}
            state.timer_ms = min(state.timer_ms or due_ms, due_ms)


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


def next_due(state: State) -> int:
    """Return when the first timer or schedule falls due; 0 where there is none."""
    slots = state.slots
    dues = [timer[0] for place, _ in state.plan.timed if slots[place] for timer in slots[place].values()]
    return min(dues, default=0)


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
