"""The yardstick of the workers: a Faust agent that decodes one event a message, and does nothing else.

Run as a program in a process of its own: `python -m monitor.bench.decoding BROKERS TOPIC EVENTS`. It prints
the microseconds of processor time an event, from its first event to its last.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

import faust
import orjson


def build_decoder(brokers: str, topic: str, events: int, done: asyncio.Event, costs: list[float]) -> Any:
    """Return a Faust application that reads so many events and notes what one cost."""
    app = faust.App(
        f"{topic}-decoder",
        broker=f"kafka://{brokers}",
        store="memory://",
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
    )

    async def decode(stream: Any) -> None:
        count, began = 0, 0.0
        async for body in stream:
            orjson.loads(body)
            count += 1
            if count == events // 10:
                began = time.process_time()  # what went before is starting up
            if count == events:
                costs.append((time.process_time() - began) / (events - events // 10) * 1e6)
                done.set()

    app.agent(app.topic(topic, value_type=bytes, value_serializer="raw"))(decode)
    return app


async def measure(brokers: str, topic: str, events: int) -> float:
    """Return the microseconds an event."""
    done, costs = asyncio.Event(), list[float]()
    app = build_decoder(brokers, topic, events, done, costs)
    running = asyncio.create_task(app.start())
    await asyncio.wait_for(done.wait(), 300)
    await app.stop()
    running.cancel()
    return costs[0]


if __name__ == "__main__":
    brokers, topic, events = sys.argv[1:]
    sys.stdout.write(f"{asyncio.run(measure(brokers, topic, int(events))):.2f}\n")
