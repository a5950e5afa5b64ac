"""Peers of a small bank: measured from its journal as by hand, told by group, looked up by rules."""

from __future__ import annotations

from collections import defaultdict
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from math import ceil

import orjson
import pytest
import yaml
from typer.testing import CliRunner

from monitor.app import HOUR_MS, open_data
from monitor.cli import build_app
from monitor.configuration import build_codec, build_engine, read_configuration
from monitor.settings import Settings
from rules.errors import RuleError
from streams.ports import Record

START_MS = 1_767_225_600_000
DAY_MS = 86_400_000
PACK = """purpose: peers
owner: me
names:
  cash_share: >-
    sum(amount, 30d, of=cash.deposit) / sum(amount, 30d, of=(cash.deposit, payment.transfer))
  paid_in: sum(amount, 30d, of=cash.deposit)
"""
RULE = """id: X-1
title: More cash than others
dimension: compliance
on: payment.transfer
let:
  usual: peer("cash_share", 0.95)
  most: peer("paid_in", 0.5)
when: cash_share > usual
points: 10
severity: low
status: live
say: "{cash_share}, usual {usual}"
why: because
source: practice
triage: [look]
owner: me
"""
GROUPS = {"retail": ("east", 60), "catering": ("west", 50), "mining": ("east", 9)}
"""Industry to region and number of companies."""


def event(event_id, kind, at_ms, **fields):
    moment = datetime.fromtimestamp((START_MS + at_ms) / 1000, UTC).isoformat(timespec="milliseconds")
    return {
        "event_id": event_id,
        "event_type": kind,
        "occurred_at": moment,
        "source_system": "core",
        **fields,
    }


def companies():
    """Return (customer, industry, region, cash paid in, moved otherwise)."""
    number = 0
    for industry, (region, count) in GROUPS.items():
        for n in range(count):
            number += 1
            yield f"C{number}", industry, region, 100 + 10 * n, 1000


def events():
    for number, (customer, industry, region, cash, other) in enumerate(companies()):
        yield event(
            f"n{number}", "customer.created", number, customer_id=customer, customer_type="entity",
            industry=industry, region=region, annual_turnover="5000000.00", currency="CNY", name=customer,
        )  # fmt: skip
        for kind, amount, more in (
            ("cash.deposit", cash, {}), ("payment.transfer", other, {"direction": "in"}),
        ):  # fmt: skip
            yield event(
                f"{kind}{number}", kind, DAY_MS + number, customer_id=customer, amount=f"{amount}.00",
                currency="CNY", **more,
            )  # fmt: skip
    yield event("twice", "cash.deposit", 2 * DAY_MS, customer_id="C1", amount="9999.00", currency="CNY")
    yield event(
        "never", "cash.deposit", 2 * DAY_MS, customer_id="C1", amount="9999.00", currency="CNY",
        reversal_of="twice",
    )  # fmt: skip


@pytest.fixture(scope="module")
def bank(tmp_path_factory, repository):
    folder = tmp_path_factory.mktemp("peers")
    (folder / "pack").mkdir()
    (folder / "pack" / "pack.yaml").write_text(PACK, encoding="utf-8")
    (folder / "pack" / "X-1.yaml").write_text(RULE, encoding="utf-8")
    configuration = read_configuration(Settings(), repository / "config", [str(folder / "pack")])
    opened = open_data(folder / "data", Settings(), configuration, sync="normal", tick_every_ms=HOUR_MS)
    with closing(opened):
        outcomes = opened.processor.process([Record(orjson.dumps(one)) for one in events()])
        assert {outcome.status for outcome in outcomes} == {"accepted"}
    return folder


def run(bank, *more, out="peers.yaml"):
    arguments = ["rules", "peers", "--data", bank / "data", "--out", bank / out, *more]
    return CliRunner().invoke(build_app("rules"), [str(one) for one in arguments])


@pytest.fixture(scope="module")
def table(bank, repository):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(repository)
        ran = run(bank, "--packs", bank / "pack")
    assert ran.exit_code == 0, ran.output
    assert "cash_share: 119 customers" in ran.output
    return yaml.safe_load((bank / "peers.yaml").read_text(encoding="utf-8"))


def by_hand():
    found = defaultdict(list)
    for _, industry, region, cash, other in companies():
        share = Decimal(cash) / (cash + other)
        for group in ((industry, region), (industry, "*"), ("*", "*")):
            for size in ("<10m", "*"):
                found[*group, size].append((share, Decimal(cash)))
    return found


def test_the_table_holds_what_a_count_by_hand_gives(table):
    expected = {}
    for (industry, region, size), values in by_hand().items():
        if len(values) < 10:
            continue
        for place, figure in enumerate(("cash_share", "paid_in")):
            ordered = sorted(value[place] for value in values)
            cells = {"n": len(ordered)}
            for name, share in (("p50", Decimal("0.5")), ("p95", Decimal("0.95")), ("p99", Decimal("0.99"))):
                rank = ceil(share * len(ordered))
                if rank < len(ordered):
                    cells[name] = float(f"{ordered[rank - 1]:.3g}")
            expected[figure, "entity", industry, region, size] = cells
    key = ("figure", "type", "industry", "region", "size")
    rows = {
        tuple(row.pop(name) for name in key): {n: v for n, v in row.items() if n != "definition"}
        for row in map(dict, table["rows"])
    }
    assert rows == expected
    assert all("mining" not in key for key in rows)


