"""A simulated bank through the durable runner, and the alerts its officers would see."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from monitor.app import HOUR_MS, open_data
from monitor.configuration import read_configuration
from monitor.folders import config_folder
from monitor.settings import Settings
from monitor.simulate import Simulation
from streams.ports import Record
from streams.runners.replay import Replay


@dataclass(frozen=True, slots=True)
class Seen:
    """An alert: which rule, how severe, and which customers it is about."""

    rule: str
    severity: str
    subject: str
    customers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Simulated:
    """A simulation as recorded events."""

    simulation: Simulation
    name: str = "simulation"

    def records(self, position: Any) -> Iterable[Record]:
        """Give all records; nobody stops in the middle here."""
        assert position is None
        return map(Record, self.simulation.records())


class Monitored:
    """Runs simulations through a monitor with the shipped rules."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def alerts(self, simulation: Simulation) -> list[Seen]:
        """Return the alerts a simulation raises, oldest first."""
        settings = Settings()
        configuration = read_configuration(settings, config_folder(None))
        opened = open_data(self._folder, settings, configuration, sync="normal", tick_every_ms=HOUR_MS)
        report = Replay(opened.processor, Simulated(simulation)).run()
        opened.store.db.close()
        assert report["rejected"] == 0
        with closing(sqlite3.connect(self._folder / "riskmon.db")) as db:
            about: dict[str, set[str]] = {}
            for alert, customer in db.execute("SELECT alert_id, customer_id FROM alert_customers"):
                about.setdefault(alert, set()).add(customer)
            rows = db.execute("SELECT id, rule, severity, subject FROM alerts ORDER BY opened_ms, id")
            return [
                Seen(rule, severity, kind, frozenset(about.get(id_, ())))
                for id_, rule, severity, kind in rows
            ]


@pytest.fixture
def monitored(tmp_path: Path) -> Monitored:
    """Return a monitor on an empty directory."""
    return Monitored(tmp_path)
