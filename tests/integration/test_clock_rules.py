"""A rule asked by the clock, from the tick to the alert: told once, verified, equal after a restart."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from alerts.stores.sql import SqlAlertStore
from monitor.app import HOUR_MS, Opened, open_data
from monitor.cli.audit import app
from monitor.configuration import build_codec
from monitor.settings import Settings
from monitor.testing import START_MS, configuration, record, with_rules
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
