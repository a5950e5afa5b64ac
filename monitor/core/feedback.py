"""Feedback: events that tell what an earlier payment turned out to be."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.core.events import Event, reference

FEEDBACK = ("card.chargeback", "verdict", "fraud.reported_by_customer")
"""Kinds that may tell it."""
VERDICTS = {"fraud": True, "genuine": False}
"""Verdicts about fraud; the others say nothing of it."""


@dataclass(frozen=True, slots=True)
class Label:
    """What a payment was."""

    ref: int
    """The payment's reference."""
    is_fraud: bool


def label_of(event: Event) -> Label | None:
    """Return what an event tells about an earlier one; None for any other event.

    A payment and what is said of it later come from one source system, or carry its name.
    """
    if event.kind not in FEEDBACK or event.data.of_event is None:
        return None
    is_fraud = VERDICTS.get(event.data.verdict) if event.kind == "verdict" else True
    if is_fraud is None:
        return None
    return Label(reference(event.data.source_system or "", event.data.of_event), is_fraud)
