"""What became of a person's decision about a rating, as the ledger has it."""

from __future__ import annotations

from typing import Any

from monitor.audit.ledger import Ledger
from monitor.database import Database

NOTICE = "rating_notice"
"""Kind of the ledger's entries about ratings that are no change of a grade."""
_NEWEST = 200


def decided(db: Database, customer_id: str, event_id: str) -> dict[str, Any] | None:
    """Return what the ledger says of the decision that an event was; None where it says nothing.

    `action` is `proposed`, `decided`, `refused` (with the `problem`) or `withdrawn`.
    """
    return next((one for one in notices(db, customer_id, _NEWEST) if one["cause"] == event_id), None)


def notices(db: Database, customer_id: str, limit: int = 50) -> list[dict[str, Any]]:
    """Return the newest notices about a customer's rating, newest first, with their `time_ms`."""
    entries = Ledger(db).entries(
        kind=NOTICE, subject=f"customer:{customer_id}", newest_first=True, limit=limit
    )
    return [{"time_ms": entry.time_ms, **entry.data} for entry in entries]
