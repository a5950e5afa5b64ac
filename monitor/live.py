"""The embedded service: one engine thread that writes, many readers in front."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from alerts.inbox.service import Fault, Health, Outcome, UnavailableError
from monitor.app import DATABASE, PROPOSE, Opened
from monitor.configuration import Configuration
from monitor.levels import Readings
from monitor.metrics import PrometheusSensor
from monitor.reader import Reader
from monitor.readings import announce
from monitor.rule_service import MonitorRules
from monitor.service import MonitorService
from monitor.watch import InForce
from streams.ports import BusyError, Record, StoreUnavailableError
from streams.ports import Outcome as Processed
from streams.runners.embedded import EmbeddedRunner
from streams.stores.sqlite import read_only

log = logging.getLogger(__name__)
Wake = Callable[[], None]
_LOOK_S = 0.2
"""How old what is shown as in force may be."""


class LiveSensor(PrometheusSensor):
    """Counts for Prometheus, and wakes open pages after a commit that raised an alert."""

    def __init__(self, readings: Callable[[], Readings]) -> None:
        super().__init__(readings)
        self._listeners: list[Wake] = []
        self._news = False

    def subscribe(self, wake: Wake) -> Callable[[], None]:
        """Call `wake` after each commit with news; return how to end it."""
        self._listeners.append(wake)
        return lambda: self._listeners.remove(wake) if wake in self._listeners else None

    def on_alert(self, alert: Any) -> None:
        """Count an alert; it is news once it is committed."""
        super().on_alert(alert)
        self._news = True

    def on_commit(self, seconds: float) -> None:
        """Count a commit and pass the news on."""
        super().on_commit(seconds)
        if self._news:
            self._news = False
            self.wake()

    def wake(self) -> None:
        """Wake everybody who listens."""
        for listener in list(self._listeners):
            listener()


class EmbeddedFeed:
    """A `monitor.service.Feed` into the engine thread of this process."""

    def __init__(
        self,
        runner: EmbeddedRunner,
        sensor: LiveSensor,
        in_force: Callable[[], Configuration] | None = None,
        waiting: str = "",
    ) -> None:
        self._runner = runner
        self._sensor = sensor
        self._in_force = in_force
        self._notes = [f"files hold {waiting[:12]}, which is not in force: {PROPOSE}"] if waiting else []

    async def ingest(self, records: Sequence[bytes], source: str) -> list[Outcome]:
        """Take records; return one outcome each once they are durable."""
        return [_told(outcome) for outcome in await self._submit([Record(body) for body in records], source)]

    async def act(self, event: Mapping[str, Any]) -> Outcome:
        """Carry out an officer's action."""
        (outcome,) = await self._submit([Record(orjson.dumps(event))], "inbox")
        self._sensor.wake()
        return _told(outcome)

    def note(self, event: Mapping[str, Any]) -> None:
        """Take an event of the monitor's own without waiting for it."""
        try:
            self._runner.submit([Record(orjson.dumps(event))], "inbox")
        except BusyError as error:
            log.warning("access_not_recorded reason=%s", error)

    def figures(self) -> Mapping[str, int | float | str | None]:
        """Return what waits and since when nothing was committed."""
        health = self._runner.health
        return {
            "queue_waiting": health.waiting,
            "seconds_since_commit": round(health.last_commit_age_s, 1),
        }

    def health(self) -> Health:
        """Return whether the engine thread lives and the store takes writes."""
        health = self._runner.health
        reasons = [health.problem] if health.problem else []
        is_ready = health.is_alive and health.is_store_ok
        return Health(alive=health.is_alive, ready=is_ready, reasons=[*reasons, *self._notes])

    def metrics(self) -> bytes:
        """Return the metrics in Prometheus text format."""
        if self._in_force is not None:
            with suppress(UnavailableError):
                self._in_force()  # so that they tell of the rules in force now
        return self._sensor.render()

    def subscribe(self, wake: Wake) -> Callable[[], None]:
        """Call `wake` after each commit that changed an alert."""
        return self._sensor.subscribe(wake)

    async def _submit(self, records: Sequence[Record], source: str) -> list[Processed]:
        try:
            future = await asyncio.to_thread(self._runner.submit, records, source)
            return await asyncio.wrap_future(future)
        except (BusyError, StoreUnavailableError) as error:
            raise UnavailableError(str(error)) from error


def live_service(
    data: Path, opened: Opened, runner: EmbeddedRunner, sensor: LiveSensor, fills: int = 0
) -> MonitorService:
    """Return the service of an opened data directory.

    Writing goes through the runner's one thread; every reading thread has a read-only connection
    of its own and sees what is committed.

    Parameters
    ----------
    fills
        Rules that are activated fill their new windows from so many of the newest events.
    """
    reader = Reader(lambda: read_only(data / DATABASE))
    in_force = AnnouncedInForce(reader, sensor, opened.configuration)
    feed = EmbeddedFeed(runner, sensor, in_force, opened.waiting)
    return MonitorService(reader, feed, in_force, MonitorRules(reader, fills, lambda: opened.waiting))


class AnnouncedInForce(InForce):
    """The configuration in force, of which the metrics are told when it changes."""

    def __init__(self, reader: Reader, sensor: LiveSensor, announced: Configuration) -> None:
        super().__init__(reader, _LOOK_S)
        self._sensor, self._announced = sensor, announced.hash

    def __call__(self) -> Configuration:
        """Return it."""
        configuration = super().__call__()
        if configuration.hash != self._announced:
            self._announced = configuration.hash
            announce(self._sensor, configuration)
        return configuration


def _told(outcome: Processed) -> Outcome:
    faults = outcome.rejection.faults if outcome.rejection is not None else ()
    return Outcome(
        status=outcome.status,
        event_id=outcome.event_id,
        hits=outcome.rules,
        score=outcome.score,
        message=outcome.message,
        faults=tuple(Fault(path=fault.path, problem=fault.problem, hint=fault.hint) for fault in faults),
    )
