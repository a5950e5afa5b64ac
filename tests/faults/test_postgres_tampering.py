"""A change in any column of PostgreSQL that follows from the journal is found, and told where."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from random import Random
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from postgres_monitor import open_monitor
from servers import PostgresServer

from monitor import recompute
from monitor.audit.verify import Finding
from monitor.configuration import build_codec
from monitor.database import PostgresDatabase, connect_postgres
from monitor.recompute import proof_of
from monitor.testing import configuration, record, with_rules
from streams.ports import Record

pytestmark = pytest.mark.postgres

RULE = {"id": "P-1", "on": "payment.transfer", "when": "amount >= 1000 CNY", "points": 90, "severity": "high"}
RULES = with_rules(configuration("flow"), RULE)
LATER = with_rules(configuration("flow"), RULE, {**RULE, "id": "P-2", "when": "amount >= 7000 CNY"})
PROVEN = (
    "journal", "ledger", "alerts", "alert_customers", "alert_grades", "alert_hits", "alert_steps",
    "artifacts", "outbox", "meta",
)  # fmt: skip
UNPROVEN = {"outbox.seq"}
"""The numbers of messages have gaps where a batch was undone."""


def payment(number: int) -> bytes:
    amount = ("500", "5000", "9000")[number % 3]
    return record(
        f"e{number}",
        "payment.transfer",
        number * 600_000,
        amount=amount,
        direction="out",
        customer_id=f"c{number % 4}",
    )


@pytest.fixture(scope="module", autouse=True)
def codecs() -> Iterator[None]:
    """Build the codec, which takes longer than the rest of a proof here, once for all proofs."""
    codec = build_codec(RULES)  # the two configurations differ in a rule alone
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recompute, "build_codec", lambda configuration: codec)
        yield


@pytest.fixture(scope="module")
def url(postgres_server: PostgresServer, migrated_template: str) -> Iterator[str]:
    """A database with rows everywhere, two configurations and an officer's decisions."""
    name = f"t{uuid4().hex[:12]}"
    postgres_server.create(name, migrated_template)
    url = postgres_server.database(name)
    with closing(open_monitor(url, RULES)) as monitor:
        process = monitor.processor.process
        process([Record(payment(number)) for number in range(20)] + [Record(b"rubbish")])
        ((alert_id,),) = monitor.store.db.execute("SELECT id FROM alerts ORDER BY id LIMIT 1").fetchall()
        action = {"alert_id": alert_id, "actor": "ada", "customer_id": None, "source_system": "riskmon"}
        process([Record(record("a1", "alert.taken", 30_000_000, **action))])
        reason = {"disposition": "false_positive", "reason": "rent", "actor": "bo"}
        process([Record(record("a2", "alert.closed", 31_000_000, **{**action, **reason}))])
    with closing(open_monitor(url, LATER)) as monitor:
        monitor.processor.process([Record(payment(number)) for number in range(60, 80)])
    yield url
    postgres_server.drop(name)


@pytest.fixture(scope="module")
def db(url: str) -> Iterator[PostgresDatabase]:
    with closing(connect_postgres(url)) as db:
        yield db


def columns(db: PostgresDatabase, table: str) -> dict[str, str]:
    query = (
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = ?"
        " ORDER BY ordinal_position"
    )
    return dict(db.execute(query, (table,)).fetchall())


def changed(value: Any, kind: str, random: Random) -> Any:
    if kind == "bigint":
        return 1 if value is None else value ^ (1 << random.randrange(24))
    if not value:
        return "x" if kind == "text" else b"x"
    raw = bytearray(value.encode() if kind == "text" else value)
    raw[random.randrange(len(raw))] ^= 1
    return raw.decode() if kind == "text" else bytes(raw)


def change(db: PostgresDatabase, table: str, column: str, kind: str, random: Random) -> str:
    """Change a value of a random row, in a transaction that the proof undoes; returns what was done."""
    keys = "WHERE key = 'progress'" if table == "meta" else ""
    found = db.execute(f"SELECT ctid::text, {column} FROM {table} {keys}").fetchall()
    is_progress = (table, column) == ("meta", "value")
    while True:
        place, value = random.choice(found)
        new = value.replace(b'"hits":', b'"hits":1') if is_progress else changed(value, kind, random)
        db.execute("BEGIN")
        try:
            db.execute(f"UPDATE {table} SET {column} = ? WHERE ctid = ?::tid", (new, place))
        except psycopg.errors.UniqueViolation:
            db.execute("ROLLBACK")  # the key of another row
        else:
            return f"{table}.{column}: {value!r} to {new!r}"


def names(finding: Finding, table: str) -> bool:
    return finding.table == table or table in finding.problem


def test_an_untouched_database_is_proven(url: str) -> None:
    with closing(connect_postgres(url, read_only=True)) as reader:
        assert proof_of(reader) == []
        assert not reader.in_transaction


def test_the_database_of_these_tests_has_rows_everywhere(db: PostgresDatabase) -> None:
    assert [table for table in PROVEN if db.execute(f"SELECT 1 FROM {table}").fetchone() is None] == []
    named = db.execute("SELECT customer_id IS NULL, COUNT(*) FROM journal GROUP BY 1 ORDER BY 1").fetchall()
    assert named[0] == (False, 42)  # payments and actions; the rest are ticks
    assert len(named) == 2


def test_a_change_in_any_column_is_found_and_named(db: PostgresDatabase) -> None:
    random, missed = Random(3), []
    for table in PROVEN:
        for column, kind in columns(db, table).items():
            if f"{table}.{column}" in UNPROVEN:
                continue
            done = change(db, table, column, kind, random)
            found = proof_of(db)
            if not any(names(finding, table) for finding in found):
                missed.append((done, [str(finding) for finding in found]))
    assert missed == []
    assert proof_of(db) == []


@pytest.mark.parametrize("table", [table for table in PROVEN if table != "outbox"])
@pytest.mark.parametrize("which", ["first", "last"])
def test_a_row_taken_out_is_found(table: str, which: str, db: PostgresDatabase) -> None:
    key = next(iter(columns(db, table)))
    db.execute("BEGIN")
    pick = "MIN" if which == "first" else "MAX"
    chosen = "'progress'" if table == "meta" else f"(SELECT {pick}({key}) FROM {table})"
    db.execute(f"DELETE FROM {table} WHERE {key} = {chosen}")
    found = proof_of(db)
    assert any(names(finding, table) or table == "meta" for finding in found)


def test_a_message_taken_out_between_others_is_found(db: PostgresDatabase) -> None:
    db.execute("BEGIN")
    db.execute("DELETE FROM outbox WHERE seq = (SELECT MAX(seq) FROM outbox)")
    assert any(finding.table == "outbox" for finding in proof_of(db))
    db.execute("BEGIN")
    db.execute("DELETE FROM outbox WHERE seq = (SELECT MIN(seq) FROM outbox)")
    assert proof_of(db) == []  # delivered, and taken out by the relay
