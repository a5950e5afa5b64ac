"""The parameters of ratings, checked: every mistake of the file at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

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
    """How long a hit imposes it; None: until it is lifted."""


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
    peak_share: float
    half_life_ms: Mapping[str, int]
    default_segment: Segment
    segments: Mapping[str, Segment]
    grades: tuple[Grade, ...]
    first_review_months: int
    margin: float
    calm_ms: int
    min_gap_ms: int
    floors: Mapping[str, Floor]
    scale: float
    items: tuple[Item, ...]

    def segment(self, name: str | None) -> Segment:
        """Return the parameters of a segment; the default ones where it has none of its own."""
        return self.segments.get(name or "", self.default_segment)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], where: str = "rating.yaml") -> RatingConfig:
        """Return the parameters that a parsed file holds.

        Raises
        ------
        RatingConfigError
            Naming every mistake by its place, e.g. `rating.yaml: weights.fraud: ...`.
        """
        page = _Page(plain, where, [])
        config = _read(page)
        if page.mistakes:
            raise RatingConfigError(page.mistakes)
        return config


class _Page:
    """A mapping of the file, read key by key; what is wrong is collected, not raised."""

    def __init__(self, plain: Any, path: str, mistakes: list[str]) -> None:
        self.mistakes = mistakes
        self.path = path
        self.used: set[str] = set()
        self.plain: Mapping[str, Any] = plain if isinstance(plain, Mapping) else {}
        if not isinstance(plain, Mapping):
            self.wrong("", f"expected a mapping, was {plain!r}", "write `key: value` lines")

    def wrong(self, key: str, problem: str, hint: str) -> None:
        joint = ": " if self.path.endswith((".yaml", ".yml")) else "."
        place = f"{self.path}{joint}{key}" if key else self.path
        self.mistakes.append(f"{place}: {problem}\n  hint: {hint}")

    def page(self, key: str, *, optional: bool = False) -> _Page:
        self.used.add(key)
        joint = ": " if self.path.endswith((".yaml", ".yml")) else "."
        value = self.plain.get(key, {}) if optional else self._value(key, {}, "a mapping")
        return _Page(value, f"{self.path}{joint}{key}", self.mistakes)

    def number(self, key: str, low: float, high: float, default: float | None = None) -> float:
        value = self._value(
            key, low if default is None else default, f"a number from {low:g} to {high:g}", default
        )
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            self.wrong(key, f"expected a number from {low:g} to {high:g}, was {value!r}", "write a number")
            return low
        return float(value)

    def text(self, key: str, choices: Sequence[str] = (), default: str | None = None) -> str:
        expected = " or ".join(choices) if choices else "a text"
        value = self._value(key, choices[0] if choices else "", expected, default)
        if not isinstance(value, str) or (choices and value not in choices):
            self.wrong(key, f"expected {expected}, was {value!r}", f"write {expected}")
            return choices[0] if choices else ""
        return value

    def items(self, key: str, *, optional: bool = False) -> list[Any]:
        value = self._value(key, [], "a list", [] if optional else None)
        if not isinstance(value, list):
            self.wrong(key, f"expected a list, was {value!r}", "write [a, b]")
            return []
        return value

    def close(self) -> None:
        for key in self.plain:
            if key not in self.used:
                self.wrong(str(key), "unknown key", f"expected one of {', '.join(sorted(self.used))}")

    def _value(self, key: str, stand_in: Any, expected: str, default: Any = None) -> Any:
        self.used.add(key)
        if key in self.plain:
            return self.plain[key]
        if default is None:
            self.wrong(key, "missing", f"write {expected}")
            return stand_in
        return default


def _read(page: _Page) -> RatingConfig:
    points, calm, inherent = page.page("points"), page.page("hysteresis"), page.page("inherent")
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
        model_share=page.number("model_share", 0, 1),
        peak_share=page.number("peak_share", 0, 1),
        half_life_ms={name: int(half_lives.number(name, 0.01, 3650) * DAY_MS) for name in DIMENSIONS},
        default_segment=default_segment,
        segments=_segments(page.page("segments", optional=True), default_segment),
        grades=_grades(page),
        first_review_months=int(page.number("first_review_months", 1, 600)),
        margin=calm.number("margin", 0, 100),
        calm_ms=int(calm.number("days", 0, 3650)) * DAY_MS,
        min_gap_ms=int(calm.number("min_hours_between_changes", 0, 87600) * HOUR_MS),
        floors=_floors(page.page("floors", optional=True)),
        scale=scale,
        items=_items(inherent.page("items"), scale),
    )
    for part in (page, points, calm, inherent, half_lives):
        part.close()
    return config


def _weights(page: _Page) -> dict[str, float]:
    weights = {name: page.number(name, 0, 1) for name in ("inherent", *DIMENSIONS)}
    page.close()
    total = sum(weights.values())
    if abs(total - 1) > 1e-9:
        page.wrong("", f"expected weights that add up to 1, was {total:.4g}", "change one of them")
    return weights


def _repeat_weights(page: _Page) -> tuple[float, ...]:
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


def _segments(page: _Page, default: Segment) -> dict[str, Segment]:
    segments = {}
    for name in page.plain:
        own = page.page(name)
        weights = _weights(own.page("weights")) if "weights" in own.plain else default.weights
        segments[name] = Segment(weights=weights, multiplier=own.number("multiplier", 0, 10, 1.0))
        own.close()
    return segments


def _grades(page: _Page) -> tuple[Grade, ...]:
    grades = []
    for n, plain in enumerate(page.items("grades")):
        own = _Page(plain, f"{page.path}: grades[{n}]", page.mistakes)
        grades.append(
            Grade(
                code=int(own.number("code", 0, 99)),
                name=own.text("name"),
                at_least=own.number("at_least", 0, 100),
                review_months=int(own.number("review_months", 1, 600)),
            )
        )
        own.close()
    bounds = [grade.at_least for grade in grades]
    if not grades or bounds[-1] != 0 or any(a <= b for a, b in pairwise(bounds)):
        page.wrong("grades", f"expected falling at_least down to 0, was {bounds!r}", "order from high to low")
    return tuple(grades)


def _floors(page: _Page) -> dict[str, Floor]:
    floors = {}
    for name in page.plain:
        own = page.page(name)
        profile = own.page("profile", optional=True)
        floors[name] = Floor(
            name=name,
            score=own.number("score", 0, 100),
            dimension=own.text("dimension", DIMENSIONS) if "dimension" in own.plain else None,
            rules=frozenset(own.items("rules", optional=True)),
            profile={field: frozenset(profile.items(field)) for field in profile.plain},
            days=own.number("days", 0.01, 36500) if "days" in own.plain else None,
        )
        own.close()
    return floors


def _items(page: _Page, scale: float) -> tuple[Item, ...]:
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
