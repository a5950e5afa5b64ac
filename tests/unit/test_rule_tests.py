"""The runner of rule tests itself: break a rule or leave a case out, and it must notice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from monitor.cli.rules import app
from monitor.core.rating_config import RatingConfig
from monitor.ruletest import RuleTests, read_cases
from monitor.ruletest.case import Case
from monitor.ruletest.changing import Changes, figures
from monitor.ruletest.generated import lateness_problems, order_problems
from monitor.ruletest.mutation import mutants
from monitor.ruletest.noticing import everything_noticed, noticed
from monitor.ruletest.playing import play
from monitor.ruletest.proposing import Proposal, proposals
from monitor.ruletest.variants import Subject
from monitor.ruletest.writing import case_text, said_in
from rules.errors import RuleError
from rules.loader import load_predicates, read_rule
from rules.vocabulary import load_vocabulary

RULE = """id: X-1
title: Much to somebody new
dimension: fraud
on: payment.transfer
params:
  minimum: {default: 1000 CNY, vip: 9000 CNY}
let:
  out_today: sum(amount, 24h, where=direction == "out")
when: direction == "out" and out_today >= param.minimum and not is_own_account
bands:
  - {when: out_today > 5000 CNY, points: 40, severity: high}
  - {points: 15, severity: medium}
cooldown: 24h
status: live
say: "{out_today} left"
why: it deserves a look
source: practice
verification: P
triage: [look]
owner: me
"""
EVERYTHING = """defaults: {kind: payment.transfer}
cases:
  - name: a thousand in a day hits
    events:
      - {at: +0m, amount: 600}
      - {at: +23h30m, amount: 400}
    expect: {hits: [+23h30m], points: 15, severity: medium, say: "1,000.00 CNY left"}
  - name: one cent less does not
    events:
      - {at: +0m, amount: 999.99}
    expect: {hits: []}
  - name: a day apart does not
    events:
      - {at: +0m, amount: 999}
      - {at: +1d, amount: 999}
    expect: {hits: []}
  - name: what comes in does not count
    events:
      - {at: +0m, amount: 900, direction: in}
      - {at: +1m, amount: 100}
    expect: {hits: []}
  - name: nor is it looked at
    events:
      - {at: +0m, amount: 990}
      - {at: +0m, amount: 5, direction: in}
      - {at: +1m, amount: 10, direction: out, is_own_account: true}
      - {at: +2m, amount: 10, direction: in}
    expect: {hits: []}
  - name: more than five thousand is worse
    events:
      - {at: +0m, amount: 5000.01}
    expect: {hits: [+0m], points: 40}
  - name: five thousand is not
    events:
      - {at: +0m, amount: 5000}
    expect: {hits: [+0m], points: 15}
  - name: a VIP moves more
    profile: {segment: vip}
    events:
      - {at: +0m, amount: 8999.99}
    expect: {hits: []}
  - name: but not that much
    profile: {segment: vip}
    events:
      - {at: +0m, amount: 9000}
    expect: {hits: [+0m], points: 40}
