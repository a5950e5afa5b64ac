"""The catalogue page is that of the shipped rules, and tells which rules a source does not feed.

`pytest --update-golden` rewrites the page.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor.catalogue import Feed, catalogue, markdown
from monitor.cli.rules import app
from rules.loader import PACKS, load_packs, load_predicates, read_rule
from rules.vocabulary import load_vocabulary
from streams.mapping_file import read_mapping

RULE = """id: X-1
title: A rule
dimension: fraud
on: payment.transfer
when: amount >= 5 CNY and count(24h, of=auth.login) > 2 and profile.pep != "none" and device.vpn
severity: low
status: live
say: "{amount} moved"
why: practice
source: practice
triage: [look]
owner: me
"""
WORDS = load_vocabulary()


def line(feed):
    (found,) = catalogue([read_rule(Path("X-1.yaml"), RULE, "pack")], WORDS, {}, feed)
    return found


def event(kind, **fields):
    return {"event_type": kind, "event_id": "1", "customer_id": "c", **fields}


def test_the_shipped_page_is_that_of_the_shipped_rules(request, repository):
    page = repository / "docs" / "rule-catalogue.md"
    told = markdown(catalogue(load_packs([PACKS]), WORDS, load_predicates([PACKS]), None))
    if request.config.getoption("--update-golden"):
        page.write_text(told, encoding="utf-8")
    assert page.read_text(encoding="utf-8") == told


def test_a_rule_says_what_it_looks_at_remembers_and_reads():
    wanted = line(None).needs
    assert wanted.looks_at == {"payment.transfer"}
    assert wanted.remembers == {"auth.login"}
    assert wanted.fields == {"customer_id", "amount", "pep", "device.vpn"}


def test_a_rule_whose_events_never_come_is_not_fed():
    feed = Feed.of_events([event("auth.login")], "a source")
    assert (line(feed).state, line(feed).absent_kinds) == ("not fed", ("payment.transfer",))


def test_a_rule_is_partly_fed_where_a_window_or_a_field_stays_empty():
    feed = Feed.of_events(
        [event("payment.transfer", amount="5", device={"vpn": True, "ip": None})], "a source"
    )
    assert line(feed).state == "partly fed"
    assert (line(feed).absent_kinds, line(feed).absent_fields) == (("auth.login",), ("pep",))


def test_a_rule_is_fed_where_everything_comes():
    events = [
        event("payment.transfer", amount="5", device={"vpn": False}), event("auth.login"),
        event("customer.created", pep="none"),
    ]  # fmt: skip
    assert line(Feed.of_events(events, "a source")).state == "fed"


def test_a_mapping_file_feeds_what_its_shapes_make(repository):
    path = repository / "config" / "mappings" / "handbook.yaml"
    feed = Feed.of_mappings([read_mapping(path, path.read_text(encoding="utf-8"), WORDS)])
    assert set(feed.kinds) == {"card.authorization", "card.chargeback"}
    assert "terminal_id" in feed.fields["card.authorization"]
    assert line(feed).state == "not fed"


@pytest.mark.parametrize("form", ["--json", "--out"])
def test_the_command_tells_what_a_mapping_does_not_feed(form, repository, monkeypatch, tmp_path):
    monkeypatch.chdir(repository)
    words = ["catalogue", "--packs", "fraud", "--map", "config/mappings/handbook.yaml"]
    words += [form] if form == "--json" else [form, str(tmp_path / "page.md")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    if form == "--json":
        states = {one["id"]: one["state"] for one in json.loads(result.output)}
        assert (states["F-301"] == "not fed", states["F-309"]) == (False, "not fed")
    else:
        assert "| not fed | says | waits for |" in (tmp_path / "page.md").read_text(encoding="utf-8")
