"""Lists: validity, beginnings, names; what a hit shows; mistakes with their places; archives."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from monitor.core.listed import Names, by_entry, prepared
from monitor.core.rating_config import RatingConfig
from monitor.ruletest import RuleTests, read_cases
from rules.compile import compile_rulebook
from rules.errors import RuleError
from rules.lists import list_from_plain, list_to_plain, load_lists
from rules.loader import read_rule
from rules.model import Entry, ListData
from rules.vocabulary import load_vocabulary

DAY_MS = 86_400_000


def NO_FX(amount, currency, time_ms):  # noqa: N802
    raise AssertionError("no money here")


RULE = """\
id: X-1
title: A rule
dimension: compliance
on: payment.transfer
when: {when}
severity: low
status: live
say: "{say}"
why: To test.
source: own proposal
triage: [Look.]
owner: us
"""
LISTS = {
    "watched": ListData("watched", "3", frozenset({"Global Trading Ltd"}), "", "names", (Entry("張偉"),)),
    "gambling": ListData("gambling", "1", frozenset({"79"}), "", "prefix"),
    "dated": ListData("dated", "1", frozenset(), "", "exact", (Entry("x", from_ms=5),)),
    "plain": ListData("plain", "1", frozenset({"q"})),
}


def compiled(when, say="{amount}"):
    rule = read_rule(Path("<text>"), RULE.format(when=when, say=say), "p")
    return compile_rulebook([rule], load_vocabulary(), LISTS)


def mistake(when):
    with pytest.raises(RuleError) as raised:
        compiled(when)
    return [f"{one.problem} | {one.hint}" for one in raised.value.mistakes]


def test_a_list_file_says_kind_validity_aliases_and_reasons(tmp_path):
    (tmp_path / "names.yaml").write_text(
        "version: 2\nabout: Persons.\nkind: names\nentries:\n"
        "  - 王芳\n  - {value: 张伟, aliases: [Cheung Wai], from: 2026-01-01, to: 2026-02-01,\n"
        "     reason: order 7}\n",
        encoding="utf-8",
    )
    (tmp_path / "fx_rates.yaml").write_text("pivot: EUR\nrates: {}\n")
    assert load_lists(tmp_path) == {
        "names": ListData(
            "names", "2", frozenset({"王芳"}), "Persons.", "names",
            (Entry("张伟", 1_767_225_600_000, 1_769_904_000_000, ("Cheung Wai",), "order 7"),),
        )
    }  # fmt: skip


def test_every_mistake_of_every_list_is_told_with_its_place(tmp_path):
    (tmp_path / "a.yaml").write_text(
        "version: 1\nkinds: exact\nkind: fuzzy\nentries:\n  - x\n  - x\n  - {value: y, from: soon}\n"
        "  - {valeu: z}\n  - {value: w, aliases: [v]}\n  - {value: u, from: 2026-02-01, to: 2026-01-01}\n"
    )
    (tmp_path / "b.yaml").write_text("version: 1\n")
    with pytest.raises(RuleError) as raised:
        load_lists(tmp_path)
    told = [f"{Path(one.file).name}:{one.line}:{one.column}: {one.problem}" for one in raised.value.mistakes]
    assert told == [
        "a.yaml:2:1: unknown key 'kinds'",
        "a.yaml:3:7: kind: unknown 'fuzzy'",
        "a.yaml:6:5: 'x' is given twice for the same time",
        "a.yaml:7:22: from: expected a date, was 'soon'",
        "a.yaml:8:5: 'value' is missing in this entry",
        "a.yaml:8:6: unknown key 'valeu' in an entry",
        "a.yaml:9:16: aliases: only names have any",
        "a.yaml:10:38: to: expected a day after `from`",
        "b.yaml:1:1: 'entries' is missing",
    ]


def test_an_entry_may_come_again_for_another_time(tmp_path):
    (tmp_path / "a.yaml").write_text(
        "version: 1\nentries:\n  - {value: x, to: 2026-01-01}\n  - {value: x, from: 2026-02-01}\n"
    )
    held = prepared(load_lists(tmp_path), NO_FX, "CNY")["a"]
    assert [held.holds("x", day * DAY_MS) for day in (20_453, 20_454, 20_484, 20_485)] == [
        True,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("when", "told"),
    [
        (
            "counterparty.name in list.watched",
            "list.watched holds names, which are alike or not | write match({name}, list.watched) >= 90",
        ),
        (
            "match(counterparty.name, list.plain) >= 90",
            "list.plain is no list of names | write {name} in list.plain, or `kind: names` in the list",
        ),
        ("match(counterparty.name, list.wached) >= 90", "unknown list 'wached' | did you mean 'watched'?"),
        (
            "match(counterparty.name) >= 90",
            "match takes 2 arguments | e.g. match(counterparty.name, list.watched_names) >= 90",
        ),
        (
            'match(counterparty.name, "x") >= 90',
            "expected a list of names | e.g. match(counterparty.name, list.watched_names) >= 90",
        ),
    ],
)
def test_what_a_list_cannot_be_asked_is_told(when, told):
    assert mistake(f"'{when}'") == [told.replace("{name}", "counterparty.name")]


def test_an_entry_that_is_met_is_told_with_its_score_its_version_and_its_reason():
    lists = {
        "watched": ListData("watched", "3", frozenset(), "", "names", (Entry("张伟", reason="order 7"),)),
        "gambling": ListData("gambling", "1", frozenset({"79"}), "", "prefix"),
    }
    told = by_entry(lists, prepared(lists, NO_FX, "CNY"))
    assert told("watched", "Wei Zhang", 0) == "张伟 (92, list version 3, order 7)"
    assert told("watched", "somebody", 0) is None
    assert told("watched", None, 0) is None
    assert told("gambling", "7995", 0) == "79 (list version 1)"


def test_of_names_the_best_in_force_counts():
    names = Names([Entry("John Smith", to_ms=10), Entry("Jon Smith", from_ms=5)])
    assert names.found("John Smith", 9) == (100.0, Entry("John Smith", to_ms=10))
    score, entry = names.found("John Smith", 10)
    assert (round(score), entry) == (95, Entry("Jon Smith", from_ms=5))
    assert Names([Entry("John Smith", to_ms=10)]).found("John Smith", 10) == (0.0, None)


def test_a_plain_list_costs_what_it_did():
    assert (
        "known_in(d.counterparty.account, LISTS['plain'])"
        in compiled("counterparty.account in list.plain").source
    )
    assert "LISTS['dated'].holds(" in compiled("counterparty.account in list.dated").source


@pytest.mark.parametrize("name", LISTS)
def test_an_archive_gives_a_list_back_as_it_was(name):
    assert list_from_plain(name, list_to_plain(LISTS[name])) == LISTS[name]


def test_an_archive_of_a_day_before_kinds_is_read():
    plain = {"version": "1", "about": "", "entries": ["q"]}
    assert list_from_plain("plain", plain) == LISTS["plain"]
    assert list_to_plain(LISTS["plain"]) == plain


TESTS = """\
defaults: {kind: payment.transfer}
lists:
  watched: [{value: 張偉, aliases: [Cheung Wai], reason: order 7}]
  plain: [{value: q, from: 2026-03-03}]
