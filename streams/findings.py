"""Whether rules were right: what payments they hit turned out to be, kept by rule and payment.

A payment counts once for each live rule that hit it, by the last word about it: a customer's report, a
dispute and an officer's verdict about one payment are one finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from monitor.core.events import Event
from monitor.core.feedback import CLOSED, FEEDBACK, outcome_of
from monitor.database import Database
from streams.journal import answer_of, facts_of, position
from streams.ports import Journal, JournalRow, Sensor

GATHERED = "findings"
"""Under which key of the bookkeeping stands that findings are kept from the first event on."""

_TELLING = tuple(f'"{kind}"'.encode() for kind in (*FEEDBACK, CLOSED))


class Rows(Protocol):
    """Where journal rows are looked up, those of the running batch included; `streams.commit.Committer`."""

    store: Journal
    sensor: Sensor

    def row(self, seq: int) -> JournalRow:
        """Return a journal row."""


def tell_findings(event: Event, rows: Rows) -> None:
    """Keep and report what an event tells of an earlier payment, for each live rule that hit the payment.

    Nothing for an event that tells nothing, or nothing new, or of a payment that is not known.
    """
    for rule, is_fraud in _judged(event, rows.store, rows.row):
        rows.sensor.on_finding(rule, is_fraud)


def gather_findings(store: Journal, decode: Callable[[bytes], Any]) -> None:
    """Keep the findings of a journal that was begun before findings were kept; nothing where they are there.

    Call it before anything else writes. Takes some seconds for a million events.

    Parameters
    ----------
    decode
        Makes an event of a record.
    """
    if store.meta(GATHERED) is not None:
        return
    store.begin()
    for row in store.rows(1):
        if any(word in row.body for word in _TELLING) and type(event := decode(row.body)) is Event:
            event.facts = facts_of(row)
            list(_judged(event, store, store.row, before=row.seq))
    store.put_meta(GATHERED, b"1")
    store.commit()


def are_findings_kept(db: Database) -> bool:
    """Return whether findings are kept from the first event on, in either database."""
    return db.execute("SELECT 1 FROM meta WHERE key = ?", (GATHERED,)).fetchone() is not None


def findings_by_rule(db: Database) -> dict[str, tuple[int, int]]:
    """Return per rule how many payments that it hit were fraud, and how many genuine, as known by now.

    Empty where findings are not kept yet: a service has to open the database once.
    """
    if not are_findings_kept(db):
        return {}
    rows = db.execute(
        "SELECT rule, CAST(SUM(is_fraud) AS BIGINT), CAST(SUM(1 - is_fraud) AS BIGINT) FROM findings"
        " GROUP BY rule ORDER BY rule"
    )
    return {rule: (fraud, genuine) for rule, fraud, genuine in rows.fetchall()}


def _judged(
    event: Event, store: Journal, row: Callable[[int], JournalRow], before: int | None = None
) -> Iterator[tuple[str, bool]]:
    """Keep what an event tells; give rule and outcome where that is new."""
    outcome = outcome_of(event)
    if outcome is None:
        return
    seq = position(store, outcome.ref)
    if seq is None or (before is not None and seq >= before):
        return
    for rule in answer_of(row(seq))[2]:
        if store.put_finding(rule, seq, is_fraud=outcome.is_fraud):
            yield rule, outcome.is_fraud
