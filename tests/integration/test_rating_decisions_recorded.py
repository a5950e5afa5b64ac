"""Decisions about ratings through the whole monitor: what the ledger, the register and others get of them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from alerts.outbox import posted_after
from monitor.app import HOUR_MS, Opened, open_data
from monitor.cli import build_app
from monitor.rating_notices import decided, notices
from monitor.ratings import customer_rating
from monitor.recompute import proof
from monitor.register import register
from monitor.settings import Settings
from monitor.testing import START_MS, configuration, record, with_rules
from streams.ports import Record

DAY_MS = 24 * HOUR_MS
SMALL = with_rules(
    configuration("flow"),
    {"id": "P-1", "on": "payment.transfer", "when": "amount >= 1000 CNY", "points": 90, "severity": "high"},
)
PERSON = {"source_system": "inbox"}


def payment(name: str, at_ms: int, amount: str = "5000", customer: str = "c1") -> bytes:
    return record(
        name, "payment.transfer", at_ms, customer_id=customer, account_id="A-1", amount=amount,
        currency="CNY", direction="out",
    )  # fmt: skip


def grade(name: str, at_ms: int, actor: str, wanted: int | None) -> bytes:
    given = {} if wanted is None else {"grade": wanted}
    return record(name, "rating.override", at_ms, actor=actor, reason="court file", **PERSON, **given)


STREAM = [
    payment("e1", 0),
    payment("e2", 1, "5", "c2"),
    grade("d1", DAY_MS, "ada", 14),
    grade("d2", 2 * DAY_MS, "ada", 14),
    grade("d3", 3 * DAY_MS, "eve", 14),
    payment("e3", 4 * DAY_MS, "5"),
]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    data = open_data(tmp_path, Settings(), SMALL, sync="normal", tick_every_ms=HOUR_MS)
    with closing(data):
        yield data


def process(data: Opened, *bodies: bytes) -> list[str]:
    return [outcome.status for body in bodies for outcome in data.processor.process([Record(body)])]


def told(data: Opened) -> list[dict[str, Any]]:
    found = posted_after(data.store.db, 0, 1000)
    bodies = [orjson.loads(one.message.body) for one in found if one.message.topic == "ratings"]
    return [body["event"] for body in bodies]


def grades(data: Opened, at_ms: int) -> dict[str, int]:
    return {line.customer: line.grade for line in register(data.store.db, "Asia/Shanghai", at_ms)}


def test_two_persons_set_a_safer_grade_and_the_ledger_names_both(opened: Opened) -> None:
    assert process(opened, *STREAM) == ["accepted"] * len(STREAM)
    found = notices(opened.store.db, "c1")
    assert [(one["action"], one["cause"]) for one in reversed(found)] == [
        ("proposed", "d1"),
        ("refused", "d2"),
        ("decided", "d3"),
    ]
    assert (found[0]["actor"], found[0]["approver"]) == ("ada", "eve")
    second = decided(opened.store.db, "c1", "d2")
    assert second is not None
    assert second["problem"] == "actor: ada proposed it, expected another person"


def test_redelivered_decisions_change_nothing(opened: Opened) -> None:
    process(opened, *STREAM)
    head = opened.processor.ledger_head
    assert process(opened, *STREAM) == ["duplicate"] * len(STREAM)
    assert opened.processor.ledger_head == head


def test_a_restart_between_proposal_and_approval_changes_nothing(opened: Opened, tmp_path: Path) -> None:
    process(opened, *STREAM)
    other = tmp_path / "other"
    other.mkdir()
    for part in (STREAM[:3], STREAM[3:]):
        with closing(open_data(other, Settings(), SMALL, tick_every_ms=HOUR_MS)) as data:
            process(data, *part)
            assert data.processor.ledger_head
            head = data.processor.ledger_head
    assert head == opened.processor.ledger_head


def test_every_decision_is_proven_by_recomputing_it(tmp_path: Path) -> None:
    with closing(open_data(tmp_path, Settings(), SMALL, tick_every_ms=HOUR_MS)) as data:
        process(data, *STREAM)
    assert [str(finding) for finding in proof(tmp_path)] == []


def test_the_past_knows_the_grade_of_its_day(opened: Opened) -> None:
    process(opened, *STREAM)
    shown = [
        customer_rating(opened.store.db, SMALL, "c1", START_MS + days * DAY_MS + HOUR_MS)
        for days in (0, 2, 3)
    ]
    assert [one and (one.rating.grade, len(one.rating.proposals)) for one in shown] == [
        (11, 0),
        (11, 1),
        (14, 0),
    ]


def test_the_register_says_what_was_in_force_on_its_day(opened: Opened) -> None:
    process(opened, *STREAM)
    assert grades(opened, START_MS + DAY_MS) == {"c1": 11, "c2": 14}
    assert grades(opened, START_MS + 4 * DAY_MS) == {"c1": 14, "c2": 14}
    lines = list(register(opened.store.db, "Asia/Shanghai"))
    assert [(line.customer, line.first) for line in lines] == [("c1", "12"), ("c2", "11")]
    assert "after a decision of an officer" in lines[0].basis
    assert lines[1].basis.startswith("score 7.50 = profile 7.50")


def test_others_are_told_of_each_change_once_and_why_without_saying_what(opened: Opened) -> None:
    process(opened, *STREAM, *STREAM)
    changes = [
        (one["customer_id"], one.get("previous_grade"), one["grade"], one.get("reason"))
        for one in told(opened)
    ]
    assert changes == [("c1", None, 11, None), ("c2", None, 14, None), ("c1", 11, 14, "officer")]


def test_a_confirmed_hit_stays_while_another_alert_of_its_case_is_open(opened: Opened) -> None:
    process(
        opened, payment("e1", 0), record("f1", "fraud.reported_by_customer", 1, amount="1", currency="CNY")
    )
    ids = [
        row[0]
        for row in opened.store.db.execute("SELECT id FROM alerts WHERE subject_id = 'c1' ORDER BY rule")
    ]
    assert len(ids) >= 2
    by_rule = dict(opened.store.db.execute("SELECT rule, id FROM alerts").fetchall())
    first, *others = [by_rule.pop("P-1"), *by_rule.values()]
    person = {"actor": "ada", "customer_id": None, "reason": "seen", **PERSON}
    process(
        opened, record("a1", "alert.closed", HOUR_MS, alert_id=first, disposition="true_positive", **person)
    )
    held = customer_rating(opened.store.db, SMALL, "c1", START_MS + 40 * DAY_MS)
    assert held is not None
    for n, alert_id in enumerate(others):
        at_ms = 40 * DAY_MS + n
        process(
            opened,
            record(f"b{n}", "alert.closed", at_ms, alert_id=alert_id, disposition="duplicate", **person),
        )
    freed = customer_rating(opened.store.db, SMALL, "c1", START_MS + 60 * DAY_MS)
    assert freed is not None
    assert held.rating.score > freed.rating.score
    (confirmed,) = [
        share.contribution
        for dimension in held.rating.composite.dimensions
        for share in dimension.shares
        if share.contribution.is_confirmed
    ]
    assert confirmed.held_ms == START_MS + HOUR_MS


def run(*words: str) -> Any:
    return CliRunner().invoke(build_app(), list(words))


def test_the_terminal_writes_the_register_in_both_formats(tmp_path: Path) -> None:
    with closing(open_data(tmp_path, Settings(), SMALL, tick_every_ms=HOUR_MS)) as data:
        process(data, *STREAM)
    out = tmp_path / "register.csv"
    answer = run("rating", "export", str(out), "--data", str(tmp_path))
    assert answer.exit_code == 0
    rows = list(csv.reader(out.read_text(encoding="utf-8").splitlines()))
    assert rows[0] == ["customer", "grade", "first", "basis", "date"]
    assert [row[:3] for row in rows[1:]] == [["c1", "14", "12"], ["c2", "14", "11"]]
    assert "2 customers (14: 2)" in answer.stderr
    lines = run("rating", "export", "-", "--format", "jsonl", "--data", str(tmp_path)).stdout.splitlines()
    assert [orjson.loads(line)["customer"] for line in lines] == ["c1", "c2"]
    listed = run("rating", "list", "--grade", "11", "--data", str(tmp_path)).stdout
    assert listed == "2 customers (14: 2)\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["export", "r.csv", "--format", "xml"], "--format: expected csv or jsonl, was 'xml'"),
        (["list", "--grade", "high"], "--grade: expected numbers such as 10,11, was 'high'"),
        (["list", "--at", "yesterday"], "--at: expected a time, was 'yesterday'"),
        (["show", "c1", "--as", "nobody"], "--as: expected officer, auditor, customer, was 'nobody'"),
    ],
)
def test_the_terminal_says_what_to_write(tmp_path: Path, words: list[str], says: str) -> None:
    with closing(open_data(tmp_path, Settings(), SMALL)) as data:
        process(data, STREAM[0])
    answer = run("rating", *words, "--data", str(tmp_path))
    assert says in str(answer.exception)


def test_at_the_terminal_two_persons_lower_a_grade(tmp_path: Path) -> None:
    with closing(open_data(tmp_path, Settings(), SMALL)) as data:
        process(data, STREAM[0])
    words = ["rating", "override", "c1", "--grade", "13", "--reason", "court file", "--data", str(tmp_path)]
    assert "proposed" in run(*words, "--as", "ada").stdout
    assert "expected another person" in str(run(*words, "--as", "ada").exception)
    assert "decided" in run(*words, "--as", "eve").stdout
    shown = run("rating", "show", "c1", "--data", str(tmp_path)).stdout
    assert "rating 13 (medium-low)" in shown
    assert "set by ada, approved by eve until" in shown
    customer = run("rating", "show", "c1", "--as", "customer", "--data", str(tmp_path)).stdout
    assert "13" not in customer
    assert "P-1" not in customer
