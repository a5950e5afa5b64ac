"""An episode: one run of a risk story with its people, its deeds on their days, and its labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from monitor.simulate.bank import Bank, Employee, Party
from monitor.simulate.customers import Customer
from monitor.simulate.market import Market
from monitor.simulate.page import Event, Page

SYSTEMS = "SYS"
"""Owner of what the bank's systems do by themselves."""

Deed = Callable[[Page, float], Event]
"""Writes one event on the owner's page at a second of the day."""


class CastMissingError(LookupError):
    """The bank is too small for the story; the story does not take place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """The truth about one event: it belongs to a risk story."""

    event_id: str
    customer_id: str
    """The customer the event is about; empty for an event of an employee alone."""
    story: str
    """Name of the story, e.g. `structuring`."""
    role: str
    """What the event does in it, e.g. `deposit`."""
    episode: str
    """Which run of the story, e.g. `structuring-3-0`: every run is told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One deed of an episode."""

    second: float
    role: str
    deed: Deed
    episode: Episode
    key: str = ""
    """Under which name later steps find the event's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A change of somebody's habits while an episode lasts."""

    name: str
    """Key of `Page.factors`."""
    first_day: int
    last_day: int
    factor: Callable[[int], float]
    """Factor by day."""
    role: str
    marks: Callable[[Event], bool]
    """Which of the owner's events it labels."""
    episode: Episode


@dataclass(slots=True, kw_only=True)
class Cast:
    """Whom the stories of a block may still use; nobody plays twice in a block."""

    bank: Bank
    market: Market
    rng: Random
    taken: set[int] = field(default_factory=set)

    def take(self, fits: Callable[[Customer], bool], size: int = 1) -> list[Customer]:
        """Draw customers who fit, were there from the start and are not dormant.

        Raises
        ------
        CastMissingError
            If fewer than `size` are left.
        """
        free = [
            one
            for one in self.bank.customers
            if one.index not in self.taken and not (one.joined_day or one.is_dormant) and fits(one)
        ]
        if len(free) < size:
            raise CastMissingError(f"expected {size} fitting customers, found {len(free)}")
        drawn = self.rng.sample(free, size)
        self.taken.update(one.index for one in drawn)
        return drawn

    def sleeper(self, ordinal: int) -> Customer:
        """Return the dormant customer of that number: one who has been woken sleeps no more.

        Raises
        ------
        CastMissingError
            If there are not so many.
        """
        sleepers = [one for one in self.bank.customers if one.is_dormant]
        if ordinal >= len(sleepers):
            raise CastMissingError(f"expected a dormant customer number {ordinal}, found {len(sleepers)}")
        return sleepers[ordinal]


@dataclass(slots=True, kw_only=True)
class Episode:
    """One run of a story, planned whole before it begins."""

    story: str
    id: str
    start_day: int
    ordinal: int
    """How many runs of the story came before."""
    cast: Cast
    rng: Random
    steps: dict[tuple[int, str], list[Step]] = field(default_factory=dict)
    """By day and owner (customer, employee or the systems)."""
    effects: dict[int, list[Effect]] = field(default_factory=dict)
    """By number of the customer."""
    events: dict[str, str] = field(default_factory=dict)
    """Ids of events later steps point at; filled while the days are written."""

    def add(
        self, day: int, clock: str, owner: Customer | Employee | str, role: str, deed: Deed, *, key: str = ""
    ) -> None:
        """Plan a deed `day` days after the episode's start, at a local time `HH:MM` (or `HH:MM:SS`)."""
        hour, minute, *rest = clock.split(":")
        second = int(hour) * 3600 + int(minute) * 60 + (int(rest[0]) if rest else 0) + self.rng.random() * 20
        owner_id = owner if isinstance(owner, str) else owner.id
        step = Step(second=second, role=role, deed=deed, episode=self, key=key)
        self.steps.setdefault((self.start_day + day, owner_id), []).append(step)

    def change(
        self,
        customer: Customer,
        name: str,
        days: int,
        factor: Callable[[int], float],
        role: str,
        marks: Callable[[Event], bool],
    ) -> None:
        """Change a habit for `days` days; `factor` is given the days since the episode's start."""
        start = self.start_day
        effect = Effect(
            name=name,
            first_day=start,
            last_day=start + days - 1,
            factor=lambda day: factor(day - start),
            role=role,
            marks=marks,
            episode=self,
        )
        self.effects.setdefault(customer.index, []).append(effect)

    def event(self, key: str) -> str:
        """Return the id of the event that an earlier step wrote under a name.

        Empty where the simulation was taken up between the two: a day that is only relived, since
        no step points further back than the days relived.
        """
        return self.events.get(key, "")

    def strangers(self, size: int) -> Sequence[Party]:
        """Return outside persons nobody knew before, new to this episode."""
        return [
            {
                "account": f"XS{self.id.replace('-', '')[-8:]}{self.rng.randrange(10**6):06d}",
                "name": f"Person {self.rng.randrange(50_000, 90_000)}",
                "bank": "100000000060",
                "country": "CN",
                "type": "natural",
            }
            for _ in range(size)
        ]
