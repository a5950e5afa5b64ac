"""The bank's life, one day at a time: everybody's page, the stories on it, and when it all arrives."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from monitor.simulate.agenda import Agenda, Entry
from monitor.simulate.bank import Bank
from monitor.simulate.customers import Customer
from monitor.simulate.days import Calendar, Day
from monitor.simulate.habits import close_day, live, settle
from monitor.simulate.market import Market
from monitor.simulate.noise import Arrival, disturb, on_time
from monitor.simulate.page import Page
from monitor.simulate.randomness import number, stream
from monitor.simulate.service import open_file, serve
from monitor.simulate.staff import beat, work
from monitor.simulate.stories.deeds import pay, receive
from monitor.simulate.stories.episode import SYSTEMS, Effect, Label, Step
from monitor.simulate.stories.schedule import Schedule
from monitor.simulate.trade import trade

_OPENING_SECONDS = 60.0
"""How long it takes to make the customers of the first day known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What does not change while the bank lives."""

    bank: Bank
    calendar: Calendar
    market: Market


@dataclass(slots=True)
class _Plot:
    """What the day has in store besides habits, by owner."""

    steps: dict[str, list[Step]]
    effects: dict[int, list[Effect]]
    entries: dict[str, list[Entry]]


@dataclass(slots=True)
class Life:
    """One pass over the days; they must be asked for one after the other.

    Attributes
    ----------
    labels
        Labels of the days so far.
    """

    world: World
    schedule: Schedule
    labels: list[Label] = field(default_factory=list)
    _agenda: Agenda = field(default_factory=Agenda)
    _waiting: list[Arrival] = field(default_factory=list)
    _page: Page = field(init=False)

    def __post_init__(self) -> None:
        bank = self.world.bank
        self._page = Page(bank, [one.routine.target_cents for one in bank.customers])

    def day(self, number_of_day: int, *, is_last: bool = False) -> list[Arrival]:
        """Return what arrives on a day, in order; on the last one also what is still on its way."""
        day = self.world.calendar.day(number_of_day)
        if number_of_day == 0:
            self._remember()
        plot = _Plot(
            self.schedule.steps(number_of_day),
            self.schedule.effects(number_of_day),
            self._agenda.take(number_of_day),
        )
        for customer in self.world.bank.customers:
            if customer.joined_day <= number_of_day:
                self._customer(customer, day, plot)
        self._staff(day, plot)
        self._waiting.sort()
        if is_last:
            arrived, self._waiting = self._waiting, []
        else:
            arrived = [arrival for arrival in self._waiting if arrival[0] < day.end_ms]
            self._waiting = self._waiting[len(arrived) :]
        return arrived

    def _remember(self) -> None:
        """Write what the dormant customers did before they fell asleep, long before the first day."""
        bank = self.world.bank
        for customer in bank.customers:
            if customer.is_dormant:
                rng = stream(bank.seed, "past", customer.index)
                opened = self.world.calendar.day(-customer.opened_days_ago)
                self._turn(customer, opened)
                open_file(self._page, rng.uniform(9, 16) * 3600)
                receive(400, bank.people[customer.routine.friends[0]])(self._page, 17 * 3600)
                self._keep(self._page.rng)
                self._turn(customer, self.world.calendar.day(-rng.randint(420, 700)))
                friend = bank.people[customer.routine.friends[0]]
                receive(400, friend)(self._page, 10 * 3600)
                pay(400, friend)(self._page, 15 * 3600)
                self._keep(self._page.rng)

    def _turn(self, customer: Customer, day: Day) -> None:
        seed = self.world.bank.seed
        self._page.turn(customer.id, day, number(seed, "page", customer.index, day.number), customer)

    def _customer(self, customer: Customer, day: Day, plot: _Plot) -> None:
        page = self._page
        effects = plot.effects.get(customer.index, ())
        steps = plot.steps.get(customer.id, ())
        if customer.is_dormant and not steps:
            return
        self._turn(customer, day)
        for effect in effects:
            page.factors[effect.name] = effect.factor(day.number)
        if not customer.is_dormant:
            self._habits(customer, day, plot.entries.get(customer.id, []))
        for effect in effects:
            self._mark(effect)
        self._play(steps)
        if not customer.is_dormant:
            settle(page)
        close_day(page)
        self._keep(page.rng)

    def _habits(self, customer: Customer, day: Day, entries: list[Entry]) -> None:
        page = self._page
        if day.number == customer.joined_day:
            self._open(customer, day)
            if day.number:
                return  # who joins begins to live tomorrow
        if customer.segment.is_natural:
            live(page)
        else:
            trade(page)
        serve(page, self.world.market, self._agenda)
        for kind, second, source, fields in entries:
            page.write(kind, second, source, fields)

    def _open(self, customer: Customer, day: Day) -> None:
        """Make a customer known: in the first minute of the first day, or at nine in the morning."""
        share = customer.index / len(self.world.bank.customers)
        second = 9 * 3600.0 if day.number else _OPENING_SECONDS * share
        open_file(self._page, second)
        self._page.not_before = second + 1

    def _staff(self, day: Day, plot: _Plot) -> None:
        page, seed = self._page, self.world.bank.seed
        for employee in self.world.bank.employees:
            page.turn(employee.id, day, number(seed, "staff", employee.index, day.number))
            work(page, employee)
            self._play(plot.steps.get(employee.id, ()))
            self._keep(page.rng)
        page.turn(SYSTEMS, day, number(seed, "systems", day.number))
        beat(page, self.world.market)
        self._play(plot.steps.get(SYSTEMS, ()))
        self._keep(None)

    def _play(self, steps: list[Step] | tuple[()]) -> None:
        for step in steps:
            event = step.deed(self._page, step.second)
            if step.key:
                step.episode.events[step.key] = event["event_id"]
            self._label(event, step.role, step.episode.story, step.episode.id)

    def _mark(self, effect: Effect) -> None:
        for _, event in self._page.entries:
            if effect.marks(event):
                self._label(event, effect.role, effect.episode.story, effect.episode.id)

    def _label(self, event: dict[str, str], role: str, story: str, episode: str) -> None:
        customer_id = event.get("customer_id", "")
        self.labels.append(
            Label(
                event_id=event["event_id"], customer_id=customer_id, story=story, role=role, episode=episode
            )
        )

    def _keep(self, rng: Random | None) -> None:
        """Take over the page's events; without a stream they arrive undisturbed."""
        entries = self._page.entries
        if rng is None:
            self._waiting += on_time(entries)
        elif entries:
            self._waiting += disturb(entries, rng)
