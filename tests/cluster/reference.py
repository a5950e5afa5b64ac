"""What the embedded monitor makes of a stream, and whether a cluster made the same of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from alerts.outbox import Message
from monitor.app import HOUR_MS, Opened, open_data
from monitor.configuration import Configuration
from monitor.settings import Settings
from streams.ports import Progress, Record
from streams.progress import read_progress

QUERIES = {
    "journal": "SELECT seq, ref, received_ms, hash, facts, answer, body FROM journal ORDER BY seq",
    "ledger": "SELECT seq, time_ms, kind, subject, body, hash FROM ledger ORDER BY seq",
    "alerts": "SELECT id, case_id, rule, subject, subject_id, status, severity, priority, grade, opened_ms,"
    " changed_ms, due_ms, cooldown_ms, snoozed_until_ms, assignee, hits, last_hit_ms, disposition, reason,"
    " proposed_by, title, say, fixed FROM alerts ORDER BY id",
    "alert_customers": "SELECT customer_id, alert_id FROM alert_customers ORDER BY 1, 2",
    "alert_hits": "SELECT seq, alert_id, time_ms, event_id, ref, say FROM alert_hits ORDER BY seq",
    "alert_steps": "SELECT seq, alert_id, time_ms, action, actor, reason, disposition, until_ms"
    " FROM alert_steps ORDER BY seq",
    "alert_grades": "SELECT customer_id, grade FROM alert_grades ORDER BY 1",
    "outbox": "SELECT key, confidential, body FROM outbox ORDER BY seq",
    "dead_letters": "SELECT id, received_ms, source, reason, event_id, faults, record, status"
    " FROM dead_letters ORDER BY id",
}
"""Everything a stream leaves behind, apart from states."""
Results = dict[str, list[tuple[Any, ...]]]
Heads = tuple[str, list[tuple[Any, ...]]]


class Reference:
    """An embedded monitor that is given the same stream.

    Parameters
    ----------
    folder
        Its data directory.
    """

    def __init__(self, folder: Path, settings: Settings, configuration: Configuration) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._opened: Opened = open_data(
            folder, settings, configuration, sync="normal", tick_every_ms=HOUR_MS
        )

    def feed(self, records: Sequence[Record]) -> list[str]:
        """Process records; return what became of each."""
        return [outcome.status for outcome in self._opened.processor.process(records)]

    @property
    def db(self) -> sqlite3.Connection:
        return self._opened.store.db

    @property
    def heads(self) -> Heads:
        """The hash of the last ledger entry, and the progress with the hash of the last journal row and all
        counts: two that are equal had the same history."""
        return self._opened.processor.ledger_head, progress_rows(self._opened.processor.progress)

    @property
    def stream_time_ms(self) -> int:
        """Largest event time so far."""
        return self._opened.processor.progress.stream_time_ms

    def results(self) -> Results:
        """Return everything there is."""
        found = {name: self.db.execute(query).fetchall() for name, query in QUERIES.items()}
        told = [Message(key, bool(confidential), body) for key, confidential, body in found["outbox"]]
        found["queue"] = [(message.body,) for message in told if message.topic == "alerts"]
        return {**found, "progress": progress_rows(self._opened.processor.progress)}

    def close(self) -> None:
        """Close it."""
        self._opened.close()


def cluster_heads(url: str) -> Heads:
    """Return what `Reference.heads` does, of a cluster."""
    with psycopg.connect(url) as db:
        (entry,) = db.execute("SELECT hash FROM ledger ORDER BY seq DESC LIMIT 1").fetchone() or (bytes(32),)
        found = read_progress(partial(_meta, db))
    return entry.hex(), progress_rows(found)


def cluster_results(url: str, delivered: Iterable[bytes]) -> Results:
    """Return everything a cluster committed, as `Reference.results`.

    Parameters
    ----------
    delivered
        The messages in Redis.
    """
    with psycopg.connect(url) as db:
        found: Results = {name: db.execute(query).fetchall() for name, query in QUERIES.items()}
        progress = progress_rows(read_progress(partial(_meta, db)))
    found["queue"] = [(body,) for body in delivered]
    return {**found, "progress": progress}


def _meta(db: psycopg.Connection[Any], key: str) -> bytes | None:
    row = db.execute("SELECT value FROM meta WHERE key = %s", (key,)).fetchone()
    return row[0] if row else None


def progress_rows(found: Progress) -> list[tuple[Any, ...]]:
    """Return what of the progress does not depend on how the work is done."""
    counters = msgspec.to_builtins(found.counters)
    plain = [("head", found.head), ("head_hash", found.head_hash), ("stream_time_ms", found.stream_time_ms)]
    return [*plain, ("rulebooks", found.rulebooks), *sorted(counters.items())]


def differences(expected: Results, found: Results) -> list[str]:
    """Tell where two results differ: of each table the number of rows and the first that differs.

    Examples
    --------
    >>> differences({"a": [(1, 2)]}, {"a": [(1, 2)]})
    []
    >>> differences({"a": [(1, 2), (2, 3)]}, {"a": [(1, 2)]})
    ['a: expected 2 rows, was 1; first difference at row 1: expected (2, 3), was nothing']
    """
    return [
        f"{name}: expected {len(rows)} rows, was {len(found[name])}; {_first_difference(rows, found[name])}"
        for name, rows in expected.items()
        if rows != found[name]
    ]


def _first_difference(expected: list[tuple[Any, ...]], found: list[tuple[Any, ...]]) -> str:
    for place in range(max(len(expected), len(found))):
        left, right = expected[place : place + 1], found[place : place + 1]
        if left != right:
            told = [str(rows[0])[:1500] if rows else "nothing" for rows in (left, right)]
            return f"first difference at row {place}: expected {told[0]}, was {told[1]}"
    return "no difference"
