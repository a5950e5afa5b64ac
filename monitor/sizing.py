"""How large a cluster must be: arithmetic from measured costs, and the busiest day played through.

Every cost is one that `riskmon bench` measures; the defaults are those of `docs/cluster.md`, taken on one
core of a small machine. What a bank knows of itself (customers, events, its busiest hour) is asked.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

DAY_S = 86_400
BUSIEST_S = 73_800
"""The busiest second of a day: 20:30."""
_BYTES_GB = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What things cost, measured; see `docs/cluster.md` for the machine and the command."""

    desk_us: float = 75.0
    """CPU of the desk an event: reading, order, journal, ledger, commit."""
    worker_us: float = 105.0
    """CPU of workers an event, all its stages together, every rule live."""
    state_bytes: float = 4_300.0
    """A customer's packed state with every pack."""
    entity_bytes: float = 900.0
    """Packed states of the devices, merchants and counterparties of one customer together."""
    live_factor: float = 3.0
    """Memory of a state in use, in packed sizes."""
    recovery_a_second: float = 12_000.0
    """Snapshots a worker reads back in a second."""
    repeat_us: float = 105.0
    """CPU of repeating an item that no snapshot includes."""
    stage_bytes: float = 2_300.0
    """Bytes through Kafka an event: items, answers and facts."""
    snapshot_share: float = 0.12
    """Snapshots written an event."""
    journal_bytes: float = 950.0
    """Bytes in PostgreSQL an event: journal row and its indexes, ledger and alerts spread over all."""
    session_s: float = 30.0
    """After so long a dead worker's partitions go to others."""
    headroom: float = 0.6
    """Share of a core that the busiest second may use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bank:
    """What a bank knows of itself."""

    customers: int = 10_000_000
    events_a_day: float = 5.0
    """Of a customer, all kinds together, on the busiest day of the year."""
    busiest_hour: float = 0.12
    """Share of the day's events in its busiest hour."""
    burst: float = 2.0
    """How much busier the busiest minute is than the mean of that hour."""
    in_use: float = 0.25
    """Share of the customers whose state is in memory; others are read back when they come."""

    @property
    def peak(self) -> float:
        """Events in the busiest second."""
        return self.customers * self.events_a_day * self.busiest_hour / 3_600 * self.burst


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What the bank needs."""

    peak: float
    """Events in the busiest second."""
    desk_cores: float
    """Of one core: above the headroom the desk is the limit."""
    workers: int
    partitions: int
    memory_gb: float
    """Of each worker."""
    states_gb: float
    """Of all changelogs, compacted."""
    kafka_gb_a_day: float
    postgres_gb_a_day: float
    recovery_s: float
    """From the death of a worker to its partitions being served by others."""

    @property
    def is_possible(self) -> bool:
        """Whether one desk keeps up."""
        return self.desk_cores <= 1.0


def size(bank: Bank, costs: Costs, worker_gb: float = 8.0) -> Size:
    """Return what a bank needs: workers for its busiest second and for its states, and one to spare.

    Parameters
    ----------
    worker_gb
        Memory that a worker may have.

    Examples
    --------
    >>> small = size(Bank(customers=100_000), Costs())
    >>> small.workers, small.partitions, small.is_possible
    (2, 12, True)
    """
    a_customer = costs.state_bytes + costs.entity_bytes
    live = bank.customers * bank.in_use * a_customer * costs.live_factor
    states = bank.customers * a_customer
    for_rate = math.ceil(bank.peak * costs.worker_us / 1e6 / costs.headroom)
    for_memory = math.ceil((live + states) / _BYTES_GB / worker_gb)
    workers = max(for_rate, for_memory) + 1
    partitions = max(12, 4 * workers)
    events = bank.customers * bank.events_a_day
    snapshots = events * costs.snapshot_share * a_customer
    return Size(
        peak=bank.peak,
        desk_cores=bank.peak * costs.desk_us / 1e6,
        workers=workers,
        partitions=partitions,
        memory_gb=(live + states) / workers / _BYTES_GB,
        states_gb=states / _BYTES_GB,
        kafka_gb_a_day=(events * costs.stage_bytes + snapshots) / _BYTES_GB,
        postgres_gb_a_day=events * costs.journal_bytes / _BYTES_GB,
        recovery_s=takeover_s(bank, costs, workers),
    )


def takeover_s(bank: Bank, costs: Costs, workers: int) -> float:
    """Return the seconds from the death of one of `workers` until others serve its partitions."""
    # Each of those left reads its share of the dead one's states, customers and entities.
    subjects = 4 * bank.customers / workers / max(1, workers - 1)
    return costs.session_s + subjects / costs.recovery_a_second


@dataclass(frozen=True, slots=True)
class Minute:
    """A minute of the day."""

    number: int
    arriving: float
    """Events a second."""
    settled: float
    """Events a second."""
    waiting: float
    """Events in the log, at most."""
    delay_s: float
    """How long an event that came in it waits for its alerts, at most."""


def busiest_day(bank: Bank, costs: Costs, size: Size, *, dies_at: int | None = None) -> Iterator[Minute]:
    """Play a day through, second by second; give its minutes.

    Events come as the day goes (see `arriving`). What comes is settled at the rate of the slower of
    desk and workers. Where a worker dies, commits wait until others have its partitions: the ledger
    has one order.

    Parameters
    ----------
    dies_at
        Minute in which a worker dies and is not replaced; None for a day without.
    """
    waiting, alive, down_until = 0.0, size.workers, -1.0
    for minute in range(DAY_S // 60):
        settled = most = longest = 0.0
        for now in range(minute * 60, minute * 60 + 60):
            if dies_at is not None and now == dies_at * 60:
                down_until = now + takeover_s(bank, costs, alive)
                alive -= 1
            rate = min(1e6 / costs.desk_us, alive * 1e6 / costs.worker_us)
            waiting += arriving(bank, now)
            done = min(waiting, rate) if now >= down_until else 0.0
            waiting, settled = waiting - done, settled + done
            most = max(most, waiting)
            longest = max(longest, max(0.0, down_until - now) + waiting / rate)
        yield Minute(minute, arriving(bank, minute * 60 + 30), settled / 60, most, longest)


def arriving(bank: Bank, second: int) -> float:
    """Return the events of one second of the day: two humps, and a busiest minute at half past eight.

    Examples
    --------
    >>> bank = Bank()
    >>> round(arriving(bank, BUSIEST_S)) == round(bank.peak)
    True
    """
    a_day = bank.customers * bank.events_a_day
    usual = _shape(second) / _SHAPES * a_day
    most = max(1.0, bank.peak / (_shape(BUSIEST_S) / _SHAPES * a_day))
    return usual * (1.0 + (most - 1.0) * math.exp(-(((second - BUSIEST_S) / 170) ** 2)))


def _shape(second: int) -> float:
    """Return how busy a second is: little all night, much at noon, most in the evening."""
    noon, evening = (second - 11.5 * 3_600) / 9_400, (second - BUSIEST_S) / 6_800
    return 0.08 + math.exp(-(noon**2)) + 1.15 * math.exp(-(evening**2))


_SHAPES = sum(map(_shape, range(DAY_S)))
