"""Cases run in several processes: the same is told as by one, in the order of the cases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from monitor.core.rating_config import RatingConfig
from monitor.ruletest import Case, RuleTests, read_cases
from monitor.ruletest.workers import FEW, all_failures
from rules.errors import RuleError
from rules.loader import read_rule
from rules.model import Rule
from rules.vocabulary import load_vocabulary

RULE = """id: X-{number}
title: Much
dimension: fraud
on: payment.transfer
when: amount >= {number}00 CNY{more}
severity: medium
points: 5
status: live
say: much
why: it deserves a look
source: practice
triage: [look]
owner: me
"""
CASES = """rule: X-{number}
cases:
  - name: that much hits
    events: [{{kind: payment.transfer, at: +0m, amount: {number}00}}]
    expect: {{hits: [+0m]}}
  - name: less does not
    events: [{{kind: payment.transfer, at: +0m, amount: {less}}}]
    expect: {{hits: []}}
"""
NUMBERS = range(10, 10 + FEW + 4)


def bench(broken: frozenset[int] = frozenset()) -> RuleTests:
    rules: list[Rule] = []
    for number in NUMBERS:
        text = RULE.format(number=number, more=" and nothing_of_that_name" * (number in broken))
        rules.append(read_rule(Path(f"X-{number}.yaml"), text, "x"))
    rating = RatingConfig.from_plain(yaml.safe_load(Path("config/rating.yaml").read_text(encoding="utf-8")))
    return RuleTests(rules, load_vocabulary(), {}, {}, rating, None)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    folder = tmp_path_factory.mktemp("cases")
    found: list[Case] = []
    for number in reversed(NUMBERS):
        path = folder / f"X-{number}.test.yaml"
        # Of every third rule the second case is wrong.
        path.write_text(CASES.format(number=number, less=f"{number + (number % 3 == 0) - 1}99"))
        found += read_cases(path, load_vocabulary())
    return found


def test_two_processes_tell_what_one_tells_case_by_case(cases: list[Case]):
    alone = all_failures(bench(), cases, 1)
    assert all_failures(bench(), cases, 2) == alone
    assert [bool(problems) for problems in alone] == [
        case.name == "less does not" and int(case.rule[2:]) % 3 == 0 for case in cases
    ]


def test_every_mistake_of_every_process_is_told(cases: list[Case]):
    with pytest.raises(RuleError) as error:
        all_failures(bench(frozenset({11, 25})), cases, 2)
    assert [Path(mistake.file).stem for mistake in error.value.mistakes] == ["X-11", "X-25"]


def test_a_case_of_a_rule_that_is_not_there_is_told(cases: list[Case]):
    stray = replace(cases[0], rule="Y-1")
    (*_, problems) = all_failures(bench(), [*cases, stray], 2)
    assert "no rule 'Y-1' among those tested" in problems[0]
