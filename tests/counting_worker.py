"""A worker with the small engines of `stage_line`: BOOTSTRAP PREFIX PARTITIONS SESSION_S PROGRESS_S."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys

from stage_line import counting

from streams.runners.kafka.connection import Broker
from streams.runners.kafka.topics import Topics
from streams.runners.kafka.watch import Waits
from streams.runners.kafka.worker import build_worker, run_worker
from streams.stage import StageLimits

STAGES = ("device", "customer")


async def serve(bootstrap: str, prefix: str, partitions: str, session_s: str, progress_s: str) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    session = float(session_s)
    app = build_worker(
        Broker(bootstrap=bootstrap),
        Topics(prefix, int(partitions), STAGES),
        counting,
        limits=StageLimits(cache_subjects=5, tail_items=300),
        waits=Waits(session=session, heartbeat=session / 6, progress=float(progress_s), look=0.5),
    )
    await run_worker(app, stopping)


if __name__ == "__main__":
    logging.basicConfig(level="WARNING")
    logging.getLogger("streams").setLevel("INFO")
    asyncio.run(serve(*sys.argv[1:]))
