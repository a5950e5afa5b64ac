"""What is remembered about one subject, and how it becomes bytes and back."""

from __future__ import annotations

from array import array
from typing import Any

import msgspec

from monitor.core import sequences
from monitor.core.answers import MILLION
from monitor.core.detectors import Baseline
from monitor.core.place import Place
from monitor.core.rating import RatingState
from monitor.core.repute import Repute
from monitor.core.spending import Spending
from monitor.core.windows import Series
from rules.plan import ScheduleSlot, SequenceSlot, SeriesSlot, Slot, StagePlan, TimerSlot

VERSION = 1
"""Of the snapshot; a snapshot of another version is rebuilt from the journal."""
REMEMBERED = 16
"""Events whose answers are kept however old they are."""

_encoder = msgspec.msgpack.Encoder()


class SnapshotError(ValueError):
    """A snapshot cannot be read by this version."""


class State:
    """Everything remembered about one subject.

    Attributes
    ----------
    seq
        Last journal position it includes.
    now_ms
        Stream time: the largest event time seen, -1 before the first event.
    slots
        What windows, sightings, markers, sequences and timers hold, by place in the plan.
    recent
        Reference of an event to (stream time when it came, score in millionths): duplicates get
        the first answer again. Kept while inside the grace period, and never fewer than 16.
    answers
        Reference of an event to its answer as plain data, where there was more than a score.
    profile, accounts
        Last known values of the vocabulary's profile fields; of each account.
    quiet
        Rule to the end of the cooldown of its last alert that an officer closed.
    spending, repute
        Amounts of a customer, and what became of the payments.
    place
        What is known of a place of payments.
    timer_ms
        When the first timer of a rule falls due; 0 = none.
    schedule_ms
        When the first schedule of a rule falls due; 0 = none.
    leisure_ms
        How much later than that the subject is looked at, where no event comes first.
    rating_ms
        When the rating may next change by time alone; 0 = never.
    due_ms
        When the subject must be looked at though no event comes; 0 = never.
    """

    __slots__ = (
        "accounts",
        "answers",
        "baseline",
        "due_ms",
        "leisure_ms",
        "now_ms",
        "place",
        "plan",
        "profile",
        "quiet",
        "rating",
        "rating_ms",
        "recent",
        "repute",
        "schedule_ms",
        "seq",
        "slots",
        "spending",
        "timer_ms",
    )

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.seq = 0
        self.now_ms = -1
        self.slots: list[Any] = [None] * len(plan.slots)
        self.recent: dict[int, tuple[int, int]] = {}
        self.answers: dict[int, Any] = {}
        self.profile: dict[str, Any] = {}
        self.quiet: dict[str, int] = {}
        self.accounts: dict[str, dict[str, Any]] = {}
        self.timer_ms = 0
        self.schedule_ms = 0
        self.leisure_ms = 0
        self.rating_ms = 0
        self.due_ms = 0
        self.rating: RatingState | None = None
        self.baseline: Baseline | None = None
        self.spending: Spending | None = None
        self.repute: Repute | None = None
        self.place: Place | None = None

    def set_due(self) -> None:
        """Set `due_ms` to whichever falls due first; schedules may wait for `leisure_ms`."""
        timer, rating, schedule = self.timer_ms, self.rating_ms, self.schedule_ms
        due = rating if not timer or 0 < rating < timer else timer
        if schedule and not 0 < due < schedule + self.leisure_ms:
            due = schedule + self.leisure_ms
        self.due_ms = due

    @property
    def due_at_once_ms(self) -> int:
        """When something falls due, where schedules do not wait; 0 = never."""
        return min((due for due in (self.timer_ms, self.rating_ms, self.schedule_ms) if due), default=0)

    def remember(self, ref: int, score: float, answer: Any, grace_ms: int) -> None:
        """Keep the answer to an event; forget answers older than the grace period."""
        recent = self.recent
        recent[ref] = (self.now_ms, round(score * MILLION))
        if answer is not None:
            self.answers[ref] = answer
        # Now and then, not every time: past those that went before, the first entry is slow to find.
        if len(recent) > REMEMBERED and not len(recent) & 7:
            self._forget_answers(self.now_ms - grace_ms)

    def _forget_answers(self, before_ms: int) -> None:
        spare = len(self.recent) - REMEMBERED
        gone: list[int] = []
        for ref, (arrived_ms, _) in self.recent.items():
            if arrived_ms >= before_ms or len(gone) == spare:
                break
            gone.append(ref)
        for ref in gone:
            del self.recent[ref]
            self.answers.pop(ref, None)

    def forget_event(self, ref: int) -> None:
        """Take an event out of every window: it was reversed or corrected."""
        for repute in (self.repute, self.place.repute if self.place else None):
            if repute is not None:
                repute.drop(ref)
        for place, slot in enumerate(self.plan.slots):
            held = self.slots[place]
            if held is None:
                continue
            if isinstance(slot, SeriesSlot):
                for series in held.values() if slot.key else (held,):
                    if slot.keep_last:
                        # What may be forgotten goes first, or what is left would tell whether it
                        # had been forgotten: the last few are fewer after this.
                        series.prune(self.now_ms - slot.retain_ms, slot.keep_last, lazily=False)
                    while series.remove(ref):  # what an event led to bears its reference
                        pass
            elif isinstance(slot, SequenceSlot):
                sequences.take_out(held, ref)

    def pack(self) -> bytes:
        """Return the snapshot: MessagePack of plain data, without `seq` and `due_ms`; slots by signature."""
        slots = sorted(
            [self.plan.signatures[place], _packed(slot, held, self.now_ms)]
            for place, (slot, held) in enumerate(zip(self.plan.slots, self.slots, strict=True))
            if held is not None
        )
        recent = [
            array("q", self.recent).tobytes(),
            array("q", (arrived for arrived, _ in self.recent.values())).tobytes(),
            array("I", (score for _, score in self.recent.values())).tobytes(),
        ]
        return _encoder.encode(
            [
                VERSION,
                self.now_ms,
                recent,
                list(self.answers.items()),
                self.profile,
                self.accounts,
                self.quiet,
                slots,
                self.timer_ms,
                self.rating_ms,
                self.rating.snapshot() if self.rating else None,
                self.baseline.snapshot() if self.baseline else None,
                *self._pasts(),
            ]
        )

    def _pasts(self) -> list[Any]:
        """Return amounts, repute and place, up to the last of them there is."""
        pasts = [self.spending, self.repute, self.place]
        while pasts and pasts[-1] is None:
            pasts.pop()
        return [past.snapshot() if past is not None else None for past in pasts]


