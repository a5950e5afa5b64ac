"""Looks up the levels that metrics show: cheap ones at every scrape, dear ones now and then."""

from __future__ import annotations

import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from alerts.lifecycle import SEVERITIES
from monitor.audit.verified import Verified, read_verified
from monitor.configuration import Configuration, read_rules
from monitor.counting import GRADES, CountingSensor
from monitor.database import Database
from monitor.levels import Readings
from monitor.tallies import Spread
from rules.vocabulary import load_vocabulary
from streams.deadletter import DeadLetters
from streams.progress import progress_of
from streams.stores.sqlite import SqliteStore, read_only

_MINUTE, _HOUR, _DAY = 60.0, 3_600.0, 86_400.0
_DECISIONS = (
    5 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE, _HOUR, 2 * _HOUR, 4 * _HOUR, 8 * _HOUR,
    _DAY, 2 * _DAY, 3 * _DAY, 5 * _DAY, 10 * _DAY, 30 * _DAY,
)  # fmt: skip

_SELDOM_S = 15.0
_SHARE = 50
"""Dear levels are read again after this many times as long as reading them took, at least `_SELDOM_S`."""

Connect = Callable[[], Database]
"""Opens a connection for reading; closed after use."""


def announce(sensor: CountingSensor, configuration: Configuration) -> None:
    """Tell a sensor which rules, kinds of events and lists are in force; again after another is adopted."""
    running = [rule for rule in read_rules(configuration) if rule.status in ("live", "shadow")]
    lists = {name: len(entry["entries"]) for name, entry in configuration.plain["lists"].items()}
    sensor.announce(running, load_vocabulary().kinds, lists, configuration.hash)


def readings(path: Path) -> Callable[[], Readings]:
    """Return what looks up the levels of an embedded monitor's database, on connections of its own."""
    return database_readings(partial(read_only, path), partial(read_verified, path.parent))


def database_readings(
    connect: Connect, verified: Callable[[], Verified | None], clock: Callable[[], float] = time.time
) -> Callable[[], Readings]:
    """Return what looks up levels.

    Parameters
    ----------
    connect
        Opens a connection to the database of journal and alerts.
    verified
        Gives the result of the last verification.
    clock
        Wall clock, seconds: alerts are overdue by it.
    """
    seldom = _Seldom(clock)

    def read() -> Readings:
        with closing(connect()) as db:
            now_ms = int(clock() * 1000)
            return replace(_cheap(db, now_ms), verified=verified(), **seldom.read(db, now_ms))

    return read


@dataclass(slots=True)
class _Seldom:
    """The levels that read whole tables, kept for a while."""

    clock: Callable[[], float]
    due_s: float = 0.0
    kept: dict[str, Any] | None = None

    def read(self, db: Database, now_ms: int) -> dict[str, Any]:
        if self.kept is None or self.clock() >= self.due_s:
            started = time.perf_counter()
            self.kept = _dear(db, now_ms)
            self.due_s = self.clock() + max(_SELDOM_S, _SHARE * (time.perf_counter() - started))
        return self.kept


def _cheap(db: Database, now_ms: int) -> Readings:
    done = progress_of(db)
    is_open = "FROM alerts WHERE status <> 'closed'"
    counts = db.execute(f"SELECT severity, status, count(*) {is_open} GROUP BY severity, status")
    open_alerts = {(severity, status): count for severity, status, count in counts.fetchall()}
    oldest = db.execute(f"SELECT severity, min(opened_ms) {is_open} GROUP BY severity")
    overdue = db.execute(f"SELECT severity, count(*) {is_open} AND due_ms < ? GROUP BY severity", (now_ms,))
    ages = {severity: max(0.0, (now_ms - opened_ms) / 1000) for severity, opened_ms in oldest.fetchall()}
    last = db.execute("SELECT max(seq) FROM ledger").fetchone()
    undelivered = _undelivered(db)
    return Readings(
        open_alerts=open_alerts,
        oldest_alert_s=ages,
        overdue_alerts=dict(overdue.fetchall()),
        customers={grade: done.counters.grades.get(grade, 0) for grade in GRADES},
        dead_letters=DeadLetters(db).counts(),
        undelivered=undelivered,
        refused=dict.fromkeys(undelivered, 0) | _refused(db),
        stream_time_ms=done.stream_time_ms,
        journal_position=done.head,
        unwritten_rows=max(0, done.head - done.floor + 1),
        ledger_position=int(last[0] or 0),
    )


def _undelivered(db: Database) -> dict[str, int]:
    posted = db.execute("SELECT max(seq) FROM outbox").fetchone()[0] or 0
    reached = db.execute("SELECT channel, seq FROM outbox_positions").fetchall()
    return {channel: max(0, posted - seq) for channel, seq in reached}


def _refused(db: Database) -> dict[str, int]:
    return dict(db.execute("SELECT channel, count(*) FROM outbox_refused GROUP BY channel").fetchall())


def _dear(db: Database, now_ms: int) -> dict[str, Any]:
    breaches: dict[str, int] = dict.fromkeys(SEVERITIES, 0)
    decisions = {severity: Spread(_DECISIONS) for severity in SEVERITIES}
    first = "(SELECT min(time_ms) FROM alert_steps WHERE alert_id = alerts.id AND action = 'close')"
    alerts = db.execute(f"SELECT severity, opened_ms, due_ms, {first} FROM alerts")  # noqa: S608
    for severity, opened_ms, due_ms, decided_ms in alerts.fetchall():
        breaches[severity] += (now_ms if decided_ms is None else decided_ms) > due_ms
        if decided_ms is not None:
            decisions[severity].add(max(0, decided_ms - opened_ms) / 1000)
    return {
        "sla_breaches": breaches,
        "decisions": decisions,
        "dispositions": _dispositions(db),
        # Workers of a cluster keep states themselves.
        "states": SqliteStore(db).footprint() if isinstance(db, sqlite3.Connection) else {},
    }


def _dispositions(db: Database) -> dict[tuple[str, str], int]:
    query = (
        "SELECT rule, disposition, count(*) FROM alerts WHERE status = 'closed' GROUP BY rule, disposition"
    )
    verdicts: dict[tuple[str, str], int] = defaultdict(int)
    for rule, disposition, count in db.execute(query).fetchall():
        verdicts[rule, (disposition or "").partition(".")[0]] += count
    return verdicts
