"""What the embedded service costs: everything on, committed to a file, and how long one waits for it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from monitor.app import HOUR_MS, open_data
from monitor.configuration import Configuration
from monitor.settings import Settings
from streams.ports import Record
from streams.processor import Processor
from streams.runners.embedded import EmbeddedRunner, Pace

BATCH = 512
PAUSE_S = 0.002


def replay_us(
    folder: Path, settings: Settings, configuration: Configuration, records: Iterable[bytes]
) -> tuple[float, int]:
    """Return the microseconds an event of a replay, its first quarter left out, and the events replayed."""
    opened = open_data(
        folder, settings, configuration, sync="normal", tick_every_ms=HOUR_MS, learns_aside=True
    )
    with closing(opened):
        stream = [Record(record) for record in records]
        first = max(BATCH, len(stream) // 4 // BATCH * BATCH)
        _process(opened.processor, stream[:first])
        began = time.perf_counter()
        _process(opened.processor, stream[first:])
        return (time.perf_counter() - began) / (len(stream) - first) * 1e6, len(stream)


def _process(processor: Processor, stream: Sequence[Record]) -> None:
    for start in range(0, len(stream), BATCH):
        processor.process(stream[start : start + BATCH])


def latencies_ms(
    folder: Path, settings: Settings, configuration: Configuration, stream: Sequence[bytes], a_second: float
) -> list[float]:
    """Return, for events sent at an even rate, the milliseconds until each and its alerts were committed.

    The first quarter of the stream is there before: a simulated bank begins with years in which little
    happens but everything falls due.
    """
    opened = open_data(folder, settings, configuration, sync="full", tick_every_ms=HOUR_MS, learns_aside=True)
    first = len(stream) // 4
    _process(opened.processor, [Record(record) for record in stream[:first]])
    records = stream[first:]
    runner = EmbeddedRunner(opened.processor, Pace(tick_ms=0))
    runner.start()
    waits: list[float] = []
    try:
        began = time.perf_counter()
        under_way: list[Future[Any]] = []
        sent = 0
        while sent < len(records):
            # As a producer does: what has come together since the last request goes with the next one.
            due = min(len(records), int((time.perf_counter() - began) * a_second))
            if due == sent:
                time.sleep(PAUSE_S)
                continue
            future = runner.submit([Record(record) for record in records[sent:due]], "bench")
            future.add_done_callback(partial(_note, waits, began, a_second, sent, due))
            under_way.append(future)
            sent = due
        for future in under_way:
            future.result(timeout=60)
    finally:
        runner.stop()
        opened.abandon()
    return waits


def _note(waits: list[float], began: float, a_second: float, first: int, last: int, _: object) -> None:
    """Note for each event how long it took from when it was due: a stalled sender must not hide a stall."""
    now = time.perf_counter() - began
    waits += [(now - number / a_second) * 1e3 for number in range(first, last)]


def machine() -> dict[str, Any]:
    """Return what the figures were taken on."""
    model = ""
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return {"processor": model, "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}
