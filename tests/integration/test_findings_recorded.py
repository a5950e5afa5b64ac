"""What rules say of hits and verdicts through the whole monitor: alerts, ledger, proof, restarts."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import orjson

from monitor.app import HOUR_MS, Opened, open_data
from monitor.recompute import proof
from monitor.settings import Settings
from monitor.testing import configuration, record, with_rules
from streams.ports import Record

DAY_MS = 24 * HOUR_MS
FILED = "true_positive.str_filed"
RULES = with_rules(
    configuration("flow"),
    {"id": "A-1", "on": "payment.transfer", "when": "amount >= 1000 CNY", "points": 4, "cooldown": "1h"},
    {
        "id": "M-1",
        "on": "rule.hit",
        "let": {"times": "count(2d)"},
        "when": "times >= 3",
        "points": 3,
        "cooldown": "1h",
        "say": "{times} hits",
    },
    {
        "id": "M-2",
        "on": "case.closed",
        "let": {"reports": f'distinct(case_id, 365d, where=disposition == "{FILED}")'},
        "when": f'disposition == "{FILED}" and reports >= 2',
        "points": 40,
        "severity": "critical",
        "say": "{reports} reports",
    },
)


def payment(name: str, at_ms: int, **more: Any) -> bytes:
    return record(name, "payment.transfer", at_ms, account_id="A-1", amount="5000", direction="out", **more)


def process(data: Opened, *bodies: bytes) -> list[Any]:
    return [outcome for body in bodies for outcome in data.processor.process([Record(body)])]


def closings(data: Opened, at_ms: int) -> list[bytes]:
    """An officer files a report about the open alerts of A-1, and closes the others with them."""
    query = "SELECT id, rule FROM alerts WHERE status = 'open' ORDER BY rule = 'A-1', id"
    return [
        record(
            f"close-{alert}", "alert.closed", at_ms + n, alert_id=alert, actor="ada", reason="reported",
            disposition=FILED if rule == "A-1" else "duplicate", customer_id=None, source_system="inbox",
        )
        for n, (alert, rule) in enumerate(data.store.db.execute(query).fetchall())
    ]  # fmt: skip


def play(data: Opened) -> list[Any]:
    outcomes: list[Any] = []
    for n in range(3):
        outcomes += process(data, payment(f"e{n}", n * HOUR_MS * 5))
    process(data, *closings(data, DAY_MS))
    outcomes += process(data, payment("e9", 40 * DAY_MS))
    return outcomes + process(data, *closings(data, 41 * DAY_MS))[-1:]


def test_hits_about_findings_raise_alerts_and_are_recorded(tmp_path: Path) -> None:
    with closing(open_data(tmp_path, Settings(), RULES, tick_every_ms=HOUR_MS)) as data:
        outcomes = play(data)
        assert [one.status for one in outcomes] == ["accepted"] * 5
        assert [one.rules for one in outcomes] == [
            ("A-1",), ("A-1",), ("A-1", "M-1"), ("A-1",), ("M-2",),
        ]  # fmt: skip
        raised = {rule for (rule,) in data.store.db.execute("SELECT rule FROM alerts")}
        assert {"A-1", "M-1", "M-2"} <= raised
        written = [
            orjson.loads(body)
            for (body,) in data.store.db.execute("SELECT body FROM ledger WHERE kind = 'hit'")
        ]
        (second,) = [one for one in written if one["rule"] == "M-2"]
        assert (second["say"], second["saw"]["reports"]) == ("2 reports", 2)
    assert [str(finding) for finding in proof(tmp_path)] == []


def test_a_restart_after_every_event_changes_nothing(tmp_path: Path) -> None:
    heads = []
    for name in ("one", "many"):
        folder = tmp_path / name
        folder.mkdir()
        data = open_data(folder, Settings(), RULES, tick_every_ms=HOUR_MS)
        steps = [*(payment(f"e{n}", n * HOUR_MS * 5) for n in range(3)), DAY_MS, payment("e9", 40 * DAY_MS)]
        for step in [*steps, 41 * DAY_MS]:
            process(data, *(closings(data, step) if isinstance(step, int) else [step]))
            if name == "many":
                data.close()
                data = open_data(folder, Settings(), RULES, tick_every_ms=HOUR_MS)
        heads.append(data.processor.ledger_head)
        assert data.store.db.execute("SELECT count(*) FROM alerts WHERE rule = 'M-2'").fetchone() == (1,)
        data.close()
    assert heads[0] == heads[1]


def test_a_payment_taken_back_takes_its_hit_along(tmp_path: Path) -> None:
    with closing(open_data(tmp_path, Settings(), RULES, tick_every_ms=HOUR_MS)) as data:
        process(data, payment("e1", 0), payment("e2", HOUR_MS), payment("r1", 2 * HOUR_MS, reversal_of="e1"))
        (third,) = process(data, payment("e3", 3 * HOUR_MS))
        (fourth,) = process(data, payment("e4", 4 * HOUR_MS))
        assert (third.rules, fourth.rules) == (("A-1",), ("A-1", "M-1"))
