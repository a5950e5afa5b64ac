"""Assessments: everything one event changed, as plain data for the shell to carry out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A rule's condition held for an event (or when a timer of the subject fell due)."""

    rule: str
    """Rule id, e.g. `A-124`."""
    version: str
    """First 12 hex digits of the rule's content hash."""
    subject: str
    """Kind of subject: `customer`, `device`, `employee`, ..."""
    subject_id: str
    event_id: str
    """The event that completed the pattern; for a timer, `timer:<rule>:<due time ms>`."""
    ref: int
    time_ms: int
    """Event time of the hit, epoch milliseconds."""
    late: bool
    """True where the event came after newer ones of the same subject."""
    status: str
    """`live`, or `shadow`: recorded, silent, without points."""
    title: str
    dimension: str
    severity: str
    """info, low, medium, high or critical."""
    points: float
    alert: bool
    """True where the hit asks for an alert (cooldown and snooze are the desk's)."""
    cooldown_ms: int
    say: str
    """One sentence with the actual numbers, for the officer."""
    saw: dict[str, Any]
    """What the condition saw: names of fields, lets, params and aggregates to plain values."""
    evidence: tuple[int, ...] = ()
    """References of the contributing events, newest last, at most 50."""
    disclosure: str = "internal"
    """aml_confidential, fraud_notify or internal."""
    triage: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    """For a subject other than the customer: customers involved, at most 20."""
    recommended: tuple[str, ...] = ()
    """What the rule recommends, e.g. `("L1", "STR")`; see `rules.dispositions`."""
    half_life_ms: int | None = None
    """How soon its points halve; None = as the points of its dimension do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingChange:
    """The grade of a customer changed, or was given for the first time."""

    customer_id: str
    time_ms: int
    cause: str
    """The event id, or `timer` where the change came with time alone."""
    previous_grade: int | None
    grade: int
    """10 high, 11 medium-high, 12 medium, 13 medium-low, 14 low."""
    score: float
    """Composite 0 to 100, two decimals."""
    parts: tuple[dict[str, Any], ...]
    """The attribution: `{"name", "kind", "points"}`; points add up to `score` exactly."""
    reason: str = ""
    """Why, without anything confidential: `first`, `activity`, `profile`, `officer`, `review` or `time`."""
    review_ms: int | None = None
    """When the next review is due; None where there is none."""
    parameters: str = ""
    """Version and mode of the parameters, e.g. `1 noisy_or`."""
    limits: tuple[str, ...] = ()
    """Names of the floors and ceilings in force."""
    segment: str = ""
    """Whose weights were used; empty for the default ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingNotice:
    """Something about a rating that has to be on record beside its changes."""

    customer_id: str
    time_ms: int
    cause: str
    """The event id, or `timer`."""
    kind: str
    """`proposed`, `decided`, `refused`, `withdrawn`, `ended` or `review_due`."""
    facts: dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Assessment:
    """The answer of one stage to one event. The same event again gets the same answer."""

    event_id: str
    ref: int
    kind: str
    subject: str
    subject_id: str
    time_ms: int
    late: bool = False
    """After newer events of the subject, inside the grace period: counted in its windows."""
    too_late: bool = False
    """Older than the grace period: recorded, not evaluated."""
    duplicate: bool = False
    """The event was assessed before; everything else is the first answer."""
    hits: list[Hit] = field(default_factory=list)
    rating: list[RatingChange] = field(default_factory=list)
    notices: list[RatingNotice] = field(default_factory=list)
    score: float = 0.0
    """0 to 1, higher is riskier; customer stage only."""
    reasons: tuple[str, ...] = ()
    """Why the model score is high, in words."""
    features: bytes = field(default=b"", compare=False)
    """What models saw of a payment, as `monitor.core.seen` packs it; customer
    stage only. Kept with the journal row, so the answer to a duplicate is without."""
    failures: list[tuple[str, str]] = field(default_factory=list)
    """Rules that failed on this event: (rule id, reason); the others went on."""
