"""What auditors watch from afar: the last verification and how many customers have which grade."""

import sqlite3
from collections import Counter
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from monitor.app import DATABASE, ingest, open_data
from monitor.audit.verified import FILE, read_verified
from monitor.cli.audit import app
from monitor.configuration import Configuration, read_configuration
from monitor.readings import readings
from monitor.settings import Rules, Settings
from streams.progress import progress_of

SETTINGS = Settings(rules=Rules(packs=("statutory_cn", "structuring")))


def cash(number: int, customer: str, day: int, amount: str = "49500.00") -> bytes:
    event = {
        "event_id": f"e{number}",
        "event_type": "cash.deposit",
        "occurred_at": f"2026-03-{day:02d}T10:00:00+08:00",
        "customer_id": customer,
        "amount": amount,
        "currency": "CNY",
    }
    return orjson.dumps(event)


@pytest.fixture
def configuration(repository) -> Configuration:
    return read_configuration(SETTINGS, repository / "config")


@pytest.fixture
def data(tmp_path, configuration) -> Path:
    """A data directory in which three customers were rated, one of them repeatedly."""
    often = [cash(number, "C-1", day) for number, day in enumerate(range(1, 15))]
    ingest(tmp_path, [*often, cash(100, "C-2", 2), cash(101, "C-3", 3, "60000.00")], SETTINGS, configuration)
    return tmp_path


def verify(data: Path) -> int:
    return CliRunner().invoke(app, ["verify", "--data", str(data)]).exit_code


def test_customers_are_counted_under_the_grade_they_have_now(data):
    with sqlite3.connect(data / DATABASE) as db:
        entries = db.execute("SELECT subject, body FROM ledger WHERE kind = 'rating' ORDER BY seq").fetchall()
    now = {subject: orjson.loads(body)["grade"] for subject, body in entries}
    assert len(entries) > len(now) == 3
    shown = readings(data / DATABASE)().customers
    assert {grade: count for grade, count in shown.items() if count} == Counter(now.values())


def test_a_database_from_before_is_counted_once(data, configuration):
    with sqlite3.connect(data / DATABASE) as db:
        stored = orjson.loads(db.execute("SELECT value FROM meta WHERE key = 'progress'").fetchone()[0])
        expected = stored["counters"].pop("grades")
        db.execute("UPDATE meta SET value = ? WHERE key = 'progress'", (orjson.dumps(stored),))
    assert verify(data) == 0
    open_data(data, SETTINGS, configuration).close()
    with sqlite3.connect(data / DATABASE) as db:
        counted = progress_of(db).counters.grades
    assert {str(grade): count for grade, count in counted.items()} == expected
    assert verify(data) == 0


def test_grades_that_do_not_follow_from_the_journal_are_found(data):
    with sqlite3.connect(data / DATABASE) as db:
        stored = orjson.loads(db.execute("SELECT value FROM meta WHERE key = 'progress'").fetchone()[0])
        stored["counters"]["grades"]["10"] = 4
        db.execute("UPDATE meta SET value = ? WHERE key = 'progress'", (orjson.dumps(stored),))
    assert verify(data) == 1
    assert "grades" in CliRunner().invoke(app, ["verify", "--data", str(data)]).output


def test_a_verification_leaves_its_result_where_a_scrape_finds_it(data):
    assert readings(data / DATABASE)().verified is None
    assert verify(data) == 0
    result = readings(data / DATABASE)().verified
    assert result.findings == 0
    assert result.entries == readings(data / DATABASE)().ledger_position
    with sqlite3.connect(data / DATABASE) as db:
        db.execute("UPDATE ledger SET time_ms = time_ms + 1 WHERE seq = 1")
    assert verify(data) == 1
    assert read_verified(data).findings > 0


def test_an_unreadable_result_is_none(data):
    (data / FILE).write_text("{", encoding="utf-8")
    assert readings(data / DATABASE)().verified is None


def test_waits_and_verdicts_come_from_what_officers_did(data, configuration):
    assert readings(data / DATABASE)().dispositions == {}
    with sqlite3.connect(data / DATABASE) as db:
        query = "SELECT id, rule, severity FROM alerts WHERE severity NOT IN ('high', 'critical')"
        alert_id, rule, severity = db.execute(query).fetchone()
    close = {
        "event_id": "close-1",
        "event_type": "alert.closed",
        "occurred_at": "2026-06-15T10:00:00+08:00",
        "alert_id": alert_id,
        "actor": "ada",
        "disposition": "false_positive.explained",
        "reason": "salary paid in cash",
    }
    before = readings(data / DATABASE)()
    (outcome,) = ingest(data, [orjson.dumps(close)], SETTINGS, configuration)
    assert outcome.status == "accepted", outcome.message
    after = readings(data / DATABASE)()
    assert after.dispositions == {(rule, "false_positive"): 1}
    assert list(after.decisions[severity].cumulated())[-1][1] == 1
    assert after.decisions[severity].total > 86_400
    # Decided long after it was due: a breach for ever, though it waits no more.
    assert after.overdue_alerts.get(severity, 0) == before.overdue_alerts[severity] - 1
    assert after.sla_breaches[severity] == before.sla_breaches[severity]
