"""The parameters of ratings, checked: every mistake of the file at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from monitor.core.page import Page
from monitor.core.rating_names import check_names
from rules.vocabulary import Vocabulary

DIMENSIONS = (
    "credit",
    "market",
    "operational",
    "reputation",
    "liquidity",
    "fraud",
    "compliance",
    "infosec",
    "product_service",
)
MODES = ("noisy_or", "capped_sum")
DAY_MS = 86_400_000
HOUR_MS = 3_600_000
MOST_DAYS = 90
"""No person's grade and no suppression stands longer without being decided again."""


class RatingConfigError(Exception):
    """One or more mistakes in the parameters; none of them is used."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """One of the grades."""

    code: int
    """10 is the highest risk."""
    name: str
    at_least: float
    """The score from which it is given."""
    review_months: int
    """How long after the grade was given it has to be reviewed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """The least a score can be while a reason stands."""

    name: str
    score: float
    dimension: str | None
    """Where it holds; None: for the whole rating."""
    rules: frozenset[str]
    profile: Mapping[str, frozenset[Any]]
    days: float | None
    """How long a hit, an outcome or a person imposes it; None: until it is lifted."""
    outcomes: frozenset[str] = frozenset()
    """Dispositions of alerts that impose it, of `rules` alone where there are any; without, their hits do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The most that behaviour in one dimension can score while a reason stands; every floor beats it."""

    name: str
    score: float
    dimension: str
    profile: Mapping[str, frozenset[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line of the form behind the inherent score."""

    name: str
    factor: str
    weight: float
    field: str
    scores: Mapping[Any, float]
    missing: float
    otherwise: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """What differs for a segment of customers."""

    weights: Mapping[str, float]
    multiplier: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What differs for a stage of the relationship's life."""

    multiplier: float = 1.0
    multipliers: Mapping[str, float]
    """Of single dimensions, beside `multiplier`."""
    review_months: int | None = None
    """The most between two reviews; None: the grade's."""
    is_reviewed: bool = True

    def of(self, dimension: str) -> float:
        """Return what points of a dimension are multiplied by."""
        return self.multiplier * self.multipliers.get(dimension, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingConfig:
    """The parameters of ratings; `config/rating.yaml` says what each is and where it comes from.

    Times are milliseconds; `grades` go from the highest risk to the lowest.
    """

    version: str
    mode: str
    cap: float
    drop_below: float
    repeat_weights: tuple[float, ...]
    true_positive_factor: float
    model_share: float
    model_from: float
    """Model scores up to this quantile (0 to 1) count nothing; above it they are stretched to 0 to 100."""
    model_points: float
    """Points of live hits without which a model's score does not enter."""
    peak_share: float
    half_life_ms: Mapping[str, int]
    default_segment: Segment
    segments: Mapping[str, Segment]
    stages: Mapping[str, Stage]
    grades: tuple[Grade, ...]
    first_review_months: int
    triggers: Mapping[str, int]
    """Kinds of events (and `profile`, a change of the form's answers) to days until the next review."""
    suppress_ms: int
    """How long a rule gives a customer no points after two persons found it false there."""
    decision_ms: int
    """The longest a person's grade or suppression may stand."""
    proposal_ms: int
    """How long a proposal waits for a second person."""
    notice: tuple[str, ...]
    """What customers are told of how they are assessed, sentence by sentence."""
    margin: float
    calm_ms: int
    min_gap_ms: int
    floors: Mapping[str, Floor]
    ceilings: Mapping[str, Ceiling]
    scale: float
    items: tuple[Item, ...]

    def stage(self, name: str | None) -> Stage:
        """Return the parameters of a stage of life; plain ones where it has none of its own."""
        return self.stages.get(name or "", PLAIN_STAGE)

    def segment(self, name: str | None) -> Segment:
        """Return the parameters of a segment; the default ones where it has none of its own."""
        return self.segments.get(name or "", self.default_segment)

    @classmethod
    def from_plain(
        cls, plain: Mapping[str, Any], where: str = "rating.yaml", vocabulary: Vocabulary | None = None
    ) -> RatingConfig:
        """Return the parameters that a parsed file holds.

        Parameters
        ----------
        where
            Names the file in mistakes.
        vocabulary
            Where fields, kinds, segments, stages and values must come from; None: any name goes.

        Raises
        ------
        RatingConfigError
            Naming every mistake by its place, e.g. `rating.yaml: weights.fraud: ...`.
        """
        page = Page(plain, where, [])
        config = _read(page)
        if vocabulary is not None:
            check_names(page, vocabulary)
        if page.mistakes:
            raise RatingConfigError(page.mistakes)
        return config


PLAIN_STAGE = Stage(multipliers={})


def _read(page: Page) -> RatingConfig:
    points, calm, inherent = page.page("points"), page.page("hysteresis"), page.page("inherent")
    model, people = page.page("model"), page.page("people")
    scale = inherent.number("scale", 2, 100)
    half_lives = page.page("half_life_days")
    default_segment = Segment(weights=_weights(page.page("weights")), multiplier=1.0)
    config = RatingConfig(
        version=page.text("version"),
        mode=page.text("mode", MODES),
        cap=points.number("cap", 1, 99.9),
        drop_below=points.number("drop_below", 0.01, 100),
        repeat_weights=_repeat_weights(points),
        true_positive_factor=points.number("true_positive_factor", 1, 10),
        model_share=model.number("share", 0, 1),
        model_from=model.number("counts_from", 0, 0.9999),
        model_points=model.number("needs_points", 0, 100),
        peak_share=page.number("peak_share", 0, 1),
        half_life_ms={name: int(half_lives.number(name, 0.01, 3650) * DAY_MS) for name in DIMENSIONS},
        default_segment=default_segment,
        segments=_segments(page.page("segments", optional=True), default_segment),
        stages=_stages(page.page("stages", optional=True)),
        grades=_grades(page),
        first_review_months=page.whole("first_review_months", 1, 600),
        triggers=_triggers(page.page("review_triggers_days", optional=True)),
        suppress_ms=int(people.number("suppress_days", 0, MOST_DAYS)) * DAY_MS,
        decision_ms=int(people.number("most_days", 1, MOST_DAYS)) * DAY_MS,
        proposal_ms=int(people.number("proposal_days", 1, 365)) * DAY_MS,
        notice=_notice(page),
        margin=calm.number("margin", 0, 100),
        calm_ms=calm.whole("days", 0, 3650) * DAY_MS,
        min_gap_ms=int(calm.number("min_hours_between_changes", 0, 87600) * HOUR_MS),
        floors=_floors(page.page("floors", optional=True)),
        ceilings=_ceilings(page.page("ceilings", optional=True)),
        scale=scale,
        items=_items(inherent.page("items"), scale),
    )
    for part in (page, points, calm, inherent, half_lives, model, people):
        part.close()
    return config


def _notice(page: Page) -> tuple[str, ...]:
    lines = page.items("customer_notice")
    if not lines or not all(isinstance(line, str) and line.strip() for line in lines):
        page.wrong("customer_notice", f"expected sentences, was {lines!r}", "write - A sentence.")
        return ()
    return tuple(lines)


def _triggers(page: Page) -> dict[str, int]:
    return {str(kind): page.whole(kind, 0, 3650) for kind in page.plain}


def _weights(page: Page) -> dict[str, float]:
    weights = {name: page.number(name, 0, 1) for name in ("inherent", *DIMENSIONS)}
    page.close()
    total = sum(weights.values())
    if abs(total - 1) > 1e-9:
        page.wrong("", f"expected weights that add up to 1, was {total:.4g}", "change one of them")
    return weights


def _repeat_weights(page: Page) -> tuple[float, ...]:
    weights = page.items("repeat_weights") or [1]
    falling = all(isinstance(weight, int | float) and 0 <= weight <= 1 for weight in weights) and (
        weights == sorted(weights, reverse=True)
    )
    if not falling:
        page.wrong(
            "repeat_weights", f"expected falling numbers from 1 to 0, was {weights!r}", "write [1, 0.5]"
        )
        return (1.0,)
    return tuple(float(weight) for weight in weights)


def _segments(page: Page, default: Segment) -> dict[str, Segment]:
    segments = {}
    for name in page.plain:
        own = page.page(name)
        weights = _weights(own.page("weights")) if "weights" in own.plain else default.weights
        segments[name] = Segment(weights=weights, multiplier=own.number("multiplier", 0, 10, 1.0))
        own.close()
    return segments


def _stages(page: Page) -> dict[str, Stage]:
    stages = {}
    for name in page.plain:
        own = page.page(name)
        multipliers = own.page("multipliers", optional=True)
        given = [one for one in DIMENSIONS if one in multipliers.plain]
        stages[name] = Stage(
            multiplier=own.number("multiplier", 0, 10, 1.0),
            multipliers={one: multipliers.number(one, 0, 10) for one in given},
            review_months=own.whole("review_months", 1, 600) if "review_months" in own.plain else None,
            is_reviewed=own.flag("reviewed", True),
        )
        multipliers.close()
        own.close()
    return stages


def _grades(page: Page) -> tuple[Grade, ...]:
    grades = []
    for n, plain in enumerate(page.items("grades")):
        own = Page(plain, f"{page.path}: grades[{n}]", page.mistakes)
        grades.append(
            Grade(
                code=own.whole("code", 0, 99),
                name=own.text("name"),
                at_least=own.number("at_least", 0, 100),
                review_months=own.whole("review_months", 1, 600),
            )
        )
        own.close()
    bounds = [grade.at_least for grade in grades]
    if not grades or bounds[-1] != 0 or any(a <= b for a, b in pairwise(bounds)):
        page.wrong("grades", f"expected falling at_least down to 0, was {bounds!r}", "order from high to low")
    return tuple(grades)


def _floors(page: Page) -> dict[str, Floor]:
    floors = {}
    for name in page.plain:
        own = page.page(name)
        profile = own.page("profile", optional=True)
        floors[name] = Floor(
            name=name,
            score=own.number("score", 0, 100),
            dimension=own.text("dimension", DIMENSIONS) if "dimension" in own.plain else None,
            rules=own.texts("rules"),
            profile={field: profile.scalars(field) for field in profile.plain},
            days=own.number("days", 0.01, 36500) if "days" in own.plain else None,
            outcomes=own.texts("outcomes"),
        )
        own.close()
    return floors


def _ceilings(page: Page) -> dict[str, Ceiling]:
    ceilings = {}
    for name in page.plain:
        own = page.page(name)
        profile = own.page("profile", optional=True)
        dimension = own.text("dimension", [one for one in DIMENSIONS if one != "fraud"])
        ceilings[name] = Ceiling(
            name=name,
            score=own.number("score", 0, 100),
            dimension=dimension,
            profile={field: profile.scalars(field) for field in profile.plain},
        )
        own.close()
    return ceilings


def _items(page: Page, scale: float) -> tuple[Item, ...]:
    items = []
    for name in page.plain:
        own = page.page(name)
        scores = own.page("scores")
        items.append(
            Item(
                name=name,
                factor=own.text("factor"),
                weight=own.number("weight", 0, 100),
                field=own.text("field"),
                scores={value: scores.number(value, 1, scale) for value in scores.plain},
                missing=own.number("missing", 1, scale),
                otherwise=own.number("otherwise", 1, scale),
            )
        )
        own.close()
    total = sum(item.weight for item in items)
    if abs(total - 100) > 1e-9:
        page.wrong("", f"expected weights that add up to 100, was {total:g}", "change one of them")
    return tuple(items)
