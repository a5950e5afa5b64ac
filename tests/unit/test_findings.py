"""What a payment turned out to be counts once for every live rule that hit it, by the last word about it."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import pytest
from typer.testing import CliRunner

from monitor.app import open_data
from monitor.cli.rules import app
from monitor.counting import CountingSensor
from monitor.precision import Precision, precisions
from monitor.reader import Reader
from monitor.recompute import proof
from monitor.rule_service import MonitorRules
from monitor.settings import Settings
from monitor.testing import configuration, record, with_rules
from streams.ports import Record
from streams.stores.sqlite import read_only

DAY_MS = 86_400_000
RULES = with_rules(
    configuration("flow"),
    {"id": "A-124", "on": "payment.transfer", "when": "amount >= 1000 CNY", "points": 4},
    {"id": "A-125", "on": "payment.transfer", "when": "amount >= 5000 CNY", "points": 4},
    {"id": "A-126", "on": "payment.transfer", "when": "amount > 0 CNY", "points": 4, "status": "shadow"},
)
PAYMENTS = [("p1", "9000"), ("p2", "2000"), ("p3", "3000"), ("p4", "20")]


def verdict(name: str, of_event: str, verdict: str) -> bytes:
    return record(name, "verdict", DAY_MS, of_event=of_event, verdict=verdict)


TOLD = [
    record("t1", "fraud.reported_by_customer", DAY_MS, of_event="p1"),
    record("t2", "card.chargeback", DAY_MS, of_event="p1"),
    verdict("t3", "p1", "fraud"),
    verdict("t4", "p2", "genuine"),
    verdict("t5", "p2", "suspicious"),
    verdict("t6", "p3", "genuine"),
    verdict("t7", "p4", "fraud"),
    verdict("t8", "later", "fraud"),
    record("later", "payment.transfer", DAY_MS, amount="9000", direction="out"),
]
EXPECTED = {"A-124": (1, 2), "A-125": (1, 0)}


@pytest.fixture
def data(tmp_path):
    """A data directory in which four payments were made and judged."""
    play(tmp_path)
    return tmp_path


def play(folder: Any, sensor: CountingSensor | None = None) -> None:
    with closing(open_data(folder, Settings(), RULES, sync="normal", sensor=sensor)) as opened:
        made = [record(name, "payment.transfer", 0, amount=yuan, direction="out") for name, yuan in PAYMENTS]
        opened.processor.process([Record(body) for body in (*made, *TOLD, *TOLD)])


def found(folder: Any) -> dict[str, tuple[int, int]]:
    with closing(read_only(folder / "riskmon.db")) as db:
        return {name: (one.fraud, one.genuine) for name, one in precisions(db).items()}


def test_a_payment_told_of_three_times_is_one_finding_of_each_live_rule(data):
    assert found(data) == EXPECTED


def test_the_metric_counts_the_same_payments(tmp_path):
    sensor = CountingSensor()
    play(tmp_path, sensor)
    counted = sensor.counts["rule_findings"]
    assert {name: (counted[name, "fraud"], counted[name, "genuine"]) for name in EXPECTED} == EXPECTED


def test_findings_survive_a_restart_and_the_last_word_counts(data):
    with closing(open_data(data, Settings(), RULES, sync="normal")) as opened:
        opened.processor.process([Record(verdict("t9", "p1", "genuine"))])
    assert found(data) == {"A-124": (0, 3), "A-125": (0, 1)}


def test_a_directory_from_before_findings_were_kept_gathers_them_once(data):
    with closing(open_data(data, Settings(), RULES, sync="normal")) as opened:
        opened.store.db.execute("DROP TABLE findings")
        opened.store.db.execute("DELETE FROM meta WHERE key = 'findings'")
    told = CliRunner().invoke(app, ["list", "--packs", "flow", "--data", str(data)])
    assert "made before findings were kept" in str(told.exception)
    assert [one for one in proof(data) if "schema" not in str(one)] == []
    open_data(data, Settings(), RULES, sync="normal").close()
    assert found(data) == EXPECTED
    assert list(proof(data)) == []


def test_a_finding_that_was_changed_by_hand_is_no_longer_proven(data):
    assert list(proof(data)) == []
    with closing(open_data(data, Settings(), RULES, sync="normal")) as opened:
        opened.store.db.execute("UPDATE findings SET is_fraud = 0 WHERE rule = 'A-125'")
    assert ["findings A-125" in str(one) for one in proof(data)] == [True]


def test_rules_are_listed_with_what_their_payments_turned_out_to_be(data, repository, monkeypatch):
    monkeypatch.chdir(repository)
    command = ["list", "--packs", "flow", "--data", str(data)]
    rows = {row["id"]: row for row in json.loads(CliRunner().invoke(app, [*command, "--json"]).output)}
    names = ("judged", "fraud", "genuine", "precision")
    assert [rows["A-124"][name] for name in names] == [3, 1, 2, 1 / 3]
    assert [rows["A-121"][name] for name in names] == [None, None, None, None]
    lines = CliRunner().invoke(app, command).output.splitlines()
    (right,) = [line.split() for line in lines if line.strip().startswith("A-124 ")]
    assert right[-6:] == ["live", "3", "1", "2", "33.3", "%"]
    (silent,) = [line.split() for line in lines if line.strip().startswith("A-121 ")]
    assert silent[-1] == "live"


def test_without_data_rules_are_listed_without_figures(repository, monkeypatch):
    monkeypatch.chdir(repository)
    rows = json.loads(CliRunner().invoke(app, ["list", "--packs", "flow", "--json"]).output)
    assert "precision" not in rows[0]


def test_the_page_has_the_noisiest_rule_first_with_its_title(data):
    rules = MonitorRules(Reader(lambda: read_only(data / "riskmon.db")))
    assert [dict(one) for one in rules.precision()] == [
        {"rule": "A-124", "title": "A rule under test", "status": "live", "judged": 3, "fraud": 1,
         "genuine": 2, "precision": 1 / 3},
        {"rule": "A-125", "title": "A rule under test", "status": "live", "judged": 1, "fraud": 1,
         "genuine": 0, "precision": 1.0},
    ]  # fmt: skip


def test_nothing_judged_has_no_precision():
    assert Precision(rule="A-1", fraud=0, genuine=0).precision is None
