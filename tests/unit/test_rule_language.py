"""What rules mean once compiled: facts, timers, bands, computed values, predicates and their limits."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from monitor.core.rating_config import RatingConfig
from monitor.ruletest import RuleTests, read_cases
from rules.aggregates import EXAMPLES
from rules.compile import compile_rulebook
from rules.errors import RuleError
from rules.functions import FUNCTIONS
from rules.grammar import parse
from rules.lists import load_lists
from rules.loader import load_packs, load_predicates, read_rule
from rules.model import Expression, ListData
from rules.period_functions import PERIOD_EXAMPLES
from rules.rarity import COMBINED
from rules.vocabulary import load_vocabulary

WORDS = load_vocabulary()
RULE = """
id: {id}
title: {id}
dimension: fraud
on: {on}
{extra}when: {when}
points: 10
severity: high
status: live
say: "{say}"
why: x
source: x
triage: x
owner: x
"""


def rule(when, *, name="T-1", on="payment.transfer", extra="", say="hit"):
    return read_rule(
        Path(f"{name}.yaml"), RULE.format(id=name, on=on, when=when, extra=extra, say=say), "pack"
    )


def bench(repository, *rules, predicates=None):
    rating = RatingConfig.from_plain(
        yaml.safe_load((repository / "config/rating.yaml").read_text(encoding="utf-8"))
    )
    return RuleTests(rules, WORDS, {}, predicates or {}, rating, None)


@pytest.fixture
def failures(repository, tmp_path):
    """Run one timeline, written as in a test file, against rules."""

    def run(*rules, case, about="T-1", predicates=None):
        path = tmp_path / "case.test.yaml"
        path.write_text(
            f"rule: {about}\ndefaults: {{kind: payment.transfer}}\ncases:\n  - name: it\n{case}",
            encoding="utf-8",
        )
        (only,) = read_cases(path, WORDS)
        return bench(repository, *rules, predicates=predicates).failures(only)

    return run


def test_rules_with_other_parameters_do_not_share_facts_of_another_subject(failures):
    when = "count(1h, key=merchant, where=amount <= param.small) >= 1"
    few = rule(when, extra="params: {small: 5 CNY}\n", on="card.authorization")
    many = rule(when, name="T-2", extra="params: {small: 500 CNY}\n", on="card.authorization")
    case = """
    events: [{at: +0m, kind: card.authorization, merchant_id: m, amount: 100}]
    expect: {hits: %s}
"""
    assert failures(few, many, case=case % "[]") == []
    assert failures(few, many, about="T-2", case=case % "[+0m]") == []


def test_a_sum_of_computed_money_is_rounded_to_whole_units(failures):
    case = """
    events: [{at: +0m, amount: 0.0001}, {at: +1m, amount: 1}]
    expect: {hits: [+0m, +1m], say: 0.90 CNY}
"""
    assert failures(rule("amount > 0 CNY", say="{sum(amount * 0.9, 1h)}"), case=case) == []


def test_a_rule_that_waits_may_have_bands(failures):
    bands = (
        "bands:\n  - {when: 'count(40d) >= 2', points: 30, severity: high}\n  - {points: 5, severity: low}\n"
    )
    text = RULE.format(
        id="T-1",
        on="payment.transfer",
        say="hit",
        extra=bands,
        when="absent(payment.transfer[amount > 500 CNY], for=30d, after=payment.transfer[amount < 10 CNY])",
    )
    waiting = read_rule(Path("T-1.yaml"), text.replace("points: 10\nseverity: high\n", ""), "pack")
    case = """
    events: [{at: +0m, amount: 9}, {at: +1d, amount: 50}, {tick: +31d}]
    expect: {hits: [+30d], points: 30}
"""
    assert failures(waiting, case=case) == []


def test_a_late_event_before_the_start_does_not_stop_a_timer(failures):
    waiting = rule("absent(auth.login, for=1d, after=payment.transfer)")
    case = """
    events: [{at: +1h}, {at: +0m, kind: auth.login}, {tick: +2d}]
    expect: {hits: [+25h]}
"""
    assert failures(waiting, case=case) == []


def test_a_reversed_event_leaves_every_window(failures):
    case = """
    events: [{at: +0m, id: a}, {at: +1m, reversal_of: a, id: b}, {at: +2m}]
    expect: {hits: [+0m, +2m], say: "1"}
"""
    assert failures(rule("amount > 0 CNY", say="{count(1h)}"), case=case) == []


def test_a_division_by_a_missing_or_zero_value_is_no_hit(failures):
    case = """
    events: [{at: +0m, amount: 0}, {at: +1m, amount: 1}]
    expect: {hits: [+1m]}
"""
    assert failures(rule("amount / amount >= 1"), case=case) == []


def test_a_predicate_means_the_same_in_window_and_condition(failures):
    large = {"large": Expression("x", parse("amount >= 100 CNY"), "pack.yaml", ((1, 1),))}
    case = """
    events: [{at: +0m, amount: 99}, {at: +1m, amount: 100}]
    expect: {hits: [+1m], say: "1"}
"""
    found = rule("large", say="{count(1h, where=large)}")
    assert failures(found, case=case, predicates=large) == []


def test_another_meaning_of_a_predicate_is_another_rulebook():
    found = rule("large")
    hashes = {
        compile_rulebook(
            [found], WORDS, {}, predicates={"large": Expression("x", parse(text), "", ((1, 1),))}
        ).hash
        for text in ("amount >= 1 CNY", "amount >= 2 CNY")
    }
    assert len(hashes) == 2


@pytest.mark.parametrize(
    "example",
    [
        *EXAMPLES.values(),
        *PERIOD_EXAMPLES.values(),
        *COMBINED.values(),
        *(one.example for one in FUNCTIONS.values()),
    ],
)
def test_every_example_of_the_reference_can_be_checked(example):
    kind = "card.authorization" if "mcc" in example else "payment.transfer"
    lists = {"fraud_accounts": ListData("fraud_accounts", "1", frozenset())}
    node = parse(example)
    when = example if node.text().startswith("(") else f"missing({example})"
    when = when if not when.startswith(("(not", "not")) else f"{when}"
    try:
        compile_rulebook([rule(f"'{when}'", on=kind)], WORDS, lists)
    except RuleError:
        compile_rulebook([rule(f"'{example}'", on=kind)], WORDS, lists)


def test_predicates_of_packs_are_read_and_contradictions_told(tmp_path):
    for name, text in (("a", "amount > 1 CNY"), ("b", "amount > 2 CNY")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pack.yaml").write_text(
            f"purpose: p\nowner: o\npredicates:\n  large: {text}\n", encoding="utf-8"
        )
    assert load_predicates([tmp_path / "a"])["large"].node.text() == "(amount > 1 CNY)"
    with pytest.raises(RuleError, match=r"b/pack.yaml:4:3: .large. means something else in .*a/pack"):
        load_predicates([tmp_path])


def test_a_file_that_is_no_text_is_a_mistake(tmp_path):
    (tmp_path / "X-1.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RuleError, match="X-1.yaml:1:1: cannot be read"):
        load_packs([tmp_path])


def test_shipped_lists_have_versions_sources_and_dates(repository):
    lists = load_lists(repository / "config" / "lists")
    assert {"fatf_black", "fatf_grey", "high_risk_mcc", "fraud_accounts"} <= lists.keys()
    assert lists["fatf_black"].entries == {"KP", "IR", "MM"}
    for name, data in lists.items():
        plain = yaml.safe_load((repository / f"config/lists/{name}.yaml").read_text(encoding="utf-8"))
        assert data.version
        assert plain["source"]
        assert plain["valid_from"]