cases:
  - name: a name in another script, a day before and a day after the account is listed
    events:
      - {at: +0m, counterparty.name: Zhang Wei, counterparty.account: q}
      - {at: +24h, counterparty.name: Zhang Wei, counterparty.account: q}
      - {at: +25h, counterparty.name: Li Wei, counterparty.account: q}
    expect:
      hits: [+24h]
      say: 张 張偉 (92, list version test, order 7)
"""


def test_the_test_of_a_rule_brings_entries_with_validity_and_aliases(tmp_path):
    when = "'match(counterparty.name, list.watched) >= 90 and counterparty.account in list.plain'"
    say = "张 {matched(counterparty.name, list.watched)}"
    rule = read_rule(Path("<text>"), RULE.format(when=when, say=say), "p")
    (tmp_path / "X-1.test.yaml").write_text(TESTS, encoding="utf-8")
    folder = Path(__file__).parents[2] / "config"
    rating = RatingConfig.from_plain(yaml.safe_load((folder / "rating.yaml").read_text(encoding="utf-8")))
    bench = RuleTests([rule], load_vocabulary(), LISTS, {}, rating, None)
    cases = read_cases(tmp_path / "X-1.test.yaml", load_vocabulary())
    assert [bench.failures(case) for case in cases] == [[]]