"""


@pytest.fixture(scope="module")
def config(repository: Path):
    return RatingConfig.from_plain(yaml.safe_load((repository / "config/rating.yaml").read_text("utf-8")))


@pytest.fixture
def bench_of(tmp_path, config):
    def make(rule: str, tests: str):
        (tmp_path / "X-1.yaml").write_text(rule, encoding="utf-8")
        (tmp_path / "X-1.test.yaml").write_text(tests, encoding="utf-8")
        rules = [read_rule(tmp_path / "X-1.yaml", rule, "p")]
        bench = RuleTests(rules, load_vocabulary(), {}, load_predicates([tmp_path]), config, None)
        return bench, read_cases(tmp_path / "X-1.test.yaml", load_vocabulary())

    return make


def cases_with(events: str, expect: str, more: str = "") -> str:
    return f"cases:\n  - name: a case\n{more}    events:\n{events}    expect: {expect}\n"


def failures(bench_of, tests: str, rule: str = RULE) -> str:
    bench, cases = bench_of(rule, tests)
    return "\n".join(problem for case in cases for problem in bench.failures(case))


def told_of(bench_of, tests: str) -> str:
    """Return what is wrong with a test file, whether it cannot be read or fails."""
    try:
        return failures(bench_of, tests)
    except RuleError as error:
        return str(error)


PAID = "      - {at: +0m, kind: payment.transfer, amount: 2000}\n"


def test_cases_that_say_everything_pass_and_notice_everything(bench_of):
    bench, cases = bench_of(RULE, EVERYTHING)
    assert [problem for case in cases for problem in bench.failures(case)] == []
    found = noticed(bench, "X-1", cases)
    assert {kind: [str(one) for one in missed] for kind, missed in found.missed.items()} == {
        "conditions": [], "thresholds": [],
    }  # fmt: skip
    assert found.asked == {"conditions": 10, "thresholds": 9}


@pytest.mark.parametrize(
    ("name", "unnoticed"),
    [
        ("one cent less does not", {"param.minimum 1000 CNY becoming 999.99 CNY"}),
        ("five thousand is not", {"out_today > 5000 CNY becoming out_today >= 5000 CNY"}),
        ("a day apart does not", {"24h becoming 25h in sum"}),
        ("a VIP moves more", {"param.minimum for vip 9000 CNY becoming 8999.99 CNY"}),
        ("but not that much", {"param.minimum for vip 9000 CNY becoming 9000.01 CNY"}),
    ],
)
def test_a_case_that_is_left_out_is_missed(bench_of, name, unnoticed):
    bench, cases = bench_of(RULE, EVERYTHING)
    found = noticed(bench, "X-1", [case for case in cases if case.name != name])
    told = [one.problem for missed in found.missed.values() for one in missed]
    for text in unnoticed:
        assert any(text in one for one in told), (text, told)


def test_what_goes_unnoticed_is_told_with_its_place_and_a_hint(bench_of):
    bench, cases = bench_of(RULE, EVERYTHING)
    found = noticed(bench, "X-1", [case for case in cases if case.name != "nor is it looked at"])
    told = {one.problem: (one.line, one.column, one.hint) for one in found.missed["conditions"]}
    line, column, hint = told["is_own_account is never true in a case that decides"]
    assert (line, column) == (9, 65)
    assert hint.startswith("add a case")


def test_evaluating_a_condition_is_not_deciding_by_it(bench_of):
    # `is_own_account` is evaluated as true here, but the amount alone already kept the rule from hitting.
    tests = EVERYTHING.partition("  - name: nor is it looked at")[0] + (
        "  - name: small and own\n    events:\n"
        "      - {at: +0m, amount: 5, is_own_account: true}\n    expect: {hits: []}\n"
    )
    bench, cases = bench_of(RULE, tests)
    told = [one.problem for one in noticed(bench, "X-1", cases).missed["conditions"]]
    assert "is_own_account is never true in a case that decides" in told


def test_several_processes_notice_what_one_does(bench_of):
    bench, cases = bench_of(RULE, EVERYTHING)
    one = everything_noticed(bench, {"X-1": cases[:3]}, 1, lambda rule: None)
    assert one == everything_noticed(bench, {"X-1": cases[:3]}, 2, lambda rule: None)


def test_a_proposed_case_notices_what_was_missed(bench_of):
    bench, cases = bench_of(RULE, EVERYTHING)
    few = [case for case in cases if case.name not in ("one cent less does not", "five thousand is not")]
    before = noticed(bench, "X-1", few)
    found = list(proposals(bench, "X-1", few))
    text = "".join(case_text(one, {"defaults": {"kind": "payment.transfer"}}) for one in found)
    bench, written = bench_of(RULE, "defaults: {kind: payment.transfer}\ncases:\n" + text)
    assert [problem for case in written for problem in bench.failures(case)] == []
    after = noticed(bench, "X-1", [*few, *written])
    assert sum(map(len, before.missed.values())) == 2
    assert sum(map(len, after.missed.values())) == 0


DEFAULTS = """rule: X-1
defaults: {kind: payment.transfer, direction: out, counterparty: {account: "null", country: CN}}
profile: {segment: vip, residence_country: CN}
lists: {banned: [a]}
cases:
  - name: of every kind
    profile: {residence_country: ~}
    lists: {banned: [b, "1"]}
    with: X-2
    events:
      - {at: +0m, amount: 2000, direction: ~}
      - {at: +1m, kind: legal.case, field.kind: default}
      - {at: +2m, kind: payment.transfer, amount: 5, counterparty: {account: ~}}
      - {at: +3m, kind: balance.snapshot, balance: 5}
      - {again: e1}
      - {tick: +3h}
    expect: {hits: []}
