"""The whole monitor, with shipped rules, killed (SIGKILL) while it replays a simulated bank."""

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from monitor.app import HOUR_MS, open_data
from monitor.configuration import Configuration, read_configuration
from monitor.folders import config_folder
from monitor.recompute import proof
from monitor.settings import Settings
from monitor.settings_file import load_settings
from monitor.simulate import Simulation
from rules.vocabulary import load_vocabulary
from streams.runners.replay import Replay
from streams.sources.merge import MergedFiles
from streams.stores.sqlite import read_only

KILLS = 8
TABLES = ("ledger", "alerts", "alert_hits", "alert_customers", "outbox", "states", "journal", "dead_letters")
ORDERS = {"states": "kind, id", "alerts": "id", "alert_customers": "alert_id, customer_id"}
STEADY = ("events", "rejected", "duplicates", "late", "hits", "rating_changes", "alerts", "ledger_head")


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load_settings(None)


@pytest.fixture(scope="module")
def configuration(settings: Settings) -> Configuration:
    packs = ["statutory_cn", "structuring"]
    return Configuration.of_archive(read_configuration(settings, config_folder(None), packs).archive)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bank") / "bank.jsonl"
    simulation = Simulation(20, 12, 3, date(2025, 3, 1))
    lines = [record for _, _, record in islice(simulation.placed(), 1_500)]
    path.write_bytes(b"".join(line + b"\n" for line in [*lines, *deposits()]))
    return path


def deposits() -> Iterator[bytes]:
    """Give large cash deposits after the simulated days: these hit whatever the simulator's seed brings."""
    for number in range(60):
        yield orjson.dumps(
            {
                "event_id": f"cash-{number}",
                "event_type": "cash.deposit",
                "occurred_at": f"2025-04-{number // 4 + 1:02}T0{number % 4}:00:00Z",
                "customer_id": f"C-{number % 5}",
                "account_id": f"A-{number % 5}",
                "amount": f"{(61_000, 48_000, 9_500)[number % 3]}.00",
                "currency": "CNY",
            }
        )


def replay(folder: Path, bank: Path, settings: Settings, configuration: Configuration) -> dict[str, Any]:
    opened = open_data(
        folder, settings, configuration, sync="normal", tick_every_ms=HOUR_MS, learns_aside=True
    )
    source = MergedFiles([bank], load_vocabulary())
    report = Replay(opened.processor, source, folder / "scores.csv", batch_events=4).run()
    opened.abandon()
    return {key: report[key] for key in STEADY}


def results(folder: Path) -> dict[str, Any]:
    # Everything without order is put into one: rows of states come in the order they were first written.
    with closing(read_only(folder / "riskmon.db")) as db:
        found: dict[str, Any] = {}
        for table in TABLES:
            names = "kind, id, seq, due_ms, packed" if table == "states" else "*"
            order = ORDERS.get(table, "1")
            found[table] = db.execute(f"SELECT {names} FROM {table} ORDER BY {order}").fetchall()
    return {**found, "scores": (folder / "scores.csv").read_bytes()}


def kill_while_replaying(
    folder: Path, bank: Path, settings: Settings, configuration: Configuration, after_s: float
) -> bool:
    child = os.fork()
    if child == 0:
        try:
            replay(folder, bank, settings, configuration)
        finally:
            os._exit(0)
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def test_a_killed_monitor_ends_like_an_undisturbed_one_and_is_proven(
    tmp_path: Path, bank: Path, settings: Settings, configuration: Configuration
) -> None:
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    straight.mkdir()
    killed.mkdir()
    started = time.monotonic()
    report = replay(straight, bank, settings, configuration)
    seconds = time.monotonic() - started
    assert min(report["events"], report["hits"], report["alerts"]) > 0

    random = Random(9)
    kills = 0
    while kills < KILLS:
        # Early enough that a few batches are left for every kill to come.
        after_s = random.uniform(0.05, 0.25) * seconds
        assert kill_while_replaying(killed, bank, settings, configuration, after_s), "finished too early"
        kills += 1
    assert replay(killed, bank, settings, configuration) == report
    expected, found = results(straight), results(killed)
    for name, rows in expected.items():
        assert found[name] == rows, name
    assert proof(straight) == []
    assert proof(killed) == []


def test_a_changed_decision_is_found_by_recomputation(
    tmp_path: Path, bank: Path, settings: Settings, configuration: Configuration
) -> None:
    replay(tmp_path, bank, settings, configuration)
    with closing(sqlite3.connect(tmp_path / "riskmon.db")) as db:
        (body,) = db.execute("SELECT body FROM ledger WHERE kind = 'hit' LIMIT 1").fetchone()
        softened = orjson.dumps({**orjson.loads(body), "points": 0.5}, option=orjson.OPT_SORT_KEYS)
        db.execute("UPDATE ledger SET body = ? WHERE body = ?", (softened, body))
        db.commit()
    found = [str(finding) for finding in proof(tmp_path)]
    assert any(finding.startswith("ledger ") and "hash does not follow" in finding for finding in found)
    assert any(finding.startswith("ledger ") and "body: expected" in finding for finding in found)
