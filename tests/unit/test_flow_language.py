"""What a rule author is told about flows of money, circles and neighbours."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.compile import compile_rulebook
from rules.errors import RuleError
from rules.loader import read_rule
from rules.vocabulary import load_vocabulary

RULE = """
id: T-1
title: a rule
dimension: compliance
{more}
when: {when}
points: 1
severity: info
status: live
say: hit
why: x
source: x
triage: x
owner: x
"""


def compiled(when, more="on: payment.transfer"):
    rule = read_rule(Path("T-1.yaml"), RULE.format(when=when, more=more), "test")
    return compile_rulebook([rule], load_vocabulary(), {})


def problem_of(when, more="on: payment.transfer"):
    with pytest.raises(RuleError) as caught:
        compiled(when, more)
    (mistake,) = caught.value.mistakes
    return mistake.problem


@pytest.mark.parametrize(
    ("when", "problem"),
    [
        ("retention(amount, channel, 7d) < 6h", "retention takes 1 value and a window"),
        ("retention(7d) < 6h", "retention needs a window"),
        ("retention(channel, 7d) < 6h", "expected money, was a text"),
        ("retention(amount, 5 events) < 6h", "the last events of two flows do not begin together"),
        ("retention(amount, 7d, within=6h) < 6h", "retention has no option 'within'"),
        ("retention(amount, 7d, in=amount) < 6h", "expected true or false, was money"),
        ("retention(amount, 7d) < 6", "cannot compare a duration with a number"),
        ("turned_over(amount, 7d) > 0.5", "turned_over needs `within`, a duration or `day`"),
        ("turned_over(amount, 7d, within=week) > 0.5", "turned_over needs `within`, a duration or `day`"),
        ('cycle(amount, 7d, length=4) != ""', "cycle takes a `length` of 2 or 3 payments"),
        ('cycle(amount, 7d, within=1) != ""', "cycle takes `within`, a share below 1"),
        ('cycle(amount, month) != ""', "cycle looks back a length of time"),
        ('cycle(amount, 7d, key=card) != ""', "cycle has no option 'key'"),
        ("cycle(amount, 7d)", "expected true or false, was a text"),
    ],
)
def test_mistakes_about_flows_are_told(when, problem):
    assert problem_of(when) == problem


def test_a_flow_shares_its_series_with_the_sum_beside_it():
    book = compiled('sum(amount, 30d, where=direction == "in") >= 5000 CNY and retention(amount, 7d) < 6h')
    assert len(book.plans["customer"].slots) == 2


def test_a_circle_is_about_a_customer():
    when, more = "not missing(cycle(amount, 7d))", "on: payment.transfer\nsubject: counterparty"
    assert problem_of(when, more) == "cycle is about a customer's payment"
    assert problem_of(when, "on: auth.login") == "auth.login does not name both accounts"


def test_only_a_rule_about_circles_has_the_payers_told():
    book = compiled("not missing(cycle(amount, 7d, length=2))")
    assert "counterparty" not in book.plans
    assert len(compiled("not missing(cycle(amount, 7d))").plans["counterparty"].exports) == 1
