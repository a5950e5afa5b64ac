"""Real, small parts for tests of the runtime: an engine that counts, a codec of JSON, a breaking store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import orjson

from alerts.desk import Desk
from alerts.stores.sql import SCHEMA as ALERTS_SCHEMA
from alerts.stores.sql import SqlAlertStore
from monitor.audit.ledger import SCHEMA as LEDGER_SCHEMA
from monitor.audit.ledger import Ledger
from monitor.core.assessment import Assessment, Hit, RatingChange
from monitor.core.events import Event, reference
from monitor.core.models.config import ModelsConfig
from streams.deadletter import SCHEMA as DEAD_LETTER_SCHEMA
from streams.deadletter import DeadLetters
from streams.faults import Fault, Rejection
from streams.ports import Codec, JournalRow, Record, Sensor, StateRow
from streams.processor import Limits, Processor
from streams.rulebooks import Rulebooks
from streams.states import StateCache
from streams.stores.sqlite import SqliteStore, open_database

HOUR_MS = 3_600_000


class Crash(BaseException):
    """The process dies here; not an `Exception`, so nothing on the way may survive it."""


@dataclass(slots=True)
class CountingState:
    """How often a subject was seen, and when it falls asleep."""

    count: int = 0
    total: int = 0
    latest_ms: int = 0
    sleeps: int = 0
    seq: int = 0
    due_ms: int = 0
    leisure_ms: int = 0

    @property
    def due_at_once_ms(self) -> int:
        """When it falls asleep; ticks may look at it up to an hour later."""
        return self.due_ms and self.due_ms - self.leisure_ms // 6

    def pack(self) -> bytes:
        """Return the snapshot, without `seq` and `due_ms`, which are columns of their own."""
        return msgspec.msgpack.encode([self.count, self.total, self.latest_ms, self.sleeps])


class CountingEngine:
    """Hits at every third event of a customer, grades by the total, sleeps two hours after the last event.

    A stage `device` counts the events of a device and attaches the count; the customer's total
    takes it in, so wrong facts show in the ratings.
    """

    rulebook_hash = "c0"
    attaching: frozenset[str] = frozenset({"device"})
    timed: tuple[str, ...] = ("device", "customer")
    models: ModelsConfig | None = None

    def subjects(self, event: Event) -> list[tuple[str, str]]:
        """Return device and customer of the event, where it has them."""
        return [(kind, event.data[kind]) for kind in ("device", "customer") if event.data.get(kind)]

    def new_state(self, kind: str) -> CountingState:
        """Return a state that has seen nothing."""
        return CountingState()

    def restore(self, kind: str, packed: bytes) -> CountingState:
        """Return the state of a snapshot."""
        return CountingState(*msgspec.msgpack.decode(packed))

    def assess(self, event: Event, kind: str, subject_id: str, state: CountingState) -> Assessment:
        """Count the event; fire the timer first where it fell due before."""
        if event.data.get("poison") and kind == "customer":
            raise ZeroDivisionError("poison")
        fired = self._sleep(event.time_ms, kind, subject_id, state)
        late = event.time_ms < state.latest_ms
        state.latest_ms = max(state.latest_ms, event.time_ms)
        state.count += 1
        if kind == "device":
            event.facts["device_count"] = state.count
        state.total += event.data.get("amount", 1) + event.facts.get("device_count", 0)
        state.due_ms = state.latest_ms + 2 * HOUR_MS + state.leisure_ms // 6
        answer = Assessment(
            event_id=event.id, ref=event.ref, kind=event.kind, subject=kind, subject_id=subject_id,
            time_ms=event.time_ms, late=late,
            score=state.total % 100 / 100 if kind == "customer" else 0.0,
        )  # fmt: skip
        answer.hits = [hit for sleep in fired for hit in sleep.hits]
        if state.count % 3 == 0:
            answer.hits.append(_hit("T-3", event.id, event.ref, kind, subject_id, event.time_ms, state))
        if kind == "customer" and state.count % 2 == 0:
            answer.rating = [_rating(event, subject_id, state)]
        return answer

    def tick(self, time_ms: int, kind: str, subject_id: str, state: CountingState) -> list[Assessment]:
        """Fall asleep where the time has come."""
        return self._sleep(time_ms, kind, subject_id, state)

    def scoring_with(
        self, version: bytes | None, populations: Sequence[bytes] = (), scale: bytes | None = None
    ) -> CountingEngine:
        """Return itself: it learns nothing."""
        return self

    def _sleep(self, time_ms: int, kind: str, subject_id: str, state: CountingState) -> list[Assessment]:
        due = state.due_at_once_ms
        if not 0 < due <= time_ms:
            return []
        state.due_ms = 0
        state.sleeps += 1
        name = f"timer:SLEEP:{due}"
        hit = _hit("SLEEP", name, reference("timer", name), kind, subject_id, due, state)
        return [
            Assessment(
                event_id=name,
                ref=hit.ref,
                kind="timer",
                subject=kind,
                subject_id=subject_id,
                time_ms=due,
                hits=[hit],
            )
        ]


def _hit(
    rule: str, event_id: str, ref: int, kind: str, subject_id: str, time_ms: int, state: CountingState
) -> Hit:
    return Hit(
        rule=rule, version="000000000000", subject=kind, subject_id=subject_id, event_id=event_id, ref=ref,
        time_ms=time_ms, late=False, status="live", title=rule, dimension="fraud", severity="high",
        points=5.0, alert=rule == "T-3" and kind == "customer", cooldown_ms=HOUR_MS,
        say=f"{state.count} events", saw={"count": state.count, "total": state.total}, evidence=(ref,),
    )  # fmt: skip


def _rating(event: Event, subject_id: str, state: CountingState) -> RatingChange:
    grade = 10 + state.total % 5
    return RatingChange(
        customer_id=subject_id, time_ms=event.time_ms, cause=event.id, previous_grade=None, grade=grade,
        score=float(state.total % 100), parts=({"name": "count", "kind": "rule", "points": state.count},),
    )  # fmt: skip


class JsonCodec:
    """JSON objects with `id`, `time_ms` and anything else; a `Rejection` for the rest."""

    def decode(self, record: bytes, now_ms: int | None = None) -> Event | Rejection:
        """Return the event of a record."""
        data: dict[str, Any] = {}
        try:
            data = orjson.loads(record)
            name, time_ms = data["id"], int(data["time_ms"])
        except (ValueError, KeyError, TypeError) as error:
            fault = Fault("$", f"{type(error).__name__}: {error}")
            return Rejection(record, "malformed", (fault,), data.get("id"))
        body = orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
        return Event(
            kind=data.get("kind", "payment"),
            id=name,
            ref=reference("test", name),
            time_ms=time_ms,
            data=data,
            body=body,
        )


class CrashingStore(SqliteStore):
    """A store that dies once, before or after the nth call of one of its steps.

    Parameters
    ----------
    step
        `begin`, `append`, `put_states`, `put_meta` or `commit`.
    nth
        1 for the first call.
    when
        `before` or `after` the step itself.
    error
        What is raised: `Crash` ends the process of a test, an `sqlite3.Error` is a store in trouble.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        step: str,
        nth: int,
        when: str = "before",
        error: BaseException | None = None,
    ) -> None:
        super().__init__(db)
        self._step, self._left, self._when = step, nth, when
        self._error = error or Crash()

    def _do(self, step: str, act: Any) -> None:
        self._left -= step == self._step
        is_now = step == self._step and self._left == 0
        if is_now and self._when == "before":
            raise self._error
        act()
        if is_now:
            raise self._error

    def begin(self) -> None:
        """See `SqliteStore.begin`."""
        self._do("begin", super().begin)

    def commit(self) -> None:
        """See `SqliteStore.commit`."""
        self._do("commit", super().commit)

    def append(self, rows: Sequence[JournalRow]) -> None:
        """See `SqliteStore.append`."""
        act = super().append
        self._do("append", lambda: act(rows))

    def put_states(self, rows: Iterable[StateRow]) -> None:
        """See `SqliteStore.put_states`."""
        act = super().put_states
        self._do("put_states", lambda: act(rows))

    def put_meta(self, key: str, value: bytes) -> None:
        """See `SqliteStore.put_meta`."""
        act = super().put_meta
        self._do("put_meta", lambda: act(key, value))