"""


def test_what_is_not_said_leaves_out_the_default(bench_of):
    _, (case,) = bench_of(RULE, DEFAULTS)
    first, second, third, *_ = case.steps
    assert dict(case.profile) == {"segment": "vip"}
    assert dict(first.values) == {
        "amount": "2000",
        "counterparty.account": "null",
        "counterparty.country": "CN",
    }
    assert dict(second.values) == {"kind": "default"}
    assert dict(third.values) == {"amount": "5", "direction": "out", "counterparty.country": "CN"}


@pytest.mark.parametrize("tests", [DEFAULTS, EVERYTHING])
def test_every_changed_case_is_read_as_it_was_written(bench_of, tests):
    bench, cases = bench_of(RULE, tests)
    outer, by_line = said_in(cases[0].file)
    changes = Changes(bench.vocabulary, figures(Subject(bench.rules["X-1"], bench.predicates)))
    for case in cases:
        made = [*changes.of(case)]
        texts = [case_text(Proposal(one, (), 0, ()), outer, by_line[case.line]) for one in made]
        head = tests.partition("cases:")[0]
        _, again = bench_of(RULE, head + "cases:\n" + "".join(texts))
        assert [_played(one) for one in again] == [_played(one) for one in made]


def _played(case: Case) -> tuple[Any, ...]:
    steps = [
        (None if step.again else step.at_ms, step.kind, step.id, dict(step.values), step.again)
        for step in case.steps
    ]
    return steps, dict(case.profile), dict(case.account), case.lists, case.others, case.start


@pytest.mark.parametrize(("window", "is_asked"), [("1 events", False), ("3 events, min_n=2", True)])
def test_the_last_of_one_event_is_the_last_of_two(window, is_asked):
    text = RULE.replace("not is_own_account", f"last(amount, {window}) > 5 CNY")
    rule = read_rule(Path("X-1.yaml"), text, "p")
    problems = [one.told.problem for one in mutants(Subject(rule, {}))]
    assert any("events becoming" in problem for problem in problems) == is_asked


def test_officers_decide_alerts_and_ratings_follow(bench_of):
    tests = cases_with(
        PAID
        + "      - {at: +5m, action: take, by: anna}\n"
        + "      - {at: +6m, kind: payment.transfer, amount: 10}\n"
        + "      - {at: +7m, action: close, outcome: false_positive, by: anna, reason: rent}\n"
        + "      - {at: +8m, action: take, by: bert, refused: true}\n"
        + "      - {at: +2d, kind: payment.transfer, amount: 3000}\n",
        "{hits: [+0m, +6m, +2d], alerts: [{at: +0m, status: closed, hits: 2, disposition: false_positive},"
        " {at: +2d, status: open, severity: medium, assignee: none}],"
        " rating: [{at: +6m, grade: 14, score: 12.75}, {at: +8m, grade: 14, score: 7.5}, {grade: 14}]}",
    )
    assert failures(bench_of, tests) == ""


def test_four_eyes_take_two_persons(bench_of):
    close = "action: close, outcome: true_positive"
    tests = cases_with(
        PAID
        + f"      - {{at: +5m, {close}, by: anna}}\n"
        + f"      - {{at: +6m, {close}, by: anna, refused: true}}\n"
        + f"      - {{at: +7m, {close}, by: bert}}\n",
        "{hits: [+0m], alerts: [{at: +0m, status: closed, proposed_by: anna}]}",
        more="    four_eyes: [medium]\n",
    )
    assert failures(bench_of, tests) == ""
    alone = failures(bench_of, tests.replace("    four_eyes: [medium]\n", ""))
    assert "refused: cannot close alert" in alone


def test_a_person_sets_the_grade(bench_of):
    tests = cases_with(
        PAID + "      - {at: +5m, action: override, grade: 10, by: anna}\n"
        "      - {at: +6m, action: override, grade: 14, by: bert}\n"
        "      - {at: +7m, action: override, grade: 14, by: bert, refused: true}\n",
        "{hits: [+0m], rating: [{at: +4m, grade: 14}, {grade: 10}]}",
    )
    assert failures(bench_of, tests) == ""


def test_a_snoozed_alert_wakes_with_time(bench_of):
    tests = cases_with(
        PAID + "      - {at: +5m, action: snooze, until: +2h, by: anna}\n      - {tick: +3h}\n",
        "{hits: [+0m], alerts: [{at: +0m, status: open}]}",
    )
    assert failures(bench_of, tests) == ""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("status: closed", "status: open", "  - open\n  + closed"),
        ("by: bert", "by: anna", "refused: cannot close alert"),
        ("alerts: [{at: +0m", "alerts: [{at: +1m", "expected alerts: +1m\n  was:             +0m"),
        ("action: close", "action: reopen", "reopen takes no 'outcome'"),
        ("action: close", "action: shut", "unknown action 'shut'"),
        ("by: bert", "by: bert, refused: true", "expected to be refused, was carried out"),
    ],
)
def test_what_the_desk_did_otherwise_is_told(bench_of, old, new, told):
    close = "action: close, outcome: true_positive"
    tests = cases_with(
        PAID + f"      - {{at: +5m, {close}, by: anna}}\n      - {{at: +7m, {close}, by: bert}}\n",
        "{hits: [+0m], alerts: [{at: +0m, status: closed}]}",
        more="    four_eyes: [medium]\n",
    )
    assert old in tests
    assert told in told_of(bench_of, tests.replace(old, new))


def test_a_case_may_set_figures_of_its_own(bench_of):
    tests = cases_with(PAID, "{hits: []}", more="    params: {minimum: 2000.01 CNY}\n")
    assert failures(bench_of, tests) == ""
    assert "unknown parameter 'minimun'" in failures(bench_of, tests.replace("minimum", "minimun"))


def test_what_a_hit_saw_may_be_expected(bench_of):
    tests = cases_with(PAID, "{hits: [+0m], saw: {out_today: 2000.00 CNY, param.minimum: 1000.00 CNY}}")
    assert failures(bench_of, tests) == ""
    assert "saw.out_today of the hit" in failures(bench_of, tests.replace("2000.00", "2000.01"))


def test_a_rule_alone_answers_as_among_others(bench_of):
    # An employee's rule that remembers nothing needs its stage all the same.
    rule = RULE.replace("on: payment.transfer", "on: access.denied\nsubject: employee")
    head, rest = rule.partition("params:")[0], rule.partition("cooldown:")[2]
    rule = head + "when: missing(reason)\npoints: 5\nseverity: low\ncooldown:" + rest
    rule = rule.replace('"{out_today} left"', '"looked"')
    tests = cases_with("      - {at: +0m, kind: access.denied}\n", "{hits: [+0m]}")
    assert failures(bench_of, tests, rule) == ""


def test_an_answer_that_changes_when_late_is_told(bench_of):
    bench, cases = bench_of(RULE, EVERYTHING)
    case = cases[0]
    timeline, engine = bench.timelines.of(case), bench.own(case)
    hits = play(engine, timeline).hits

    def told(answer):
        return lateness_problems(bench.timelines, engine, timeline, hits, answer)

    assert told(lambda late: play(engine, late).hits) == []
    graver = lambda late: [replace(hit, severity=f"{len(late.moments)}") for hit in play(engine, late).hits]  # noqa: E731
    assert "hits in time, late: 3" in told(graver)[0]
    unmarked = lambda late: [replace(hit, late=False) for hit in play(engine, late).hits]  # noqa: E731
    assert "is not marked late" in told(unmarked)[0]


def test_an_answer_that_hangs_on_the_order_of_arrival_is_told(bench_of):
    paid = "      - {{at: +{0}m, kind: payment.transfer, amount: 400}}\n"
    tests = cases_with("".join(paid.format(minute) for minute in range(3)), "{hits: [+2m]}")
    bench, (case,) = bench_of(RULE, tests)
    timeline, engine = bench.timelines.of(case), bench.own(case)
    hits = play(engine, timeline).hits

    def told(answer):
        return order_problems(bench.timelines, engine, timeline, hits, answer)

    assert bench.failures(case) == []
    assert told(lambda turned: play(engine, turned).hits) == []
    assert "after the others in reverse order: no hit" in told(lambda turned: [])[0]
    again = replace(case, steps=(*case.steps[:2], replace(case.steps[2], values={"reversal_of": "e1"})))
    timeline = bench.timelines.of(again)
    assert told(lambda turned: []) == []


def run(*arguments):
    return CliRunner().invoke(app, ["test", *map(str, arguments)])


@pytest.fixture
def pack(tmp_path, repository, monkeypatch):
    monkeypatch.chdir(repository)
    (tmp_path / "X-1.yaml").write_text(RULE, encoding="utf-8")
    (tmp_path / "X-1.test.yaml").write_text(EVERYTHING, encoding="utf-8")
    return tmp_path


def test_the_command_sums_up_by_pack_and_can_demand_a_share(pack):
    result = run(pack, "--coverage", "--jobs", "1", "--at-least", "100")
    assert result.exit_code == 0, result.output
    assert "100.0" in result.output
    text = EVERYTHING.partition("  - name: a VIP moves more")[0]
    (pack / "X-1.test.yaml").write_text(text, encoding="utf-8")
    result = run(pack, "--coverage", "--jobs", "1", "--at-least", "90", "--propose")
    assert result.exit_code == 1
    assert "no case notices param.minimum for vip 9000 CNY becoming 8999.99 CNY" in result.output
    assert "profile: {segment: vip}" in result.output
    assert "expected at least 90 %" in result.output


def test_the_command_prints_json(pack):
    plain = json.loads(run(pack, "--coverage", "--jobs", "1", "--json").output)
    assert plain["total"]["thresholds"] == {"asked": 9, "missed": 0, "percent": 100.0}
    assert plain["missed"] == []
    assert json.loads(run(pack, "--jobs", "1", "--json").output)["failures"] == []
