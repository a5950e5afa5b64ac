"""The real service: `riskmon run` in a process of its own, spoken to over HTTP and the terminal."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

RISKMON = Path(sys.executable).parent / "riskmon"
NOW = datetime.now(UTC) - timedelta(hours=2)
PATIENCE_S = 60
SETTINGS = "rules:\n  packs: [structuring, flow]\n"


def command(*arguments: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
    """A command of riskmon, to its end."""
    return subprocess.run(
        [RISKMON, *arguments], check=False, capture_output=True, text=True, timeout=PATIENCE_S, **more
    )


@dataclass
class Service:
    """A running service."""

    data: Path
    process: subprocess.Popen[bytes]
    url: str

    def told(self) -> str:
        return (self.data / "log").read_text()

    def end(self, by: signal.Signals) -> int:
        self.process.send_signal(by)
        return self.process.wait(PATIENCE_S)


def until(found: Callable[[], Any], process: subprocess.Popen[bytes] | None = None) -> Any:
    """What `found` gives once it gives something."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and (process is None or process.poll() is None):
        try:
            if value := found():
                return value
        except (OSError, ValueError, KeyError, httpx.HTTPError):
            pass
        time.sleep(0.05)
    status = "" if process is None else f"; the process ended with {process.poll()}"
    raise AssertionError(f"nothing came of {found.__name__}{status}")


@contextmanager
def running(data: Path, *arguments: str) -> Iterator[Service]:
    """A service on a data directory; killed at the end where it still runs."""
    config = data / "monitor.yaml"
    config.write_text(SETTINGS)
    with (data / "log").open("ab") as log:
        process = subprocess.Popen(
            [RISKMON, "run", "--config", config, "--data", data, "--port", "0", *arguments],
            stdout=log,
            stderr=log,
        )

    def address() -> str:
        url = f"http://127.0.0.1:{json.loads((data / 'service.json').read_text())['port']}"
        return url if httpx.get(f"{url}/readyz", timeout=5).is_success else ""

    try:
        try:
            url = until(address, process)
        except AssertionError as error:
            raise AssertionError(f"{error}: {(data / 'log').read_text()}") from None
        yield Service(data, process, url)
    finally:
        process.kill()
        process.wait()


def deposit(name: str, minutes: int, amount: str = "48000", **fields: Any) -> dict[str, Any]:
    moment = NOW + timedelta(minutes=minutes)
    return {
        "event_id": name,
        "event_type": "cash.deposit",
        "occurred_at": moment.isoformat(timespec="milliseconds"),
        "source_system": "core",
        "customer_id": "C-1",
        "account_id": "A-1",
        "amount": amount,
        "currency": "CNY",
        **fields,
    }


STRUCTURED = [deposit(f"cash-{n}", (n - 3) * 24 * 60) for n in range(4)]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("service")) as started:
        yield started


@pytest.fixture(scope="module")
def answer(service: Service) -> httpx.Response:
    """The first body: good ones, a bad one between them, one of them twice."""
    bad = deposit("bad", 1, amount="-5", currency="XYZ", occurred_at="yesterday")
    return httpx.post(f"{service.url}/events", json=[*STRUCTURED, bad, STRUCTURED[0]], timeout=30)


@pytest.fixture(scope="module")
def alert(service: Service, answer: httpx.Response) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{service.url}/api/alerts", timeout=PATIENCE_S).json()["items"][0]
    return found


def test_a_bad_item_is_told_with_every_fault_and_the_good_ones_are_kept(answer):
    told = answer.json()
    assert answer.status_code == 422
    assert [item["status"] for item in told["items"]] == [*["accepted"] * 4, "rejected", "duplicate"]
    assert {fault["path"] for fault in told["items"][4]["faults"]} == {"amount", "currency", "occurred_at"}
    assert told["accepted"] == 4


def test_the_same_body_again_gets_the_same_answers(service, answer):
    again = httpx.post(f"{service.url}/events", json=STRUCTURED, timeout=30)
    assert again.status_code == 200
    keys = ("event_id", "hits", "score")
    first, second = (
        [[item[key] for key in keys] for item in one.json()["items"]][:4] for one in (answer, again)
    )
    assert first == second
    assert any(hits for _, hits, _ in second)


def test_health_metrics_and_pages_answer(service, answer):
    for path in ("/healthz", "/readyz", "/", "/docs", "/openapi.json"):
        answered = httpx.get(service.url + path, follow_redirects=True, timeout=PATIENCE_S)
        assert answered.status_code == 200, path
    assert "riskmon_events_total" in httpx.get(f"{service.url}/metrics", timeout=PATIENCE_S).text


def test_an_alert_is_taken_over_the_api_and_closed_from_the_terminal(service, alert):
    taken = httpx.post(f"{service.url}/api/alerts/{alert['id']}/take", timeout=PATIENCE_S)
    assert taken.is_success, taken.text
    closed = command(
        "alerts", "close", alert["id"], "--disposition", "false_positive", "--reason", "wages of a market",
        "--data", service.data,
    )  # fmt: skip
    assert (closed.returncode, closed.stderr) == (0, "")
    shown = json.loads(command("alerts", "show", alert["id"], "--data", service.data, "--json").stdout)
    assert (shown.get("alert", shown)["status"]) == "closed"


