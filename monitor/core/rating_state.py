"""What a rating remembers and what it shows."""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from typing import Any

from monitor.core.inherent import InherentItem
from monitor.core.scoring import Composite, Contribution


@dataclass(slots=True)
class RatingState:
    """What a customer's state remembers of the rating; plain data by `snapshot()`."""

    contributions: list[Contribution] = field(default_factory=list)
    """Sorted by dimension, rule and start."""
    models: dict[str, tuple[float, int]] = field(default_factory=dict)
    """For a dimension, the strongest model score (0 to 100, by what is left of it) and its time."""
    floors: dict[str, int | None] = field(default_factory=dict)
    """Floors imposed by hits or people, with their end (None: until lifted)."""
    profile_floors: list[str] = field(default_factory=list)
    """Floors that the profile demands now."""
    items: dict[str, float] = field(default_factory=dict)
    """Scores of the form's items that the profile answers."""
    segment: str | None = None
    grade: int | None = None
    """The automatic grade; None before the first rating."""
    hundredths: int = 0
    """The score when it last changed by more than time, in hundredths."""
    is_first: bool = True
    """True until the first grade changes."""
    graded_ms: int = 0
    """When the automatic grade was given."""
    below_ms: list[int | None] = field(default_factory=list)
    """For each threshold, the end of day from which the score is the margin below it; may lie ahead."""
    upgrade_due_ms: int | None = None
    """When an upgrade that came too soon after the last change is looked at again."""
    open_alerts: list[str] = field(default_factory=list)
    """Serious alerts not yet closed: no downgrade while there are any."""
    free_ms: int = 0
    """When the last of them was closed."""
    reviewed_ms: int | None = None
    """The last approved review; leaving the highest grade needs one."""
    override: tuple[int, int, str] | None = None
    """A person's grade, when it ends, and why."""

    def snapshot(self) -> list[Any]:
        """Return the state as plain lists."""
        return [
            [list(astuple(contribution)) for contribution in self.contributions],
            {name: list(model) for name, model in self.models.items()},
            *(_copy(getattr(self, name)) for name in _COPIED),
            list(self.override) if self.override else None,
        ]

    @classmethod
    def restore(cls, plain: list[Any]) -> RatingState:
        """Return the state whose `snapshot()` is `plain`."""
        contributions, models, *copied, override = plain
        return cls(
            contributions=[Contribution(*values) for values in contributions],
            models={name: (score, time_ms) for name, (score, time_ms) in models.items()},
            override=tuple(override) if override else None,
            **{name: _copy(value) for name, value in zip(_COPIED, copied, strict=True)},
        )


_COPIED = (
    "floors",
    "profile_floors",
    "items",
    "segment",
    "grade",
    "hundredths",
    "is_first",
    "graded_ms",
    "below_ms",
    "upgrade_due_ms",
    "open_alerts",
    "free_ms",
    "reviewed_ms",
)


def _copy(value: Any) -> Any:
    return value.copy() if isinstance(value, list | dict) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """A rating at one moment, with the whole arithmetic behind it."""

    time_ms: int
    grade: int
    grade_name: str
    automatic_grade: int
    """Differs from `grade` only while a person's override is in force."""
    is_first: bool
    """True while the first grade has not changed."""
    segment: str | None
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
    floors: tuple[str, ...]
    override: tuple[int, int, str] | None
    review_ms: int
    """When the next review is due."""
    downgrade_ms: int | None
    """When the grade falls by time alone, as things stand; None: not foreseeable."""

    @property
    def score(self) -> float:
        """The score, 0 to 100, two decimals."""
        return self.composite.score
