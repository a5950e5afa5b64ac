"""A rule asked by the clock, from the tick to the alert: told once, verified, equal after a restart."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
from ruled_monitor import change, configured
from ruled_monitor import opened as rules_opened
from typer.testing import CliRunner

from alerts.stores.sql import SqlAlertStore
from monitor.app import HOUR_MS, Opened, open_data, scoring_engines
from monitor.cli.audit import app
from monitor.configuration import build_codec
from monitor.core.schedules import leisure_ms
from monitor.recompute import proof
from monitor.settings import Settings
from monitor.testing import START_MS, configuration, record, with_rules
from streams.history import customer_state
from streams.ports import Record

DAY_MS = 24 * HOUR_MS
STALE = {
    "id": "P-1",
    "on": "every day",
    "when": "quiet_for(of=interaction.contact) > 2d and count(30d, of=payment.transfer) >= 1",
    "points": 40,
    "severity": "high",
    "cooldown": "30d",
}
CHOSEN = with_rules(configuration("flow"), STALE)
EVENTS = [
    record("e1", "interaction.contact", 0),
    record("e2", "payment.transfer", HOUR_MS, amount="10", direction="out"),
    record("e3", "auth.login", 5 * DAY_MS, customer_id="c2"),
    record("e4", "auth.login", 9 * DAY_MS),
]


def opened(folder: Path) -> Opened:
    return open_data(folder, Settings(), CHOSEN, sync="normal", tick_every_ms=HOUR_MS)


def send(data: Opened, bodies: list[bytes]) -> None:
    data.processor.process([Record(body) for body in bodies])


def ledger(data: Opened) -> list[Any]:
    return list(data.store.db.execute("SELECT * FROM ledger ORDER BY seq").fetchall())


def test_an_alert_of_the_clock_shows_the_events_it_rests_on_and_is_verified(tmp_path):
    with closing(opened(tmp_path / "a")) as data:
        send(data, EVENTS)
        (alert,) = SqlAlertStore(data.store.db).of_customer("c1")
        # The first event is at eight in Shanghai: the third midnight after it is 64 hours later.
        assert (alert.rule, alert.opened_ms - START_MS) == ("P-1", 64 * HOUR_MS)
        payment = build_codec(CHOSEN).decode(EVENTS[1])
        assert alert.evidence == (payment.ref,)
        data.processor.close()
    checked = CliRunner().invoke(app, ["verify", "--data", str(tmp_path / "a")])
    assert checked.exit_code == 0, checked.output


def test_what_the_clock_asks_is_told_once_whatever_is_restarted_or_sent_again(tmp_path):
    with closing(opened(tmp_path / "whole")) as data:
        send(data, EVENTS)
        whole = ledger(data)
    with closing(opened(tmp_path / "parts")):
        pass
    for body in EVENTS:
        with closing(opened(tmp_path / "parts")) as data:
            send(data, [body])
            send(data, [body])
            parts = ledger(data)
    assert [row[1:] for row in parts] == [row[1:] for row in whole]


WEEKLY = {"on": "every week", "when": "count(30d, of=payment.transfer) >= 1", "points": 5}
FORMER = configured(WEEKLY | {"id": "P-2"})
LATTER = configured(WEEKLY | {"id": "P-3"})
MONDAY_MS = 88 * HOUR_MS
WEEK_MS = 7 * DAY_MS


def weekly_hits(data: Opened) -> list[tuple[str, str, int]]:
    """Rule, customer and time of what the clock found."""
    rows = data.store.db.execute("SELECT body, subject, time_ms FROM ledger WHERE kind = 'hit' ORDER BY seq")
    return [(orjson.loads(body)["rule"], subject[9:], time_ms - START_MS) for body, subject, time_ms in rows]


def paid(n: int) -> bytes:
    return record(f"p{n}", "payment.transfer", n, customer_id=f"c{n}", amount="10", direction="out")


def test_before_rules_change_everybody_is_asked_by_those_of_then(tmp_path):
    """They are asked one after another: what comes into force meanwhile was not there on Monday."""
    customers = {f"c{n}" for n in range(60)}
    with closing(rules_opened(tmp_path, FORMER)) as data:
        send(data, [paid(n) for n in range(60)])
        send(data, [record("e1", "auth.login", MONDAY_MS + 2 * HOUR_MS, customer_id="other")])
        early = weekly_hits(data)
        assert 0 < len(early) < 40
        change(data, LATTER, MONDAY_MS + 2 * HOUR_MS)
        assert sorted(weekly_hits(data)) == sorted(("P-2", customer, MONDAY_MS) for customer in customers)
        send(data, [record("e2", "auth.login", MONDAY_MS + 8 * HOUR_MS, customer_id="other")])
        assert len(weekly_hits(data)) == len(customers)
        last = max(customers, key=lambda customer: leisure_ms("customer", customer))
        was = customer_state(
            data.store.db, build_codec(LATTER), scoring_engines(data.store.db), last, START_MS + 2 * WEEK_MS
        )
        data.processor.close()
        row = data.store.state("customer", last)
        assert was is not None
        assert row is not None
        assert was[0].pack() == row.packed
        send(data, [record("e3", "auth.login", MONDAY_MS + WEEK_MS + 6 * HOUR_MS, customer_id="other")])
        found = set(weekly_hits(data)[len(customers) :])
        assert found >= {("P-3", customer, MONDAY_MS + WEEK_MS) for customer in customers}
    assert proof(tmp_path) == []


def test_who_is_still_to_be_asked_is_shown_so(tmp_path):
    last = max((f"c{n}" for n in range(60)), key=lambda customer: leisure_ms("customer", customer))
    with closing(rules_opened(tmp_path, FORMER)) as data:
        send(data, [paid(n) for n in range(60)])
        send(data, [record("e1", "auth.login", MONDAY_MS - HOUR_MS, customer_id="other")])
        data.processor.close()
        send(data, [record("e2", "auth.login", MONDAY_MS + 2 * HOUR_MS, customer_id="other")])
        shown = customer_state(data.store.db, build_codec(FORMER), scoring_engines(data.store.db), last)
        row = data.store.state("customer", last)
        assert shown is not None
        assert row is not None
        assert (shown[0].pack(), shown[0].due_ms) == (row.packed, row.due_ms)
        assert row.due_ms > START_MS + MONDAY_MS + 2 * HOUR_MS


def test_files_that_changed_take_force_after_everybody_was_asked_too(tmp_path):
    former, latter = (configured(WEEKLY | {"id": name}, approval="") for name in ("P-2", "P-3"))
    with closing(rules_opened(tmp_path, former)) as data:
        send(data, [paid(n) for n in range(60)])
        send(data, [record("e1", "auth.login", MONDAY_MS + 2 * HOUR_MS, customer_id="other")])
    with closing(rules_opened(tmp_path, latter)) as data:
        assert sorted(weekly_hits(data)) == sorted(("P-2", f"c{n}", MONDAY_MS) for n in range(60))
        assert not data.waiting
    with closing(rules_opened(tmp_path, latter)) as data:
        assert len(weekly_hits(data)) == 60
    assert proof(tmp_path) == []