class Plan:
    """The layout of the states of one stage, ready for use."""

    __slots__ = ("places", "schedules", "signatures", "slots", "timed", "timers")

    def __init__(self, plan: StagePlan) -> None:
        self.slots: list[Slot] = plan.slots
        self.signatures = plan.signatures()
        self.places = {signature: place for place, signature in enumerate(self.signatures)}
        self.timed = tuple(
            (n, one) for n, one in enumerate(plan.slots) if isinstance(one, TimerSlot | ScheduleSlot)
        )
        """Slots that fall due, by place; a state may be asked a thousand times whether one does."""
        self.timers = tuple(n for n, one in self.timed if isinstance(one, TimerSlot))
        self.schedules = tuple((n, one.unit) for n, one in self.timed if isinstance(one, ScheduleSlot))


def restore(plan: Plan, packed: bytes) -> State:
    """Return the state a snapshot holds.

    Slots that the plan does not know are dropped: their rules are gone.

    Raises
    ------
    SnapshotError
        Where the snapshot is of another version.
    """
    plain = msgspec.msgpack.decode(packed, strict=False)
    if not isinstance(plain, list) or not plain or plain[0] != VERSION:
        found = plain[0] if isinstance(plain, list) and plain else plain
        raise SnapshotError(f"snapshot: expected version {VERSION}, was {found!r}")
    _, now_ms, recent, answers, profile, accounts, quiet, slots, timer_ms, rating_ms, rating, baseline = (
        plain[:12]
    )
    state = State(plan)
    state.now_ms, state.profile, state.accounts, state.quiet = now_ms, profile, accounts, quiet
    state.timer_ms, state.rating_ms = timer_ms, rating_ms
    arrived = zip(array("q", recent[1]), array("I", recent[2]), strict=True)
    state.recent = dict(zip(array("q", recent[0]), arrived, strict=True))
    state.answers = dict(answers)
    for signature, held in slots:
        place = plan.places.get(signature)
        if place is not None:
            state.slots[place] = _unpacked(plan.slots[place], held)
    state.rating = RatingState.restore(rating) if rating is not None else None
    state.baseline = Baseline.restore(baseline) if baseline is not None else None
    # A snapshot made before there were any has none of these.
    spending, repute, place = (*plain[12:], None, None, None)[:3]
    state.spending = Spending.restore(spending) if spending is not None else None
    state.repute = Repute.restore(repute) if repute is not None else None
    state.place = Place.restore(place) if place is not None else None
    state.schedule_ms = next_schedule(state)
    state.set_due()
    return state


def next_schedule(state: State) -> int:
    """Return when the first schedule falls due; 0 where there is none."""
    dues = [due for place, _ in state.plan.schedules for due, _ in (state.slots[place] or {}).values()]
    return min(dues, default=0)


def _packed(slot: Slot, held: Any, now_ms: int) -> Any:
    if isinstance(slot, SeriesSlot):
        parts = held if slot.key else {"": held}
        for key in list(parts):
            # All of it: what is written must not depend on when it was written before.
            parts[key].prune(now_ms - slot.retain_ms, slot.keep_last, lazily=False)
            if not parts[key].rows and slot.key:
                del parts[key]
        # By key: the order must not tell which keys were dropped and came again.
        return [[key, parts[key].snapshot()] for key in sorted(parts)]
    if isinstance(slot, SequenceSlot):
        return sequences.plain(held, now_ms - slot.retain_ms)
    return list(held.items()) if isinstance(held, dict) else held


def _unpacked(slot: Slot, held: Any) -> Any:
    if isinstance(slot, SeriesSlot):
        parts = {key: Series.restore(plain) for key, plain in held}
        return parts if slot.key else parts.get("")
    if isinstance(slot, SequenceSlot):
        return sequences.restored(held, keyed=bool(slot.key))
    return {key: list(value) for key, value in held} if isinstance(held, list) else held
