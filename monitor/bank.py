"""A simulated live bank for `riskmon run --simulate`: two weeks of the past, then the present."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import chain, islice, takewhile
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from monitor.simulate import Simulation
from monitor.simulate.page import Event
from streams.ports import BusyError, Record, StoreUnavailableError
from streams.runners.embedded import EmbeddedRunner

log = logging.getLogger(__name__)
PLACE = "simulation.json"
PAST_DAYS = 14
BATCH = 512
AHEAD = 4
"""Batches under way at once while catching up."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What the simulated bank is; kept in the data directory, so that a restart goes on with the same one."""

    customers: int
    seed: int
    start: str
    zone: str


def setting(data: Path, zone: str, customers: int = 1_500, seed: int = 7) -> Setting:
    """Return the bank of a data directory, made on the first call."""
    file = data / PLACE
    if file.is_file():
        return Setting(**json.loads(file.read_text(encoding="utf-8")))
    first = datetime.now(ZoneInfo(zone)).date() - timedelta(days=PAST_DAYS)
    made = Setting(customers, seed, first.isoformat(), zone)
    file.write_text(json.dumps(asdict(made)), encoding="utf-8")
    return made


class SimulatedBank:
    """Sends the events of a simulated bank to a runner, each when its time has come.

    Events are told apart by their ids, so a restart begins again with the day the stream had
    reached: what came before is answered as a duplicate.
    """

    def __init__(self, runner: EmbeddedRunner, bank: Setting, reached_ms: int) -> None:
        self._runner = runner
        # Before the runner starts: its first tick would carry the stream past the events to come.
        runner.is_ticking = False
        self._bank = bank
        self._stop = threading.Event()
        start = date.fromisoformat(bank.start)
        reached = (
            datetime.fromtimestamp(reached_ms / 1000, ZoneInfo(bank.zone)).date() if reached_ms else start
        )
        self._from_day = max(0, (reached - start).days - 1)
        self._simulation = Simulation(bank.customers, None, bank.seed, start, bank.zone)
        self._thread = threading.Thread(target=self._run, name="simulated-bank", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Stop sending; twice is harmless."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            later = self._catch_up(self._simulation.events(self._from_day))
            self._runner.is_ticking = True
            for event in later:
                self._when_due(event)
        except (BusyError, StoreUnavailableError) as error:
            if not self._stop.is_set():
                log.warning("simulation_stopped reason=%s", error)

    def _catch_up(self, events: Iterator[Event]) -> Iterator[Event]:
        """Send what lies in the past; return what does not."""
        under_way = deque[Future[Any]]()
        while not self._stop.is_set():
            batch = list(islice(events, BATCH))
            past = list(takewhile(_is_past, batch))
            under_way.append(self._runner.submit([_record(event) for event in past], "simulation"))
            if len(under_way) > AHEAD:
                under_way.popleft().result()
            if len(past) < len(batch):
                return chain(batch[len(past) :], takewhile(lambda _: not self._stop.is_set(), events))
        return iter(())

    def _when_due(self, event: Event) -> None:
        wait = _time_ms(event) / 1000 - time.time()
        if wait > 0 and self._stop.wait(wait):
            return
        self._runner.submit([_record(event)], "simulation").result()


def _record(event: Event) -> Record:
    return Record(orjson.dumps(event))


def _is_past(event: Event) -> bool:
    return _time_ms(event) <= time.time() * 1000


def _time_ms(event: Event) -> float:
    moment = datetime.fromisoformat(event["occurred_at"])
    return moment.astimezone(UTC).timestamp() * 1000
