"""`riskmon rules` as its users see it: what it prints and how it ends."""

from __future__ import annotations

import json
import shutil

import pytest
from typer.testing import CliRunner

from monitor.app import open_data
from monitor.cli.output import configured
from monitor.cli.rules import app
from rules.lint import remarks
from rules.loader import load_packs

RULE = """id: X-1
title: Large payment
dimension: fraud
on: payment.transfer
when: amount >= 1000 CNY
points: 15
severity: high
status: live
say: "{amount} moved"
why: large payments deserve a look
source: practice
verification: P
triage: [look]
owner: me
"""
TEST = """defaults: {kind: payment.transfer}
cases:
  - name: the amount hits
    events:
      - {at: +0m, amount: 1000}
    expect: {hits: [+0m], points: 15, say: "1,000.00 CNY moved"}
  - name: less does not
    events:
      - {at: +0m, amount: 999.99}
    expect: {hits: []}
"""


@pytest.fixture
def pack(tmp_path, repository, monkeypatch):
    monkeypatch.chdir(repository)
    (tmp_path / "X-1.yaml").write_text(RULE, encoding="utf-8")
    (tmp_path / "X-1.test.yaml").write_text(TEST, encoding="utf-8")
    return tmp_path


def riskmon(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def change(pack, name, old, new):
    path = pack / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_check_of_good_rules_sums_them_up(pack):
    result = riskmon("check", pack)
    assert result.exit_code == 0
    assert result.output.startswith("1 rules in 1 packs (1 live, 0 shadow, 0 draft), 2 test cases\n")


def test_check_tells_mistakes_of_keys_and_expressions_together(pack):
    change(pack, "X-1.yaml", "dimension: fraud", "dimension: frod")
    change(pack, "X-1.yaml", "when: amount", "when: amuont")
    result = riskmon("check", pack)
    assert result.exit_code == 1
    assert f"{pack}/X-1.yaml:3:12: dimension: unknown 'frod'\n  hint: did you mean 'fraud'?" in result.output
    assert f"{pack}/X-1.yaml:5:7: unknown field 'amuont'\n  hint: did you mean 'amount'?" in result.output
    assert result.output.endswith("2 mistakes: nothing of this is used\n")


def test_check_of_a_folder_that_is_missing_ends_with_status_2(pack):
    result = riskmon("check", pack / "nowhere")
    assert (result.exit_code, "no such file or folder" in result.stderr) == (2, True)


def test_tests_that_pass_are_counted(pack):
    result = riskmon("test", pack)
    assert (result.exit_code, result.output) == (0, "2 of 2 cases of 1 rules passed\n")


def test_one_test_file_and_a_filter_pick_cases(pack):
    result = riskmon("test", pack / "X-1.test.yaml", "--filter", "LESS")
    assert (result.exit_code, result.output) == (0, "1 of 1 cases of 1 rules passed\n")
    assert riskmon("test", pack, "--filter", "nothing like it").exit_code == 2


def test_a_hit_that_should_not_be_is_shown_with_its_place_and_sentence(pack):
    change(pack, "X-1.test.yaml", "hits: []", "hits: [+5m]")
    change(pack, "X-1.test.yaml", "amount: 999.99", "amount: 2000")
    result = riskmon("test", pack)
    assert result.exit_code == 1
    assert result.output == (
        f"{pack}/X-1.test.yaml:10: less does not\n"
        "  expected hits: +5m\n"
        "  was:           +0m\n"
        "    +0m  payment.transfer  e1  amount 2000\n"
        "  + hit at +0m: high, 15 points: 2,000.00 CNY moved\n"
        "      saw amount 2000.00 CNY\n"
        "  - hit at +5m: the rule looks at no event then, and no time runs out\n"
        "1 of 2 cases of 1 rules passed\n"
    )


def test_other_points_are_shown_beside_the_expected(pack):
    change(pack, "X-1.test.yaml", "points: 15", "points: 20")
    output = riskmon("test", pack).output
    assert "  points of the hit at +0m\n  - 20\n  + 15\n" in output


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("expect: {hits: []}", "expekt: {hits: []}", ":7:5: unknown key 'expekt' in a case"),
        ("amount: 999.99", "amuont: 9", ":9:9: payment.transfer has no field 'amuont'"),
        ("+0m, amount: 999.99", "soon, amount: 9", ":9:14: expected a time, was 'soon'"),
        ("kind: payment.transfer", "kind: payment.transfr", "unknown event kind 'payment.transfr'"),
        ("hits: []", "hits: none", ":10:13: expected the hits as a list"),
    ],
)
def test_a_mistake_in_a_test_file_is_told_with_its_place(pack, old, new, message):
    change(pack, "X-1.test.yaml", old, new)
    result = riskmon("test", pack)
    assert result.exit_code == 1
    assert "hint: " in result.output
    assert message.split(": ")[-1] in result.output


