"""What real sources do to a stream: some events come late, a few come twice."""

from __future__ import annotations

from random import Random
from typing import Any

import orjson

Arrival = tuple[int, str, int, bytes]
"""When an event reaches the bank (epoch milliseconds), its id, its copy (0 = the first), its record.

Records take a third of the memory of the events they are written from, and a day of a large bank is
many of them.
"""

LATE = 0.003
"""Share of events that come late."""
TWICE = 0.0004
"""Share of events that come a second time, unchanged."""
_PUNCTUAL = frozenset({"customer.created", "account.opened"})
"""Nothing happens to a customer before these are known."""
_SHORTEST_MS, _LONGEST_MS = 3 * 60_000, 18 * 3_600_000


def on_time(entries: list[tuple[int, dict[str, Any]]]) -> list[Arrival]:
    """Give every event its own time as its arrival."""
    dumps = orjson.dumps
    # A copy: orjson's own bytes sit in buffers several times their size, which a day's records would keep.
    return [(time_ms, event["event_id"], 0, bytes(memoryview(dumps(event)))) for time_ms, event in entries]


def disturb(entries: list[tuple[int, dict[str, Any]]], rng: Random) -> list[Arrival]:
    """Give every event its arrival: its own time, but for at most one of a page, late or twice."""
    arrivals = on_time(entries)
    size = len(arrivals)
    lot = rng.random()
    if lot < size * LATE:
        at = rng.randrange(size)
        time_ms, event_id, copy, record = arrivals[at]
        if entries[at][1]["event_type"] not in _PUNCTUAL:
            arrivals[at] = (time_ms + _delay(rng), event_id, copy, record)
    elif lot > 1 - size * TWICE:
        time_ms, event_id, _, record = arrivals[rng.randrange(size)]
        arrivals.append((time_ms + _delay(rng), event_id, 1, record))
    return arrivals


def _delay(rng: Random) -> int:
    """Draw a delay: as often minutes as hours."""
    return int(_SHORTEST_MS * (_LONGEST_MS / _SHORTEST_MS) ** rng.random())