def test_the_same_journal_gives_the_same_bytes(bank, table, repository, monkeypatch):
    monkeypatch.chdir(repository)
    assert run(bank, "--packs", bank / "pack", out="again.yaml").exit_code == 0
    assert (bank / "again.yaml").read_bytes() == (bank / "peers.yaml").read_bytes()


def test_figures_of_an_earlier_time_are_those_of_then(bank, table, repository, monkeypatch):
    monkeypatch.chdir(repository)
    at = datetime.fromtimestamp((START_MS + DAY_MS // 2) / 1000, UTC).isoformat()
    ran = run(bank, "--packs", bank / "pack", "--at", at, out="early.yaml")
    assert "cash_share: 0 customers, 0 groups told" in ran.output


@pytest.fixture
def config(bank, table, repository, tmp_path):
    """A folder of a configuration with the table in it."""
    import shutil

    shutil.copytree(repository / "config", tmp_path / "config")
    shutil.copy(bank / "peers.yaml", tmp_path / "config" / "lists" / "peers.yaml")
    return tmp_path / "config"


def hits(configuration, industry, region, cash):
    engine, codec = build_engine(configuration), build_codec(configuration)
    state = engine.new_state("customer")
    records = [
        event(
            "n", "customer.created", 0, customer_id="c", customer_type="entity", industry=industry,
            region=region, annual_turnover="5000000.00", currency="CNY", name="c",
        ),
        event("a", "cash.deposit", DAY_MS, customer_id="c", amount=str(cash), currency="CNY"),
        event(
            "b", "payment.transfer", DAY_MS, customer_id="c", amount="1000", currency="CNY", direction="in"
        ),
    ]  # fmt: skip
    for plain in records:
        answer = engine.assess(codec.decode(orjson.dumps(plain)), "customer", "c", state)
    assert answer.failures == []
    return answer.hits


def test_a_rule_compares_with_the_finest_group_that_is_told(bank, table, config):
    configuration = read_configuration(Settings(), config, [str(bank / "pack")])
    (hit,) = hits(configuration, "retail", "east", 690)
    p95 = {
        row["industry"] + row["region"] + row["size"]: row["p95"]
        for row in table["rows"]
        if row["figure"] == "cash_share"
    }
    assert (hit.saw["usual"], hit.saw["most"]) == (p95["retaileast<10m"], "390.00 CNY")
    assert hits(configuration, "retail", "east", 600) == []
    # Mining has too few companies to be told of: all companies of the size stand in.
    (hit,) = hits(configuration, "mining", "north", 5000)
    assert hit.saw["usual"] == p95["**<10m"]


def test_without_a_table_nothing_is_usual(bank, repository):
    configuration = read_configuration(Settings(), repository / "config", [str(bank / "pack")])
    assert hits(configuration, "retail", "east", 5000) == []


def test_a_figure_that_changed_since_is_told(bank, config, tmp_path):
    (tmp_path / "changed").mkdir()
    (tmp_path / "changed" / "pack.yaml").write_text(PACK.replace("30d", "60d"), encoding="utf-8")
    (tmp_path / "changed" / "X-1.yaml").write_text(RULE, encoding="utf-8")
    configuration = read_configuration(Settings(), config, [str(tmp_path / "changed")])
    with pytest.raises(RuleError) as caught:
        build_engine(configuration)
    assert {mistake.problem for mistake in caught.value.mistakes} == {
        "'cash_share' of the table of peers means something else now",
        "'paid_in' of the table of peers means something else now",
    }


@pytest.mark.parametrize(
    ("figure", "problem"),
    [
        ("cash_shore", "no expression 'cash_shore' is named, so no such peer figure"),
        ("loose", "loose: sum does not say of which events"),
        ("at_hand", "no event is at hand when a time runs out, so no 'amount'"),
        ("word", "a peer figure is a number or money, was a text"),
    ],
)
def test_a_figure_that_cannot_be_measured_is_told(bank, repository, monkeypatch, tmp_path, figure, problem):
    monkeypatch.chdir(repository)
    (tmp_path / "X-1.yaml").write_text(RULE, encoding="utf-8")
    (tmp_path / "pack.yaml").write_text(
        "purpose: p\nowner: o\nnames:\n  cash_share: 1 + 1\n  loose: sum(amount, 30d)\n"
        "  at_hand: amount / sum(amount, 30d, of=cash.deposit)\n  word: profile.industry\n",
        encoding="utf-8",
    )
    ran = run(bank, figure, "--packs", tmp_path)
    assert problem in str(ran.exception)