def test_a_record_the_codec_refuses_fails_the_case_at_its_line(pack):
    change(pack, "X-1.test.yaml", "amount: 999.99", "amount: lots")
    assert "X-1.test.yaml:9: amount: " in riskmon("test", pack).output


def test_list_as_json_names_every_rule(pack):
    (row,) = json.loads(riskmon("list", "--packs", pack, "--json").output)
    assert (row["id"], row["points"], row["status"], row["events"]) == (
        "X-1",
        [15.0],
        "live",
        ["payment.transfer"],
    )


def test_explain_says_what_the_rule_does_and_shows_its_code(pack):
    output = riskmon("explain", "x-1", "--packs", pack, "--code").output
    assert "hits when   amount >= 1000 CNY" in output
    assert "def customer__payment_transfer(" in output


def test_explain_of_an_unknown_rule_suggests_the_nearest(pack):
    result = riskmon("explain", "X-2", "--packs", pack)
    assert (result.exit_code, result.stderr) == (2, "no rule 'X-2'\n  hint: did you mean 'X-1'?\n")


@pytest.mark.parametrize(
    ("old", "new", "hits", "problem"),
    [
        ("points: 15", "points: 90", (1, 0), "90 points for high, usual are 0 to 50"),
        ("title:", "title:", (1, 1), "no test case that misses"),
        ("title:", "title:", (0,), "no test case that hits"),
        ("verification: P", "verification: M", (1, 0), "live, though its figures are cited from memory (M)"),
        ("verification: P", "verification: D", (1, 0), "marked D, but `why` does not say that"),
    ],
)
def test_remarks_name_what_a_reviewer_would(pack, old, new, hits, problem):
    change(pack, "X-1.yaml", old, new)
    assert any(remark.problem.startswith(problem) for remark in remarks(load_packs([pack]), {"X-1": hits}))


def test_a_title_given_twice_is_remarked(pack):
    (pack / "X-2.yaml").write_text(RULE.replace("X-1", "X-2"), encoding="utf-8")
    found = remarks(load_packs([pack]), {"X-1": (1, 0), "X-2": (1, 0)})
    assert [remark.problem for remark in found] == ["the title is also that of X-1"]


def test_shipped_rules_have_no_remarks_and_cover_seven_dimensions(repository, monkeypatch):
    monkeypatch.chdir(repository)
    result = riskmon("check")
    assert "remark" not in result.output, result.output
    rules = load_packs([repository / "rules" / "packs"])
    assert len({rule.dimension for rule in rules}) >= 7
    assert len(rules) >= 60


def test_mistakes_are_told_as_annotations_of_ci(pack):
    change(pack, "X-1.yaml", "when: amount", "when: amuont")
    result = riskmon("check", pack, "--format", "github")
    assert result.exit_code == 1
    assert result.output == (
        f"::error file={pack}/X-1.yaml,line=5,col=7::unknown field 'amuont' (hint: did you mean 'amount'?)\n"
    )


def test_mistakes_are_told_as_lines_of_json(pack):
    change(pack, "X-1.yaml", "when: amount", "when: amuont")
    (line,) = riskmon("check", pack, "--format", "json").output.splitlines()
    assert json.loads(line) == {
        "file": f"{pack}/X-1.yaml", "line": 5, "column": 7, "level": "error",
        "problem": "unknown field 'amuont'", "hint": "did you mean 'amount'?",
    }  # fmt: skip


def test_a_remark_fails_the_check_only_when_it_is_strict(pack):
    change(pack, "X-1.yaml", "points: 15", "points: 90")
    assert riskmon("check", pack).exit_code == 0
    assert riskmon("check", pack, "--strict").exit_code == 1


