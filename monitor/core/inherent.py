"""The inherent score: what the profile says of a customer before anything happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monitor.core.rating_config import RatingConfig


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

    def answers(self, profile: Mapping[str, Any]) -> dict[str, float]:
        """Return the scores of the items that the profile answers."""
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
