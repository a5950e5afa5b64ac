"""Live updates over a real connection: what open pages are told, and that they never hold a stop up."""

from __future__ import annotations

import json
import threading

import httpx
import pytest

from alerts.inbox.server import build_server
from alerts.inbox.settings import UnsafeBindingError


def news(lines):
    """Return the next update of a stream."""
    return next(json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: "))


def test_an_open_page_learns_of_a_new_alert(served, bank, make_alert):
    with httpx.stream("GET", f"{served}/live", timeout=60) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "retry: 2000"
        bank.raise_alerts(make_alert(7, opened_ms=bank.now_ms()))
        told = news(lines)
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert told["newest"][0]["id"] == f"{7:032x}"
    assert told["counts"] == {"critical": 1, "high": 1, "medium": 2, "low": 1, "info": 1}


def test_a_burst_of_alerts_ends_in_the_newest_state(served, bank, make_alert):
    with httpx.stream("GET", f"{served}/live", timeout=60) as stream:
        lines = stream.iter_lines()
        next(lines)
        for n in range(10, 110):
            bank.raise_alerts(make_alert(n))
        assert any(sum(news(lines)["counts"].values()) == 105 for _ in range(10))


def test_a_store_that_cannot_be_read_now_does_not_end_the_stream(served, bank, make_alert, caplog):
    alerts = bank.alerts
    with httpx.stream("GET", f"{served}/live", timeout=60) as stream:
        lines = stream.iter_lines()
        next(lines)
        failed = threading.Event()
        bank.alerts = Broken(failed)
        bank.wakers[0]()
        assert failed.wait(60)
        bank.alerts = alerts
        bank.raise_alerts(make_alert(7))
        assert news(lines)["counts"]["medium"] == 2
    assert "live_update_failed" in caplog.text


class Broken:
    """A store that cannot be read."""

    def __init__(self, failed):
        self._failed = failed

    def __getattr__(self, name):
        self._failed.set()
        raise OSError("disk gone")


def test_an_open_page_does_not_keep_the_server_from_stopping(serving):
    with serving() as address:
        stream = httpx.Client(timeout=60).send(httpx.Request("GET", f"{address}/live"), stream=True)
        lines = stream.iter_lines()
        next(lines)
    assert list(lines) == [""]


def test_a_server_for_other_machines_needs_users(bank, ask):
    ask("GET", "/healthz")
    app = next(iter(bank.apps.values()))
    with pytest.raises(UnsafeBindingError):
        build_server(app, "0.0.0.0", 0)
