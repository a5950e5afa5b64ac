"""Tables: rows by key and time, typed columns, mistakes with their places, rules that look into them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from monitor.core.listed import prepared
from monitor.core.rating_config import RatingConfig
from monitor.ruletest import RuleTests, read_cases
from rules.compile import compile_rulebook
from rules.errors import RuleError
from rules.lists import list_from_plain, list_to_plain, load_lists
from rules.loader import read_rule
from rules.vocabulary import load_vocabulary

CONFIG = Path(__file__).parents[2] / "config"
RULE = """\
id: X-1
title: A rule
dimension: compliance
on: payment.transfer
let: {{score: "lookup(table.risk.score, counterparty.country)"}}
when: {when}
severity: low
status: live
say: "{{score}}"
why: To test.
source: own proposal
triage: [Look.]
owner: us
"""
TABLE = """\
version: 1
about: Risk of countries.
kind: table
key: country
columns: {score: number, level: text, limit: money, watched: bool, wait: duration}
rows:
  - {country: NO, score: 10.5, level: low, limit: 100 USD, watched: false, wait: 30d, to: 2026-03-03}
  - {country: NO, score: 80, level: high, limit: 50 CNY, watched: true, from: 2026-03-03}
"""


def read(tmp_path, text=TABLE):
    (tmp_path / "risk.yaml").write_text(text, encoding="utf-8")
    return load_lists(tmp_path)


def in_dollars(amount, currency, time_ms):
    assert currency == "USD"
    return 7 * amount


def test_a_row_is_found_by_its_key_at_its_time(tmp_path):
    rows = prepared(read(tmp_path), in_dollars, "CNY")["risk"]
    march_3 = 1_772_496_000_000
    assert [rows.cell(n, march_3 - 1, "NO") for n in range(1, 6)] == [
        10.5,
        "low",
        7_000_000,
        False,
        2_592_000_000,
    ]
    assert [rows.cell(n, march_3, "NO") for n in range(1, 6)] == [80, "high", 500_000, True, None]
    assert rows.cell(1, march_3, "SE") is None


def test_an_archive_gives_a_table_back_as_it_was(tmp_path):
    data = read(tmp_path)["risk"]
    assert list_from_plain("risk", list_to_plain(data)) == data


def test_every_mistake_of_a_table_is_told_with_its_place(tmp_path):
    with pytest.raises(RuleError) as raised:
        read(
            tmp_path,
            "version: 1\nkind: table\nkey: country\nentries: []\n"
            "columns: {score: numbr, level: number}\nrows:\n"
            "  - {country: NO, level: high}\n  - {contry: NO}\n  - {country: SE, level: 1}\n"
            "  - {country: SE, level: 2, from: 2026-01-01}\n",
        )
    assert [f"{one.line}:{one.column}: {one.problem}" for one in raised.value.mistakes] == [
        "4:1: unknown key 'entries'",
        "5:18: columns.score: unknown 'numbr'",
        "7:26: level: expected number, was 'high'",
        "8:5: the key 'country' is missing in this row",
        "8:6: unknown column 'contry'",
        "10:5: SE has another row for the same time",
    ]


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ("lookup(table.rsk.score, counterparty.country) > 1", "unknown table 'rsk' | did you mean 'risk'?"),
        (
            "lookup(table.risk.scor, counterparty.country) > 1",
            "the table 'risk' has no column 'scor' | did you mean 'score'?",
        ),
        (
            "lookup(table.risk.score, amount) > 1",
            'expected a text, was money | write it in quotes, e.g. "out"',
        ),
        (
            "lookup(table.risk.score) > 1",
            "the key of 'risk' is country | write lookup(table.risk.score, country)",
        ),
        (
            "lookup(amount, currency) > 1",
            "expected the column of a table | e.g. lookup(table.country_risk.score",
        ),
        ("counterparty.country in list.risk", "list.risk is a table | write lookup(table.risk.score"),
        ("table.risk.score > 1", "a table is looked into by a key | write lookup(table.risk.score, ...)"),
        ("lookup(table.risk.level, counterparty.country) > 1", "cannot compare a text with a number"),
    ],
)
def test_what_a_table_cannot_be_asked_is_told(tmp_path, when, told):
    rule = read_rule(Path("<text>"), RULE.format(when=f"'{when}'"), "p")
    with pytest.raises(RuleError) as raised:
        compile_rulebook([rule], load_vocabulary(), read(tmp_path))
    assert any(f"{one.problem} | {one.hint}".startswith(told) for one in raised.value.mistakes)


CASES = """\
defaults: {kind: payment.transfer}
cases:
  - name: the row of the day counts, none is missing
    events:
      - {at: +0m, counterparty.country: NO}
      - {at: +24h, counterparty.country: NO}
      - {at: +25h, counterparty.country: SE}
      - {at: +26h}
    expect: {hits: [+24h], say: 80}
"""


def test_a_rule_reads_the_row_of_the_events_own_day(tmp_path):
    rating = RatingConfig.from_plain(yaml.safe_load((CONFIG / "rating.yaml").read_text(encoding="utf-8")))
    rule = read_rule(Path("<text>"), RULE.format(when="score >= 60"), "p")
    bench = RuleTests([rule], load_vocabulary(), read(tmp_path), {}, rating, None)
    (tmp_path / "X-1.test.yaml").write_text(CASES, encoding="utf-8")
    (case,) = read_cases(tmp_path / "X-1.test.yaml", load_vocabulary())
    assert bench.failures(case) == []


def test_shipped_tables_say_where_they_come_from_and_how_well_they_are_verified():
    tables = {name: data for name, data in load_lists(CONFIG / "lists").items() if data.table is not None}
    scores = {"country_risk", "mcc_risk", "industry_risk", "product_risk"}
    assert set(tables) == scores | {"large_cash_pilot", "employee_relatives"}
    for name, data in tables.items():
        plain = yaml.safe_load((CONFIG / f"lists/{name}.yaml").read_text(encoding="utf-8"))
        assert plain["source"]
        assert plain.get("verification") == "D" or name not in scores
        assert data.version != "0" or not data.table.rows


def test_the_table_of_countries_and_the_lists_of_the_fatf_agree():
    lists = load_lists(CONFIG / "lists")
    rows = {row.cells[0]: row.cells[2] for row in lists["country_risk"].table.rows}
    assert {name for name, level in rows.items() if level == "call_for_action"} == lists["fatf_black"].entries
    assert {name for name, level in rows.items() if level == "increased_monitoring"} == lists[
        "fatf_grey"
    ].entries
    assert {row.cells[0] for row in lists["mcc_risk"].table.rows} == lists["high_risk_mcc"].entries
