"""A small bank with decided alerts, for what looks back at a journal."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from monitor.app import HOUR_MS, open_data
from monitor.configuration import read_configuration
from monitor.settings import Settings
from streams.ports import Record

START_MS = 1_767_225_600_000
DAY_MS = 86_400_000
RULE = """id: {id}
title: {title}
dimension: fraud
on: payment.transfer
when: {when}
points: {points}
severity: high
status: {status}
say: "{{amount}}"
why: because
source: practice
triage: [look]
owner: me
"""
RULES = {
    "X-1": ("Large payment", "amount >= 10000 CNY", "live"),
    "X-2": ("Many payments", "count(3d) >= 2 and amount >= 9000 CNY", "live"),
    "X-3": ("Any payment of some size", "amount >= 5000 CNY", "shadow"),
}


def write(folder, name, **changes):
    title, when, status = RULES[name]
    values = {"id": name, "title": title, "when": when, "status": status, "points": 60} | changes
    (folder / f"{name}.yaml").write_text(RULE.format(**values), encoding="utf-8")


def event(name, kind, at_ms, **fields):
    moment = datetime.fromtimestamp((START_MS + at_ms) / 1000, UTC).isoformat(timespec="milliseconds")
    plain = {"event_id": name, "event_type": kind, "occurred_at": moment, "source_system": "core", **fields}
    return Record(orjson.dumps(plain))


def payments():
    """Forty customers, ten days; the amount tells who is large."""
    for day in range(10):
        for customer in range(40):
            if (customer + day) % 3:
                amount = 700 * ((customer * 7 + day * 3) % 20)
                at_ms = day * DAY_MS + customer * 60_000
                yield event(
                    f"p{day}-{customer}", "payment.transfer", at_ms, customer_id=f"C{customer}",
                    amount=f"{amount + 1}.00", currency="CNY", direction="out", account_id=f"A{customer}",
                    counterparty={"account": f"B{customer % 5}"},
                )  # fmt: skip


@dataclass(frozen=True)
class SmallBank:
    folder: Path
    write: Callable
    payments: list[dict]
    start_ms: int = START_MS

    @property
    def data(self):
        return self.folder / "data"


@pytest.fixture(scope="session")
def small_bank(tmp_path_factory):
    """A data directory: payments, what officers decided, and two words on payments."""
    repository = Path(__file__).resolve().parents[2]
    folder = tmp_path_factory.mktemp("bank")
    pack = folder / "pack"
    pack.mkdir()
    for name in RULES:
        write(pack, name)
    configuration = read_configuration(Settings(), repository / "config", [str(pack)])
    opened = open_data(folder / "data", Settings(), configuration, sync="normal", tick_every_ms=HOUR_MS)
    with closing(opened):
        records = list(payments())
        outcomes = opened.processor.process(records[:150])
        assert {outcome.status for outcome in outcomes} == {"accepted"}
        rows = opened.store.db.execute(
            "SELECT id FROM alerts WHERE rule = 'X-1' ORDER BY opened_ms, id LIMIT 5"
        ).fetchall()
        close = [
            event(
                f"a{n}",
                "alert.closed",
                6 * DAY_MS,
                alert_id=alert_id,
                actor="ann",
                reason="seen",
                disposition="false_positive" if n % 2 else "true_positive.fraud_confirmed",
            )
            for n, (alert_id,) in enumerate(rows[:4])
        ]
        assert [outcome.status for outcome in opened.processor.process(close)] == ["accepted"] * 4
        snooze = {"actor": "ann", "reason": "waits", "until": "2026-01-08T12:00:00Z"}
        asleep = event("a4", "alert.snoozed", 6 * DAY_MS, alert_id=rows[4][0], **snooze)
        assert opened.processor.process([asleep])[0].status == "accepted"
        opened.processor.process(records[150:])
        opened.processor.process(
            [
                event("v1", "verdict", 10 * DAY_MS, of_event="p4-6", verdict="fraud", customer_id="C6"),
                event("v2", "verdict", 10 * DAY_MS, of_event="p8-9", verdict="genuine", customer_id="C9"),
            ]
        )
    return SmallBank(folder, write, [orjson.loads(record.body) for record in payments()])
