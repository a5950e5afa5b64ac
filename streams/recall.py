"""Reversals and corrections reach every subject whose windows hold the event taken back."""

from __future__ import annotations

from monitor.core.events import ALSO, Event
from streams.ports import Engine


def note_passed(engine: Engine, event: Event, old: Event) -> None:
    """Name, as a fact of `event`, the subjects of the `old` event it takes back but does not touch itself.

    A correction may move a payment to another counterparty: the former one's windows have to forget
    it. The fact is journaled with the event, so a recovery goes the same way.
    """
    named = engine.subjects(event)
    passed = [list(key) for key in engine.subjects(old) if key[0] != "customer" and key not in named]
    if passed:
        event.facts[ALSO] = passed