def test_the_rating_is_the_same_over_the_api_and_in_the_terminal(service, answer):
    moment = (NOW + timedelta(minutes=30)).isoformat(timespec="seconds")
    over = httpx.get(f"{service.url}/api/ratings/C-1", params={"at": moment}, timeout=PATIENCE_S).json()
    at = ("--at", moment, "--data", service.data, "--json", "--config", service.data / "monitor.yaml")
    shown = json.loads(command("rating", "show", "C-1", *at).stdout)
    rating = over.get("rating", over)
    assert (rating["grade"], rating["score"]) == (shown["grade"], shown["score"])
    assert round(sum(part["points"] for part in shown["parts"]), 2) == shown["score"]


def test_an_unknown_customer_is_one_sentence(service):
    at = ("--data", service.data, "--config", service.data / "monitor.yaml")
    found = command("rating", "show", "nobody", *at)
    assert found.returncode != 0
    assert found.stderr.startswith("nobody: no rating yet")
    assert httpx.get(f"{service.url}/api/ratings/nobody", timeout=PATIENCE_S).status_code == 404


def test_a_time_without_offset_is_one_sentence(service):
    found = command("rating", "show", "C-1", "--at", "2026-01-01T00:00:00", "--data", service.data)
    assert (found.returncode, found.stdout) == (2, "")
    assert "has no offset" in found.stderr


def test_looking_at_a_customer_is_journaled(service, answer):
    httpx.get(f"{service.url}/api/ratings/C-1", timeout=PATIENCE_S)
    db = sqlite3.connect(f"file:{service.data / 'riskmon.db'}?mode=ro", uri=True)

    def accesses() -> int:
        query = "SELECT count(*) FROM journal WHERE instr(body, '\"data.access\"') AND instr(body, '\"C-1\"')"
        return int(db.execute(query).fetchone()[0])

    assert until(accesses)
    db.close()


def test_a_second_service_on_the_same_directory_names_the_first(service):
    second = command("run", "--data", service.data, "--port", "0")
    assert second.returncode == 2
    assert str(service.process.pid) in second.stderr
    assert "Traceback" not in second.stderr
    assert "INFO" not in second.stderr


def test_a_port_in_use_is_one_sentence(tmp_path, service):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = command("run", "--data", tmp_path, "--port", str(port))
    assert found.returncode == 2
    assert found.stderr.splitlines()[0] == f"127.0.0.1:{port}: cannot listen: Address already in use"
    assert len(found.stderr.splitlines()) == 2


@pytest.mark.parametrize("what", ["a file", "below a file"])
def test_a_data_directory_that_cannot_be_is_one_sentence(tmp_path, what):
    file = tmp_path / "file"
    file.write_text("")
    data = file if what == "a file" else file / "data"
    found = command("run", "--data", data, "--port", "0")
    assert found.returncode == 2
    assert found.stderr.startswith(f"{data}: ")
    assert len(found.stderr.splitlines()) == 2


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_cleanly_and_a_restart_goes_on(tmp_path, by):
    with running(tmp_path) as first:
        httpx.post(f"{first.url}/events", json=STRUCTURED, timeout=30)
        before = httpx.get(f"{first.url}/api/alerts", timeout=PATIENCE_S).json()
        status = first.end(by)
        assert (status, "Traceback" in first.told()) == (0, False)
        assert "stopping" in first.told()
        assert not (tmp_path / "service.json").exists()
    with running(tmp_path) as second:
        again = httpx.post(f"{second.url}/events", json=[*STRUCTURED, deposit("next", 9)], timeout=30).json()
        assert (again["duplicate"], again["accepted"]) == (4, 1)
        assert [one["id"] for one in before["items"]] == [
            one["id"] for one in httpx.get(f"{second.url}/api/alerts", timeout=PATIENCE_S).json()["items"]
        ][: len(before["items"])]


def test_a_simulated_bank_shows_alerts_and_goes_on_after_a_restart(tmp_path):
    def alerts(url: str) -> int:
        return int(httpx.get(f"{url}/api/alerts", timeout=30).json()["total"])

    def events(url: str) -> float:
        lines = httpx.get(f"{url}/metrics", timeout=30).text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith("riskmon_events_total"))

    with running(tmp_path, "--simulate") as first:
        until(lambda: alerts(first.url), first.process)
        assert first.end(signal.SIGINT) == 0
        assert "Traceback" not in first.told()
        bank = (tmp_path / "simulation.json").read_text()
    with running(tmp_path, "--simulate") as second:
        known = alerts(second.url)
        until(lambda: events(second.url), second.process)
        assert known
        assert (tmp_path / "simulation.json").read_text() == bank
        assert second.end(signal.SIGINT) == 0
        assert "Traceback" not in second.told()
