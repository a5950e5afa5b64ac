"""The same events give the same journal, ledger, alerts and ratings in PostgreSQL as in SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from postgres_monitor import open_monitor
from servers import PostgresServer
from typer.testing import CliRunner

from monitor.app import HOUR_MS, open_data
from monitor.audit.export import is_genuine
from monitor.audit.ledger import Ledger
from monitor.cli.audit import app
from monitor.database import Database, connect_postgres
from monitor.ratings import customer_rating
from monitor.recompute import proof_of
from monitor.settings import Settings
from monitor.simulate import Simulation
from monitor.testing import START_MS, configuration, record, with_rules
from streams.findings import findings_by_rule
from streams.journal import tick
from streams.ports import Record
from streams.processor import Processor
from streams.progress import progress_of
from streams.stores.reading import event_body

pytestmark = pytest.mark.postgres

RULES = with_rules(
    configuration("flow", "structuring"),
    {"id": "P-1", "on": "payment.transfer", "when": "amount >= 1000 CNY", "points": 90, "severity": "high"},
    {
        "id": "P-2",
        "on": "loan.repayment_due",
        "when": "absent(loan.repayment, for=90m, after=loan.repayment_due, key=loan_id)",
        "points": 90,
    },
)
CUSTOMERS = ("c1", "c2", "\u5f20\u4e09", 'quo"te', "back\\slash", "nobody")
TABLES = (
    "ledger", "alerts", "alert_hits", "alert_steps", "alert_customers", "alert_grades", "dead_letters",
    "findings",
)  # fmt: skip
JOURNAL = "SELECT seq, ref, received_ms, hash, facts, answer, body FROM journal ORDER BY seq"


def payment(name: str, hours: int, **fields: Any) -> bytes:
    return record(name, "payment.transfer", hours * HOUR_MS, direction="out", **{"amount": "5000", **fields})


def feed(processor: Processor, db: Database) -> None:
    def process(*bodies: bytes) -> None:
        processor.process([Record(body) for body in bodies])

    process(*(payment(f"e{n}", n, customer_id=one) for n, one in enumerate(CUSTOMERS[:-1])), b"rubbish")
    process(
        record("r1", "loan.repayment_due", 6 * HOUR_MS, loan_id="L-1"), payment("e1", 1, customer_id="c2")
    )
    process(payment("e9", 30, amount="50", customer_id="c2"))
    alert_id, subject = db.execute("SELECT id, subject_id FROM alerts ORDER BY id LIMIT 1").fetchone()
    assert subject in CUSTOMERS
    action = {"alert_id": alert_id, "actor": "ada", "customer_id": None, "source_system": "riskmon"}
    process(record("a1", "alert.taken", 31 * HOUR_MS, **action))
    reason = {"disposition": "false_positive", "reason": "rent"}
    process(record("a2", "alert.closed", 32 * HOUR_MS, **action, **reason))
    process(record("v1", "verdict", 33 * HOUR_MS, of_event="e1", verdict="genuine"))
    process(record("v2", "fraud.reported_by_customer", 34 * HOUR_MS, of_event="e1"))
    for body in islice(Simulation(4, 3, 5, date(2026, 1, 3)).records(), 150):
        process(body)
    processor.close()


@pytest.fixture(scope="module")
def url(postgres_server: PostgresServer, migrated_template: str) -> Iterator[str]:
    name = f"t{uuid4().hex[:12]}"
    postgres_server.create(name, migrated_template)
    with closing(open_monitor(postgres_server.database(name), RULES)) as monitor:
        feed(monitor.processor, monitor.store.db)
    yield postgres_server.database(name)
    postgres_server.drop(name)


@pytest.fixture(scope="module")
def theirs(url: str) -> Iterator[Database]:
    with closing(connect_postgres(url, read_only=True)) as db:
        yield db


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder: Path = tmp_path_factory.mktemp("embedded")
    with closing(open_data(folder, Settings(), RULES, sync="normal", tick_every_ms=HOUR_MS)) as monitor:
        feed(monitor.processor, monitor.store.db)
        yield monitor.store.db


def test_the_contents_are_equal_to_the_last_byte(ours: Database, theirs: Database) -> None:
    for table in TABLES:
        query = f"SELECT * FROM {table} ORDER BY 1, 2"
        rows = ours.execute(query).fetchall()
        assert theirs.execute(query).fetchall() == rows
        assert rows, table
    assert theirs.execute(JOURNAL).fetchall() == ours.execute(JOURNAL).fetchall()
    outbox = "SELECT key, confidential, body FROM outbox ORDER BY seq"
    assert theirs.execute(outbox).fetchall() == ours.execute(outbox).fetchall()
    told, here = asdict(progress_of(theirs)), asdict(progress_of(ours))
    assert {key: told[key] for key in ("head", "head_hash", "counters")} == {
        key: here[key] for key in ("head", "head_hash", "counters")
    }


def test_rules_are_judged_alike(ours: Database, theirs: Database) -> None:
    assert findings_by_rule(theirs) == findings_by_rule(ours) == {"P-1": (1, 0)}


def test_both_are_proven(ours: Database, theirs: Database) -> None:
    assert proof_of(ours) == []
    assert proof_of(theirs) == []


def test_events_are_found_by_their_reference(ours: Database, theirs: Database) -> None:
    refs = [ref for (ref,) in ours.execute("SELECT ref FROM journal")]
    assert [event_body(theirs, ref) for ref in refs] == [event_body(ours, ref) for ref in refs]
    assert event_body(theirs, 1) is None


@pytest.mark.parametrize("customer", CUSTOMERS)
@pytest.mark.parametrize("hours", [None, 3, 31, 33])
def test_a_rating_now_and_then_is_the_same(
    customer: str, hours: int | None, ours: Database, theirs: Database
) -> None:
    at_ms = None if hours is None else START_MS + hours * HOUR_MS
    expected = customer_rating(ours, RULES, customer, at_ms)
    assert customer_rating(theirs, RULES, customer, at_ms) == expected
    assert (expected is None) == (customer == "nobody" or (customer in CUSTOMERS[4:] and hours == 3))


def test_a_customer_is_looked_up_by_index(theirs: Database) -> None:
    theirs.execute("BEGIN")
    theirs.execute("SET LOCAL enable_seqscan = off")
    plan = theirs.execute(
        "EXPLAIN SELECT seq FROM journal WHERE seq >= 1 AND customer_id = 'c1' UNION ALL"
        " SELECT seq FROM journal WHERE seq >= 1 AND customer_id IS NULL"
        """ AND substring(body FROM 1 FOR 18) = '{"event_id":"tick-'::bytea ORDER BY seq"""
    ).fetchall()
    theirs.execute("ROLLBACK")
    text = " ".join(line for (line,) in plan)
    assert "journal_customer" in text
    assert "journal_ticks" in text
    assert tick(0).body.startswith(b'{"event_id":"tick-')


def test_the_auditors_commands_read_the_cluster(
    url: str, ours: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RISKMON_STORAGE_KIND", "postgres")
    monkeypatch.setenv("RISKMON_STORAGE_POSTGRES_URL", url)
    monkeypatch.setenv("RISKMON_DATA_DIR", str(tmp_path))

    def told(*arguments: str) -> str:
        answer = CliRunner().invoke(app, arguments)
        assert answer.exit_code == 0, answer.output
        return answer.output

    (alert_id,) = ours.execute("SELECT id FROM alerts ORDER BY id LIMIT 1").fetchone()
    head = Ledger(ours).head.hex()
    assert f"ledger entries, head {head}" in told("verify", "--head", head)
    assert "customer:c2" in told("show", "c2")
    assert '"event_id":"e9"' in told("show", "e9")
    told("export", alert_id, "--out", str(tmp_path / "pack.json"))
    assert is_genuine((tmp_path / "pack.json").read_bytes())