def counting_processor(
    path: Path | str,
    *,
    limits: Limits | None = None,
    tick_every_ms: int = HOUR_MS,
    sensor: Sensor | None = None,
) -> Processor:
    """Return a processor of the small parts over a database file (or `:memory:`)."""
    db = open_database(path, sync="normal")
    return assemble(SqliteStore(db), limits=limits, tick_every_ms=tick_every_ms, sensor=sensor)


def assemble(
    store: SqliteStore,
    *,
    limits: Limits | None = None,
    tick_every_ms: int = HOUR_MS,
    sensor: Sensor | None = None,
    states: type[StateCache] = StateCache,
    engine: CountingEngine | None = None,
    rulebooks: Rulebooks | None = None,
    codec: Codec | None = None,
) -> Processor:
    """Return a processor of the small parts over a store."""
    for schema in (LEDGER_SCHEMA, ALERTS_SCHEMA, DEAD_LETTER_SCHEMA):
        store.db.executescript(schema)
    ledger = Ledger(store.db)
    return Processor(
        engine or CountingEngine(),
        codec or JsonCodec(),
        store,
        Desk(SqlAlertStore(store.db), ledger),
        ledger,
        DeadLetters(store.db),
        sensor,
        limits=limits,
        tick_every_ms=tick_every_ms,
        states=states,
        rulebooks=rulebooks,
    )


