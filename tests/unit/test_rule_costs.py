"""What a rule costs is told before it is in force: room by its windows, time on its own cases."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from monitor import rulecosts
from monitor.cli.rules import app
from monitor.rulecosts import state_bytes
from rules.compile import compile_rulebook
from rules.lists import load_lists
from rules.loader import PACKS, load_packs, load_predicates
from rules.vocabulary import load_vocabulary


@pytest.fixture
def bytes_of(repository):
    rules = {rule.id: rule for rule in load_packs([PACKS])}
    lists, predicates = load_lists(repository / "config" / "lists"), load_predicates([PACKS])

    def measured(name, a_day):
        return state_bytes(
            compile_rulebook([rules[name]], load_vocabulary(), lists, predicates=predicates), a_day
        )

    return measured


def test_room_grows_with_the_events_a_day(bytes_of):
    assert bytes_of("MD-953", 6) == 2 * bytes_of("MD-953", 3) > 0


def test_a_rule_without_windows_takes_no_room(bytes_of):
    assert bytes_of("K-201", 3) == 0


def test_the_command_tells_the_dearest_first(repository, monkeypatch):
    monkeypatch.chdir(repository)
    result = CliRunner().invoke(app, ["costs", "--packs", "card_terminal", "--json"])
    found = json.loads(result.stdout)
    assert {one["rule"] for one in found} == {"CT-01", "CT-02", "CT-03"}
    assert [one["state_bytes"] for one in found] == sorted(
        (one["state_bytes"] for one in found), reverse=True
    )
    assert all(one["units"] >= 0 for one in found)


def test_time_is_what_a_rule_adds(monkeypatch):
    rounds = iter([5e-3, 2e-3, 4e-3, 3e-3])
    monkeypatch.setattr(rulecosts, "_round", lambda engine, timelines: next(rounds))
    timelines = [SimpleNamespace(moments=[SimpleNamespace(event=object())] * 3)]
    assert rulecosts._added_us("alone", "bare", timelines) == pytest.approx(2e-3 / 3 * 1e6)
