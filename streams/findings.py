"""Whether rules were right: what payments they hit turned out to be, told to the sensor once it is known."""

from __future__ import annotations

from typing import Protocol

from monitor.core.events import Event
from monitor.core.feedback import outcome_of
from streams.journal import answer_of
from streams.ports import Journal, JournalRow, Sensor


class Rows(Protocol):
    """Where journal rows are looked up, those of the running batch included; `streams.commit.Committer`."""

    store: Journal
    sensor: Sensor

    def row(self, seq: int) -> JournalRow:
        """Return a journal row."""


def tell_findings(event: Event, rows: Rows) -> None:
    """Report what an event tells of an earlier payment, once for each live rule that hit the payment.

    Nothing for an event that tells nothing, or of a payment that is not known.
    """
    outcome = outcome_of(event)
    if outcome is None:
        return
    index = rows.store.index
    seq = index.get_unsealed(outcome.ref) or index.find([outcome.ref]).get(outcome.ref)
    for rule in answer_of(rows.row(seq))[2] if seq is not None else ():
        rows.sensor.on_finding(rule, outcome.is_fraud)
