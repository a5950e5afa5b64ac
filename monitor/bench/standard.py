"""The standard event, its unit, and streams of events of a given shape; the same on every machine."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from random import Random
from time import perf_counter

import orjson

START_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
REPEATS = 5


def transfer(number: int, customer: int, time_ms: int, random: Random) -> bytes:
    """Return a transfer of some 430 bytes: the shape of the standard event."""
    moment = datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds")
    cents = int(random.lognormvariate(9.5, 1.2))
    event = {
        "event_id": f"tx-{number:026d}",
        "event_type": "payment.transfer",
        "occurred_at": moment,
        "source_system": "core",
        "customer_id": f"C{customer:09d}",
        "account_id": f"A{customer:09d}01",
        "channel": "mobile_app",
        "direction": "out" if random.random() < 0.6 else "in",
        "amount": f"{cents // 100}.{cents % 100:02d}",
        "currency": "CNY",
        "counterparty": {
            # A dozen people each: most transfers go to somebody known.
            "account": f"62220000{(customer * 7 + random.randrange(12) ** 2) % 100_000_000:08d}",
            "name": "Example Trading",
            "bank": "ICBKCNBJ",
            "country": "CN",
        },
        "device": {
            "device_id": f"D{customer:09d}",
            "ip": f"10.{customer >> 16 & 255}.{customer >> 8 & 255}.{customer & 255}",
        },
        "remittance_info": "rent",
    }
    return orjson.dumps(event)


def transfers(count: int, customers: int, *, gap_ms: int = 1_000, seed: int = 1) -> Iterator[bytes]:
    """Give transfers of customers drawn evenly, `gap_ms` apart."""
    random = Random(seed)  # noqa: S311  figures, not secrets
    for number in range(count):
        yield transfer(number, random.randrange(customers), START_MS + number * gap_ms, random)


def card_days(customers: int, days: int, a_day: int, seed: int = 1) -> Iterator[bytes]:
    """Give `days` of card payments of every customer, `a_day` each, in order of time."""
    random = Random(seed)  # noqa: S311
    number = 0
    for day in range(days):
        slots = sorted(
            (random.randrange(DAY_MS), customer) for customer in range(customers) for _ in range(a_day)
        )
        for offset, customer in slots:
            number += 1
            moment = datetime.fromtimestamp((START_MS + day * DAY_MS + offset) / 1000, UTC)
            yield orjson.dumps(
                {
                    "event_id": f"card-{number}",
                    "event_type": "card.authorization",
                    "occurred_at": moment.isoformat(timespec="milliseconds"),
                    "source_system": "cards",
                    "customer_id": f"C{customer:09d}",
                    "card_token": f"K{customer:09d}",
                    "amount": f"{random.lognormvariate(4, 1):.2f}",
                    "currency": "CNY",
                    "mcc": "5411",
                    "merchant_id": f"M{random.randrange(2_000)}",
                    "terminal_id": f"T{random.randrange(5_000)}",
                    "response_code": "00",
                    "geo": {"country": "CN"},
                }
            )


def unit_us() -> float:
    """Return U: microseconds of one `orjson.loads` of the standard event, best of five."""
    record = transfer(1, 1, START_MS, Random(1))  # noqa: S311
    return best_us(partial(_load, record, 20_000), 20_000)


def _load(record: bytes, times: int) -> None:
    loads = orjson.loads
    # Nothing is kept: keeping thousands of dictionaries would cost more than reading them.
    for _ in range(times):
        loads(record)


def best_us(work: Callable[[], object], events: int, repeats: int = REPEATS) -> float:
    """Return the least microseconds an event of some repeats: the machine's noise only adds."""
    return min(once_us(work, events) for _ in range(repeats))


def once_us(work: Callable[[], object], events: int) -> float:
    """Return the microseconds an event of one run, the collector's debts paid before."""
    gc.collect()
    started = perf_counter()
    work()
    return (perf_counter() - started) / events * 1e6


def quantile(values: Iterable[float], share: float) -> float:
    """Return the nearest-rank quantile.

    Examples
    --------
    >>> quantile([1.0, 2.0, 3.0, 4.0], 0.5)
    2.0
    """
    ordered = sorted(values)
    return ordered[max(0, -(-round(share * 1e6) * len(ordered) // 1_000_000) - 1)]
