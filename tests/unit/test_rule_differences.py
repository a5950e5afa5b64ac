"""What an approver reads: two configurations compared, key by key and window by window."""

from __future__ import annotations

import copy

import orjson
import pytest

from monitor.configuration import Configuration, read_configuration
from monitor.rulediff import differences
from monitor.settings import Settings

RULE = """id: {id}
title: {id} of today
dimension: fraud
on: payment.transfer
params:
  minimum: {{default: 20000 CNY, private: 200000 CNY}}
when: amount >= param.minimum and count(24h, where=direction == "out") >= 3
points: 20
severity: high
status: live
say: "{{amount}}"
why: because
source: practice
triage: [look]
owner: me
"""


@pytest.fixture
def pack(tmp_path, repository):
    folder = tmp_path / "pack"
    folder.mkdir()
    for name in ("X-1", "X-2"):
        (folder / f"{name}.yaml").write_text(RULE.format(id=name), encoding="utf-8")
    return folder


@pytest.fixture
def read(pack, repository):
    return lambda: read_configuration(Settings(), repository / "config", [str(pack)])


def change(pack, old, new, rule="X-1"):
    path = pack / f"{rule}.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def changed(configuration, **parts):
    plain = copy.deepcopy(dict(configuration.plain))
    for name, change_part in parts.items():
        change_part(plain[name])
    return Configuration(orjson.loads(Configuration(plain).archive))


def test_equal_configurations_differ_in_nothing_wherever_they_were_read(read):
    found = differences(read(), Configuration.of_archive(read().archive))
    assert not found
    assert "nothing differs" in str(found)


def test_a_threshold_of_a_segment_is_told_with_its_old_and_new_value(read, pack):
    before = read()
    change(pack, "private: 200000 CNY", "private: 150000 CNY")
    found = differences(before, read())
    assert [str(one) for one in found.changed[0].changes] == [
        "params.minimum.private: 200000 CNY -> 150000 CNY (-25 %)"
    ]
    assert not found.states


def test_figures_in_an_expression_are_told_apart_from_its_words(read, pack):
    before = read()
    change(pack, ">= 3", ">= 5")
    (only,) = differences(before, read()).changed[0].changes
    assert (only.key, only.remark) == ("when", "3 -> 5")


def test_a_rule_going_live_says_what_that_means(read, pack):
    change(pack, "status: live", "status: shadow")
    before = read()
    change(pack, "status: shadow", "status: live")
    assert "its hits raise alerts and give points from now on" in str(differences(before, read()))


def test_a_draft_that_begins_to_run_is_shown_whole_as_nobody_approved_it(read, pack):
    change(pack, "status: live", "status: draft")
    before = read()
    change(pack, "status: draft", "status: shadow")
    assert "    points: 20" in str(differences(before, read()))


def test_rules_that_come_and_go_are_named_with_their_titles(read, pack):
    before = read()
    (pack / "X-2.yaml").unlink()
    (pack / "X-3.yaml").write_text(RULE.format(id="X-3"), encoding="utf-8")
    found = differences(before, read())
    assert [one.id for one in found.added] == ["X-3"]
    assert '    when: amount >= param.minimum and count(24h, where=direction == "out") >= 3' in str(found)
    assert [one.title for one in found.removed] == ["X-2 of today"]
    assert not found.states


def test_another_condition_makes_a_window_begin_anew_and_names_who_asks_for_it(read, pack):
    before = read()
    change(pack, 'direction == "out"', 'direction == "in"')
    (kept,) = differences(before, read()).states
    assert (kept.subject, kept.fate, kept.rules) == ("customer", "begins", ("X-1",))


def test_a_longer_window_is_kept_and_said_to_be_complete_later(read, pack):
    before = read()
    change(pack, "24h", "30d")
    (kept,) = differences(before, read()).states
    assert (kept.fate, kept.rules) == ("longer", ("X-1", "X-2"))
    assert kept.complete_ms >= 30 * 86_400_000


def test_a_window_nobody_asks_for_is_forgotten(read, pack):
    before = read()
    for rule in ("X-1", "X-2"):
        change(pack, ' and count(24h, where=direction == "out") >= 3', "", rule)
    assert [kept.fate for kept in differences(before, read()).states] == ["ends"]


def test_entries_of_lists_and_figures_of_the_rating_are_told(read):
    before = read()
    name = next(iter(before.plain["lists"]))
    after = changed(before, lists=lambda lists: lists[name]["entries"].append("ZZ-9"))
    found = differences(before, after)
    assert [str(one) for one in found.others["lists"]] == [f"{name}.entries: added ZZ-9"]


def test_the_text_is_the_same_both_times(read, pack):
    before = read()
    change(pack, 'direction == "out"', 'direction == "in"')
    assert str(differences(before, read())) == str(differences(before, read()))
    assert orjson.dumps(differences(before, read()).plain())
