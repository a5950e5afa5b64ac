"""Rules of the catalogue about flows, circles, peers and neighbours, as they are written and tested."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from monitor.cli.rules import app

PACK = """purpose: flows
owner: me
names:
  cash_share: sum(amount, 30d, of=cash.*) / sum(amount, 30d, of=(cash.*, payment.transfer))
"""
RULE = """id: {id}
title: {id}
dimension: compliance
on: {on}
let: {{{let}}}
when: '{when}'
points: 16
severity: medium
status: shadow
say: "{say}"
why: because
source: "[D]"
triage: [look]
owner: me
"""
RULES = {
    "A-125": (
        "payment.transfer", "stayed: 'retention(amount, 7d, min_n=5)'", "stayed < 6h", "kept for {stayed}",
        """
defaults: {kind: payment.transfer}
cases:
  - name: five times in and out within an hour
    events:
      - {at: +0h, direction: in, amount: 500}
      - {at: +1h, amount: 100}
      - {at: +2h, amount: 100}
      - {at: +3h, amount: 100}
      - {at: +4h, amount: 100}
      - {at: +5h, amount: 100}
    expect: {hits: [+5h], say: "kept for 3 h"}
  - name: money that stays
    events:
      - {at: +0h, direction: in, amount: 500}
      - {at: +24h, amount: 100}
    expect: {hits: []}
""",
    ),
    "A-126": (
        "payment.transfer", "part: 'turned_over(amount, 30d, within=day)'", "part >= 0.75", "{part:percent}",
        """
defaults: {kind: payment.transfer}
cases:
  - name: three quarters leave on the same day
    events:
      - {at: +0h, direction: in, amount: 100}
      - {at: +1h, amount: 74.99}
      - {at: +2h, amount: 0.01}
    expect: {hits: [+2h]}
  - name: the next day is another day
    events:
      - {at: +0h, direction: in, amount: 100}
      - {at: +24h, amount: 100}
    expect: {hits: []}
""",
    ),
    "A-127": (
        "payment.transfer", "path: 'cycle(amount, 7d, within=0.1)'", "not missing(path)", "{path}",
        """
defaults: {kind: payment.transfer}
cases:
  - name: back over two others
    events:
      - {at: +0h, customer_id: a, account_id: A, counterparty.account: B, amount: 1000}
      - {at: +1h, customer_id: b, account_id: B, counterparty.account: C, amount: 950}
      - {at: +2h, customer_id: a, account_id: A, counterparty.account: C, direction: in, amount: 900}
    expect: {hits: [+2h], say: "A > B > C > A"}
  - name: too little comes back
    events:
      - {at: +0h, customer_id: a, account_id: A, counterparty.account: B, amount: 1000}
      - {at: +2h, customer_id: a, account_id: A, counterparty.account: B, direction: in, amount: 899.99}
    expect: {hits: []}
""",
    ),
    "A-144": (
        "cash.deposit", """usual: 'peer("cash_share", 0.99)'""",
        "cash_share > usual and sum(amount, 30d, of=cash.*) >= 100_000 CNY", "usual {usual:percent}",
        """
defaults: {kind: cash.deposit}
profile: {type: entity, industry: retail, region: east}
lists:
  peers:
    kind: table
    key: [figure, type, industry, region, size]
    columns:
      {figure: text, type: text, industry: text, region: text, size: text, n: number, p50: number,
       p95: number, p99: number, definition: text}
    rows:
      - {figure: cash_share, type: entity, industry: retail, region: "*", size: "*", p99: 0.5}
      - {figure: cash_share, type: entity, industry: retail, region: west, size: "*", p99: 1}
cases:
  - name: more cash than shops like it
    events: [{at: +0h, amount: 100000}]
    expect: {hits: [+0h], say: "usual 50 %"}
  - name: little money
    events: [{at: +0h, amount: 99999.99}]
    expect: {hits: []}
""",
    ),
    "MD-954": (
        "card.authorization", "rare: 'rarity((channel, merchant_country, mcc), 180d, min_n=2)'",
        "rare == 0", "never so",
        """
defaults: {kind: card.authorization, channel: pos, mcc: "5411"}
cases:
  - name: another kind of shop
    events: [{at: +0h}, {at: +1h}, {at: +2h}, {at: +3h, mcc: "7995"}]
    expect: {hits: [+3h]}
  - name: no habit yet
    events: [{at: +0h}, {at: +1h, mcc: "7995"}]
    expect: {hits: []}
""",
    ),
    "MD-957": (
        "payment.transfer", "mule: 'neighbour(amount, 90d, at_least=10_000 CNY, among=list.fraud_accounts)'",
        "not missing(mule)", "{mule}",
        """
defaults: {kind: payment.transfer}
lists: {fraud_accounts: [m]}
cases:
  - name: ten thousand in all
    events:
      - {at: +0h, counterparty.account: m, amount: 6000}
      - {at: +1h, counterparty.account: m, amount: 4000, direction: in}
      - {at: +2h, counterparty.account: x, amount: 1}
    expect: {hits: [+1h, +2h], say: m}
  - name: somebody else
    events: [{at: +0h, counterparty.account: n, amount: 20000}]
    expect: {hits: []}
""",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RULES)
def test_the_rule_is_written_in_the_language_and_passes_its_test(name, tmp_path, repository, monkeypatch):
    monkeypatch.chdir(repository)
    on, let, when, say, cases = RULES[name]
    (tmp_path / "pack.yaml").write_text(PACK, encoding="utf-8")
    text = RULE.format(id=name, on=on, let=let, when=when, say=say)
    (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    (tmp_path / f"{name}.test.yaml").write_text(cases, encoding="utf-8")
    ran = CliRunner().invoke(app, ["test", str(tmp_path)])
    assert ran.output == "2 of 2 cases of 1 rules passed\n", str(ran.exception)
    told = CliRunner().invoke(app, ["explain", name, "--packs", str(tmp_path)])
    assert "remembers" in told.output
