"""What a rating remembers: evidence, limits, people's decisions, and the grade with its clocks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from monitor.core.scoring import Contribution


@dataclass(slots=True)
class Ground:
    """Why a floor or a ceiling stands that the profile alone does not demand."""

    name: str
    by: str
    """The rule that hit, or whose alert ended so; empty where a person decided."""
    since_ms: int
    until_ms: int | None
    """None: until it is lifted."""
    author: str = ""
    """The person; empty for a rule."""
    approver: str = ""
    """The second person; empty where one was enough."""
    reason: str = ""


@dataclass(slots=True)
class Override:
    """A person's grade."""

    grade: int
    until_ms: int
    reason: str
    author: str = ""
    approver: str = ""
    """The second person; empty where one was enough."""
    basis: int = 0
    """The automatic grade it was decided upon: a riskier one ends a grade that was set lower."""
    since_ms: int = 0


@dataclass(slots=True)
class Suppression:
    """A rule that gives this customer no points for a while."""

    rule: str
    until_ms: int
    author: str
    approver: str
    reason: str


@dataclass(slots=True)
class Proposal:
    """A decision that waits for a second person."""

    kind: str
    """The kind of its event, e.g. `rating.override`."""
    value: Any
    """Grade, name of a limit, or rule."""
    until_ms: int | None
    actor: str
    reason: str
    time_ms: int
    basis: int
    """The automatic grade when it was made."""


@dataclass(slots=True)
class RatingState:
    """What a customer's state remembers of the rating; plain data by `snapshot()`."""

    contributions: list[Contribution] = field(default_factory=list)
    """Sorted by dimension, rule and start."""
    models: dict[str, tuple[float, int]] = field(default_factory=dict)
    """For a dimension, the strongest model score (0 to 100, by what is left of it) and its time."""
    grounds: list[Ground] = field(default_factory=list)
    """Why floors and ceilings stand, by name and rule."""
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
    override: Override | None = None
    stage: str | None = None
    """Stage of the relationship's life."""
    profile_ceilings: list[str] = field(default_factory=list)
    """Ceilings that the profile demands now."""
    suppressions: list[Suppression] = field(default_factory=list)
    """By rule."""
    proposals: list[Proposal] = field(default_factory=list)
    """In the order they came."""
    cases: list[str] = field(default_factory=list)
    """Cases that are open: what was confirmed does not decay while there are any."""
    loans: dict[str, int] = field(default_factory=dict)
    """Class of each loan that is worse than normal, by its id."""
    review_by_ms: int = 0
    """An event brought the next review forward to then; 0: none did."""
    review_told_ms: int = 0
    """The due date of a review that was last told of."""

    def snapshot(self) -> list[Any]:
        """Return the state as plain lists; what came later in one mapping, of what is set alone."""
        return [
            [_plain(contribution) for contribution in self.contributions],
            {name: list(model) for name, model in self.models.items()},
            {},
            self.profile_floors.copy(), self.items.copy(), self.segment, self.grade, self.hundredths,
            self.is_first, self.graded_ms, self.below_ms.copy(), self.upgrade_due_ms, self.open_alerts.copy(),
            self.free_ms, self.reviewed_ms,
            _plain(self.override) if self.override else None,
            {
                **{name: _copy(value) for name in _SPARSE if (value := getattr(self, name))},
                **{
                    name: [_plain(one) for one in found]
                    for name in _LISTS
                    if (found := getattr(self, name))
                },
            },
        ]  # fmt: skip

    @classmethod
    def restore(cls, plain: list[Any]) -> RatingState:
        """Return the state whose `snapshot()` is `plain`, also one of an older version."""
        contributions, models, floors, *told, override = plain[:16]
        state = cls(
            [Contribution(*values) for values in contributions],
            {name: (score, time_ms) for name, (score, time_ms) in models.items()},
        )
        (
            profile_floors, items, state.segment, state.grade, state.hundredths,
            state.is_first, state.graded_ms, below_ms, state.upgrade_due_ms, open_alerts,
            state.free_ms, state.reviewed_ms,
        ) = told  # fmt: skip
        state.profile_floors, state.items = profile_floors.copy(), items.copy()
        state.below_ms, state.open_alerts = below_ms.copy(), open_alerts.copy()
        state.override = Override(*override) if override else None
        for name, value in (plain[16] if len(plain) > 16 else {}).items():
            if name in _LISTS:
                setattr(state, name, [_LISTS[name](*one) for one in value])
            elif name in _SPARSE:
                setattr(state, name, _copy(value))
        # An older version kept the ends of floors alone.
        state.grounds[:0] = [Ground(name, "", 0, until_ms) for name, until_ms in sorted(floors.items())]
        return state

    def ends(self) -> dict[str, int | None]:
        """Return when each limit ends that stands for a ground; None: when it is lifted."""
        found: dict[str, int | None] = {}
        for ground in self.grounds:
            found[ground.name] = _later(found.get(ground.name, ground.until_ms), ground.until_ms)
        return found

    def standing(self, now_ms: int) -> list[str]:
        """Return the limits that stand for a ground."""
        return [name for name, until_ms in self.ends().items() if until_ms is None or now_ms < until_ms]

    def ground(self, ground: Ground) -> None:
        """Let a limit stand for one more ground; of one rule or person the longer counts."""
        for held in self.grounds:
            if (held.name, held.by) == (ground.name, ground.by):
                until_ms = _later(held.until_ms, ground.until_ms)
                if (until_ms, held.since_ms) != (held.until_ms, ground.since_ms):
                    held.since_ms, held.until_ms = max(held.since_ms, ground.since_ms), until_ms
                    held.author, held.approver, held.reason = ground.author, ground.approver, ground.reason
                return
        self.grounds.append(ground)
        self.grounds.sort(key=lambda one: (one.name, one.by))


_SPARSE = ("stage", "profile_ceilings", "cases", "loans", "review_by_ms", "review_told_ms")
_LISTS: dict[str, Any] = {"grounds": Ground, "suppressions": Suppression, "proposals": Proposal}


def _plain(one: Any) -> list[Any]:
    """Return the values of a record, which are plain, in the order of its fields."""
    return [getattr(one, name) for name in one.__slots__]


def _copy(value: Any) -> Any:
    return value.copy() if isinstance(value, list | dict) else value


def _later(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else max(one, other)
