"""A rule that hears of other rules' hits is tested with them."""

from __future__ import annotations

from typer.testing import CliRunner

from monitor.cli.rules import app

RULE = """id: {id}
title: Rule {id}
dimension: fraud
on: {on}
when: {when}
points: 5
severity: low
status: {status}
say: "{{occurred_at:date}}"
why: a proposal, to be calibrated
source: own proposal
triage: [look]
owner: us
"""
CASES = """defaults: {{kind: payment.transfer}}
cases:
  - name: a hit, then a complaint
    with: [{beside}]
    events:
      - {{at: +0m, amount: 1000}}
      - {{at: +1h, kind: complaint.opened}}
    expect: {{hits: {hits}}}
"""


def outcome(folder, *, beside="P-1", hits="[+1h]", status="live"):
    (folder / "pack.yaml").write_text("purpose: x\nowner: us\n", encoding="utf-8")
    rules = {
        "P-1": ("payment.transfer", "amount >= 1000 CNY", status),
        "P-2": ("complaint.opened", 'seq(rule.hit[rule == "P-1"] -> complaint.opened within 7d)', "live"),
    }
    for name, (on, when, how) in rules.items():
        text = RULE.format(id=name, on=on, when=when, status=how)
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    text = CASES.format(beside=beside, hits=hits)
    (folder / "P-2.test.yaml").write_text(text, encoding="utf-8")
    return CliRunner().invoke(app, ["test", str(folder)])


def test_the_hit_of_a_rule_beside_is_heard(tmp_path):
    assert outcome(tmp_path).output == "1 of 1 cases of 1 rules passed\n"


def test_alone_it_hears_nothing(tmp_path):
    assert outcome(tmp_path, beside="", hits="[]").exit_code == 0


def test_a_shadow_rule_beside_is_not_heard(tmp_path):
    assert outcome(tmp_path, hits="[]", status="shadow").exit_code == 0


def test_an_unknown_rule_beside_is_told(tmp_path):
    found = outcome(tmp_path, beside="P-9")
    assert found.exit_code == 1
    assert "with: no rule P-9 among those tested" in found.output
