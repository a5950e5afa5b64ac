"""Records onto the topic `events`: acknowledged by every replica before anybody is told so."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from streams.faults import MAX_BYTES
from streams.ports import BusyError, Record
from streams.runners.kafka.connection import Broker, BrokerAwayError

log = logging.getLogger(__name__)

LARGEST = MAX_BYTES + 65_536
"""Bytes of a message at most, headers and framing included; the topic must take them too."""
_LINGER_MS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How patient a producer is."""

    acknowledgement_s: float = 10.0
    """After this a submission fails; it may still arrive, and the desk knows what came twice."""
    probe_s: float = 2.0
    """Between looks whether the brokers are there."""
    queued_records: int = 8_192
    """Records on their way at most; beyond that `BusyError`."""


class EventProducer:
    """Sends records in order from any thread; a future is done when the brokers acknowledged.

    Where the brokers are away submissions fail after a while, and go through again by themselves
    once the brokers are back. It has a thread and an event loop of its own.

    Parameters
    ----------
    broker
        Where to send.
    topic
        The topic of raw records, with one partition.
    """

    def __init__(self, broker: Broker, topic: str, waits: Waits | None = None) -> None:
        self._broker = broker
        self._topic = topic
        self._waits = waits or Waits()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._run, name="producer", daemon=True)
        self._ready = Event()
        self._producer: Any = None
        self._opening = asyncio.Lock()
        self._under_way = 0
        self._problem = "no connection to the brokers yet"

    def start(self) -> None:
        """Start the thread; it connects by itself, now or once the brokers are there."""
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """Send what was submitted, as far as the brokers take it now, and end the thread."""
        if not self._thread.is_alive():
            return
        with suppress(Exception):
            self._call(self._close()).result(self._waits.acknowledgement_s)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    @property
    def problem(self) -> str:
        """Why nothing can be sent now; empty where it can."""
        return self._problem

    def submit(self, records: Sequence[Record]) -> Future[None]:
        """Send records, in order; the future is done once all are acknowledged.

        It fails with `BrokerAwayError` where they were not in time. Some may have arrived, or
        arrive later: the desk takes an event once, so the sender repeats all of them.

        Raises
        ------
        BusyError
            Too many are under way.
        """
        if self._under_way and self._under_way + len(records) > self._waits.queued_records:
            raise BusyError(f"producer: {self._under_way} records are under way\n  hint: send again later")
        return self._call(self._send(records))

    def _call(self, work: Coroutine[Any, Any, None]) -> Future[None]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        probe = self._loop.create_task(self._probe())
        self._loop.call_soon(self._ready.set)
        try:
            self._loop.run_forever()
        finally:
            probe.cancel()
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            self._loop.close()

    async def _send(self, records: Sequence[Record]) -> None:
        self._under_way += len(records)
        try:
            async with asyncio.timeout(self._waits.acknowledgement_s):
                producer = await self._open()
                sent = [
                    await producer.send(self._topic, record.body, partition=0, headers=headers_of(record))
                    for record in records
                ]
                await asyncio.gather(*sent)
        except TimeoutError as error:
            raise BrokerAwayError(f"broker: no answer within {self._waits.acknowledgement_s:g} s") from error
        except (KafkaError, OSError) as error:
            await self._forget(error)
            raise BrokerAwayError(f"broker: {_told(error)}") from error
        finally:
            self._under_way -= len(records)

    async def _open(self) -> Any:
        async with self._opening:
            if self._producer is None:
                made = AIOKafkaProducer(
                    **self._broker.options,
                    acks="all",
                    enable_idempotence=True,
                    linger_ms=_LINGER_MS,
                    max_batch_size=LARGEST,
                    max_request_size=LARGEST,
                    request_timeout_ms=round(self._waits.acknowledgement_s * 1000),
                )
                try:
                    await made.start()
                except BaseException:
                    await made.stop()
                    raise
                self._producer = made
            return self._producer

    async def _forget(self, error: Exception) -> None:
        """Begin anew after an error: an idempotent producer does not go on behind a gap."""
        self._problem = f"broker: {_told(error)}"
        failed, self._producer = self._producer, None
        if failed is not None:
            log.warning("producer_failed reason=%s", _told(error))
            with suppress(Exception):
                await asyncio.wait_for(failed.stop(), self._waits.probe_s)

    async def _close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def _probe(self) -> None:
        """Look from time to time whether the brokers are there."""
        while True:
            try:
                async with asyncio.timeout(self._waits.acknowledgement_s):
                    producer = await self._open()
                    is_there = await producer.client.force_metadata_update()
                    await producer.partitions_for(self._topic)
                self._problem = "" if is_there else "broker: does not answer"
            except TimeoutError:
                self._problem = "broker: does not answer"
            except UnknownTopicOrPartitionError:
                self._problem = f"topic {self._topic}: is not there; `riskmon desk` creates it"
            except (KafkaError, OSError) as error:
                self._problem = f"broker: {_told(error)}"
            await asyncio.sleep(self._waits.probe_s)


def headers_of(record: Record) -> list[tuple[str, bytes]]:
    """Return where a record came from and when, as its message carries it.

    Examples
    --------
    >>> headers_of(Record(b"{}", "http", 5))
    [('source', b'http'), ('received_ms', b'5')]
    """
    return [("source", record.source.encode()), ("received_ms", b"%d" % record.received_ms)]


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__
