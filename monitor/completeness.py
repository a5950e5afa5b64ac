"""Since when windows of the configuration in force see everything they look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from monitor.configuration import Configuration, compiled, read_rules
from monitor.core.refill import fresh
from monitor.core.rule_life import InForce
from monitor.database import Database
from monitor.remembered import RUNNING
from monitor.rule_standing import archived, life_of
from monitor.rulebooks import archived_parts
from monitor.ruletext import slot_words
from rules.echoes import MOMENTARY
from streams.progress import progress_of

Key = tuple[str, str]
"""Kind of subject and signature of a window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Something that a rule in force remembers of each subject."""

    subject: str
    what: str
    """In words."""
    begins_ms: int | None = None
    """It sees events from here on; None: from the first the monitor took in."""
    complete_ms: int | None = None
    """From here on it sees all it looks at; None where it looks back as far as it goes."""
    is_complete: bool = True
    """Whether it does by now, in the time of the stream."""

    def told(self, moment: Callable[[int], str]) -> str:
        """Return in words since when it is complete.

        Parameters
        ----------
        moment
            Makes a text of epoch milliseconds.

        Examples
        --------
        >>> Window(subject="customer", what="x").told(str)
        'complete'
        >>> Window(subject="customer", what="x", begins_ms=5, complete_ms=9).told(str)
        'complete since 9'
        >>> Window(subject="customer", what="x", begins_ms=5, complete_ms=9, is_complete=False).told(str)
        'sees events from 5 on, complete from 9 on'
        """
        if self.begins_ms is None:
            return "complete"
        if self.complete_ms is None:
            return f"sees events from {moment(self.begins_ms)} on"
        if self.is_complete:
            return f"complete since {moment(self.complete_ms)}"
        return f"sees events from {moment(self.begins_ms)} on, complete from {moment(self.complete_ms)} on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What a rule remembers as it is in force."""

    version: str
    """Empty where the rule is not in force, or does not run."""
    since_ms: int
    """When the configuration came into force; 0: at the beginning."""
    windows: tuple[Window, ...] = ()


def windows_of(db: Database, rule: str) -> Remembered | None:
    """Return what a rule remembers in a database; None where nothing is in force there yet."""
    life = life_of(db)
    now = life.in_force
    if now is None:
        return None
    configuration = archived(db, now.hash)
    entry = next((one for one in configuration.plain["rules"] if one["content"]["id"] == rule), None)
    if entry is None or entry["content"]["status"] not in RUNNING:
        return Remembered(version="", since_ms=now.since_ms)
    alone = Configuration({**configuration.plain, "rules": [entry]})
    late, stream_ms = _Late(db, life.history), progress_of(db).stream_time_ms
    windows = tuple(late.window(key, what, stream_ms) for key, what in _asked(configuration, alone))
    return Remembered(version=read_rules(alone)[0].version, since_ms=now.since_ms, windows=windows)


def incomplete_windows(db: Database, moment: Callable[[int], str]) -> list[str]:
    """Return in words the windows in force that are not complete yet, whichever change made them new.

    Parameters
    ----------
    moment
        Makes a text of epoch milliseconds.
    """
    life, stream_ms = life_of(db), progress_of(db).stream_time_ms
    listed = [one for turn in life.history for one in _incomplete(turn)]
    if all(one["complete_ms"] is not None and one["complete_ms"] <= stream_ms for one in listed):
        return []
    late = _Late(db, life.history)
    plans = archived_parts(archived(db, life.history[-1].hash).archive)[0].rulebook.plans
    windows = [
        late.window((subject, slot.signature()), slot_words(slot), stream_ms)
        for subject, plan in plans.items()
        for slot in plan.slots
    ]
    return [
        f"{one.told(moment)}: of each {one.subject}: {one.what}" for one in windows if not one.is_complete
    ]


def _incomplete(turn: InForce) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = (turn.windows or {}).get("incomplete", ())
    return found


def _key(one: Mapping[str, Any]) -> Key:
    return one["subject"], one["window"]


def _asked(configuration: Configuration, alone: Configuration) -> Iterator[tuple[Key, str]]:
    """Give what a rule remembers, as the whole rulebook, in which rules share windows, does it."""
    book = archived_parts(configuration.archive)[0].rulebook
    for subject, plan in compiled(alone).plans.items():
        whole = book.plans[subject]
        for slot in dict.fromkeys(whole.places[name] for name in plan.places):
            yield (subject, whole.slots[slot].signature()), slot_words(whole.slots[slot])


class _Late:
    """What the ledger says of windows that were not complete when they came into force."""

    def __init__(self, db: Database, history: Sequence[InForce]) -> None:
        self._db, self._history = db, history

    def window(self, key: Key, what: str, stream_ms: int) -> Window:
        """Return a window as it is by now."""
        for turn in reversed(range(len(self._history))):
            told = self._told(turn, key)
            if told is not None:
                return _late(key[0], what, told, self._history[turn], stream_ms)
            if turn and self._any_before(turn, key) and key in self._new_at(turn):
                break  # it was forgotten, and filled wholly when it came again
        return Window(subject=key[0], what=what)

    def _told(self, turn: int, key: Key) -> Mapping[str, Any] | None:
        return next((one for one in _incomplete(self._history[turn]) if _key(one) == key), None)

    def _any_before(self, turn: int, key: Key) -> bool:
        return any(self._told(earlier, key) for earlier in range(turn))

    def _new_at(self, turn: int) -> frozenset[Key]:
        """Return what was filled, or began, at a turn; costs compiling, so ask where it matters alone."""
        before, after = (archived(self._db, self._history[one].hash).archive for one in (turn - 1, turn))
        return _new_of(before, after)


@lru_cache(maxsize=8)
def _new_of(before: bytes, after: bytes) -> frozenset[Key]:
    found = fresh(archived_parts(before)[0], archived_parts(after)[0])
    return frozenset((one.stage, one.text) for one in found)


def _late(subject: str, what: str, told: Mapping[str, Any], turn: InForce, stream_ms: int) -> Window:
    complete_ms, begins_ms = told["complete_ms"], (turn.windows or {}).get("since_ms")
    # Grades and scores of the past are not found again: their windows begin with the change.
    is_momentary = any(kind in told["window"] for kind in MOMENTARY)
    return Window(
        subject=subject,
        what=what,
        begins_ms=turn.since_ms if begins_ms is None or is_momentary else begins_ms,
        complete_ms=complete_ms,
        is_complete=complete_ms is not None and complete_ms <= stream_ms,
    )
