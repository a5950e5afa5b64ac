"""What becomes of what is remembered when another rulebook comes into force."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from monitor.configuration import Configuration, compiled
from monitor.lengths import length_words
from monitor.ruletext import slot_words
from rules.compile import Rulebook
from rules.echoes import MOMENTARY
from rules.plan import Slot

RUNNING = ("live", "shadow")
"""Statuses of rules that are compiled."""


@dataclass(frozen=True, slots=True)
class Filling:
    """What activation fills new windows from."""

    events: int
    """Newest events of the journal."""
    is_whole: bool
    """Whether these are all there ever were."""

    @classmethod
    def of(cls, head: int, limit: int) -> Filling | None:
        """Return how a journal of `head` rows is read where `limit` may be; None where nothing is.

        Examples
        --------
        >>> Filling.of(10, 500), Filling.of(1_000, 500), Filling.of(10, 0)
        (Filling(events=10, is_whole=True), Filling(events=500, is_whole=False), None)
        """
        return Filling(min(head, limit), head <= limit) if head and limit else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A thing remembered of each subject that the change of the rulebook touches."""

    subject: str
    what: str
    """In words."""
    fate: str
    """`begins`: nobody remembered it before. `longer`: it goes on, but what lies further back than it
    reached is missing until enough time has passed. `ends`: no rule asks for it any more."""
    rules: tuple[str, ...] = ()
    """Rules that ask for it; empty where it ends."""
    complete_ms: int | None = None
    """After how long it is complete where it is not filled; None where there is no such time."""
    is_momentary: bool = False
    """Whether it counts grades or scores: what was decided is not found again."""
    filling: Filling | None = None
    """What activation fills it from; None where it begins empty, or goes on with what it has."""

    def __str__(self) -> str:
        """Return it as one line."""
        whose = f"of each {self.subject}: {self.what}"
        by = f"; asked for by {', '.join(self.rules)}" if self.rules else ""
        if self.fate == "ends":
            return f"forgotten, {whose}"
        word = "kept, and now longer" if self.fate == "longer" else "new" if self.filling else "begins anew"
        return f"{word}, {whose}{by}{self._completion()}"

    def filled(self, filling: Filling | None) -> Kept:
        """Return it as activation leaves it.

        Parameters
        ----------
        filling
            What new windows are filled from; None where they begin empty.
        """
        # What was kept of a window is given up for nothing less than the whole journal.
        is_filled = self.fate == "begins" or (self.fate == "longer" and filling and filling.is_whole)
        return replace(self, filling=filling if is_filled and not self.is_momentary else None)

    def _completion(self) -> str:
        length = length_words(self.complete_ms) if self.complete_ms else ""
        if self.filling is None:
            return f"; complete after {length}" if length else ""
        if self.filling.is_whole:
            return f"; activation fills it from all {self.filling.events:,} events: complete then"
        where = f", complete where these reach {length} back" if length else ""
        return f"; activation fills it from the newest {self.filling.events:,} events{where}"


def kept_of(old: Configuration, new: Configuration) -> tuple[Kept, ...]:
    """Return what begins, grows longer or ends; whatever is not named is kept as it is.

    A slot goes on where both rulebooks have one of the same signature, as a snapshot that is
    restored under the new rulebook does. A rule that is changed in its words or points alone
    forgets nothing; one that asks for another column of a shared window makes that window begin anew.
    """
    before, after = compiled(old), compiled(new)
    former, later = dict(_slots(before)), dict(_slots(after))
    asking = _Asking(new)
    begun = [_kept("begins", key, slot, asking, after) for key, slot in later.items() if key not in former]
    longer = [
        _kept("longer", key, slot, asking, after)
        for key, slot in later.items()
        if key in former and (_reach(slot) or 0) > (_reach(former[key]) or 0)
    ]
    ended = [
        Kept(subject=key[0], what=slot_words(slot), fate="ends")
        for key, slot in former.items()
        if key not in later
    ]
    return (*begun, *longer, *ended)


def _kept(fate: str, key: tuple[str, str], slot: Slot, asking: _Asking, book: Rulebook) -> Kept:
    return Kept(
        subject=key[0],
        what=slot_words(slot),
        fate=fate,
        rules=asking.rules(key[0], _identity(book, key)),
        complete_ms=_reach(slot),
        is_momentary=any(kind in key[1] for kind in MOMENTARY),
    )


def _slots(book: Rulebook) -> Iterator[tuple[tuple[str, str], Slot]]:
    for subject, plan in book.plans.items():
        for slot in plan.slots:
            yield (subject, slot.signature()), slot


def _identity(book: Rulebook, key: tuple[str, str]) -> str:
    plan = book.plans[key[0]]
    return next(name for name, place in plan.places.items() if plan.slots[place].signature() == key[1])


def _reach(slot: Slot) -> int | None:
    return getattr(slot, "retain_ms", None)


class _Asking:
    """Which rules ask for a slot: each is compiled alone, once somebody wants to know."""

    def __init__(self, configuration: Configuration) -> None:
        self._plain = configuration.plain
        self._found: Mapping[str, set[tuple[str, str]]] | None = None

    def rules(self, subject: str, identity: str) -> tuple[str, ...]:
        """Return the ids of the rules that ask for the slot of this identity."""
        if self._found is None:
            self._found = {
                entry["content"]["id"]: self._identities(entry)
                for entry in self._plain["rules"]
                if entry["content"]["status"] in RUNNING
            }
        return tuple(name for name, slots in self._found.items() if (subject, identity) in slots)

    def _identities(self, entry: Mapping[str, object]) -> set[tuple[str, str]]:
        book = compiled(Configuration({**self._plain, "rules": [entry]}))
        return {(subject, name) for subject, plan in book.plans.items() for name in plan.places}
