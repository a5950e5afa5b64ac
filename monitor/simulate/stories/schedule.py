"""Which stories are played when: drawn block by block, each block a function of the seed alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from monitor.simulate.bank import Bank
from monitor.simulate.market import Market
from monitor.simulate.randomness import stream
from monitor.simulate.stories import STORIES
from monitor.simulate.stories.episode import Cast, CastMissingError, Effect, Episode, Step

BLOCK = 14
"""Days of a block."""
SPAN = 10
"""Days a story needs for its essential part, at most; the rest may reach into later blocks."""
REACH = 5
"""Blocks an episode may touch, its own included: no story may last longer than four blocks."""
_CUSTOMERS_A_STORY, _DAYS_A_STORY = 150, 30
"""One story for so many customers and days."""
_FULL_CAST = 200
"""From so many customers on the first block plays every story."""


class Schedule:
    """The episodes of a bank, planned when their block comes near and forgotten when it has passed."""

    def __init__(self, bank: Bank, market: Market, names: Sequence[str]) -> None:
        self._bank = bank
        self._market = market
        self._names = tuple(names)
        self._blocks: dict[int, list[Episode]] = {}

    def steps(self, day: int) -> dict[str, list[Step]]:
        """Return what the stories do on a day, by owner."""
        found: dict[str, list[Step]] = {}
        for episode in self._episodes(day):
            for (at, owner), steps in episode.steps.items():
                if at == day:
                    found.setdefault(owner, []).extend(steps)
        for of_owner in found.values():
            of_owner.sort(key=lambda step: step.second)
        return found

    def effects(self, day: int) -> dict[int, list[Effect]]:
        """Return whose habits the stories change on a day, by number of the customer."""
        found: dict[int, list[Effect]] = {}
        for episode in self._episodes(day):
            for index, effects in episode.effects.items():
                lasting = [effect for effect in effects if effect.first_day <= day <= effect.last_day]
                if lasting:
                    found.setdefault(index, []).extend(lasting)
        return found

    def _episodes(self, day: int) -> list[Episode]:
        block = day // BLOCK
        near = range(max(0, block - REACH + 1), block + 1)
        self._blocks = {
            number: self._blocks[number] if number in self._blocks else self._plan(number) for number in near
        }
        return [episode for episodes in self._blocks.values() for episode in episodes]

    def _plan(self, block: int) -> list[Episode]:
        rng = stream(self._bank.seed, "stories", block)
        cast = Cast(bank=self._bank, market=self._market, rng=rng)
        earlier = Counter(name for past in range(block) for name in self._kinds(past))
        played = []
        for n, name in enumerate(self._kinds(block)):
            # Nothing happens on the very first day: the customers are still being made known.
            start = block * BLOCK + rng.randint(1 if block == 0 else 0, BLOCK - SPAN)
            of = stream(self._bank.seed, "episode", block, n)
            episode = Episode(
                story=name,
                id=f"{name}-{block}-{n}",
                start_day=start,
                ordinal=earlier[name],
                cast=cast,
                rng=of,
            )
            earlier[name] += 1
            try:
                STORIES[name](episode)
            except CastMissingError:
                continue
            played.append(episode)
        return played

    def _kinds(self, block: int) -> list[str]:
        """Return the names of the stories that begin in a block, every name once before one comes twice."""
        if not self._names:
            return []
        rng = stream(self._bank.seed, "kinds", block)
        customers = len(self._bank.customers)
        due = customers * BLOCK / (_CUSTOMERS_A_STORY * _DAYS_A_STORY)
        number = int(due) + (rng.random() < due % 1)
        if block == 0 and customers >= _FULL_CAST:
            number = max(number, len(self._names))
        names = list(self._names)
        rng.shuffle(names)
        return [names[n % len(names)] for n in range(number)]
