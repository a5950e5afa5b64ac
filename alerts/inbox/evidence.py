"""Evidence of an alert: events of the journal as rows an officer can read at a glance. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from alerts.inbox.words import amount, plain


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRow:
    """An event, in the columns that most often decide an alert, and whole."""

    id: str
    time: str
    kind: str
    direction: str
    amount: str
    counterparty: str
    where: str
    fields: tuple[tuple[str, str], ...]
    """Everything that was sent: dotted names and values."""


def evidence_row(event: Mapping[str, Any], zone: tzinfo) -> EvidenceRow:
    """Return the row of an event as the journal keeps it.

    Examples
    --------
    >>> from datetime import UTC
    >>> row = evidence_row({"event_id": "tx-1", "event_type": "cash.deposit", "amount": "62400.00",
    ...     "currency": "CNY", "occurred_at": "2026-03-01T10:00:00+08:00",
    ...     "counterparty": {"name": "Li", "country": "CN"}}, UTC)
    >>> row.time, row.amount, row.counterparty
    ('2026-03-01 02:00:00', '62,400.00 CNY', 'Li, CN')
    """
    other = event.get("counterparty")
    other = other if isinstance(other, dict) else {"name": other}
    names = ("name", "customer_id", "account", "bank", "country")
    merchant = event.get("merchant_name") or event.get("merchant_id")
    where = (event.get("channel"), event.get("account_id"), merchant)
    return EvidenceRow(
        id=str(event.get("event_id", "")),
        time=_time(event.get("occurred_at"), zone),
        kind=str(event.get("event_type", "")),
        direction=str(event.get("direction") or ""),
        amount=amount(event.get("amount"), event.get("currency") or ""),
        counterparty=_joined(other.get(name) for name in names),
        where=_joined(iter(where)),
        fields=tuple(_flat(event)),
    )


def _time(value: object, zone: tzinfo) -> str:
    try:
        return datetime.fromisoformat(str(value)).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError):
        return str(value)


def _joined(values: Iterator[Any]) -> str:
    return ", ".join(str(value) for value in values if value)


def _flat(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in data.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value if isinstance(value, str) else plain(value)
