"""What the profile says of a customer before anything happens: the inherent score, and floors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.core.rating_config import Ceiling, Floor, RatingConfig

MOST_PROFILES = 10_000
Reading = tuple[dict[str, float], list[str], list[str]]
"""Scores of items, floors, ceilings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InherentItem:
    """One line of the form behind the inherent score."""

    name: str
    factor: str
    score: float
    weight: float
    is_given: bool
    """False where the profile does not say and the stated default stands in."""


class Form:
    """The weighted form of the PBoC guideline, `S = sum(score * weight / scale)`."""

    def __init__(self, config: RatingConfig) -> None:
        self._items = config.items
        self._scale = config.scale
        self._floors = [floor for floor in config.floors.values() if floor.profile]
        self._ceilings = [ceiling for ceiling in config.ceilings.values() if ceiling.profile]
        limits: list[Floor | Ceiling] = [*self._floors, *self._ceilings]
        fields = [item.field for item in self._items] + [field for f in limits for field in f.profile]
        self._fields = tuple(dict.fromkeys(fields))
        # Profiles seldom differ in these fields, and every event asks: an index, never a result.
        self._read: dict[tuple[Any, ...], Reading] = {}

    def read(self, profile: Mapping[str, Any]) -> Reading:
        """Return the scores of the items that the profile answers, and the floors and ceilings it demands.

        All are shared with other customers: they are never changed.
        """
        key = tuple([profile.get(field) for field in self._fields])
        found = self._read.get(key)
        if found is None:
            if len(self._read) >= MOST_PROFILES:
                self._read.clear()
            found = self._read[key] = (
                self._answers(profile),
                _demanded(profile, self._floors),
                _demanded(profile, self._ceilings),
            )
        return found

    def _answers(self, profile: Mapping[str, Any]) -> dict[str, float]:
        answers = {}
        for item in self._items:
            value = profile.get(item.field)
            if value is not None:
                answers[item.name] = item.scores.get(value, item.otherwise)
        return answers

    def score(self, answers: Mapping[str, float]) -> float:
        """Return S, from `100 / scale` to 100; unanswered items count their stated default."""
        return sum(answers.get(item.name, item.missing) * item.weight for item in self._items) / self._scale

    def rescaled(self, answers: Mapping[str, float]) -> float:
        """Return S', S stretched to 0 to 100."""
        least = 100 / self._scale
        return (self.score(answers) - least) / (100 - least) * 100

    def lines(self, answers: Mapping[str, float]) -> tuple[InherentItem, ...]:
        """Return the form filled in, line by line."""
        return tuple(
            InherentItem(
                name=item.name,
                factor=item.factor,
                score=answers.get(item.name, item.missing),
                weight=item.weight,
                is_given=item.name in answers,
            )
            for item in self._items
        )


def _demanded(profile: Mapping[str, Any], limits: Sequence[Floor | Ceiling]) -> list[str]:
    return [
        limit.name
        for limit in limits
        if any(profile.get(field) in values for field, values in limit.profile.items())
    ]
