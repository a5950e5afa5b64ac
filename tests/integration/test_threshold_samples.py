"""Thresholds moved in steps, samples around the line, and shadow rules beside live ones."""

from __future__ import annotations

import csv
import json
from contextlib import closing

import pytest
from typer.testing import CliRunner

from monitor.backtest.job import Origin
from monitor.backtest.line import Line, moved_line
from monitor.backtest.past import Past
from monitor.backtest.run import period_of
from monitor.backtest.shadow import shadow_report
from monitor.backtest.threshold import ThresholdError
from monitor.backtest.verdicts import verdicts_of
from monitor.candidates import Known
from monitor.cli import build_app

DAY_MS = 86_400_000
LARGE = "amount >= 10000 CNY"


@pytest.fixture
def move(small_bank):
    def moved(**asked):
        origin = Origin(small_bank.data)
        with closing(origin.connect()) as db:
            ends = small_bank.start_ms, small_bank.start_ms + 11 * DAY_MS
            line = Line(**({"rule": "X-1", "comparison": LARGE, "steps": 2, "by": "2000"} | asked))
            return moved_line(db, origin, Known.of(db).in_force, period_of(Past(db), *ends, None), line)

    return moved


def amount(small_bank, event):
    return next(float(one["amount"]) for one in small_bank.payments if one["event_id"] == event)


def test_every_step_hits_as_many_payments_as_there_are(small_bank, move):
    amounts = [float(one["amount"]) for one in small_bank.payments]
    assert [(step["figure"], step["hits"]) for step in move()["steps"]] == [
        (f"{line} CNY", sum(one >= line for one in amounts)) for line in (6000, 8000, 10_000, 12_000, 14_000)
    ]


def test_alerts_of_the_step_in_force_are_those_of_the_rule(small_bank, move):
    with closing(Origin(small_bank.data).connect()) as db:
        (count,) = db.execute("SELECT COUNT(*) FROM alerts WHERE rule = 'X-1'").fetchone()
    step = next(step for step in move()["steps"] if not step["step"])
    assert step["alerts"] == count
    assert (step["confirmed"] > 0, step["refuted"] > 0) == (True, True)


def test_samples_lie_where_they_say_one_of_a_subject(small_bank, move):
    found = move(sample=6)
    for side, bands in (("above", {1: (10_000, 12_000), 2: (12_000, 14_000)}),
                        ("below", {1: (8000, 10_000), 2: (6000, 8000)})):  # fmt: skip
        assert len(found[side]) == 6
        assert len({one["subject"] for one in found[side]}) == 6
        for one in found[side]:
            low, high = bands[one["band"]]
            assert low <= amount(small_bank, one["event"]) < high


def test_anybody_draws_the_same_samples_and_another_seed_draws_others(move):
    first, second, other = move(sample=4), move(sample=4), move(sample=4, seed=2)
    assert first == second
    assert first["hash"] != other["hash"]
    assert first["above"] + first["below"] != other["above"] + other["below"]


def test_what_is_known_of_a_drawn_hit_is_counted_from_closed_alerts(move):
    found = move(sample=40)
    assert {"confirmed", "refuted"} <= {one["verdict"] for one in found["above"]}


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"rule": "X-9"}, "no rule 'X-9'"),
        ({"comparison": "", "param": "minimum"}, "no parameter 'minimum'"),
        ({"comparison": "amount >= 9 CNY"}, "is not written there"),
        ({"comparison": "amount"}, "has 0 figures"),
        ({"by": "a bit"}, "--by: expected a share or a size"),
    ],
)
def test_a_threshold_that_is_not_there_is_told(move, asked, problem):
    with pytest.raises(ThresholdError, match=problem):
        move(**asked)


def test_the_command_writes_tables_a_plot_and_what_reviewers_fill_in(small_bank, tmp_path, monkeypatch):
    monkeypatch.chdir(small_bank.folder)
    out = tmp_path / "out"
    arguments = ["rules", "sample", "X-1", "--comparison", LARGE, "--data", str(small_bank.data)]
    ran = CliRunner().invoke(build_app("rules"), [*arguments, "--out", str(out), "--sample", "3"])
    assert ran.exit_code == 0, ran.output
    found = json.loads((out / "sample.json").read_text(encoding="utf-8"))
    assert found["hash"][:16] in ran.output
    rows = list(csv.DictReader((out / "sample.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["event"] for row in rows] == [one["event"] for one in found["above"] + found["below"]]
    assert (out / "steps.svg").read_text(encoding="utf-8").startswith("<svg ")


@pytest.fixture
def shadows(small_bank):
    with closing(Origin(small_bank.data).connect()) as db:
        period = period_of(Past(db), small_bank.start_ms, small_bank.start_ms + 11 * DAY_MS, None)
        configuration = Known.of(db).in_force
        verdicts = verdicts_of(db, Past(db), period, configuration)
        return shadow_report(db, configuration, period, verdicts)["rules"]


def test_a_shadow_rule_is_told_with_the_customers_that_live_rules_alerted_too(small_bank, shadows):
    (row,) = shadows
    ours = {one["customer_id"] for one in small_bank.payments if float(one["amount"]) >= 5000}
    with closing(Origin(small_bank.data).connect()) as db:
        live = {
            name
            for (name,) in db.execute("SELECT subject_id FROM alerts WHERE rule IN ('X-1', 'X-2')").fetchall()
        }
    assert (row["rule"], row["customers"]) == ("X-3", len(ours))
    assert (row["also_alerted"], row["alone"]) == (len(ours & live), len(ours - live))
    assert row["hits"] == sum(float(one["amount"]) >= 5000 for one in small_bank.payments)
    assert sum(row["days"].values()) == row["hits"]


def test_alerts_it_would_have_raised_are_bounded_by_subjects_and_cooldowns(small_bank, shadows):
    (row,) = shadows
    opened, most = {}, 0
    for one in small_bank.payments:
        day = int(one["event_id"][1:].split("-")[0])
        if float(one["amount"]) >= 5000 and day >= opened.get(one["customer_id"], -1) + 1:
            opened[one["customer_id"]] = day
            most += 1
    assert (row["alerts_least"], row["alerts_most"]) == (len(opened), most)


def test_what_is_said_of_a_shadow_rule_is_in_its_figures(shadows):
    (row,) = shadows
    decided = row["confirmed"] + row["refuted"]
    assert f"Of {decided} customers with a verdict {row['confirmed']} were confirmed" in row["says"]
