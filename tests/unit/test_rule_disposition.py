"""What a rule recommends: a closed list that reaches the hit."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.ruletext import told
from rules.compile import compile_rulebook
from rules.dispositions import DISPOSITIONS
from rules.errors import RuleError
from rules.loader import PACKS, load_packs, read_rule
from rules.vocabulary import load_vocabulary

RULE = """\
id: X-1
title: A rule
dimension: fraud
on: payment.transfer
when: amount >= 1 CNY
severity: low
status: live
say: "{amount}"
why: To test.
source: own proposal
triage: [Look.]
owner: us
disposition: %s
"""


def test_a_rule_recommends_one_or_several_things() -> None:
    assert read_rule(Path("<text>"), RULE % "STR", "p").disposition == ("STR",)
    assert read_rule(Path("<text>"), RULE % "[L1, HOLD]", "p").disposition == ("L1", "HOLD")


def test_what_it_recommends_is_one_of_a_closed_list_and_said_once() -> None:
    with pytest.raises(RuleError) as raised:
        read_rule(Path("X-1.yaml"), RULE % "[L1, HOLDD, L1]", "p")
    assert [(one.line, one.column, one.problem) for one in raised.value.mistakes] == [
        (13, 19, "disposition: unknown 'HOLDD'"),
        (13, 26, "disposition: 'L1' is given twice"),
    ]


def test_the_explanation_of_a_rule_says_what_each_code_asks_for() -> None:
    rule = read_rule(Path("<text>"), RULE % "[L1, CALLBACK]", "p")
    text = told(rule, compile_rulebook([rule], load_vocabulary(), {}))
    assert "recommends  L1: a first-line officer reviews it" in text
    assert "CALLBACK: call the customer on a number verified before" in text


def test_every_shipped_rule_recommends_something() -> None:
    rules = load_packs([PACKS])
    assert [rule.id for rule in rules if not rule.disposition] == []
    assert all(code in DISPOSITIONS for rule in rules for code in rule.disposition)
