"""Whose states an event touches, and in which order."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from monitor.core.events import ALSO, Event
from monitor.core.feedback import FEEDBACK
from monitor.core.place import PLACES
from monitor.core.scorer import LEARNS
from rules.compile import Rulebook
from rules.vocabulary import Subject as Kind
from rules.vocabulary import Vocabulary

CUSTOMER = "customer"
Subject = tuple[str, str]
"""(kind, id)."""
Read = Callable[[Any], str | None]


class Routes:
    """The stages of events: those that rules ask for, and the place of a payment.

    A payment touches one place: the terminal, else the merchant, else the account on the other
    side. So does what is said of a payment later, where it names the place.
    """

    def __init__(self, rulebook: Rulebook, vocabulary: Vocabulary) -> None:
        self._routes = {kind: _route(kind, rulebook, vocabulary) for kind in vocabulary.kinds}
        self._places = {
            kind: [
                (stage, _reader(vocabulary.subjects[stage]))
                for stage in PLACES
                if stage in vocabulary.kinds[kind].subjects and stage in rulebook.stages
            ]
            for kind in (*LEARNS, *FEEDBACK)
        }

    def subjects(self, event: Event) -> list[Subject]:
        """Return whose state the event touches, in the order of the stages."""
        data = event.data
        found = [(kind, name) for kind, name in event.facts[ALSO]] if ALSO in event.facts else []
        for stage, read in self._routes[event.kind]:
            name = read(data)
            if name is not None:
                found.append((stage, name))
        place = self.place(event)
        if place is not None and place not in found:
            found.insert(len(found) - (bool(found) and found[-1][0] == CUSTOMER), place)
        return found

    def place(self, event: Event) -> Subject | None:
        """Return the place that a payment, or what is said of one, names."""
        for stage, read in self._places.get(event.kind, ()):
            name = read(event.data)
            if name is not None:
                return stage, name
        return None


def _route(kind: str, rulebook: Rulebook, vocabulary: Vocabulary) -> list[tuple[str, Read]]:
    carried = vocabulary.kinds[kind].subjects
    return [
        (stage, _reader(vocabulary.subjects[stage]))
        for stage in rulebook.stages
        if stage in carried and (stage == CUSTOMER or kind in rulebook.kinds[stage])
    ]


def _reader(subject: Kind) -> Read:
    head, _, tail = subject.field.partition(".")
    otherwise = subject.otherwise
    if not tail and otherwise is None:
        return attrgetter(head)

    def read(data: Any) -> str | None:
        value = getattr(data, head)
        found: str | None = getattr(value, tail) if tail and value is not None else value
        return otherwise if found is None else found

    return read