def test_what_can_never_hold_is_remarked(pack):
    change(pack, "X-1.yaml", "when: amount >= 1000 CNY", "when: amount >= 1000 CNY and amount < 10 CNY")
    result = riskmon("check", pack)
    assert (
        f"{pack}/X-1.yaml:5:30: amount >= 1000 CNY and amount < 10 CNY can never hold together"
        in result.output
    )


WITH_FIGURE = "params:\n  minimum: {default: 1000 CNY}\nwhen: amount >= param.minimum\n"
OVERRIDE = "X-1:\n  minimum:\n    - {value: 5000 CNY, reason: calibration, author: us}\n"


@pytest.fixture
def figures(pack, repository, tmp_path_factory):
    """A pack whose rule has a figure, and the lists of a configuration that sets another one."""
    change(pack, "X-1.yaml", "when: amount >= 1000 CNY\n", WITH_FIGURE)
    config = tmp_path_factory.mktemp("config")
    shutil.copytree(repository / "config" / "lists", config / "lists")
    (config / "parameters.yaml").write_text(OVERRIDE, encoding="utf-8")
    return config / "lists"


def test_cases_are_played_with_the_figures_of_the_institution(pack, figures):
    assert riskmon("test", pack).exit_code == 0
    result = riskmon("test", pack, "--lists", figures)
    assert (result.exit_code, "1 of 2 cases of 1 rules passed" in result.output) == (1, True)
    assert "hint: it passes with the rule's own figures, and parameters.yaml sets others" in result.output
    change(pack, "X-1.test.yaml", "amount: 1000}", "amount: 5000}")
    change(pack, "X-1.test.yaml", "1,000.00 CNY moved", "5,000.00 CNY moved")
    assert riskmon("test", pack, "--lists", figures).exit_code == 0


def test_a_case_that_sets_its_own_figure_does_not_hear_of_the_institutions(pack, figures):
    change(pack, "X-1.test.yaml", "cases:", "params: {minimum: 1000 CNY}\ncases:")
    assert riskmon("test", pack, "--lists", figures).exit_code == 0


def test_a_case_that_fails_either_way_is_not_blamed_on_the_figures(pack, figures):
    change(pack, "X-1.test.yaml", "points: 15", "points: 16")
    assert "own figures" not in riskmon("test", pack, "--lists", figures).output


def test_figures_that_fit_no_parameter_are_told(pack, figures):
    (figures.parent / "parameters.yaml").write_text(OVERRIDE.replace("minimum", "minimun"), encoding="utf-8")
    result = riskmon("test", pack, "--lists", figures)
    assert (result.exit_code, "has no parameter 'minimun'" in result.output) == (1, True)


def test_processes_play_cases_with_the_same_figures(pack, figures, monkeypatch):
    monkeypatch.setattr("monitor.ruletest.workers.FEW", 0)
    result = riskmon("test", pack, "--lists", figures, "--jobs", "2")
    assert (result.exit_code, "1 of 2 cases of 1 rules passed" in result.output) == (1, True)


def test_a_figure_is_proposed_though_the_cases_beside_the_rule_expect_another(
    pack, repository, tmp_path_factory
):
    change(pack, "X-1.yaml", "when: amount >= 1000 CNY\n", WITH_FIGURE)
    folder = tmp_path_factory.mktemp("monitor")
    shutil.copytree(repository / "config", folder / "config")
    settings = folder / "config" / "monitor.yaml"
    settings.write_text(f"rules:\n  packs: [{pack}]\n", encoding="utf-8")
    place = ["--config", str(settings), "--data", str(folder / "data")]
    (folder / "data").mkdir()
    open_data(folder / "data", *configured(settings)).close()
    (folder / "config" / "parameters.yaml").write_text(OVERRIDE, encoding="utf-8")
    said = riskmon("propose", "--reason", "why", "--as", "ada", *place).output
    assert "1 of 2 test cases pass, 1 by the figures of the rules' own files alone (X-1)" in said
    change(pack, "X-1.test.yaml", "points: 15", "points: 16")
    said = riskmon("propose", "--reason", "why", "--as", "ada", *place).output
    assert "nothing is proposed: tests beside the rules fail" in said
