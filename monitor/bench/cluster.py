"""What an event costs a cluster: real desk and workers, on the (empty) servers of the settings."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from monitor.bench.figure import Figure
from monitor.bench.standard import unit_us
from monitor.database import ERRORS, connect_postgres
from monitor.servers import broker
from monitor.settings import Settings
from streams.entries import Place
from streams.settlement import PLACE

PATIENCE_S = 300
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a cluster over a stream."""

    seconds: float
    desk_us: float
    """Processor time an event."""
    worker_us: float
    """Of all workers together, an event."""


def figures(settings: Settings, config: Path, records: Sequence[bytes], tell: Tell) -> list[Figure]:
    """Measure one and two workers, and a Faust agent that only decodes.

    Parameters
    ----------
    settings, config
        Of the cluster; database and topics are filled, so they must be empty and are of no use after.
    """
    unit = unit_us()
    tell("a Faust agent that decodes")
    plain = _decoded_us(settings, records)
    found = [Figure("Faust agent that only decodes", round(plain / unit, 2), "U", note=f"{plain:.1f} us")]
    half = len(records) // 2
    position = 0
    runs = []
    for workers, part in ((1, records[:half]), (2, records[half:])):
        tell(f"desk and {workers} workers")
        runs.append(_run(settings, config, part, workers, position))
        position += len(part)
    one, two = runs
    rates = [len(records[:half]) / one.seconds, len(records[half:]) / two.seconds]
    return [
        *found,
        Figure(
            "worker, every stage and rule",
            round(one.worker_us / unit, 2),
            "U",
            note=f"{one.worker_us:.1f} us",
        ),
        Figure("worker against the agent that decodes", round(one.worker_us / plain, 2), "x", 1.5),
        Figure("desk", round(one.desk_us / unit, 2), "U", note=f"{one.desk_us:.1f} us"),
        Figure("cluster, one worker", round(rates[0]), "events/s"),
        Figure(
            "cluster, two workers", round(rates[1]), "events/s", note="desk, brokers and database beside them"
        ),
    ]


def _decoded_us(settings: Settings, records: Sequence[bytes]) -> float:
    topic = f"{settings.kafka.prefix}.bench"
    asyncio.run(_fill(settings, topic, records))
    command = [
        sys.executable,
        "-m",
        "monitor.bench.decoding",
        settings.kafka.bootstrap,
        topic,
        str(len(records)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True)  # noqa: S603
    return float(done.stdout)


async def _fill(settings: Settings, topic: str, records: Sequence[bytes]) -> None:
    options = broker(settings.kafka).options
    admin = AIOKafkaAdminClient(**options)
    await admin.start()
    if topic not in await admin.list_topics():
        await admin.create_topics([NewTopic(topic, 1, settings.kafka.replication)])
    await admin.close()
    producer = AIOKafkaProducer(**options, linger_ms=5, max_batch_size=262_144)
    await producer.start()
    try:
        headers = [("source", b"bench"), ("received_ms", b"0")]
        sent = [await producer.send(topic, body, partition=0, headers=headers) for body in records]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


def _run(settings: Settings, config: Path, records: Sequence[bytes], workers: int, before: int) -> Run:
    with _roles(config, workers) as (desk, served):
        _await(lambda: _settled(settings) >= before and _serves(settings))
        asyncio.run(_fill(settings, f"{settings.kafka.prefix}.events", records[:1000]))
        _await(lambda: _settled(settings) >= before + 1000)
        costs = _cpu_s([desk]), _cpu_s(served)
        began = time.monotonic()
        asyncio.run(_fill(settings, f"{settings.kafka.prefix}.events", records[1000:]))
        _await(lambda: _settled(settings) >= before + len(records))
        seconds, count = time.monotonic() - began, len(records) - 1000
        used = _cpu_s([desk]) - costs[0], _cpu_s(served) - costs[1]
    return Run(seconds * len(records) / count, used[0] / count * 1e6, used[1] / count * 1e6)


@contextmanager
def _roles(config: Path, workers: int) -> Iterator[tuple[Any, list[Any]]]:
    program = [sys.executable, "-c", "from monitor.cli import main; main()"]
    rest = ["--config", str(config), "--metrics-port", "0"]
    with tempfile.TemporaryFile() as log:
        made = [
            subprocess.Popen([*program, role, *rest], stdout=log, stderr=log)  # noqa: S603
            for role in ("desk", *["worker"] * workers)
        ]
        try:
            yield made[0], made[1:]
        finally:
            for process in made:
                process.terminate()
            for process in made:
                process.wait(PATIENCE_S)


def _settled(settings: Settings) -> int:
    """Return the offset up to which records are settled; -1 where none can be."""
    place = _place(settings)
    return place.position if place else -1


def _serves(settings: Settings) -> bool:
    place = _place(settings)
    return place is not None and place.order > 0


def _place(settings: Settings) -> Place | None:
    try:
        with closing(connect_postgres(settings.storage.postgres_url, read_only=True)) as db:
            row = db.execute("SELECT value FROM meta WHERE key = ?", (PLACE,)).fetchone()
    except ERRORS:
        return None
    return msgspec.json.decode(row[0], type=Place) if row else None


def _await(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"bench: the cluster did not settle within {PATIENCE_S} s")
        time.sleep(0.05)


def _cpu_s(processes: Sequence[Any]) -> float:
    """Return the processor time of processes so far, user and system, seconds."""
    ticks = os.sysconf("SC_CLK_TCK")
    total = 0
    for process in processes:
        fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / ticks
