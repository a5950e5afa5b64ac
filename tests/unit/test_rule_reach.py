"""What a rule's own words make impossible is told with its place; what is possible is never told."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.loader import PACKS, load_packs, load_predicates, read_rule
from rules.reach import unreachable
from rules.vocabulary import load_vocabulary

RULE = """id: {id}
title: A rule
dimension: {dimension}
on: payment.transfer
{more}when: {when}
{weight}
status: live
say: "{{amount}} moved"
why: practice
source: practice
triage: [look]
owner: me
"""


def rule(when, *, weight="points: 10\nseverity: medium", more="", name="X-1", dimension="fraud"):
    text = RULE.format(id=name, when=when, weight=weight, more=more, dimension=dimension)
    return read_rule(Path(f"{name}.yaml"), text, "pack")


def told(*rules):
    return [mistake.problem for mistake in unreachable(rules, load_vocabulary(), {})]


@pytest.mark.parametrize(
    ("when", "problem"),
    [
        (
            "amount >= 500 CNY and amount < 500 CNY",
            "amount >= 500 CNY and amount < 500 CNY can never hold together",
        ),
        ("count(24h) > 4 and count(24h) < 5", "count(1d) > 4 and count(1d) < 5 can never hold together"),
        ("share(amount > 1 CNY, 30d) > 1", "share((amount > 1 CNY), 30d) > 1 can never hold"),
        ("hour(occurred_at) >= 24", "hour(occurred_at) >= 24 can never hold"),
        ("count(5 events) >= 6", "count(5 events) >= 6 can never hold"),
        ("sum(amount, 24h) < 0 CNY", "sum(amount, 1d) < 0 CNY can never hold"),
        (
            'direction == "in" and direction == "out"',
            'direction == "in" and direction == "out" can never hold together',
        ),
        (
            'direction in {"in", "out"} and direction not in {"in", "out"}',
            'direction in {"in", "out"} and direction not in {"in", "out"} can never hold together',
        ),
        (
            "is_cross_border and not is_cross_border",
            "is_cross_border and not is_cross_border can never hold together",
        ),
        ("1000 CNY < amount and 0.5 * 1000 CNY >= amount", None),
        ("amount >= 1000 CNY and count(24h) >= 0", "count(1d) >= 0 holds always"),
    ],
)
def test_a_condition_at_odds_with_itself_is_told(when, problem):
    found = told(rule(when))
    assert len(found) == 1
    assert problem is None or found[0] == problem


@pytest.mark.parametrize(
    "when",
    [
        "amount >= 500 CNY and amount <= 500 CNY",
        "amount >= 500 CNY or amount < 500 CNY",
        "not (fee > 5 CNY) and not (fee <= 5 CNY)",  # a fee that was not sent
        "amount >= 500 CNY and amount < 500 USD",
        "count(24h) > 4 and count(24h) < 6",
        "count(24h) > 4 and count(48h) < 3",
        'direction != "in"',
        "zscore(amount, 90d) < -3",
    ],
)
def test_what_may_hold_is_not_told(when):
    assert told(rule(when)) == []


def test_the_place_is_that_of_the_second_comparison():
    (mistake,) = unreachable([rule("amount >= 500 CNY and amount < 500 CNY")], load_vocabulary(), {})
    assert (mistake.line, mistake.column) == (5, 29)


def test_lets_and_parameters_are_written_out_and_a_dead_segment_is_named():
    more = "params:\n  least: {default: 500 CNY, vip: 5000 CNY}\nlet:\n  big: amount\n"
    found = told(rule("big >= param.least and amount <= 0.5 * 2000 CNY", more=more))
    assert found == ["amount >= 5000 CNY and amount <= 1000 CNY can never hold together for vip customers"]


BANDS = """bands:
  - {{when: '{first}', points: 20, severity: high}}
  - {{when: '{second}', points: 10, severity: medium}}
"""


def test_a_band_that_an_earlier_one_takes_whole_is_never_reached():
    weight = BANDS.format(first="amount >= 100 CNY", second="amount >= 200 CNY")
    assert told(rule("amount >= 100 CNY", weight=weight)) == [
        "band 2 is never reached: the bands before it take all of it"
    ]


def test_a_band_that_the_condition_leaves_nothing_is_never_reached():
    weight = BANDS.format(first="amount >= 200 CNY", second="amount >= 50 CNY")
    assert told(rule("amount < 200 CNY and amount >= 50 CNY", weight=weight)) == [
        "band 1 is never reached: `when` leaves nothing for it"
    ]


def test_a_gap_below_the_last_band_is_told():
    weight = BANDS.format(first="amount >= 200 CNY", second="amount >= 100 CNY")
    assert told(rule("amount >= 50 CNY", weight=weight)) == ["what meets `when` but no band is no hit"]
    assert told(rule("amount >= 100 CNY", weight=weight)) == []


def test_nothing_comes_after_a_band_without_a_condition():
    weight = "bands:\n  - {points: 5, severity: low}\n  - {when: 'amount > 9 CNY', points: 9, severity: low}"
    assert told(rule("amount >= 1 CNY", weight=weight)) == [
        "band 2 is never reached: a band before it takes all that is left"
    ]


def test_a_stricter_rule_that_weighs_less_and_a_rule_said_twice_are_told():
    loose = rule("amount >= 1000 CNY", name="X-1")
    strict = rule('amount >= 5000 CNY and direction == "out"', name="X-2", weight="points: 5\nseverity: low")
    same = rule("1000 CNY <= amount", name="X-3")
    elsewhere = rule("amount >= 1000 CNY", name="X-4", dimension="operational")
    assert told(loose, strict) == ["asks more than X-1, but weighs less (5 points against 10)"]
    assert told(loose, same) == ["asks the same as X-1"]
    assert told(loose, elsewhere) == []


def test_the_shipped_rules_are_free_of_it():
    assert unreachable(load_packs([PACKS]), load_vocabulary(), load_predicates([PACKS])) == []
