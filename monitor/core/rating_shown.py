"""A rating as it is shown: one moment, with the whole arithmetic and what would change it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from monitor.core.inherent import InherentItem
from monitor.core.rating_state import Override, Proposal, Suppression
from monitor.core.scoring import Composite


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A floor or a ceiling in force."""

    name: str
    kind: str
    """`floor` or `ceiling`."""
    score: float
    dimension: str | None
    by: str
    """`profile`, a rule, or `person`."""
    since_ms: int | None
    """None where the profile demands it."""
    until_ms: int | None
    """None: until it is lifted, or the profile changes."""
    author: str
    approver: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Without:
    """What the rating would be if one thing were not there, all else as it is."""

    name: str
    kind: str
    """`rule`, `model`, `floor`, `ceiling` or `override`."""
    score: float
    grade: int
    """The grade such a score is given where none was before; a person's grade and floors stand."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """A change of the grade that comes with time alone, if nothing happens."""

    time_ms: int
    grade: int
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """A rating at one moment, with the whole arithmetic behind it."""

    time_ms: int
    grade: int
    grade_name: str
    automatic_grade: int
    """Differs from `grade` only while a person's grade is in force."""
    is_first: bool
    """True while the first grade has not changed."""
    segment: str | None
    stage: str | None
    """Stage of the relationship's life."""
    mode: str
    config_version: str
    inherent: float
    """Inherent score S, `100 / scale` to 100."""
    inherent_rescaled: float
    """S', 0 to 100."""
    inherent_weight: float
    items: tuple[InherentItem, ...]
    composite: Composite
    parts: tuple[dict[str, Any], ...]
    """The attribution, `{"name", "kind", "points", "dimension"}`; points add up to `score` exactly."""
    limits: tuple[Limit, ...]
    override: Override | None
    suppressions: tuple[Suppression, ...]
    proposals: tuple[Proposal, ...]
    """Decisions that wait for a second person."""
    review_ms: int | None
    """When the next review is due; None where the stage has none."""
    downgrade_ms: int | None
    """When the grade falls by time alone, as things stand; None: not foreseeable."""
    ahead: tuple[Ahead, ...]
    """Every change that comes with time alone, if nothing happens."""
    without: tuple[Without, ...]
    """What the rating would be without each thing that raises or caps it."""
    held_by: tuple[str, ...]
    """What keeps the grade from falling: rules whose serious alerts are open, and `review`."""
    ahead_if_freed: tuple[Ahead, ...]
    """What would come with time alone if all of that were done now; empty where nothing holds."""
    score_grade: int
    """The grade that the score is given where none was before: the grade follows it down later."""
    notice: tuple[str, ...]
    """What customers are told of how they are assessed."""

    @property
    def score(self) -> float:
        """The score, 0 to 100, two decimals."""
        return self.composite.score
