"""Recorded events through the durable runtime, as fast as it goes; killed anywhere, it goes on."""

from __future__ import annotations

import os
import re
import resource
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import msgspec

from streams.ports import Outcome, Record, StoreUnavailableError
from streams.processor import Processor

HEADER = b"event_id,customer_id,time,score,rules\n"
_LONGEST_PAUSE_S = 5.0
_MARKS = re.compile('[,"\\r\\n]')


class Source(Protocol):
    """Recorded events in one fixed order."""

    name: str
    """What it is, e.g. the files and the mapping: the same name goes on where it stopped."""

    def records(self, position: Any) -> Iterable[Record]:
        """Give the records after a position (that of a record; None for all)."""


@dataclass(slots=True)
class Place:
    """How far a replay is; committed with each batch."""

    position: Any = None
    records: int = 0
    scores_offset: int = 0
    seconds: float = 0.0
    peak_rss_mb: float = 0.0


@dataclass(slots=True)
class Replay:
    """One replay of a source into a database.

    Position and the length of the scores file are committed with the events they belong to. A
    restart cuts the scores file back to that length and goes on; the results are the same as
    without the interruption, byte for byte.

    Parameters
    ----------
    processor
        With ticks by event time (`tick_every_ms`), so that timers do not depend on the wall clock.
    source
        What to replay.
    scores
        File for one row an event, or None.
    progress
        Called after every batch with how far the replay is.
    batch_events
        Events in a transaction.

    Raises
    ------
    ValueError
        The scores file is shorter than what was committed: it is not the file of this replay.
    """

    processor: Processor
    source: Source
    scores: Path | None = None
    progress: Callable[[Place], None] = lambda place: None
    batch_events: int = 512
    _place: Place = field(default_factory=Place)
    _scores_file: int = -1
    _started: float = 0.0
    _seconds_before: float = 0.0

    def run(self) -> dict[str, Any]:
        """Replay what is left and return the report, cumulative over restarts."""
        self._place = self._committed()
        self._seconds_before, self._started = self._place.seconds, time.monotonic()
        self._open_scores()
        try:
            records = iter(self.source.records(self._place.position))
            while batch := list(islice(records, self.batch_events)):
                self._insist(batch)
                self.progress(self._place)
        finally:
            if self._scores_file >= 0:
                os.close(self._scores_file)
        self.processor.close()
        return self._report()

    @property
    def _key(self) -> str:
        return f"replay {self.source.name}"

    def _committed(self) -> Place:
        stored = self.processor.store.meta(self._key)
        return msgspec.json.decode(stored, type=Place) if stored else Place()

    def _insist(self, batch: Sequence[Record]) -> None:
        pause = 0.05
        while True:
            try:
                self.processor.process(batch, self._note)
            except StoreUnavailableError:
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            else:
                return

    def _note(self, batch: Sequence[Record], outcomes: Sequence[Outcome]) -> Mapping[str, bytes]:
        # Read back, not remembered: after a rollback the committed place is the true one.
        place = self._place = self._committed()
        place.scores_offset = self._write_scores(place.scores_offset, outcomes)
        place.position = batch[-1].position
        place.records += len(batch)
        place.seconds = self._seconds_before + time.monotonic() - self._started
        place.peak_rss_mb = max(place.peak_rss_mb, _peak_rss_mb())
        return {self._key: msgspec.json.encode(place)}

    def _open_scores(self) -> None:
        if self.scores is None:
            return
        self._scores_file = os.open(self.scores, os.O_RDWR | os.O_CREAT, 0o644)
        size, committed = os.fstat(self._scores_file).st_size, self._place.scores_offset
        if size < committed:
            os.close(self._scores_file)
            raise ValueError(
                f"{self.scores}: expected the {committed} bytes of the interrupted replay, was {size}\n"
                "  hint: give --scores the file it wrote to, or --data a new directory"
            )
        os.ftruncate(self._scores_file, committed)

    def _write_scores(self, offset: int, outcomes: Sequence[Outcome]) -> int:
        if self._scores_file < 0:
            return offset
        rows = b"".join(_row(outcome) for outcome in outcomes if _is_scored(outcome))
        text = rows if offset else HEADER + rows
        os.pwrite(self._scores_file, text, offset)
        return offset + len(text)

    def _report(self) -> dict[str, Any]:
        processor, place = self.processor, self._committed()
        counters = processor.progress.counters
        customers, size = processor.store.footprint().get("customer", (0, 0))
        return {
            "events": counters.events,
            "rejected": counters.rejected,
            "duplicates": counters.duplicates,
            "late": counters.late,
            "hits": counters.hits,
            "rating_changes": counters.rating_changes,
            "alerts": counters.alerts,
            "customers": customers,
            "seconds": round(place.seconds, 3),
            "events_per_second": round(place.records / place.seconds, 1) if place.seconds else 0.0,
            "peak_rss_mb": round(max(place.peak_rss_mb, _peak_rss_mb()), 1),
            "state_bytes_per_customer": round(size / customers, 1) if customers else 0.0,
            "ledger_head": processor.ledger_head,
        }


def _is_scored(outcome: Outcome) -> bool:
    return outcome.status == "accepted" and bool(outcome.customer_id)


def _row(outcome: Outcome) -> bytes:
    moment = datetime.fromtimestamp(outcome.time_ms / 1000, UTC).isoformat(timespec="milliseconds")
    rules = ";".join(outcome.rules)
    columns = (outcome.event_id, outcome.customer_id, moment, format(outcome.score, ".9g"), rules)
    return (",".join(map(_quoted, columns)) + "\n").encode()


def _quoted(column: str) -> str:
    if _MARKS.search(column):
        return '"' + column.replace('"', '""') + '"'
    return column


def _peak_rss_mb() -> float:
    # Linux counts kilobytes here.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
