"""Alerts in SQLite or PostgreSQL: tables beside the journal, written inside the processor's transactions.

`SCHEMA` is SQLite's; that of PostgreSQL is in `monitor.migrations`, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from alerts import outbox
from alerts.lifecycle import SEVERITIES, Alert, Status
from alerts.ports import Counted, Filter, Message, Order, Standing, Step
from monitor.database import Database, insert

SCHEMA = (
    """
CREATE TABLE IF NOT EXISTS alerts (
    id TEXT PRIMARY KEY,
    case_id TEXT NOT NULL,
    rule TEXT NOT NULL,
    subject TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    status TEXT NOT NULL,
    severity TEXT NOT NULL,
    priority INTEGER NOT NULL,
    grade INTEGER,
    opened_ms INTEGER NOT NULL,
    changed_ms INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    cooldown_ms INTEGER NOT NULL,
    snoozed_until_ms INTEGER,
    assignee TEXT,
    hits INTEGER NOT NULL,
    last_hit_ms INTEGER NOT NULL,
    disposition TEXT,
    reason TEXT,
    proposed_by TEXT,
    title TEXT NOT NULL,
    say TEXT NOT NULL,
    fixed BLOB NOT NULL  -- what is never asked for alone, as JSON
);
CREATE INDEX IF NOT EXISTS alerts_open ON alerts (priority DESC, due_ms, id) WHERE status <> 'closed';
CREATE INDEX IF NOT EXISTS alerts_newest ON alerts (opened_ms DESC, id DESC);
CREATE INDEX IF NOT EXISTS alerts_subject ON alerts (subject_id, subject, rule, opened_ms);
CREATE INDEX IF NOT EXISTS alerts_rule ON alerts (rule, opened_ms);
CREATE INDEX IF NOT EXISTS alerts_case ON alerts (case_id);
CREATE INDEX IF NOT EXISTS alerts_assignee ON alerts (assignee) WHERE assignee IS NOT NULL;
CREATE TABLE IF NOT EXISTS alert_customers (
    customer_id TEXT NOT NULL,
    alert_id TEXT NOT NULL,
    PRIMARY KEY (customer_id, alert_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alert_hits (
    seq INTEGER PRIMARY KEY,
    alert_id TEXT NOT NULL,
    time_ms INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    ref INTEGER NOT NULL,
    say TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS alert_hits_alert ON alert_hits (alert_id, time_ms);
CREATE TABLE IF NOT EXISTS alert_steps (
    seq INTEGER PRIMARY KEY,
    alert_id TEXT NOT NULL,
    time_ms INTEGER NOT NULL,
    action TEXT NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    disposition TEXT,
    until_ms INTEGER
);
CREATE INDEX IF NOT EXISTS alert_steps_alert ON alert_steps (alert_id, seq);
CREATE TABLE IF NOT EXISTS alert_grades (
    customer_id TEXT PRIMARY KEY,
    grade INTEGER NOT NULL
) WITHOUT ROWID;
"""
    + outbox.SCHEMA
)

_FIXED = (
    "version", "dimension", "event_id", "saw", "evidence", "triage", "disclosure", "customers", "recommended",
)  # fmt: skip
_PLAIN = (
    "id", "case_id", "rule", "subject", "subject_id", "status", "severity", "priority", "grade", "opened_ms",
    "changed_ms", "due_ms", "cooldown_ms", "snoozed_until_ms", "assignee", "hits", "last_hit_ms",
    "disposition", "reason", "proposed_by", "title", "say",
)  # fmt: skip
_COLUMNS = ", ".join((*_PLAIN, "fixed"))
_CHANGED = ", ".join(f"{name} = excluded.{name}" for name in (*_PLAIN[1:], "fixed"))
_PUT = (
    f"INSERT INTO alerts ({_COLUMNS}) VALUES ({', '.join('?' * (len(_PLAIN) + 1))})"  # noqa: S608 (constants only)
    f" ON CONFLICT (id) DO UPDATE SET {_CHANGED}"
)
_PUT_GRADE = (
    "INSERT INTO alert_grades VALUES (?, ?) ON CONFLICT (customer_id) DO UPDATE SET grade = excluded.grade"
)
_STANDING = (
    "SELECT id, case_id, rule, subject, subject_id, status, severity, opened_ms, cooldown_ms, "
    "snoozed_until_ms, hits, last_hit_ms FROM alerts "
)
_HIT = {
    "seq": "int8", "alert_id": "text", "time_ms": "int8", "event_id": "text", "ref": "int8", "say": "text",
}  # fmt: skip
_STEP = {
    "seq": "int8", "alert_id": "text", "time_ms": "int8", "action": "text", "actor": "text",
    "reason": "text", "disposition": "text", "until_ms": "int8",
}  # fmt: skip
_ORDERS: Mapping[Order, str] = {
    Order.PRIORITY: "priority DESC, due_ms, id",
    Order.NEWEST: "opened_ms DESC, id DESC",
}
_EVERYTHING = Filter()


class SqlAlertStore:
    """An `AlertStore` over a connection with `SCHEMA`; over a read-only one, an `AlertReader`."""

    def __init__(self, connection: Database) -> None:
        self._connection = connection

    def get(self, alert_id: str) -> Alert | None:
        """Return an alert by its whole id, or None."""
        return next(self._alerts("WHERE id = ?", (alert_id,)), None)

    def matching(self, prefix: str, limit: int = 10) -> list[str]:
        """Return ids that begin with `prefix`, sorted."""
        query = "SELECT id FROM alerts WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"
        return [row[0] for row in self._connection.execute(query, (prefix, prefix + "\x7f", limit))]

    def select(
        self,
        wanted: Filter = _EVERYTHING,
        order: Order = Order.PRIORITY,
        limit: int = 50,
        offset: int = 0,
    ) -> list[Alert]:
        """Return one page of alerts."""
        where, values = _where(wanted)
        rest = f"{where} ORDER BY {_ORDERS[order]} LIMIT ? OFFSET ?"
        return list(self._alerts(rest, (*values, limit, offset)))

    def count(self, wanted: Filter = _EVERYTHING) -> int:
        """Return how many alerts match."""
        where, values = _where(wanted)
        row = self._connection.execute(f"SELECT count(*) FROM alerts {where}", values).fetchone()  # noqa: S608 (constants only)
        return int(row[0])

    def open_by_severity(self) -> dict[str, int]:
        """Return the number of alerts not closed, every severity named, gravest first."""
        query = "SELECT severity, count(*) FROM alerts WHERE status <> 'closed' GROUP BY severity"
        found = dict(self._connection.execute(query).fetchall())
        return {severity: found.get(severity, 0) for severity in reversed(SEVERITIES)}

    def history(self, alert_id: str) -> list[Step]:
        """Return what officers did, oldest first."""
        query = (
            "SELECT alert_id, time_ms, action, actor, reason, disposition, until_ms FROM alert_steps "
            "WHERE alert_id = ? ORDER BY seq"
        )
        return [Step(*row) for row in self._connection.execute(query, (alert_id,))]

    def counted(self, alert_id: str, limit: int = 50) -> list[Counted]:
        """Return the hits of an alert, newest first."""
        query = (
            "SELECT alert_id, time_ms, event_id, ref, say FROM alert_hits "
            "WHERE alert_id = ? ORDER BY time_ms DESC, seq DESC LIMIT ?"
        )
        return [Counted(*row) for row in self._connection.execute(query, (alert_id, limit))]

    def of_customer(self, customer_id: str, limit: int = 50) -> list[Alert]:
        """Return alerts that concern a customer, newest first."""
        rest = (
            "WHERE id IN (SELECT alert_id FROM alert_customers WHERE customer_id = ?) "
            "ORDER BY opened_ms DESC, id DESC LIMIT ?"
        )
        return list(self._alerts(rest, (customer_id, limit)))

    def standing(self) -> Iterator[Standing]:
        """Yield every alert that is not closed."""
        for row in self._connection.execute(_STANDING + "WHERE status <> 'closed'"):
            yield _standing(row)

    def latest(self, rule: str, subject: str, subject_id: str) -> Standing | None:
        """Return the alert of a fingerprint that was opened last, or None."""
        query = (
            _STANDING
            + "WHERE subject_id = ? AND subject = ? AND rule = ? ORDER BY opened_ms DESC, id LIMIT 1"
        )
        row = self._connection.execute(query, (subject_id, subject, rule)).fetchone()
        return _standing(row) if row else None

    def put(self, alerts: Iterable[Alert]) -> None:
        """Insert or replace alerts."""
        alerts = list(alerts)
        self._connection.executemany(_PUT, [_row(alert) for alert in alerts])
        concerned = [(customer, alert.id) for alert in alerts for customer in alert.customers]
        query = "INSERT INTO alert_customers VALUES (?, ?) ON CONFLICT DO NOTHING"
        self._connection.executemany(query, concerned)

    def bump(self, standings: Iterable[Standing]) -> None:
        """Write the number of hits and the last one of alerts that exist."""
        rows = [(standing.hits, standing.last_hit_ms, standing.alert_id) for standing in standings]
        self._connection.executemany("UPDATE alerts SET hits = ?, last_hit_ms = ? WHERE id = ?", rows)

    def add_counted(self, hits: Iterable[Counted]) -> None:
        """Add hits that alerts counted."""
        rows = [(hit.alert_id, hit.time_ms, hit.event_id, hit.ref, hit.say) for hit in hits]
        self._add("alert_hits", _HIT, rows)

    def add_steps(self, steps: Iterable[Step]) -> None:
        """Add to the histories."""
        rows = [
            (
                step.alert_id,
                step.time_ms,
                step.action,
                step.actor,
                step.reason,
                step.disposition,
                step.until_ms,
            )
            for step in steps
        ]
        self._add("alert_steps", _STEP, rows)

    def grades(self, customers: Sequence[str]) -> dict[str, int]:
        """Return the grades of those of the customers that have 12 or worse (10, 11, 12)."""
        found = {}
        for customer in customers:
            query = "SELECT grade FROM alert_grades WHERE customer_id = ?"
            row = self._connection.execute(query, (customer,)).fetchone()
            if row:
                found[customer] = int(row[0])
        return found

    def put_grades(self, grades: Mapping[str, int | None]) -> None:
        """Set grades; None takes one out."""
        gone = [(customer,) for customer, grade in grades.items() if grade is None]
        given = [(customer, grade) for customer, grade in grades.items() if grade is not None]
        self._connection.executemany("DELETE FROM alert_grades WHERE customer_id = ?", gone)
        self._connection.executemany(_PUT_GRADE, given)

    def post(self, messages: Iterable[Message]) -> None:
        """Add messages to the outbox, in order."""
        outbox.post(self._connection, messages)

    def _add(self, table: str, columns: Mapping[str, str], rows: Sequence[tuple[Any, ...]]) -> None:
        # Numbered here, not by the database: PostgreSQL's own numbers have gaps after a rollback, and
        # two runs over the same events would differ.
        if rows:
            query = f"SELECT COALESCE(MAX(seq), 0) FROM {table}"  # noqa: S608 (constants only)
            (last,) = self._connection.execute(query).fetchone()
            insert(self._connection, table, columns, [(last + n, *row) for n, row in enumerate(rows, 1)])

    def _alerts(self, rest: str, values: Sequence[Any]) -> Iterator[Alert]:
        rows = self._connection.execute(f"SELECT {_COLUMNS} FROM alerts {rest}", values)  # noqa: S608 (constants only)
        return (_alert(row) for row in rows)


def _where(wanted: Filter) -> tuple[str, tuple[Any, ...]]:
    parts: list[str] = []
    values: list[Any] = []
    for column, one in _exact(wanted):
        parts.append(f"{column} = ?")
        values.append(one)
    for column, several in (("status", wanted.statuses), ("severity", wanted.severities)):
        if several:
            parts.append(f"{column} IN ({', '.join('?' * len(several))})")
            values.extend(several)
    if wanted.statuses and Status.CLOSED not in wanted.statuses:
        # Says to SQLite that the partial index over alerts not closed will do.
        parts.append("status <> 'closed'")
    if wanted.text:
        columns = ("title", "say", "rule", "subject_id", "id")
        parts.append("(" + " OR ".join(rf"LOWER({column}) LIKE ? ESCAPE '\'" for column in columns) + ")")
        values.extend([f"%{_like(wanted.text)}%"] * len(columns))
    return ("WHERE " + " AND ".join(parts) if parts else ""), tuple(values)


def _exact(wanted: Filter) -> Iterator[tuple[str, str]]:
    for column in ("subject", "subject_id", "assignee", "rule", "case_id"):
        value = getattr(wanted, column)
        if value is not None:
            yield column, value


def _like(text: str) -> str:
    # As LOWER does in both databases: the letters of ASCII alone.
    lower = text.encode().lower().decode()
    return lower.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


def _row(alert: Alert) -> tuple[Any, ...]:
    fixed = {name: getattr(alert, name) for name in _FIXED}
    plain = [getattr(alert, name) for name in _PLAIN]
    return (*plain, orjson.dumps(fixed, option=orjson.OPT_SORT_KEYS))


def _alert(row: Sequence[Any]) -> Alert:
    values = dict(zip(_PLAIN, row, strict=False))
    fixed = orjson.loads(row[-1])
    for name in ("evidence", "triage", "customers", "recommended"):
        # Alerts of a day before rules recommended anything have none.
        fixed[name] = tuple(fixed.get(name, ()))
    values["status"] = Status(values["status"])
    return Alert(**values, **fixed)


def _standing(row: Sequence[Any]) -> Standing:
    return Standing(row[0], row[1], row[2], row[3], row[4], Status(row[5]), *row[6:])
