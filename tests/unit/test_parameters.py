"""Parameters: what the institution sets instead of the rules' figures; precedence, dates, mistakes."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from shutil import copytree
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.configuration import Configuration, compiled, read_configuration, read_rules
from monitor.core.runtime import NAMES
from monitor.ruletext import told
from monitor.settings import Settings
from rules.compile import compile_rulebook
from rules.errors import RuleError
from rules.loader import read_rule
from rules.parameters import load_parameters, overridden, parameters_of
from rules.vocabulary import load_vocabulary

RULE = """\
id: X-1
title: A rule
dimension: {dimension}
on: payment.transfer
subject: {subject}
params:
  minimum: {{default: 100 CNY, vip: 200 CNY}}
  days: 7d
when: amount >= param.minimum and age(occurred_at) < param.days
severity: low
status: live
say: "{{amount}}"
why: To test.
source: own proposal
triage: [Look.]
owner: us
"""


def rule(subject="customer", text=RULE):
    return read_rule(Path("<text>"), text.format(subject=subject, dimension="compliance"), "p")


def with_values(values, **more):
    (found,) = overridden([rule(**more)], parameters_of(values, "parameters.yaml"))
    return found


def mistakes(values, **more):
    with pytest.raises(RuleError) as raised:
        with_values(values, **more)
    return [f"{one.line}:{one.column}: {one.problem}" for one in raised.value.mistakes]


def saw(found, *, customer="c1", profile=None, time_ms=0):
    """Return what the compiled rule shows of the parameter: the value and where it comes from."""
    space = NAMES | {"plain": lambda value, _: value, "show": lambda *_: "", "PERIODS": None}
    exec(compile_rulebook([found], load_vocabulary(), {}).source, space)
    data = SimpleNamespace(customer_id=customer, amount=0)
    state = SimpleNamespace(profile=profile or {})
    sight = space["sight_0_payment_transfer"](None, data, [], {}, state, time_ms, time_ms, 1, False)
    return sight[0]["param.minimum"] // 10_000, sight[0].get("param.minimum from")


VALUES = """\
X-1:
  minimum:
    - {value: 300 CNY, jurisdiction: HK, reason: rules of the place, author: ada}
    - {value: 400 CNY, segment: vip, jurisdiction: HK}
    - {value: 500 CNY, industry: retail, to: 2026-03-01}
    - {value: 600 CNY, customer: c7}
