"""The bytes of the ledger are an interface: auditors recompute them for years.

A change here means that old ledgers and new ones differ: write it into the changelog, then run with
`RISKMON_UPDATE_GOLDEN=1` and read the difference.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from alerts.desk import Desk, DeskSettings
from alerts.stores.sql import SCHEMA, SqlAlertStore
from monitor.audit import ledger as ledgers
from monitor.audit.ledger import Ledger
from monitor.core.assessment import Assessment, Hit, RatingChange

GOLDEN = Path(__file__).parent / "ledger" / "desk.txt"
DAY_MS = 86_400_000
START_MS = 1_772_600_000_000

HIT = Hit(
    rule="A-124",
    version="0123456789ab",
    subject="customer",
    subject_id="C-张伟",
    event_id="tx-1",
    ref=-(2**63),
    time_ms=START_MS,
    late=False,
    status="live",
    title="Structuring",
    dimension="compliance",
    severity="high",
    points=25.5,
    alert=True,
    cooldown_ms=DAY_MS,
    say="cash in 62,400.00 CNY in 3 deposits, threshold 50,000.00",
    saw={"amount": "12400.00 CNY", "n": 3, "share": 0.1, "country": None, "days": (1, 2), "new": True},
    evidence=(7, -8),
    disclosure="aml_confidential",
)
CHANGE = RatingChange(
    customer_id="C-张伟",
    time_ms=START_MS,
    cause="tx-1",
    previous_grade=13,
    grade=11,
    score=61.25,
    parts=({"name": "compliance", "kind": "dimension", "points": 61.25},),
)


def assessment(**changes: Any) -> Assessment:
    values: dict[str, Any] = {
        "event_id": "tx-1",
        "ref": 1,
        "kind": "payment.transfer",
        "subject": "customer",
        "subject_id": "C-张伟",
        "time_ms": START_MS,
    }
    return Assessment(**values | changes)


def repeat(days: int, **changes: Any) -> Hit:
    fields = {name: getattr(HIT, name) for name in Hit.__slots__}
    return Hit(
        **fields | {"event_id": f"tx-{days}", "ref": days, "time_ms": START_MS + days * DAY_MS} | changes
    )


def written() -> str:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(SCHEMA + ledgers.SCHEMA)
    ledger = Ledger(connection)
    desk = Desk(SqlAlertStore(connection), ledger, DeskSettings(four_eyes=frozenset({"critical"})))
    (alert, _) = desk.consider(
        assessment(hits=[HIT, repeat(0, rule="B-1", status="shadow")], rating=[CHANGE])
    )

    def act(kind: str, day: int, actor: str, **fields: Any) -> None:
        data = SimpleNamespace(alert_id=alert.id, actor=actor, occurred_at=START_MS + day * DAY_MS, **fields)
        desk.act(kind, data)

    act("alert.snoozed", 1, "ada", reason="payday", until=START_MS + 3 * DAY_MS)
    desk.consider(assessment(hits=[repeat(2)]))
    desk.tick(START_MS + 3 * DAY_MS)
    act("alert.taken", 4, "ada")
    desk.consider(assessment(hits=[repeat(5, severity="critical", customers=("C-9",))]))
    act("alert.closed", 6, "ada", reason="reported", disposition="true_positive.str_filed")
    act("alert.closed", 7, "bo", reason="agreed", disposition="true_positive.str_filed")
    desk.consider(assessment(too_late=True, event_id="tx-old", ref=99, time_ms=5))
    desk.flush()
    ledger.flush()
    lines = [
        f"{entry.seq} {entry.time_ms} {entry.kind} {entry.subject} {entry.body.decode()} {entry.hash.hex()}\n"
        for entry in ledger.entries()
    ]
    connection.close()
    return "".join(lines)


def test_the_desk_writes_the_same_bytes_as_ever() -> None:
    now = written()
    if os.environ.get("RISKMON_UPDATE_GOLDEN"):
        GOLDEN.write_text(now, encoding="utf-8")
    assert now == GOLDEN.read_text(encoding="utf-8")
