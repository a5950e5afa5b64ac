"""What is looked up when an event comes: profile, account, text, clock, distance; lists by the clock."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from monitor.core.rating_config import RatingConfig
from monitor.ruletest import RuleTests, read_cases
from rules.loader import read_rule
from rules.model import ListData
from rules.vocabulary import load_vocabulary

RULE = """\
id: X-1
title: A rule
dimension: compliance
on: {on}
when: {when}
severity: low
status: live
cooldown: 30d
say: "{say}"
why: To test.
source: own proposal
triage: [Look.]
owner: us
"""
LISTS = {"watched": ListData("watched", "1", frozenset({"張偉"}), "", "names")}


@pytest.fixture
def failures(repository, tmp_path):
    plain = yaml.safe_load((repository / "config" / "rating.yaml").read_text(encoding="utf-8"))
    rating = RatingConfig.from_plain(plain)

    def found(when, case, on="payment.transfer", say="hit"):
        rule = read_rule(Path("<text>"), RULE.format(on=on, when=f"'{when}'", say=say), "p")
        text = f"defaults: {{kind: payment.transfer}}\ncases:\n  - name: one\n{case}"
        (tmp_path / "X-1.test.yaml").write_text(text, encoding="utf-8")
        bench = RuleTests([rule], load_vocabulary(), LISTS, {}, rating, None)
        return [
            told
            for one in read_cases(tmp_path / "X-1.test.yaml", load_vocabulary())
            for told in bench.failures(one)
        ]

    return found


def test_profile_and_account_are_those_of_the_time_of_the_event(failures):
    case = """\
    events:
      - {at: +0m, account_id: a}
      - {at: +1m, kind: customer.updated, pep: foreign}
      - {at: +2m, kind: account.opened, account_id: a}
      - {at: +3m, account_id: a}
      - {at: +4m, account_id: b}
      - {at: +5m, kind: customer.updated, pep: none}
      - {at: +6m, account_id: a}
    expect: {hits: [+3m]}
"""
    assert failures('profile.pep == "foreign" and age(account.opened_at) < 1h', case) == []


def test_keywords_and_regular_expressions_are_found_whatever_the_case(failures):
    case = """\
    events:
      - {at: +0m, remittance_info: My CASINO night}
      - {at: +1m, remittance_info: best regards}
      - {at: +2m, remittance_info: 赌博 款}
      - {at: +3m, remittance_info: bet no 7}
      - {at: +4m}
    expect: {hits: [+0m, +2m, +3m]}
"""
    assert failures('matches(remittance_info, "casino|赌博|\\\\bbet\\\\b")', case) == []


def test_hours_and_days_are_those_of_the_institutions_clock(failures):
    case = """\
    start: 2026-03-06T05:59:59
    events:
      - {at: +0m}
      - {at: +1s}
      - {at: +24h}
      - {at: +72h}
    expect: {hits: [+0m, +24h]}
"""
    when = "hour(occurred_at) < 6 and weekday(occurred_at) >= 5 or weekday(occurred_at) == 6"
    assert failures(when, case) == []


def test_business_days_between_a_date_and_the_event_are_counted(failures):
    case = """\
    start: 2026-03-09T10:00:00
    events:
      - {at: -3d, booked_date: 2026-03-05}
      - {at: +0m, booked_date: 2026-03-06}
      - {at: +1m, booked_date: 2026-03-05}
      - {at: +2m, booked_date: 2026-03-10}
      - {at: +3m, booked_date: 2020-03-09}
    expect: {hits: [+1m, +3m]}
"""
    assert failures("business_days(booked_date) > 1", case) == []


def test_speed_is_distance_by_time(failures):
    case = """\
    events:
      - {at: +0m, geo.lat: 31.23, geo.lon: 121.47}
      - {at: +1h, geo.lat: 39.90, geo.lon: 116.40}
      - {at: +11h, geo.lat: 31.23, geo.lon: 121.47}
    expect: {hits: [+1h]}
"""
    far = "distance_km(geo.lat, geo.lon, last(geo.lat, 30d, prior=true), last(geo.lon, 30d, prior=true))"
    took = "age(last(occurred_at, 30d, prior=true)) / 1h"
    assert failures(f"{far} / ({took}) > 900", case) == []


def test_every_customer_is_screened_again_by_the_clock(failures):
    case = """\
    events:
      - {at: +0m, kind: customer.created, name: Wei ZHANG}
      - {tick: +25h}
    expect: {hits: [+14h], say: "張偉 (92, list version 1)"}
"""
    when = "match(profile.name, list.watched) >= 90"
    assert failures(when, case, on="every day", say="{matched(profile.name, list.watched)}") == []
