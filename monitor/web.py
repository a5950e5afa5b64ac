"""The web role of a cluster: reads PostgreSQL, writes to the topic `events` and to nothing else.

Many may run beside each other. An event is accepted once the brokers have it; what the rules say
of it comes with the inbox. An officer's action waits for what the desk makes of it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from alerts.inbox.service import Fault, Health, Outcome, UnavailableError
from monitor.configuration import Configuration, build_codec
from monitor.database import Database
from monitor.metrics import PrometheusSensor
from monitor.reader import Reader
from monitor.servers import broker, postgres_reader
from monitor.service import MonitorService
from monitor.settings import Settings
from monitor.watch import InForce, Watch
from streams.codec import Codec, Rejection
from streams.faults import MAX_BYTES
from streams.ports import BusyError, Record
from streams.runners.kafka.connection import BrokerAwayError
from streams.runners.kafka.producer import EventProducer
from streams.stores.reading import event_body

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long an officer's action waits for its outcome."""

    most_s: float = 10.0
    """Then it is under way, and its officer is told so."""
    look_s: float = 0.05
    """Before the first look; each later one waits half as long again, up to half a second."""


class ClusterFeed:
    """A `monitor.service.Feed` onto the topic of events.

    Parameters
    ----------
    producer
        Onto the topic; started and stopped by whoever made it.
    reader
        Of PostgreSQL, where outcomes of actions appear.
    watch
        Tells of changes in PostgreSQL.
    in_force
        Gives the configuration that records are checked by.
    render
        Gives the metrics of this process.
    """

    def __init__(
        self,
        producer: EventProducer,
        reader: Reader,
        watch: Watch,
        in_force: Callable[[], Configuration],
        render: Callable[[], bytes],
        patience: Patience | None = None,
    ) -> None:
        self._producer = producer
        self.reader = reader
        self._watch = watch
        self.in_force = in_force
        self._render = render
        self._patience = patience or Patience()
        self._checked: tuple[Configuration, Codec] | None = None

    async def ingest(self, records: Sequence[bytes], source: str) -> list[Outcome]:
        """Take records; return one outcome each once the brokers have all of them.

        A bad record goes to the desk like the others, which keeps it as a dead letter; but for one
        that is too large for the topic.
        """
        received_ms = _now_ms()
        judged = await asyncio.to_thread(self._judge, records, received_ms)
        await self._send([Record(body, source, received_ms) for body in records if len(body) <= MAX_BYTES])
        return [_told(one) for one in judged]

    async def act(self, event: Mapping[str, Any]) -> Outcome:
        """Carry out an officer's action and return what the desk made of it.

        Raises
        ------
        UnavailableError
            The brokers do not take it; or they did, and the desk has not answered yet.
        """
        body, received_ms = orjson.dumps(event), _now_ms()
        (judged,) = await asyncio.to_thread(self._judge, [body], received_ms)
        if isinstance(judged, Rejection):
            return _told(judged)
        before = await asyncio.to_thread(self._outcome, judged.ref, judged.id)
        if before is not None:
            return Outcome(
                status="duplicate" if before.is_kept else before.status,
                event_id=judged.id,
                message=before.message,
            )
        await self._send([Record(body, "inbox", received_ms)])
        outcome = await self._awaited(judged.ref, judged.id)
        self._watch.wake()
        return outcome

    def note(self, event: Mapping[str, Any]) -> None:
        """Take an event of the monitor's own without waiting for it."""
        try:
            sent = self._producer.submit([Record(orjson.dumps(event), "inbox", _now_ms())])
        except BusyError as error:
            log.warning("access_not_recorded reason=%s", error)
        else:
            sent.add_done_callback(_noted)

    def figures(self) -> Mapping[str, int | float | str | None]:
        """Return since when the desk committed nothing new; None where it was not seen to commit."""
        age_s = self._watch.commit_age_s
        return {"seconds_since_commit": None if age_s is None else round(age_s, 1)}

    def health(self) -> Health:
        """Return whether brokers and database can be reached."""
        reasons = [reason for reason in (self._producer.problem, self._watch.problem) if reason]
        return Health(alive=True, ready=not reasons, reasons=reasons)

    def metrics(self) -> bytes:
        """Return the metrics of this process."""
        return self._render()

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` after alerts changed, a second later at most."""
        return self._watch.subscribe(wake)

    def _judge(self, records: Sequence[bytes], received_ms: int) -> list[Any]:
        return self._codec().decode_many(records, received_ms)

    def _codec(self) -> Codec:
        configuration = self.in_force()
        if self._checked is None or self._checked[0] is not configuration:
            self._checked = (configuration, build_codec(configuration))
        return self._checked[1]

    async def _send(self, records: Sequence[Record]) -> None:
        try:
            await asyncio.wrap_future(self._producer.submit(records))
        except (BusyError, BrokerAwayError) as error:
            raise UnavailableError(str(error)) from error

    async def _awaited(self, ref: int, event_id: str) -> Outcome:
        end, pause = time.monotonic() + self._patience.most_s, self._patience.look_s
        while time.monotonic() < end:
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, 0.5)
            outcome = await asyncio.to_thread(self._outcome, ref, event_id)
            if outcome is not None:
                return outcome
        raise UnavailableError(
            f"the action is under way: the desk has not answered within {self._patience.most_s:g} s\n"
            "  hint: look at the alert again later; the action is carried out once"
        )

    def _outcome(self, ref: int, event_id: str) -> Outcome | None:
        return self.reader.read(lambda db: outcome(db, ref, event_id))


@contextmanager
def open_feed(settings: Settings) -> Iterator[ClusterFeed]:
    """Give a feed onto the topic of events, which must exist; it connects by itself, and again.

    Events that were sent are acknowledged, or their sender was told otherwise, when it is left.
    """
    reader = postgres_reader(settings)
    watch = Watch(postgres_reader(settings))
    producer = EventProducer(broker(settings.kafka), f"{settings.kafka.prefix}.events")
    producer.start()
    watch.start()
    try:
        yield ClusterFeed(producer, reader, watch, InForce(reader), PrometheusSensor().render)
    finally:
        watch.stop()
        producer.stop()
        reader.close()


@contextmanager
def open_web(settings: Settings) -> Iterator[MonitorService]:
    """Give the service of a web role, connected as far as its servers are there; it mends itself."""
    with open_feed(settings) as feed:
        yield MonitorService(feed.reader, feed, feed.in_force)


def outcome(db: Database, ref: int, event_id: str) -> Outcome | None:
    """Return what became of an officer's action, or None where the desk has not come to it."""
    if event_body(db, ref) is not None:
        return Outcome(status="accepted", event_id=event_id)
    row = db.execute("SELECT message FROM refusals WHERE ref = ?", (ref,)).fetchone()
    return None if row is None else Outcome(status="refused", event_id=event_id, message=row[0])


def _told(judged: Any) -> Outcome:
    if not isinstance(judged, Rejection):
        return Outcome(status="accepted", event_id=judged.id)
    faults = tuple(Fault(path=fault.path, problem=fault.problem, hint=fault.hint) for fault in judged.faults)
    return Outcome(status="rejected", event_id=judged.event_id or "", faults=faults)


def _noted(sent: Future[None]) -> None:
    if not sent.cancelled() and (error := sent.exception()) is not None:
        log.warning("access_not_recorded reason=%s", error)


def _now_ms() -> int:
    return int(time.time() * 1000)
