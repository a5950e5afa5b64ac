"""What is said of an earlier event reaches every subject that the earlier event touched."""

from __future__ import annotations

from monitor.core.events import ALSO, Event, taken_back
from monitor.core.feedback import label_of
from streams.ports import Engine


def earlier(event: Event) -> int | None:
    """Return the reference of the event that this one takes back, or says something of."""
    label = None if (target := taken_back(event)) is not None else label_of(event)
    return target if label is None else label.ref


def note_passed(engine: Engine, event: Event, old: Event) -> None:
    """Name, as a fact of `event`, the subjects of the `old` event it is about but does not touch itself.

    A correction may move a payment to another counterparty: the former one's windows have to forget
    it. A chargeback tells something of the terminal, too. The fact is journaled with the event, so
    a recovery goes the same way.
    """
    named = engine.subjects(event)
    stays = any(kind == "customer" for kind, _ in named) or taken_back(event) is not None
    passed = [
        list(key) for key in engine.subjects(old) if key not in named and not (stays and key[0] == "customer")
    ]
    if passed:
        event.facts[ALSO] = passed
