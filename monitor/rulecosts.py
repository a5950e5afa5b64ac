"""What a rule costs: room in each subject's state, and time for an event, before it is in force."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

from monitor.bench.standard import unit_us
from monitor.core.engine import Engine
from monitor.core.runtime import MOST_SIGHTINGS
from monitor.core.state import State
from monitor.ruletest import Case, RuleTests
from monitor.ruletest.timeline import Timeline
from monitor.ruletext import COLUMN_BYTES, EVENT_BYTES
from rules.compile import Rulebook
from rules.plan import SequenceSlot, SeriesSlot, SightingsSlot, Slot

DAY_MS = 86_400_000
SIGHTING_BYTES = 40
SMALL_BYTES = 32
"""A marker, a timer, a key: once a subject."""
SPENT_S = 0.008
"""How long each rule is measured at least."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one rule costs.

    Attributes
    ----------
    rule
        Its id.
    windows
        Things it has remembered.
    state_bytes
        Of a subject with a number of events a day of every kind that is remembered, all of them
        meeting the conditions: an upper bound at that rate. What other rules share is counted too.
    units
        Microseconds an event of its own test cases takes above that of an engine without rules, in U
        (`riskmon bench`); None where it has no cases. Most of these events hit or nearly do, so an
        event of every day costs less. The rating is left out: the rule is measured as a shadow.
    """

    rule: str
    windows: int
    state_bytes: int
    units: float | None


def costs(bench: RuleTests, cases: Sequence[Case], a_day: float) -> Iterable[Cost]:
    """Give what each rule costs, measured on its own test cases.

    Parameters
    ----------
    a_day
        Events of a subject, of each kind that is remembered.
    """
    bare, unit = bench.alone([], {}), unit_us()
    for name in sorted(bench.rules):
        alone = bench.alone([replace(bench.rules[name], status="shadow")], {})
        own = [bench.timelines.of(case) for case in cases if case.rule == name and not case.params]
        playable = [timeline for timeline in own if not timeline.problems]
        spent = None
        if playable:
            spent = _added_us(alone, bare, playable) / unit
        slots = [slot for plan in alone.rulebook.plans.values() for slot in plan.slots]
        yield Cost(name, len(slots), state_bytes(alone.rulebook, a_day), spent)


def state_bytes(book: Rulebook, a_day: float) -> int:
    """Return the bytes a rulebook's slots take at a rate of events, of one subject of every kind."""
    return sum(_bytes(slot, a_day) for plan in book.plans.values() for slot in plan.slots)


def _bytes(slot: Slot, a_day: float) -> int:
    match slot:
        case SeriesSlot():
            size = EVENT_BYTES + COLUMN_BYTES * (len(slot.sums) + len(slot.squares) + len(slot.items))
            held = max(slot.keep_last, a_day * slot.retain_ms / DAY_MS * len(slot.selection.kinds))
            return round(size * held)
        case SequenceSlot():
            return round(EVENT_BYTES * a_day * slot.retain_ms / DAY_MS)
        case SightingsSlot():
            return round(SIGHTING_BYTES * min(MOST_SIGHTINGS, a_day * 30))
        case _:
            return SMALL_BYTES


def _added_us(engine: Engine, bare: Engine, timelines: Sequence[Timeline]) -> float:
    """Return the microseconds an event of the timelines takes above those with a bare engine, at least 0.

    Each is the least of a few rounds, taken in turns, so that what else the machine does befalls both.
    """
    best, best_bare, spent = float("inf"), float("inf"), 0.0
    while spent < SPENT_S:
        took = _round(engine, timelines)
        took_bare = _round(bare, timelines)
        best, best_bare = min(best, took), min(best_bare, took_bare)
        spent += took + took_bare
    count = sum(moment.event is not None for timeline in timelines for moment in timeline.moments)
    return max(0.0, best - best_bare) / max(count, 1) * 1e6


def _round(engine: Engine, timelines: Sequence[Timeline]) -> float:
    """Return the seconds all events of the timelines take once."""
    took = 0.0
    for timeline in timelines:
        states: dict[tuple[str, str], State] = {}
        events = [moment.fresh() for moment in timeline.moments if moment.event is not None]
        started = perf_counter()
        for event in events:
            for key in engine.subjects(event):
                if key not in states:
                    states[key] = engine.new_state(key[0])
                engine.assess(event, *key, states[key])
        took += perf_counter() - started
    return took
