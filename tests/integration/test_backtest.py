"""A back-test over a small bank: equal to the ledger, equal twice, and it touches nothing."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections import Counter
from contextlib import closing

import orjson
import pytest
from typer.testing import CliRunner

from alerts.facts import RATING_RULE
from monitor.backtest.bench import Request, backtest
from monitor.backtest.job import Job, Origin
from monitor.backtest.page import page
from monitor.backtest.past import Past
from monitor.backtest.run import period_of, run
from monitor.candidates import Known, overlaid, without
from monitor.cli import build_app
from monitor.database import connect_postgres
from rules.errors import RuleError
from streams.stores.sqlite import read_only

DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def bank(small_bank):
    return small_bank.folder


@pytest.fixture(scope="module")
def compare(bank, small_bank):
    def compared(candidate=None, from_day=0, to_day=11, warm_up_ms=None):
        origin = Origin(bank / "data")
        with closing(origin.connect()) as db:
            known = Known.of(db)
            ends = small_bank.start_ms + from_day * DAY_MS, small_bank.start_ms + to_day * DAY_MS
            request = Request(
                origin=origin,
                period=period_of(Past(db), *ends, warm_up_ms),
                baseline=known.in_force,
                candidate=candidate(known.in_force) if candidate else None,
                side_by_side=False,
            )
            return backtest(db, request)

    return compared


@pytest.fixture(scope="module")
def alone(compare):
    return compare()


@pytest.fixture(scope="module")
def fewer(compare):
    return compare(lambda base: without(base, ["X-2"]))


def ledger(bank, kind):
    with closing(read_only(bank / "data" / "riskmon.db")) as db:
        rows = db.execute("SELECT time_ms, subject, body FROM ledger WHERE kind = ?", (kind,)).fetchall()
    return [(time_ms, subject, json.loads(body)) for time_ms, subject, body in rows]


def by_rule(report):
    return {row["rule"]: row for row in report["rules"]}


def test_the_rules_in_force_against_themselves_differ_in_nothing(compare):
    report = compare(lambda base: base)
    assert report["sides"]["before"] == report["sides"]["after"]
    assert all(
        row["before"] == row["after"] and not row["gained"] and not row["lost"] for row in report["rules"]
    )
    assert report["grades"]["end_riskier"] == report["grades"]["end_safer"] == 0
    assert report["differences"][-1] == "nothing differs"


def test_the_baseline_has_the_hits_alerts_and_grades_that_the_ledger_has(bank, alone):
    report = alone
    hits = Counter(body["rule"] for _, _, body in ledger(bank, "hit"))
    raised = Counter(body["rule"] for _, _, body in ledger(bank, "alert") if body["action"] == "raised")
    assert {
        row["rule"]: row["before"]["hits"] for row in report["rules"] if row["rule"] != RATING_RULE
    } == hits
    assert {
        row["rule"]: row["before"]["alerts"] for row in report["rules"] if row["before"]["alerts"]
    } == raised
    assert sum(row["before"] for row in report["days"]) == sum(raised.values())
    last = {subject: body["grade"] for _, subject, body in ledger(bank, "rating")}
    at_end = Counter(last.values())
    assert [report["grades"]["end"][n][n] for n in range(5)] == [at_end[grade] for grade in range(10, 15)]


DECIDED = (
    "SELECT time_ms, kind, subject, body FROM ledger"
    " WHERE kind IN ('hit', 'rating', 'rating_notice', 'alert', 'late') ORDER BY seq"
)


def test_a_run_by_the_rules_of_the_past_writes_the_ledger_of_the_past(bank, small_bank, tmp_path):
    origin = Origin(bank / "data")
    with closing(origin.connect()) as db:
        known, period = Known.of(db), period_of(Past(db), 0, small_bank.start_ms + 11 * DAY_MS, None)
        run(
            Job(
                name="again",
                origin=origin,
                archive=known.in_force.archive,
                period=period,
                scratch=tmp_path / "again.db",
                cache_subjects=10,
            )
        )
        decided = db.execute(DECIDED).fetchall()
    with closing(sqlite3.connect(tmp_path / "again.db")) as again:
        assert again.execute(DECIDED).fetchall() == decided
    actions = {json.loads(body).get("action") for _, kind, _, body in decided if kind == "alert"}
    assert {"raised", "repeated", "close", "snooze", "wake"} <= actions


def test_a_lower_threshold_gains_exactly_the_payments_between_the_two(small_bank, bank, compare, tmp_path):
    small_bank.write(tmp_path, "X-1", when="amount >= 7000 CNY")
    row = by_rule(compare(lambda base: overlaid(base, [tmp_path])))["X-1"]
    between = [body for body in small_bank.payments if 7000 <= float(body["amount"]) < 10_000]
    assert (row["gained"], row["lost"]) == (len(between), 0)
    assert row["gained_examples"][0]["event"] == between[0]["event_id"]


def test_a_rule_left_out_loses_its_hits_and_the_others_keep_theirs(bank, fewer):
    rows = by_rule(fewer)
    count = sum(body["rule"] == "X-2" for _, _, body in ledger(bank, "hit"))
    assert (rows["X-2"]["lost"], rows["X-2"]["after"]["hits"]) == (count, 0)
    assert [rows[name]["lost"] for name in ("X-1", "X-3")] == [0, 0]


def test_customers_only_one_rule_alerts_are_those_no_other_rule_names(bank, alone):
    rows = by_rule(alone)
    whom = {}
    for _, subject, body in ledger(bank, "alert"):
        if body["action"] == "raised":
            whom.setdefault(body["rule"], set()).add(subject)
    assert rows["X-1"]["before"]["only_this_rule"] == len(whom["X-1"] - whom["X-2"])
    assert rows["X-2"]["if_removed"]["customers"] == len(whom["X-2"] - whom["X-1"])


def test_precision_counts_verdicts_on_alerts_and_on_their_payments(bank, alone):
    report = alone
    verdicts = Counter(
        body["disposition"] for _, _, body in ledger(bank, "alert") if body["action"] == "close"
    )
    assert report["verdicts"]["alerts"] == sum(verdicts.values()) == 4
    assert report["verdicts"]["events"] == 2
    ours = report["sides"]["before"]
    assert ours["confirmed"] >= 2
    assert ours["refuted"] >= 1
    assert ours["precision"] == round(ours["confirmed"] / (ours["confirmed"] + ours["refuted"]), 4)


def test_actions_of_officers_are_carried_out_on_alerts_of_the_same_rule_and_subject(
    small_bank, compare, tmp_path
):
    # Another version of the rule: its alerts have other ids, the actions find them all the same.
    small_bank.write(tmp_path, "X-1", title="Large payment, said otherwise")
    replayed = compare(lambda base: overlaid(base, [tmp_path]))["sides"]["after"]["replayed"]
    assert (replayed["actions"], replayed["void"]) == (5, 0)


def test_actions_without_an_alert_are_void(compare):
    replayed = compare(lambda base: without(base, ["X-1"]))["sides"]["after"]["replayed"]
    assert (replayed["actions"], replayed["void"]) == (0, 5)


def test_a_shadow_rule_that_goes_live_raises_alerts_and_moves_grades(small_bank, compare, tmp_path):
    small_bank.write(tmp_path, "X-3", status="live", points=90)
    report = compare(lambda base: overlaid(base, [tmp_path]))
    row = by_rule(report)["X-3"]
    assert (row["gained"], row["lost"]) == (0, 0)
    assert (row["before"]["alerts"], row["after"]["alerts"] > 0) == (0, True)
    assert report["grades"]["end_riskier"] > 0
    assert all(one["after"] < one["before"] for one in report["grades"]["moved"])


def test_a_later_beginning_is_warmed_up_by_what_came_before(small_bank, bank, compare):
    report = compare(from_day=5)
    late = [body for time_ms, _, body in ledger(bank, "hit") if time_ms >= small_bank.start_ms + 5 * DAY_MS]
    assert by_rule(report)["X-2"]["before"]["hits"] == sum(body["rule"] == "X-2" for body in late)
    assert report["sides"]["before"]["replayed"]["before"] > 0


def test_a_short_warm_up_passes_over_older_events(compare):
    replayed = compare(from_day=5, warm_up_ms=3 * DAY_MS)["sides"]["before"]["replayed"]
    assert replayed["passed_over"] > 0
    assert (
        by_rule(compare(from_day=5, warm_up_ms=3 * DAY_MS))["X-2"]["before"]["hits"]
        == (by_rule(compare(from_day=5))["X-2"]["before"]["hits"])
    )


def test_the_same_request_gives_the_same_bytes_and_leaves_the_database_alone(fewer, bank, compare):
    file = bank / "data" / "riskmon.db"
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    first, second = fewer, compare(lambda base: without(base, ["X-2"]))
    assert orjson.dumps(first) == orjson.dumps(second)
    assert page(first) == page(second)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == before


def test_the_page_is_one_file_without_scripts_or_addresses(fewer):
    text = page(fewer)
    assert "<script" not in text
    assert not re.search(r'(src|href)="', text)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert text.count("<svg") == 2


def riskmon(*arguments):
    return CliRunner().invoke(build_app("rules"), ["rules", *(str(argument) for argument in arguments)])


def test_the_command_says_what_differs_and_how_fast_it_was(bank, tmp_path, repository, monkeypatch):
    monkeypatch.chdir(repository)
    ran = riskmon("backtest", "--data", bank / "data", "--without", "X-2", "--html", tmp_path / "b.html")
    assert ran.exit_code == 0, ran.output
    assert "rules removed: 1" in ran.output
    assert " x real time" in ran.output
    assert (tmp_path / "b.html").read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--without", "X-9"], "X-9: no such rule"),
        (["--candidate", "nowhere"], "no pack 'nowhere'"),
        (["--warm-up", "soon"], "--warm-up: expected days, was 'soon'"),
        (["--from", "2030-01-01T00:00:00Z"], "the period holds nothing of the journal"),
        (["--with", "nowhere"], "--with: nowhere: no such folder"),
    ],
)
def test_a_wrong_argument_is_one_sentence(bank, repository, monkeypatch, arguments, problem):
    monkeypatch.chdir(repository)
    ran = riskmon("backtest", "--data", bank / "data", *arguments)
    assert ran.exit_code != 0
    assert problem in f"{ran.output}{ran.exception}"


def test_mistakes_of_a_candidate_are_told_before_anything_is_replayed(compare, small_bank, tmp_path):
    small_bank.write(tmp_path, "X-1", when="amuont >= 7000 CNY")
    with pytest.raises(RuleError, match="did you mean 'amount'"):
        compare(lambda base: overlaid(base, [tmp_path]))


def test_scratch_databases_are_gone_afterwards(compare, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    compare()
    assert not list(tmp_path.glob("riskmon-backtest-*"))


TABLES = ("journal", "meta", "artifacts", "ledger", "alerts", "alert_customers", "alert_hits")


def copy_into(small_bank, url):
    """Give a cluster's database what the file has."""
    with closing(read_only(small_bank.data / "riskmon.db")) as file, closing(connect_postgres(url)) as db:
        for table in TABLES:
            rows = file.execute(f"SELECT * FROM {table}")
            names = [column[0] for column in rows.description]
            places = ", ".join("?" * len(names))
            db.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})", rows.fetchall())


@pytest.mark.postgres
def test_a_database_of_a_cluster_gives_the_same_report(small_bank, fewer, migrated_url):
    copy_into(small_bank, migrated_url)
    origin = Origin(small_bank.data, migrated_url)
    ends = small_bank.start_ms, small_bank.start_ms + 11 * DAY_MS
    with closing(origin.connect()) as db:
        known = Known.of(db)
        request = Request(
            origin=origin,
            period=period_of(Past(db), *ends, None),
            baseline=known.in_force,
            candidate=without(known.in_force, ["X-2"]),
        )
        assert backtest(db, request) == fewer
