"""Names that packs give expressions: conditions, values, aggregates; clashes and circles are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.compile import compile_rulebook
from rules.errors import RuleError
from rules.loader import load_predicates, read_rule
from rules.vocabulary import load_vocabulary

RULE = """\
id: {name}
title: A rule {name}
dimension: fraud
on: payment.transfer
when: {when}
severity: low
status: live
say: "{{paid}}"
why: To test.
source: own proposal
triage: [Look.]
owner: us
"""


def pack(folder, text):
    folder.mkdir()
    (folder / "pack.yaml").write_text(f"purpose: p\nowner: o\n{text}", encoding="utf-8")


def mistakes(folder):
    with pytest.raises(RuleError) as raised:
        load_predicates([folder])
    return [f"{Path(one.file).parent.name}:{one.line}: {one.problem}" for one in raised.value.mistakes]


def test_an_aggregate_has_a_name_that_rules_of_all_packs_share(tmp_path):
    pack(tmp_path / "a", 'predicates:\n  going: direction == "out"\n')
    pack(tmp_path / "b", "names:\n  paid: sum(amount, 24h, where=going)\n  many: paid / 10 CNY\n")
    named = load_predicates([tmp_path])
    rules = [
        read_rule(Path("<text>"), RULE.format(name=f"X-{n}", when=when), "p")
        for n, when in enumerate(("paid >= 100 CNY", "many > 5 and paid / amount > 2"))
    ]
    book = compile_rulebook(rules, load_vocabulary(), {}, predicates=named)
    assert len(book.plans["customer"].slots) == 1


def test_a_name_with_two_meanings_is_told(tmp_path):
    pack(tmp_path / "a", "names: {paid: 'sum(amount, 24h)'}\n")
    pack(tmp_path / "b", "names: {paid: 'sum(amount, 48h)'}\n")
    assert mistakes(tmp_path) == [f"b:3: 'paid' means something else in {tmp_path / 'a' / 'pack.yaml'}"]


def test_a_name_that_hides_a_field_and_one_given_as_both_are_told(tmp_path):
    pack(tmp_path / "a", "predicates: {amount: 'fee > 1 CNY', x: is_cash}\nnames:\n  x: fee\n")
    assert mistakes(tmp_path) == [
        "a:3: 'amount' hides the field of that name",
        "a:5: 'x' is among the predicates too",
    ]


def test_names_that_rest_on_each_other_are_told(tmp_path):
    pack(tmp_path / "a", "names:\n  x: y + 1\n  y: z + 1\n  z: x + 1\n  free: fee\n")
    assert mistakes(tmp_path) == [
        f"a:{line}: {name!r} rests on itself" for line, name in ((4, "x"), (5, "y"), (6, "z"))
    ]
