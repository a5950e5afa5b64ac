"""The embedded service as the inbox sees it: one engine thread behind, many readers in front."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from alerts.inbox.service import (
    DeadLetter,
    Fault,
    Health,
    HitRow,
    Outcome,
    Part,
    Rating,
    RatingPoint,
    RuleText,
    UnavailableError,
)
from alerts.ports import AlertReader
from alerts.stores.sql import SqlAlertStore
from monitor.app import DATABASE, Opened
from monitor.audit.ledger import Ledger
from monitor.levels import Readings
from monitor.metrics import PrometheusSensor
from monitor.ratings import customer_rating
from streams.deadletter import DeadLetters
from streams.ports import BusyError, Record, StoreUnavailableError
from streams.ports import Outcome as Processed
from streams.runners.embedded import EmbeddedRunner
from streams.stores.sqlite import event_body, read_only

log = logging.getLogger(__name__)
Wake = Callable[[], None]


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


class LiveService:
    """What `alerts.inbox.service.Service` asks for, over an opened data directory.

    Writing goes through the runner's one thread; every reading thread has a read-only connection
    of its own and sees what is committed.
    """

    def __init__(self, data: Path, opened: Opened, runner: EmbeddedRunner, sensor: LiveSensor) -> None:
        self._path = data / DATABASE
        self._opened = opened
        self._runner = runner
        self._sensor = sensor
        self._local = threading.local()
        self._started = time.monotonic()
        self._accesses = 0
        self._rules = {(rule.id, rule.version): rule for rule in opened.configuration.rules or ()}
        self._titles = {rule.id: rule.title for rule in opened.configuration.rules or ()}

    # Reading.

    @property
    def alerts(self) -> AlertReader:
        """Alerts to read, on this thread's connection."""
        return SqlAlertStore(self._db)

    def now_ms(self) -> int:
        """Return the wall clock, which ages of alerts are measured by in a live service."""
        return int(time.time() * 1000)

    def event(self, ref: int) -> Mapping[str, Any] | None:
        """Return an event of the journal by its reference."""
        body = event_body(self._db, ref)
        found: dict[str, Any] | None = orjson.loads(body) if body is not None else None
        return found

    def rule(self, rule_id: str, version: str) -> RuleText | None:
        """Return what a rule says about itself."""
        rule = self._rules.get((rule_id, version))
        if rule is None:
            return None
        params = {name: parameter.place.text for name, parameter in rule.params.items()}
        mark = f"[{rule.verification}]"
        source = rule.source if mark in rule.source else f"{rule.source} {mark}"
        return RuleText(title=rule.title, why=rule.why, source=source, params=params)

    def rating(self, customer_id: str, at_ms: int | None = None) -> Rating | None:
        """Return a customer's rating now or as of `at_ms`."""
        shown = customer_rating(self._db, self._opened.configuration, customer_id, at_ms)
        if shown is None:
            return None
        last = shown.history[-1] if shown.history else {}
        return Rating(
            customer_id=customer_id,
            time_ms=shown.rating.time_ms,
            score=shown.rating.score,
            grade=shown.rating.grade,
            previous_grade=last.get("previous_grade"),
            parts=[self._part(part) for part in shown.rating.parts],
            history=[
                RatingPoint(time_ms=point["time_ms"], score=point["score"], grade=point["grade"])
                for point in shown.history
            ],
        )

    def _part(self, part: Mapping[str, Any]) -> Part:
        shown = Part(name=part["name"], kind=part["kind"], points=part["points"])
        if part["name"] in self._titles:
            shown["title"] = self._titles[part["name"]]
        return shown

    def customer_hits(self, customer_id: str, limit: int = 50) -> list[HitRow]:
        """Return hits of a customer, newest first."""
        entries = Ledger(self._db).entries(
            kind="hit", subject=f"customer:{customer_id}", newest_first=True, limit=limit
        )
        rows = []
        for entry in entries:
            data = entry.data
            rule = self._rules.get((data["rule"], data["version"]))
            rows.append(
                HitRow(
                    time_ms=entry.time_ms,
                    rule=data["rule"],
                    version=data["version"],
                    title=rule.title if rule else data["rule"],
                    say=data["say"],
                    severity=data["severity"],
                    points=data["points"],
                    status=data["status"],
                )
            )
        return rows

    def dead_letters(self, limit: int = 50) -> list[DeadLetter]:
        """Return dead letters, newest first."""
        return [
            DeadLetter(
                id=str(letter.id),
                received_ms=letter.received_ms,
                source=letter.source,
                reason=letter.reason,
                faults=[Fault(path=f.path, problem=f.problem, hint=f.hint) for f in letter.faults],
            )
            for letter in DeadLetters(self._db).select(limit=limit)
        ]

    def dead_letter_counts(self) -> Mapping[str, int]:
        """Return the number of waiting dead letters by reason."""
        return DeadLetters(self._db).counts()

    def status(self) -> Mapping[str, int | float | str | None]:
        """Return figures for operators."""
        progress, health = self._opened.processor.progress, self._runner.health
        counters = progress.counters
        return {
            "events": counters.events,
            "duplicates": counters.duplicates,
            "rejected": counters.rejected,
            "late": counters.late,
            "rule_hits": counters.hits,
            "rating_changes": counters.rating_changes,
            "alerts": counters.alerts,
            "rule_failures": counters.failures,
            "stream_time_ms": progress.stream_time_ms,
            "queue_waiting": health.waiting,
            "seconds_since_commit": round(health.last_commit_age_s, 1),
            "journal_position": progress.head,
            "configuration": self._opened.configuration.hash[:12],
            "running_seconds": round(time.monotonic() - self._started),
        }

    def health(self) -> Health:
        """Return whether the engine thread lives and the store takes writes."""
        health = self._runner.health
        reasons = [health.problem] if health.problem else []
        return Health(alive=health.is_alive, ready=health.is_alive and health.is_store_ok, reasons=reasons)

    def metrics(self) -> bytes:
        """Return the metrics in Prometheus text format."""
        return self._sensor.render()

    def subscribe(self, wake: Wake) -> Callable[[], None]:
        """Call `wake` after each commit that changed an alert."""
        return self._sensor.subscribe(wake)

    # Writing.

    async def ingest(self, records: Sequence[bytes], source: str) -> list[Outcome]:
        """Take records; return one outcome each once they are durable."""
        return [_told(outcome) for outcome in await self._submit([Record(body) for body in records], source)]

    async def act(self, event: Mapping[str, Any]) -> Outcome:
        """Carry out an officer's action."""
        (outcome,) = await self._submit([Record(orjson.dumps(event))], "inbox")
        self._sensor.wake()
        return _told(outcome)

    def record_access(self, actor: str, subject: str, what: str) -> None:
        """Journal that somebody read data: an event like any other, so access rules see it too."""
        self._accesses += 1
        kind, _, name = subject.partition(":")
        now_ms = self.now_ms()
        event = {
            "event_id": f"access-{now_ms}-{self._accesses}",
            "event_type": "data.access",
            "source_system": "riskmon",
            "occurred_at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now_ms / 1000))
            + f".{now_ms % 1000:03d}Z",
            "employee_id": actor,
            "access_purpose": what,
            "object": kind,
            "record_count": 1,
            # The reason to look: work at the desk. Only roles that may read alerts get here.
            "ticket_id": subject,
            **_looked_at(kind, name),
        }
        try:
            self._runner.submit([Record(orjson.dumps(event))], "inbox")
        except BusyError as error:
            log.warning("access_not_recorded reason=%s", error)

    async def _submit(self, records: Sequence[Record], source: str) -> list[Processed]:
        try:
            future = await asyncio.to_thread(self._runner.submit, records, source)
            return await asyncio.wrap_future(future)
        except (BusyError, StoreUnavailableError) as error:
            raise UnavailableError(str(error)) from error

    @property
    def _db(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = self._local.db = read_only(self._path)
        return db


def _looked_at(kind: str, name: str) -> dict[str, Any]:
    if kind == "alert":
        return {"alert_id": name, "is_assigned": True}
    return {"customer_id": name} if kind == "customer" else {}


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
