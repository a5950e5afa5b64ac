"""What a rule author is told about flows of money, circles and neighbours."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.compile import compile_rulebook
from rules.errors import RuleError
from rules.loader import read_rule
from rules.model import ListData
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

LISTS = {
    "bad": ListData("bad", "1", frozenset({"x"})),
    "people": ListData("people", "1", frozenset({"Li"}), kind="names"),
}


def compiled(when, more="on: payment.transfer"):
    rule = read_rule(Path("T-1.yaml"), RULE.format(when=when, more=more), "test")
    return compile_rulebook([rule], load_vocabulary(), LISTS)


def problem_of(when, more="on: payment.transfer"):
    with pytest.raises(RuleError) as caught:
        compiled(when, more)
    (mistake,) = caught.value.mistakes
    return mistake.problem


@pytest.mark.parametrize(
    ("when", "problem"),
    [
        ("retention(amount, channel, 7d) < 6h", "retention takes 1 value and a window"),
        ("retention(7d) < 6h", "retention takes the value first, then the window"),
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
        ("neighbour(amount, 90d) != ''", "neighbour needs `among`, a list of accounts"),
        ("neighbour(amount, 90d, among=list.lost) != ''", "unknown list 'lost'"),
        ("neighbour(amount, 90d, among=list.people) != ''", "list.people holds names, not accounts"),
        ("neighbour(amount, 90d, at_least=5, among=list.bad) != ''", "expected money, was a number"),
        (
            "neighbour(amount, month, among=list.bad) != ''",
            "neighbour takes money of a customer and a window that ends now",
        ),
        ("rarity(channel, 180d, prior=true) == 0", "rarity has no option 'prior'"),
        ("rarity((channel, chanel), 180d) == 0", "unknown field 'chanel'"),
        ("together(channel) == ''", "together takes several values"),
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


def test_a_combination_in_another_order_is_the_same_series():
    book = compiled("rarity((channel, rail), 30d) == 0 and rarity((rail, channel), 30d) == 0")
    assert len(book.plans["customer"].slots) == 1
