"""The live service in one process: one engine thread, many submitters, acknowledged after the commit."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from streams.ports import BusyError, Outcome, Record, StoreUnavailableError
from streams.processor import Processor

log = logging.getLogger(__name__)

Result = TypeVar("Result")
MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How events are gathered into batches."""

    batch_events: int = 512
    """Events in a batch at most."""
    gather_ms: float = 2.0
    """How long a batch waits for company; what gathers while another is being committed does not wait."""
    queued_events: int = 8_192
    """Records waiting at most; beyond that submitters wait, then get `BusyError`."""
    patience_s: float = 5.0
    """How long a submitter waits for room."""
    tick_ms: int = MINUTE_MS
    """Wall-clock ticks; 0 for none."""
    longest_pause_s: float = 5.0
    """Longest pause between attempts while the store is unavailable; the first is 0.05 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the engine thread is."""

    is_alive: bool
    is_store_ok: bool
    last_commit_age_s: float
    """Since the last committed batch, or since the start."""
    waiting: int
    """Records waiting."""
    problem: str = ""
    """Why it is not well; empty where it is."""


@dataclass(slots=True)
class _Submission:
    records: Sequence[Record]
    future: Future[list[Outcome]]


class EmbeddedRunner:
    """Feeds a processor from many threads; a future is done when its events are durable.

    While the store is unavailable nothing is acknowledged: the batch is repeated with growing
    pauses until it succeeds, submitters get `BusyError` once the queue is full, and `health` says
    so. `stop` carries out what was accepted first.

    Parameters
    ----------
    processor
        Used by the engine thread alone from `start` to `stop`.
    pace
        Batching and back-pressure.
    clock
        Wall clock in seconds; for received times and ticks.
    """

    def __init__(
        self, processor: Processor, pace: Pace | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._processor = processor
        self._pace = pace or Pace()
        self._clock = clock
        self._waiting: deque[_Submission] = deque()
        self._count = 0
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._last_commit = time.monotonic()
        self._problem = ""
        self._next_tick_ms = 0
        self.is_ticking = True
        """False while old events are being caught up with: the wall clock is no time of theirs."""

    def start(self) -> None:
        """Start the engine thread."""
        self._next_tick_ms = self._now_ms()
        self._last_commit = time.monotonic()
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Carry out what was accepted, write every snapshot and end the thread. Twice is harmless.

        Where the store is unavailable, the waiting futures get `StoreUnavailableError`.
        """
        with self._changed:
            self._stop.set()
            self._changed.notify_all()
        if self._thread:
            self._thread.join()
            self._thread = None

    def submit(self, records: Sequence[Record], source: str) -> Future[list[Outcome]]:
        """Hand in records; the future gives one outcome each, in order, once they are committed.

        Raises
        ------
        BusyError
            There was no room within `Pace.patience_s`, or the runner is stopping.
        """
        future: Future[list[Outcome]] = Future()
        received_ms = self._now_ms()
        submission = _Submission(
            [replace(r, source=source, received_ms=received_ms) for r in records], future
        )
        if not records:
            future.set_result([])
            return future
        with self._changed:
            if not self._changed.wait_for(lambda: self._has_room(len(records)), self._pace.patience_s):
                raise BusyError(
                    f"runner: {self._count} records wait for the engine\n  hint: send again later"
                )
            if self._stop.is_set() or self._thread is None:
                raise BusyError("runner: it is not running\n  hint: send again later")
            self._waiting.append(submission)
            self._count += len(records)
            self._changed.notify_all()
        return future

    @property
    def health(self) -> Health:
        """How the engine thread is, now."""
        alive = self._thread is not None and self._thread.is_alive()
        problem = self._problem or ("" if alive else "the engine thread is not running")
        age = time.monotonic() - self._last_commit
        return Health(
            is_alive=alive,
            is_store_ok=not self._problem,
            last_commit_age_s=age,
            waiting=self._count,
            problem=problem,
        )

    def _has_room(self, count: int) -> bool:
        # A submission larger than the whole queue is taken when the queue is empty.
        return self._stop.is_set() or self._count == 0 or self._count + count <= self._pace.queued_events

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)

    def _run(self) -> None:
        try:
            while (submissions := self._gather()) is not None:
                if submissions:
                    self._serve(submissions)
                self._tick()
            self._insist(self._processor.close)
        except StoreUnavailableError as error:
            self._fail(error)
        except BaseException as error:
            log.exception("engine_stopped")
            self._problem = f"the engine stopped: {type(error).__name__}: {error}"
            self._fail(error)

    def _gather(self) -> list[_Submission] | None:
        """Return the submissions of the next batch; none where only time passed, None at the end."""
        pace = self._pace
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stop.is_set(), self._until_tick())
            if not self._waiting:
                return None if self._stop.is_set() else []
            if self._count < pace.batch_events and not self._stop.is_set() and pace.gather_ms:
                self._changed.wait_for(
                    lambda: self._count >= pace.batch_events or self._stop.is_set(), pace.gather_ms / 1000
                )
            taken: list[_Submission] = []
            count = 0
            while self._waiting and (not taken or count + len(self._waiting[0].records) <= pace.batch_events):
                taken.append(self._waiting.popleft())
                count += len(taken[-1].records)
        return taken

    def _serve(self, submissions: list[_Submission]) -> None:
        records = [record for submission in submissions for record in submission.records]
        size, outcomes = self._pace.batch_events, list[Outcome]()
        try:
            for start in range(0, len(records), size):
                batch = records[start : start + size]
                outcomes += self._insist(partial(self._processor.process, batch))
        except BaseException as error:
            for submission in submissions:
                submission.future.set_exception(error)
            raise
        finally:
            with self._changed:
                self._count -= len(records)
                self._changed.notify_all()
        self._processor.sensor.on_queue(self._count)
        now_ms = self._now_ms()
        for submission in submissions:
            count, waited_ms = len(submission.records), now_ms - submission.records[0].received_ms
            self._processor.sensor.on_latency(waited_ms / 1000, count)
            done, outcomes = outcomes[:count], outcomes[count:]
            submission.future.set_result(done)

    def _insist(self, act: Callable[[], Result]) -> Result:
        """Repeat what the store refuses until it succeeds, or until the runner is stopped."""
        pause = 0.05
        while True:
            try:
                result = act()
            except StoreUnavailableError as error:
                if not self._problem:
                    log.warning("store_unavailable reason=%s", error)
                self._problem = str(error)
                if self._stop.wait(pause):
                    raise
                pause = min(2 * pause, self._pace.longest_pause_s)
            else:
                self._problem = ""
                self._last_commit = time.monotonic()
                return result

    def _until_tick(self) -> float | None:
        if not self._pace.tick_ms:
            return None
        return max(0.0, (self._next_tick_ms - self._now_ms()) / 1000) if self.is_ticking else 1.0

    def _tick(self) -> None:
        every, now_ms = self._pace.tick_ms, self._now_ms()
        if every and self.is_ticking and now_ms >= self._next_tick_ms and not self._stop.is_set():
            moment_ms = now_ms // every * every
            self._insist(lambda: self._processor.tick(moment_ms, now_ms))
            self._next_tick_ms = moment_ms + every

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            self._stop.set()
            left, self._count = list(self._waiting), 0
            self._waiting.clear()
            self._changed.notify_all()
        for submission in left:
            submission.future.set_exception(error)
