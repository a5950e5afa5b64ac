"""Subjects that few rules ask for: their keys, their ids, the customers a hit about them involves."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from monitor.cluster import topics
from monitor.core.rating_config import RatingConfig
from monitor.ruletest import RuleTests, read_cases
from monitor.ruletest.playing import play
from monitor.settings import Kafka, Settings
from rules.compile import compile_rulebook
from rules.errors import RuleError
from rules.lists import load_lists
from rules.loader import PACKS, load_packs, load_predicates, read_rule
from rules.vocabulary import load_vocabulary

RULE = """\
id: X-1
title: A rule
dimension: liquidity
subject: {subject}
on: {on}
when: {when}
severity: low
status: live
say: "{{amount}}"
why: To test.
source: own proposal
triage: [Look.]
owner: us
"""


def written(when, subject="customer", on="payment.transfer"):
    return read_rule(Path("<text>"), RULE.format(when=when, subject=subject, on=on), "p")


def compiled(*rules):
    return compile_rulebook(rules, load_vocabulary(), {})


@pytest.mark.parametrize(
    ("when", "stages"),
    [
        ("count(24h, key=session_id) > 3", ("customer",)),
        ("count(24h, key=session) > 3", ("session", "customer")),
        ("count(24h, key=(customer_id, session)) > 3", ("customer",)),
        ("sum(amount, 24h, key=bank) > 3 CNY", ("bank", "customer")),
        ("count(24h, key=terminal_id) > 3", ("customer", "terminal")),
    ],
)
def test_a_rare_subject_is_asked_by_its_name_its_field_stays_within_the_rules_own(when, stages):
    assert sorted(compiled(written(when)).stages) == sorted(stages)


def test_a_rule_that_asks_for_no_rare_subject_makes_none():
    assert compiled(written("count(24h) > 3")).stages == ("customer",)


def test_how_to_stay_with_the_subject_is_told():
    with pytest.raises(RuleError, match=r"write key=\(branch_id, ...\) to stay with the branch"):
        compiled(written("count(24h, key=channel) > 3", "branch"))


CASES = """\
defaults: {kind: payment.transfer}
cases:
  - name: the bank's total over all customers, whichever institution they name
    events:
      - {at: +0m, customer_id: c1, amount: 60}
      - {at: +1m, customer_id: c2, amount: 60}
      - {at: +2m, customer_id: c3, amount: 60, institution_id: other}
    expect: {hits: [+1m], subject: bank}
"""


def bench(rule):
    folder = Path(__file__).parents[2] / "config"
    rating = RatingConfig.from_plain(yaml.safe_load((folder / "rating.yaml").read_text(encoding="utf-8")))
    return RuleTests([rule], load_vocabulary(), {}, {}, rating, None)


def cases(tmp_path, text):
    (tmp_path / "X-1.test.yaml").write_text(text, encoding="utf-8")
    return read_cases(tmp_path / "X-1.test.yaml", load_vocabulary())


def test_the_bank_is_one_subject_where_an_event_names_no_institution(tmp_path):
    (case,) = cases(tmp_path, CASES)
    assert bench(written("sum(amount, 24h) >= 100 CNY", "bank")).failures(case) == []


def test_a_hit_about_another_subject_tells_the_customers_it_counted(tmp_path):
    rule = written("distinct(customer_id, 24h) >= 3", "channel")
    events = "".join(
        f"      - {{at: +{n}m, customer_id: c{n}, amount: 60, channel: atm}}\n" for n in range(1, 31)
    )
    head = "defaults: {kind: payment.transfer}\ncases:\n  - name: a\n    events:\n"
    text = f"{head}{events}    expect: {{hits: []}}\n"
    (case,) = cases(tmp_path, text)
    tests = bench(rule)
    hits = play(tests.own(case), tests.timelines.of(case)).hits
    assert hits[0].customers == ("c3", "c2", "c1")
    assert hits[-1].customers == tuple(f"c{n}" for n in range(30, 10, -1))


def test_a_cluster_has_topics_for_rare_subjects_only_where_settings_name_them():
    assert "household" not in topics(Settings()).stages
    assert "household" in topics(Settings(kafka=Kafka(subjects=("household",)))).stages
    assert {"customer", "device", "terminal"} <= set(topics(Settings()).stages)


def test_as_shipped_a_cluster_has_topics_for_all_that_shipped_rules_ask_for(repository):
    lists, predicates = load_lists(repository / "config" / "lists"), load_predicates([PACKS])
    stages = compile_rulebook(load_packs([PACKS]), load_vocabulary(), lists, predicates=predicates).stages
    assert [name for name in stages if load_vocabulary().subjects[name].rare] == list(
        Settings().kafka.subjects
    )
