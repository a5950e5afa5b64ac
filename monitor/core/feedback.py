"""Feedback: events that tell what an earlier payment turned out to be."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.core.events import Event, reference

FEEDBACK = ("card.chargeback", "verdict", "fraud.reported_by_customer")
"""Kinds that may tell it."""
VERDICTS = {"fraud": True, "genuine": False}
"""Verdicts about fraud; the others say nothing of it."""
CLOSED = "alert.closed"
FINDINGS = {"true_positive": True, "false_positive": False}
"""How officers close alerts of models; other dispositions say nothing of fraud."""


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


def outcome_of(event: Event) -> Label | None:
    """Return what an event tells learners about an earlier one: a label, or how a model's alert was closed.

    An alert of a model is about one payment, which its facts name (`about`); alerts of rules are about a
    pattern, and say nothing of a single payment.
    """
    if event.kind != CLOSED:
        return label_of(event)
    about, is_closed = event.facts.get("about"), event.facts.get("status") == "closed"
    is_fraud = FINDINGS.get((event.facts.get("disposition") or "").partition(".")[0])
    return None if about is None or not is_closed or is_fraud is None else Label(about, is_fraud)