def records(stream: Iterable[dict[str, Any]]) -> list[Record]:
    """Return the records of a stream, each with its place as position."""
    return [Record(orjson.dumps(event), position=place + 1) for place, event in enumerate(stream)]


def stream(seed: int, length: int, *, step_ms: int = 900_000) -> list[dict[str, Any]]:
    """Return a random stream: few customers and devices, ties, late events, repeats and rubbish."""
    random = Random(seed)  # noqa: S311 (no secret)
    events: list[dict[str, Any]] = []
    time_ms = 1_700_000_000_000
    for number in range(length):
        if events and random.random() < 0.05:
            events.append(random.choice(events))
            continue
        time_ms += random.choice((0, random.randrange(step_ms)))
        late = random.randrange(3 * HOUR_MS) if random.random() < 0.1 else 0
        event = {"id": f"e-{number}", "time_ms": time_ms - late, "amount": random.randrange(100)}
        event["customer"] = f"C-{random.randrange(7)}"
        if random.random() < 0.5:
            event["device"] = f"D-{random.randrange(5)}"
        events.append({"id": f"bad-{number}"} if random.random() < 0.03 else event)
    return events


class Recording:
    """A source of records in memory.

    Parameters
    ----------
    events
        What `records` takes.
    """

    name = "recording"

    def __init__(self, events: Iterable[dict[str, Any]]) -> None:
        self._records = records(events)

    def records(self, position: Any) -> Iterable[Record]:
        """Give the records after a position."""
        return self._records[position or 0 :]


def results(db: sqlite3.Connection) -> dict[str, list[Any]]:
    """Return what must not depend on batches, redelivery or restarts: ledger, states, alerts.

    States must have been written first (`Processor.close`).
    """
    queries = {
        "ledger": "SELECT * FROM ledger ORDER BY seq",
        "states": "SELECT kind, id, seq, due_ms, packed FROM states ORDER BY kind, id",
        "alerts": "SELECT * FROM alerts ORDER BY id",
        "hits": "SELECT * FROM alert_hits ORDER BY seq",
        "outbox": "SELECT * FROM outbox ORDER BY seq",
    }
    return {name: db.execute(query).fetchall() for name, query in queries.items()}
