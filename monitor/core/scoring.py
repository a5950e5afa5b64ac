"""The arithmetic of a rating: decayed points, dimensions, composite, and who contributed what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import floor, log1p
from typing import Any

from monitor.core.rating_config import DIMENSIONS, RatingConfig


@dataclass(slots=True)
class Contribution:
    """What hits of one rule within one cool-down add to a dimension."""

    rule: str
    version: str
    dimension: str
    points: float
    """As the rule gave them, before decay."""
    started_ms: int
    """First hit: the cool-down runs from here."""
    time_ms: int
    """Newest hit: the decay runs from here."""
    event_id: str
    """The newest hit's event."""
    is_confirmed: bool = False
    """An officer found it to be true."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A contribution as it counts at one moment."""

    contribution: Contribution
    decayed: float
    """Points after decay, multiplier and confirmation."""
    weight: float
    """1 for the strongest of its rule, less for repeats."""
    effective: float
    """`decayed * weight`, at most the cap: what enters the dimension."""
    ratio: float
    """Its share of the dimension's behaviour score, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionScore:
    """One dimension at one moment, 0 to 100."""

    name: str
    score: float
    """The largest of behaviour, the model's share and a floor."""
    term: str
    """Which of them it was: `rules`, `model` or a floor's name."""
    behaviour: float
    model: float
    """The model's score 0 to 100 (before `model_share`), decayed."""
    weight: float
    shares: tuple[Share, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Composite:
    """A whole score at one moment."""

    hundredths: int
    """The score in hundredths: 2090 is 20.90."""
    term: str
    """What won: `weighted`, `peak` or a floor's name."""
    weighted: float
    peak: float
    peak_dimension: str | None
    dimensions: tuple[DimensionScore, ...]
    """Those above zero, in the order of the taxonomy."""

    @property
    def score(self) -> float:
        """The score, 0 to 100, two decimals."""
        return self.hundredths / 100


def decay(age_ms: int, half_life_ms: int) -> float:
    """Return what is left of one point after `age_ms`: one half a half-life; 1 before its time.

    Examples
    --------
    >>> decay(7, 7), decay(14, 7), decay(-1, 7)
    (0.5, 0.25, 1.0)
    """
    return float(0.5 ** (age_ms / half_life_ms)) if age_ms > 0 else 1.0


def noisy_or(points: Sequence[float]) -> float:
    """Return `100 * (1 - product(1 - p / 100))`.

    Examples
    --------
    >>> noisy_or([50, 50]), noisy_or([])
    (75.0, 0.0)
    """
    left = 1.0
    for p in points:
        left *= 1 - p / 100
    return 100 * (1 - left)


def capped_sum(points: Sequence[float]) -> float:
    """Return the plain sum, at most 100."""
    return min(100.0, sum(points))


def _surprise(points: float) -> float:
    return -log1p(-points / 100)


COMBINE: dict[str, tuple[Callable[[Sequence[float]], float], Callable[[float], float]]] = {
    "noisy_or": (noisy_or, _surprise),
    "capped_sum": (capped_sum, float),
}
"""For each mode: how points of a dimension combine, and the measure in which they add up."""


def shares(
    config: RatingConfig, contributions: Sequence[Contribution], multiplier: float, time_ms: int
) -> tuple[Share, ...]:
    """Return how the contributions of one dimension count at `time_ms`, in a fixed order.

    `contributions` are sorted by rule. What has decayed below `drop_below` is left out.
    """
    counted: list[tuple[Contribution, float, float, float]] = []
    for rule in dict.fromkeys(c.rule for c in contributions):
        own = [(_decayed(config, c, multiplier, time_ms), c) for c in contributions if c.rule == rule]
        own.sort(key=lambda pair: (-pair[0], -pair[1].time_ms, -pair[1].started_ms))
        for (decayed, contribution), weight in zip(own, config.repeat_weights, strict=False):
            if decayed >= config.drop_below:
                counted.append((contribution, decayed, weight, min(decayed * weight, config.cap)))
    measure = COMBINE[config.mode][1]
    whole = sum(measure(effective) for *_, effective in counted) or 1.0
    return tuple(
        Share(contribution=c, decayed=d, weight=w, effective=e, ratio=measure(e) / whole)
        for c, d, w, e in counted
    )


def _decayed(config: RatingConfig, c: Contribution, multiplier: float, time_ms: int) -> float:
    points = c.points * multiplier * decay(time_ms - c.time_ms, config.half_life_ms[c.dimension])
    return points * config.true_positive_factor if c.is_confirmed else points


def composite(
    config: RatingConfig,
    segment: str | None,
    inherent: float,
    contributions: Sequence[Contribution],
    models: Mapping[str, tuple[float, int]],
    floors: Mapping[str, int | None],
    time_ms: int,
) -> Composite:
    """Return the score at `time_ms`: the larger of the weighted sum, the peak share, and a floor.

    Parameters
    ----------
    inherent
        Rescaled inherent score, 0 to 100.
    contributions
        Sorted by dimension, rule and start.
    models
        For a dimension: the model's score (0 to 100) and when it was given.
    floors
        Floors in force by name, with the time they end (None: until lifted).
    """
    own = config.segment(segment)
    standing = [
        config.floors[name] for name, until_ms in floors.items() if until_ms is None or time_ms < until_ms
    ]
    dimensions = []
    for name in DIMENSIONS:
        mine = [c for c in contributions if c.dimension == name]
        bottom = max(((f.score, f.name) for f in standing if f.dimension == name), default=(0.0, ""))
        if mine or name in models or bottom[1]:
            counted = shares(config, mine, own.multiplier, time_ms)
            dimension = _dimension(
                config, name, counted, models.get(name), bottom, own.weights[name], time_ms
            )
            if dimension.score > 0:
                dimensions.append(dimension)
    weighted = own.weights["inherent"] * inherent + sum(d.weight * d.score for d in dimensions)
    top = max(dimensions, key=lambda d: d.score, default=None)
    peak = config.peak_share * top.score if top else 0.0
    terms = [(weighted, "weighted"), (peak, "peak")]
    terms += [(f.score, f.name) for f in standing if f.dimension is None]
    score, term = max(terms, key=lambda pair: pair[0])
    return Composite(
        hundredths=floor(score * 100 + 0.5),
        term=term,
        weighted=weighted,
        peak=peak,
        peak_dimension=top.name if top else None,
        dimensions=tuple(dimensions),
    )


def _dimension(
    config: RatingConfig,
    name: str,
    counted: tuple[Share, ...],
    model: tuple[float, int] | None,
    bottom: tuple[float, str],
    weight: float,
    time_ms: int,
) -> DimensionScore:
    behaviour = COMBINE[config.mode][0]([share.effective for share in counted])
    fresh = model[0] * decay(time_ms - model[1], config.half_life_ms[name]) if model else 0.0
    fresh = fresh if fresh >= config.drop_below else 0.0
    terms = [(behaviour, "rules"), (config.model_share * fresh, "model"), bottom]
    score, term = max(terms, key=lambda pair: pair[0])
    return DimensionScore(
        name=name, score=score, term=term, behaviour=behaviour, model=fresh, weight=weight, shares=counted
    )


def attribute(config: RatingConfig, total: Composite, inherent_points: float) -> tuple[dict[str, Any], ...]:
    """Return the parts of a score, `{"name", "kind", "points", "dimension"}`: they add up to it exactly.

    Kinds are `inherent`, `rule`, `model` and `floor`. Hundredths that rounding leaves over go to the
    parts with the largest remainders.
    """
    raw: list[tuple[str, str, str | None, float]] = []
    if total.weighted >= total.peak:
        raw.append(("profile", "inherent", None, inherent_points))
        raw += [line for d in total.dimensions for line in _lines(d, d.weight)]
    else:
        peak = [d for d in total.dimensions if d.name == total.peak_dimension]
        raw += [line for d in peak for line in _lines(d, config.peak_share)]
    if total.term not in ("weighted", "peak"):
        raw.append((total.term, "floor", None, total.score - max(total.weighted, total.peak)))
    hundredths = apportion([points for *_, points in raw], total.hundredths)
    return tuple(
        {"name": name, "kind": kind, "points": points / 100, "dimension": dimension}
        for (name, kind, dimension, _), points in zip(raw, hundredths, strict=True)
        if points
    )


def _lines(dimension: DimensionScore, weight: float) -> list[tuple[str, str, str | None, float]]:
    points = dimension.score * weight
    if dimension.term == "rules":
        rules: dict[str, float] = {}
        for share in dimension.shares:
            rule = share.contribution.rule
            rules[rule] = rules.get(rule, 0.0) + share.ratio
        return [(rule, "rule", dimension.name, points * ratio) for rule, ratio in rules.items()]
    if dimension.term == "model":
        return [("model", "model", dimension.name, points)]
    return [(dimension.term, "floor", dimension.name, points)]


def apportion(points: Sequence[float], total: int) -> list[int]:
    """Round to hundredths so that they add up to `total` hundredths: largest remainders first.

    Examples
    --------
    >>> apportion([9.0, 4.426, 3.2], 1663)
    [900, 443, 320]
    >>> apportion([0.333, 0.333, 0.333], 100)
    [34, 33, 33]
    """
    whole = [floor(p * 100) for p in points]
    order = sorted(range(len(points)), key=lambda n: (whole[n] - points[n] * 100, n))
    missing = total - sum(whole)
    while missing and order:
        step = 1 if missing > 0 else -1
        for n in order[: abs(missing)] if step > 0 else order[::-1][: abs(missing)]:
            whole[n] += step
            missing -= step
    return whole
