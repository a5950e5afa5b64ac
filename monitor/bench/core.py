"""What the pure engine costs: decoding, assessing, and how that grows."""

from __future__ import annotations

import gc
import resource
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from random import Random
from time import perf_counter

from monitor.bench.standard import DAY_MS, START_MS, card_days, once_us, transfer, transfers
from monitor.configuration import Configuration, build_codec, build_engine
from monitor.core.engine import Engine
from monitor.core.events import Event
from monitor.core.state import State
from rules.loader import read_rule
from rules.model import Rule
from streams.codec import Codec

BATCH = 512


class Bank:
    """An engine with the states of its subjects in plain memory."""

    def __init__(self, configuration: Configuration) -> None:
        self.engine: Engine = build_engine(configuration)
        self.codec: Codec = build_codec(configuration)
        self.states: dict[tuple[str, str], State] = {}

    def decode(self, records: Iterable[bytes]) -> list[Event]:
        """Return the events of records, all of which must be good."""
        events = []
        for record in records:
            event = self.codec.decode(record)
            if not isinstance(event, Event):
                raise TypeError(f"bench: the stream holds a bad record: {event}")
            events.append(event)
        return events

    def assess(self, events: Sequence[Event]) -> int:
        """Assess events at all their stages; return the number of hits."""
        engine, states, hits = self.engine, self.states, 0
        for event in events:
            for key in engine.subjects(event):
                state = states.get(key)
                if state is None:
                    state = states[key] = engine.new_state(key[0])
                hits += len(engine.assess(event, key[0], key[1], state).hits)
        return hits


def assess_us(bank: Bank, records: Iterable[bytes], chunk: int) -> float:
    """Return the microseconds an event of a stream, the first chunk of it left out.

    All of the rest counts: a stream is not the same everywhere, and its cheapest part is no measure.
    Events are decoded batch by batch just before they are assessed, as the service does: decoded all
    at once they would lie cold in memory.
    """
    batches = batched(iter(records), BATCH)
    _spent(bank, islice(batches, max(1, chunk // BATCH)))
    seconds, count = _spent(bank, batches)
    return seconds / count * 1e6


def _spent(bank: Bank, batches: Iterable[Sequence[bytes]]) -> tuple[float, int]:
    """Return the seconds that assessing took, and the number of events."""
    spent, count = 0.0, 0
    gc.collect()
    for batch in batches:
        events = bank.decode(batch)
        started = perf_counter()
        bank.assess(events)
        spent += perf_counter() - started
        count += len(events)
    return spent, count


def batched(records: Iterator[bytes], size: int) -> Iterator[list[bytes]]:
    """Give records in lists of a size."""
    while batch := list(islice(records, size)):
        yield batch


def decode_us(configuration: Configuration, records: Sequence[bytes]) -> float:
    """Return the microseconds to decode one record."""
    codec = build_codec(configuration)
    return min(once_us(lambda: [codec.decode(record) for record in records], len(records)) for _ in range(3))


def by_customers(
    configuration: Configuration, few: int, many: int, events: int
) -> tuple[float, float, float]:
    """Return us an event with few and with many customers, and the peak memory in MB."""
    costs = []
    for customers in (few, many):
        bank = Bank(configuration)
        for start in range(0, customers, 50_000):
            # Everybody has a state before the measurement begins.
            bank.assess(bank.decode(_greetings(start, min(customers, start + 50_000))))
        costs.append(assess_us(bank, transfers(events, customers, gap_ms=20, seed=3), events // 4))
        del bank
        gc.collect()
    return costs[0], costs[1], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _greetings(first: int, last: int) -> Iterable[bytes]:

    random = Random(first)  # noqa: S311
    return (transfer(-customer, customer, START_MS - DAY_MS, random) for customer in range(first, last))


STARTER = [
    "A-101",
    "A-102",
    "A-121",
    "A-122",
    "A-124",
    "A-128",
    "A-129",
    "A-130",
    "A-137",
    "A-138",
    "A-139",
    "C-001",
    "C-002",
    "C-003",
    "C-004",
    "C-008",
    "C-010",
    "CR-401",
    "CR-405",
    "CR-406",
    "CR-408",
    "CR-409",
    "F-301",
    "F-302",
    "F-305",
    "F-308",
    "F-309",
    "F-310",
    "F-311",
    "F-315",
]
"""Thirty rules that look at what a bank sees most: the fixed set by which versions are compared."""


def starter(configuration: Configuration) -> Configuration:
    """Return the configuration with the starter rules alone."""
    return replace(configuration, rules=tuple(r for r in configuration.rules or () if r.id in STARTER))


def by_rules(
    configuration: Configuration, few: int, many: int, records: Sequence[bytes]
) -> tuple[float, float, int]:
    """Return us an event with few and with many rules, and how many of the many are different.

    Beyond the shipped ones rules are repeated under other ids: a repeated rule shares what it remembers
    with its model and adds its condition alone.
    """
    live = [rule for rule in configuration.rules or () if rule.status == "live"]
    costs = [_with_rules(configuration, live, count, records) for count in (few, many)]
    return costs[0], costs[1], min(many, len(live))


def _with_rules(
    configuration: Configuration, live: Sequence[Rule], count: int, records: Sequence[bytes]
) -> float:
    step = max(1, len(live) // count)
    chosen = [live[n * step % len(live)] for n in range(count)]
    renamed = tuple(replace(rule, id=f"{rule.id}-{n:03d}") for n, rule in enumerate(chosen))
    return assess_us(Bank(replace(configuration, rules=renamed)), records, len(records) // 4)


def by_window(
    configuration: Configuration, short: str, long: str, records: Sequence[bytes]
) -> tuple[float, float]:
    """Return us an event with the same rule over a short and over a long window."""
    return _with_window(configuration, short, records), _with_window(configuration, long, records)


WINDOW_RULE = """
id: bench
title: Sum over a window
dimension: liquidity
on: payment.transfer
when: sum(amount, {window}) > 1000000000 CNY or distinct(counterparty.account, {window}) > 100000
severity: info
points: 0
status: live
say: never
why: measures the cost of a window
source: none
triage: [none]
owner: bench
"""


def _with_window(configuration: Configuration, window: str, records: Sequence[bytes]) -> float:

    rule = read_rule(Path("bench.yaml"), WINDOW_RULE.format(window=window), "bench")
    bank = Bank(replace(configuration, rules=(rule,)))
    return assess_us(bank, records, len(records) // 4)


def state_bytes(configuration: Configuration, customers: int = 200, days: int = 30, a_day: int = 4) -> float:
    """Return the mean bytes of a customer's snapshot after `days` of card payments."""
    bank = Bank(configuration)
    bank.assess(bank.decode(card_days(customers, days, a_day)))
    sizes = [len(state.pack()) for (kind, _), state in bank.states.items() if kind == "customer"]
    return sum(sizes) / len(sizes)
