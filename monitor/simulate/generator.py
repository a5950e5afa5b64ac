"""The simulation: the bank's life as a stream of events, from any day on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from zoneinfo import ZoneInfo

import orjson

from monitor.simulate.agenda import LONGEST
from monitor.simulate.bank import build_bank
from monitor.simulate.days import Calendar
from monitor.simulate.life import Life, World
from monitor.simulate.market import Market
from monitor.simulate.page import Event
from monitor.simulate.stories import STORIES
from monitor.simulate.stories.episode import Label
from monitor.simulate.stories.schedule import Schedule

START = date(2025, 1, 6)
"""First day of a simulation that names none: a fixed one, so that the same command gives the same bytes."""
ZONE = "Asia/Shanghai"
WARM_UP = 31 + LONGEST + 1
"""Days relived before a simulation is taken up: every account has met its target by then, and
everything begun before has ended or is on the agenda."""


class Simulation:
    """A bank's life: the same arguments give the same events, wherever one begins.

    Events come in the order of their arrival. That is the order of their times, but for the few that
    come late (minutes to hours) and the few that come twice. Dormant customers come first, with what
    they did years before the start. Nested objects (`counterparty`, `device`, `geo`) are shared
    between events: copy before changing one.

    Memory: about 4 KB a customer, and the records of one day (about 6 KB a customer).

    Parameters
    ----------
    customers
        How many, at least 1.
    days
        How many, at least 1; `None` goes on for ever.
    seed
        Any whole number.
    start
        First local day.
    zone
        IANA name of the bank's zone, e.g. `Europe/Berlin`.
    stories
        Names out of `STORIES`; `None` plays them all, an empty sequence none.

    Examples
    --------
    >>> simulation = Simulation(customers=3, days=1, seed=1)
    >>> first = next(simulation.events())
    >>> first["event_type"], first["occurred_at"]
    ('customer.created', '2025-01-06T00:00:00.000+08:00')
    """

    def __init__(
        self,
        customers: int,
        days: int | None = None,
        seed: int = 1,
        start: date = START,
        zone: str = ZONE,
        stories: Sequence[str] | None = None,
    ) -> None:
        self.days = days
        bank = build_bank(seed, customers)
        self._world = World(bank=bank, calendar=Calendar(start, ZoneInfo(zone)), market=Market(seed))
        self._stories = tuple(STORIES) if stories is None else tuple(stories)
        self._life: Life | None = None

    def events(self, from_day: int = 0) -> Iterator[Event]:
        """Give the events from a day on, as dictionaries; see `records` for the bytes."""
        return map(orjson.loads, self.records(from_day))

    def records(self, from_day: int = 0) -> Iterator[bytes]:
        """Give the events from a day on, each as one line of JSON without the line feed."""
        for _, _, record in self._given(from_day):
            yield record

    def placed(self, day: int = 0, index: int = 0) -> Iterator[tuple[int, int, bytes]]:
        """Give the records from a place on, each with the place that follows it.

        A place is a day and a number within the day: `placed(*place)` goes on exactly there. Taking
        it up relives at most `WARM_UP` days first.
        """
        for on, at, record in self._given(day):
            if on > day or at >= index:
                yield on, at + 1, record

    def labels(self) -> list[Label]:
        """Return the labels of the days the last pass has come to, in the order of the days."""
        return list(self._life.labels) if self._life else []

    def _given(self, from_day: int) -> Iterator[tuple[int, int, bytes]]:
        world = self._world
        life = self._life = Life(world, Schedule(world.bank, world.market, self._stories))
        day = max(0, from_day - WARM_UP)
        while self.days is None or day < self.days:
            arrivals = life.day(day, is_last=day + 1 == self.days)
            if day < from_day:
                # Only relived: it has been given before, and so have its labels.
                life.labels.clear()
            else:
                for at, (_, _, _, record) in enumerate(arrivals):
                    yield day, at, record
            # Not one day more than needed: the next one is made before this name is given anew.
            arrivals.clear()
            day += 1
