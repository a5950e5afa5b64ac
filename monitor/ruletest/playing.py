"""A timeline played to an engine: what the rule under test says to it."""

from __future__ import annotations

from dataclasses import dataclass, field

from monitor.core.assessment import Assessment, Hit
from monitor.core.engine import Engine
from monitor.core.state import State
from monitor.ruletest.timeline import Moment, Timeline


@dataclass(slots=True)
class Played:
    """What the rule under test said to a timeline."""

    hits: list[Hit] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Where it failed, or gave a duplicate another answer."""


def play(engine: Engine, timeline: Timeline, *, restarts: bool = False) -> Played:
    """Return what the rule under test says to a timeline; the same every time.

    Parameters
    ----------
    restarts
        Each state is packed and restored before it is asked, and each event arrives twice.
    """
    states: dict[tuple[str, str], State] = {}
    first: dict[tuple[str, str, str], Assessment] = {}
    as_packed: set[tuple[str, str]] | None = set() if restarts else None
    played = Played()
    for moment in timeline.moments:
        if moment.event is None:
            _let_pass(engine, timeline, moment, states, played)
            if as_packed:
                as_packed.clear()
            continue
        for _ in range(2 if restarts else 1):
            _arrive(engine, timeline, moment, states, first, played, as_packed)
    return played


def _let_pass(
    engine: Engine, timeline: Timeline, moment: Moment, states: dict[tuple[str, str], State], played: Played
) -> None:
    for (kind, subject_id), state in states.items():
        for answer in engine.tick(moment.time_ms, kind, subject_id, state):
            _take(timeline, moment, answer, played)


def _arrive(
    engine: Engine, timeline: Timeline, moment: Moment, states: dict[tuple[str, str], State],
    first: dict[tuple[str, str, str], Assessment], played: Played,
    as_packed: set[tuple[str, str]] | None,
) -> None:  # fmt: skip
    """Let an event arrive at every subject it touches.

    Parameters
    ----------
    as_packed
        Whose state was restored and has answered nothing but duplicates since, which change nothing:
        to pack and restore it again would give the same. None: no state is.
    """
    event = moment.fresh()
    for key in engine.subjects(event):
        state = states.get(key) or engine.new_state(key[0])
        if as_packed is not None and key not in as_packed:
            state = _restarted(engine, key, state)
        states[key] = state
        answer = engine.assess(event, *key, state)
        if as_packed is not None:
            (as_packed.add if answer.duplicate else as_packed.discard)(key)
        known = first.setdefault((event.id, *key), answer)
        if known is answer:
            _take(timeline, moment, answer, played)
        elif [one.say for one in known.hits] != [one.say for one in answer.hits]:
            place = f"{timeline.case.file}:{moment.step.line}"
            played.problems.append(f"{place}: the duplicate got another answer")


def _take(timeline: Timeline, moment: Moment, answer: Assessment, played: Played) -> None:
    case = timeline.case
    line = moment.step.line or case.line
    played.problems += [
        f"{case.file}:{line}: the rule failed: {why}" for rule, why in answer.failures if rule == case.rule
    ]
    played.hits += [hit for hit in answer.hits if hit.rule == case.rule]


def _restarted(engine: Engine, key: tuple[str, str], state: State) -> State:
    restored = engine.restore(key[0], state.pack())
    restored.due_ms = state.due_ms
    return restored
