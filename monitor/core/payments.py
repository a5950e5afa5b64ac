"""What payments leave behind at a place, and what is said of them later, on its way into the state."""

from __future__ import annotations

from zlib import crc32

from monitor.core.events import Event
from monitor.core.feedback import label_of
from monitor.core.place import FACT, Place
from monitor.core.routes import CUSTOMER
from monitor.core.state import State


def judge(event: Event, kind: str, state: State) -> None:
    """Note what an earlier payment of the customer, or at the place, turned out to be."""
    label = label_of(event)
    place = state.place.repute if state.place else None
    repute = state.repute if kind == CUSTOMER else place
    if label is not None and repute is not None:
        who = crc32((getattr(event.data, "customer_id", None) or "").encode())
        repute.judge(label.ref, event.time_ms // 1000, is_fraud=label.is_fraud, who=who)


def see_payment(event: Event, state: State) -> None:
    """Attach what is known of the place of a payment, then take the payment in."""
    if state.place is None:
        state.place = Place()
    event.facts[FACT] = state.place.see(event.ref, event.time_ms // 1000, event.data.amount)