"""


@pytest.mark.parametrize(
    ("customer", "profile", "time_ms", "expected"),
    [
        ("c1", {}, 0, (100, "rule")),
        ("c1", {"segment": "vip"}, 0, (200, "segment vip")),
        ("c1", {"jurisdiction": "HK"}, 0, (300, "jurisdiction HK (rules of the place; ada)")),
        (
            "c1",
            {"jurisdiction": "HK", "segment": "sme"},
            0,
            (300, "jurisdiction HK (rules of the place; ada)"),
        ),
        ("c1", {"jurisdiction": "HK", "segment": "vip"}, 0, (400, "segment vip, jurisdiction HK")),
        ("c1", {"segment": "vip", "industry": "retail"}, 0, (500, "industry retail")),
        ("c1", {"segment": "vip", "industry": "retail"}, 1_772_323_200_000, (200, "segment vip")),
        ("c7", {"segment": "vip", "industry": "retail", "jurisdiction": "HK"}, 0, (600, "customer c7")),
    ],
)
def test_the_most_specific_value_counts_and_says_where_it_comes_from(customer, profile, time_ms, expected):
    assert saw(with_values(VALUES), customer=customer, profile=profile, time_ms=time_ms) == expected


def test_a_value_for_everybody_replaces_the_default_not_what_is_for_a_segment():
    found = with_values("X-1: {minimum: 150 CNY}")
    assert saw(found) == (150, "institution")
    assert saw(found, profile={"segment": "vip"}) == (200, "segment vip")


SELECTORS = ("customer", "industry", "segment", "jurisdiction")
CHOICES = {"customer": "c1", "industry": "retail", "segment": "vip", "jurisdiction": "HK"}
WHOM = [dict(zip(SELECTORS, one, strict=True)) for one in product((True, False), repeat=4)]


def max_told(rank):
    parts = [f"{name} {CHOICES[name]}" for name, there in zip(SELECTORS, rank, strict=True) if there]
    return ", ".join(parts) or "institution"


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.sampled_from(WHOM), st.sampled_from(["always", "before", "after"])), max_size=6),
    st.sampled_from(WHOM),
    st.booleans(),
)
def test_precedence_is_that_of_looking_at_every_value(given_values, present, is_after):
    entries = []
    for value, (whom, when) in enumerate(given_values, start=1):
        same = [other for other_whom, other in ((w, t) for w, t, _ in entries) if other_whom == whom]
        if "always" in same or when in same or (when == "always" and same):
            continue
        entries.append((whom, when, value))
    lines = []
    for whom, when, value in entries:
        parts = [f"{name}: {CHOICES[name]}" for name in SELECTORS if whom[name]]
        parts += {"always": [], "before": ["to: 2026-01-01"], "after": ["from: 2026-01-01"]}[when]
        lines.append(f"    - {{{', '.join([f'value: {value} CNY', *parts])}}}")
    text = "X-1:\n  minimum:\n" + "\n".join(lines) if lines else "version: 1"
    time_ms = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000) - (not is_after)
    profile = {name: CHOICES[name] for name in SELECTORS[1:] if present[name]}
    found = saw(
        with_values(text), customer="c1" if present["customer"] else "c2", profile=profile, time_ms=time_ms
    )
    # By brute force: all that fit, by customer, then industry, segment, jurisdiction; ours before the rule's.
    fits = [
        (tuple(whom[name] for name in SELECTORS), 1, value)
        for whom, when, value in entries
        if all(present[name] for name in SELECTORS if whom[name])
        and (when == "always" or (when == "after") == is_after)
    ]
    fits.append(((False, False, False, False), 0, 100))
    fits += [((False, False, True, False), 0, 200)] if present["segment"] else []
    assert found[0] == max(fits)[2]
    assert found[1].startswith("rule" if max(fits)[2] == 100 else max_told(max(fits)[0]))


def test_every_mistake_is_told_with_its_place():
    assert mistakes(
        "X-1:\n  minimum:\n    - {value: 5 CNY, segmnt: vip}\n"
        "    - {segment: vipp, value: 6 CNY}\n    - {from: soon}\n"
    ) == [
        "3:22: X-1.minimum: unknown key 'segmnt'",
        "4:17: X-1.minimum: unknown segment 'vipp'",
        "5:7: X-1.minimum: 'value' is missing",
    ]
    assert mistakes("X-2: {minimum: 5 CNY}\nX-1:\n  minimun: 5 CNY\n  minimum: 5\n  days: 9 events\n") == [
        "1:16: no rule 'X-2'",
        "3:12: rule X-1 has no parameter 'minimun'",
        "4:12: X-1.minimum: expected money, was '5'",
        "5:9: X-1.days: expected duration, was '9 events'",
    ]
    assert mistakes("X-1:\n  minimum:\n    - {value: 5 CNY}\n    - {value: 6 CNY, from: 2026-01-01}\n") == [
        "4:7: X-1.minimum: another value for everybody at the same time"
    ]
    assert mistakes("X-1: {minimum: [{value: 5 CNY, segment: vip}]}", subject="branch") == [
        "1:17: X-1 is about a branch, which has no segment"
    ]


def test_a_window_takes_a_value_for_everybody_and_no_other():
    text = RULE.replace("{{default: 100 CNY, vip: 200 CNY}}", "100 CNY").replace(
        "amount >= param.minimum", "count(24h, where=amount >= param.minimum) > 1"
    )
    book = compile_rulebook([with_values("X-1: {minimum: 150 CNY}", text=text)], load_vocabulary(), {})
    assert "1500000" in book.source
    assert "1000000" not in book.source
    dated = with_values("X-1: {minimum: [{value: 150 CNY, from: 2026-01-01}]}", text=text)
    with pytest.raises(RuleError, match="cannot depend on whom it is about or the time"):
        compile_rulebook([dated], load_vocabulary(), {})


def test_a_value_changes_the_hash_and_the_explanation():
    plain, changed = (compile_rulebook([one], load_vocabulary(), {}) for one in (rule(), with_values(VALUES)))
    assert plain.hash != changed.hash
    text = told(with_values(VALUES), changed)
    assert "500 CNY for industry retail until 2026-03-01" in text
    assert "300 CNY for jurisdiction HK (rules of the place; ada)" in text


def test_the_configuration_archives_what_is_set_and_reads_it_back(tmp_path, repository):
    folder = copytree(repository / "config", tmp_path / "config")
    before = read_configuration(Settings(), folder, ["flow"])
    (folder / "parameters.yaml").write_text(
        "A-124:\n  minimum:\n    - {value: 7 CNY, segment: vip, from: 2026-01-01}\n"
    )
    after = read_configuration(Settings(), folder, ["flow"])
    assert after.hash != before.hash
    assert "parameters" not in before.plain
    again = Configuration.of_archive(after.archive)
    a_124 = next(one for one in read_rules(again) if one.id == "A-124")
    assert [one.value.text for one in a_124.params["minimum"].overrides] == ["7 CNY"]
    assert compiled(again).hash == compiled(after).hash != compiled(before).hash


def test_no_file_sets_nothing(tmp_path, repository):
    assert load_parameters(tmp_path / "parameters.yaml") == ()
    assert load_parameters(repository / "config" / "parameters.yaml") == ()
