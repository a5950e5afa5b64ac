"""What is known by now of alerts, payments and customers: the yardstick of a back-test.

Verdicts come late, so those after the period count, too. They say what became of what was looked
at: about customers nobody ever looked at they say nothing, which is why recall is that of known cases.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from alerts.lifecycle import DISPOSITIONS
from monitor.backtest.job import Period
from monitor.backtest.past import Past
from monitor.configuration import Configuration, build_codec
from monitor.core.events import Event, reference
from monitor.core.feedback import FEEDBACK
from monitor.database import Database

VERDICTS: Final[Mapping[str, bool]] = {
    "fraud": True, "suspicious": True, "genuine": False, "unsuspicious": False,
}  # fmt: skip
"""What `verdict` events say; the others decide nothing."""
_CLOSED: Final = {
    name: name.startswith("true_positive")
    for name in DISPOSITIONS
    if name.startswith(("true_positive", "false_positive"))
}


@dataclass(slots=True)
class Closing:
    """An alert of the past that officers closed with a verdict."""

    opened_ms: int
    closed_ms: int
    is_true: bool


@dataclass(slots=True)
class Verdicts:
    """Everything decided about a period; True stands for confirmed, False for refuted."""

    events: dict[int, bool] = field(default_factory=dict)
    """Reference of an event to what it turned out to be; the last word counts."""
    closings: dict[tuple[str, str, str], list[Closing]] = field(default_factory=dict)
    """Rule, kind of subject and subject to the alerts closed, in order."""
    customers: dict[str, bool] = field(default_factory=dict)
    """Customer to True where anything of the period was confirmed, False where all was refuted."""

    @property
    def confirmed(self) -> set[str]:
        """The known cases: customers of whom something was confirmed."""
        return {customer for customer, is_true in self.customers.items() if is_true}

    def note(self, customers: Iterable[str], *, is_true: bool) -> None:
        """Note what was found about customers."""
        for customer in customers:
            self.customers[customer] = is_true or self.customers.get(customer, False)

    def of(
        self,
        fingerprint: tuple[str, str, str],
        opened_ms: int,
        last_ms: int,
        refs: Collection[int],
        disposition: str | None,
    ) -> bool | None:
        """Return the verdict about an alert itself, or None.

        What its events turned out to be counts first, then how it was closed, then how the alert of
        the past of the same rule and subject was closed that was open at the time.
        """
        said = [self.events[ref] for ref in refs if ref in self.events]
        if said:
            return any(said)
        if disposition in _CLOSED:
            return _CLOSED[disposition]
        for closing in self.closings.get(fingerprint, ()):
            if closing.opened_ms <= last_ms and opened_ms <= closing.closed_ms:
                return closing.is_true
        return None


def verdicts_of(db: Database, past: Past, period: Period, configuration: Configuration) -> Verdicts:
    """Return what is known of a period, from the whole journal and from the alerts as they stand now."""
    found = Verdicts()
    _read_events(found, past, period, configuration)
    _read_closings(found, db, period)
    return found


def _read_events(found: Verdicts, past: Past, period: Period, configuration: Configuration) -> None:
    codec = build_codec(configuration)
    words = [f'"{kind}"'.encode() for kind in FEEDBACK]
    judged: dict[int, tuple[str, bool]] = {}
    for row in past.rows(past.progress.head):
        if not any(word in row.body for word in words):
            continue
        event = codec.decode(row.body)
        if type(event) is not Event or event.kind not in FEEDBACK or event.data.of_event is None:
            continue
        is_true = VERDICTS.get(event.data.verdict) if event.kind == "verdict" else True
        if is_true is not None:
            ref = reference(event.data.source_system or "", event.data.of_event)
            judged[ref] = event.data.customer_id or "", is_true
    for ref, (customer, is_true) in judged.items():
        body = past.body(ref, past.progress.head + 1)
        old = codec.decode(body) if body is not None else None
        if type(old) is Event and period.from_ms <= old.time_ms < period.to_ms:
            found.events[ref] = is_true
            whom = customer or getattr(old.data, "customer_id", None)
            found.note([whom] if whom else [], is_true=is_true)


def _read_closings(found: Verdicts, db: Database, period: Period) -> None:
    query = (
        "SELECT id, rule, subject, subject_id, opened_ms, changed_ms, disposition FROM alerts"
        " WHERE status = 'closed' AND changed_ms >= ? AND opened_ms < ? ORDER BY opened_ms, id"
    )
    for alert_id, rule, subject, subject_id, opened_ms, closed_ms, disposition in db.execute(
        query, (period.from_ms, period.to_ms)
    ).fetchall():
        if disposition not in _CLOSED:
            continue
        is_true = _CLOSED[disposition]
        closings = found.closings.setdefault((rule, subject, subject_id), [])
        closings.append(Closing(opened_ms, closed_ms, is_true))
        if opened_ms >= period.from_ms:
            rows = db.execute("SELECT customer_id FROM alert_customers WHERE alert_id = ?", (alert_id,))
            found.note([row[0] for row in rows.fetchall()], is_true=is_true)
