"""The service killed by the kernel (SIGKILL) while it takes events over HTTP: what was acknowledged stays."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Timer
from typing import Any

import httpx
import pytest

from monitor.recompute import proof
from streams.stores.sqlite import read_only

KILLS = 6
RUN = "import typer; from monitor.cli.run import run; typer.run(run)"
ROOT = Path(__file__).parents[2]


def deposits() -> list[list[dict[str, Any]]]:
    """Return batches of cash deposits of a few customers, near to now so that no timer falls due."""
    choose = random.Random(7)
    start = time.time() - 3600
    events = [
        {
            "event_id": f"cash-{number}",
            "event_type": "cash.deposit",
            "occurred_at": datetime.fromtimestamp(start + number, UTC).isoformat(),
            "source_system": "core",
            "customer_id": f"C-{choose.randrange(8)}",
            "account_id": f"A-{choose.randrange(8)}",
            "amount": f"{choose.choice((9_500, 48_000, 61_000, 120))}.00",
            "currency": "CNY",
        }
        for number in range(400)
    ]
    return [events[place : place + 10] for place in range(0, len(events), 10)]


@contextmanager
def service(data: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A running service and its address; killed at the end where it still runs."""
    (data / "service.json").unlink(missing_ok=True)
    (data / "monitor.yaml").write_text("rules:\n  packs: [statutory_cn, structuring]\n")
    config = str(data / "monitor.yaml")
    command = [sys.executable, "-c", RUN, "--config", config, "--data", str(data), "--port", "0"]
    with (data / "service.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT)
        try:
            yield process, address(data, process)
        finally:
            process.kill()
            process.wait()


def address(data: Path, process: subprocess.Popen[bytes]) -> str:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            url = f"http://127.0.0.1:{json.loads((data / 'service.json').read_text())['port']}"
            if httpx.get(f"{url}/readyz", timeout=5).is_success:
                return url
        except (OSError, ValueError, httpx.HTTPError):
            pass
        time.sleep(0.05)
    raise AssertionError((data / "service.log").read_text())


def send(url: str, batches: list[list[dict[str, Any]]]) -> int:
    """Send batches until one is not acknowledged; return how many were."""
    for done, batch in enumerate(batches):
        try:
            answer = httpx.post(f"{url}/events", json=batch, timeout=20)
        except httpx.HTTPError:
            return done
        assert {item["status"] for item in answer.json()["items"]} <= {"accepted", "duplicate"}
    return len(batches)


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0


def results(data: Path) -> dict[str, list[Any]]:
    # Positions in the journal are left out: ticks of the wall clock take some.
    queries = {
        "events": "SELECT ref, body FROM journal WHERE instr(CAST(body AS TEXT), 'tick-') = 0 ORDER BY seq",
        "ledger": "SELECT * FROM ledger WHERE kind IN ('hit', 'rating', 'alert', 'late') ORDER BY seq",
        "states": "SELECT kind, id, due_ms, packed FROM states ORDER BY kind, id",
        "alerts": "SELECT * FROM alerts ORDER BY id",
        "hits": "SELECT * FROM alert_hits ORDER BY seq",
    }
    with closing(read_only(data / "riskmon.db")) as db:
        return {name: db.execute(query).fetchall() for name, query in queries.items()}


@pytest.fixture(scope="module")
def batches() -> list[list[dict[str, Any]]]:
    return deposits()


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[dict[str, Any]]]
) -> dict[str, list[Any]]:
    data = tmp_path_factory.mktemp("undisturbed")
    with service(data) as (process, url):
        assert send(url, batches) == len(batches)
        stop(process)
    return results(data)


def test_a_killed_service_keeps_what_it_acknowledged_and_doubles_nothing(
    tmp_path: Path, batches: list[list[dict[str, Any]]], undisturbed: dict[str, list[Any]]
) -> None:
    assert min(map(len, undisturbed.values())) > 0
    choose = random.Random(8)
    done = 0
    for left in range(KILLS, 0, -1):
        with service(tmp_path) as (process, url):
            # Room for the kills still to come; the timer strikes somewhere inside the sending.
            last = min(len(batches) - left, done + len(batches) // KILLS + 1)
            timer = Timer(choose.uniform(0, 0.15), os.kill, (process.pid, signal.SIGKILL))
            timer.start()
            done += send(url, batches[done:last])
            timer.join()
            assert process.wait(60) == -signal.SIGKILL
    with service(tmp_path) as (process, url):
        assert send(url, batches[done:]) == len(batches) - done
        stop(process)
    found = results(tmp_path)
    for name, rows in undisturbed.items():
        assert found[name] == rows, name
    # The relay and the queue wrote beside the processor: their rows are sealed too.
    assert proof(tmp_path) == []
