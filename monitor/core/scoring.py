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
    is_refuted: bool = False
    """An officer found it to be false: it counts nothing, and is kept while it would have counted."""
    held_ms: int | None = None
    """Since when a case is open that keeps it from decaying; None: it decays."""
    rested_ms: int = 0
    """How long cases kept it from decaying since `time_ms`."""
    half_life_ms: int | None = None
    """How soon it halves, as the rule says; None = as its dimension does."""

    def age_ms(self, now_ms: int) -> int:
        """Return how long it has decayed."""
        until_ms = now_ms if self.held_ms is None else min(now_ms, self.held_ms)
        return until_ms - self.time_ms - self.rested_ms


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
    ceiling: str | None
    """The ceiling that cut it; None where none did."""
    behaviour: float
    model: float
    """The model's score 0 to 100 (before `model_share`), decayed."""
    model_points: float
    """What of the model's score enters: at most the model's share."""
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


_Counted = tuple[Contribution, float, float, float]
# Contribution, decayed points, weight among repeats, effective points.
_Level = tuple[str, float, str, str | None, float, float, list[_Counted]]
# Dimension, score, winning term, ceiling, behaviour, model, what counted.


class Evidence:
    """All that a score follows from but the time: laid out once, then looked at for any moment.

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
    stage
        Stage of the relationship's life.
    ceilings
        Names of the ceilings in force.
    """

    __slots__ = (
        "_base",
        "_combine",
        "_config",
        "_floors",
        "_models",
        "_multiplier",
        "_rules",
        "_stage",
        "_tops",
        "_weights",
    )

    def __init__(
        self,
        config: RatingConfig,
        segment: str | None,
        inherent: float,
        contributions: Sequence[Contribution],
        models: Mapping[str, tuple[float, int]],
        floors: Mapping[str, int | None],
        *,
        stage: str | None = None,
        ceilings: Sequence[str] = (),
    ) -> None:
        own = config.segment(segment)
        self._config = config
        self._weights, self._multiplier, self._stage = own.weights, own.multiplier, config.stage(stage)
        self._base = own.weights["inherent"] * inherent
        self._combine = COMBINE[config.mode][0]
        self._models = models
        # A floor that newer parameters no longer know is no reason any more.
        known = config.floors
        self._floors = [(known[name], until_ms) for name, until_ms in floors.items() if name in known]
        self._tops: dict[str, tuple[float, str]] = {}
        for top in (config.ceilings[name] for name in ceilings if name in config.ceilings):
            own_top = (top.score, top.name)
            self._tops[top.dimension] = min(self._tops.get(top.dimension, own_top), own_top)
        self._rules: dict[str, dict[str, list[Contribution]]] = {}
        for c in contributions:
            self._rules.setdefault(c.dimension, {}).setdefault(c.rule, []).append(c)

    def hundredths(self, time_ms: int) -> int:
        """Return the score at `time_ms` in hundredths: `composite(time_ms).hundredths`, but quickly."""
        return self._total(self._levels(time_ms), time_ms)[0]

    def composite(self, time_ms: int) -> Composite:
        """Return the score at `time_ms`: the larger of the weighted sum, the peak share, and a floor."""
        levels = self._levels(time_ms)
        hundredths, term, weighted, peak, top = self._total(levels, time_ms)
        return Composite(
            hundredths=hundredths,
            term=term,
            weighted=weighted,
            peak=peak,
            peak_dimension=top,
            dimensions=tuple(self._dimension(level) for level in levels),
        )

    def counting(self, time_ms: int) -> list[Contribution]:
        """Return the contributions that still count at `time_ms`, or would if they were not refuted."""
        kept: list[Contribution] = []
        for rules in self._rules.values():
            for own in rules.values():
                kept += [c for c, *_ in self._count(own, time_ms)]
                kept += [c for c in own if c.is_refuted and self._is_worth(c, time_ms)]
        return kept

    def _levels(self, time_ms: int) -> list[_Level]:
        bottoms = self._bottoms(time_ms)
        levels = []
        for name in DIMENSIONS:
            if name in self._rules or name in self._models or name in bottoms:
                level = self._level(name, bottoms.get(name, (0.0, "")), time_ms)
                if level[1] > 0:
                    levels.append(level)
        return levels

    def _level(self, name: str, bottom: tuple[float, str], time_ms: int) -> _Level:
        counted: list[_Counted] = []
        for own in self._rules.get(name, {}).values():
            counted += self._count(own, time_ms)
        behaviour = self._combine([effective for *_, effective in counted])
        model, fresh = self._models.get(name), 0.0
        if model is not None:
            fresh = model[0] * decay(time_ms - model[1], self._config.half_life_ms[name])
            fresh = fresh if fresh >= self._config.drop_below else 0.0
        score, term = behaviour, "rules"
        if self._config.model_share * fresh > score:
            score, term = self._config.model_share * fresh, "model"
        ceiling = None
        if name in self._tops and score > self._tops[name][0]:
            score, ceiling = self._tops[name]
        if bottom[0] > score:
            (score, term), ceiling = bottom, None
        return name, score, term, ceiling, behaviour, fresh, counted

    def _count(self, own: list[Contribution], time_ms: int) -> list[_Counted]:
        """Return what the contributions of one rule count, strongest first."""
        config = self._config
        ranked = [(self._decayed(c, time_ms), c) for c in own if not c.is_refuted]
        if len(ranked) > 1:
            ranked.sort(key=lambda pair: (-pair[0], -pair[1].time_ms, -pair[1].started_ms))
        return [
            (c, decayed, weight, min(decayed * weight, config.cap))
            for (decayed, c), weight in zip(ranked, config.repeat_weights, strict=False)
            if decayed >= config.drop_below
        ]

    def _is_worth(self, c: Contribution, time_ms: int) -> bool:
        return self._decayed(c, time_ms) >= self._config.drop_below

    def _decayed(self, c: Contribution, time_ms: int) -> float:
        left = decay(c.age_ms(time_ms), c.half_life_ms or self._config.half_life_ms[c.dimension])
        points = c.points * self._multiplier * self._stage.of(c.dimension) * left
        return points * self._config.true_positive_factor if c.is_confirmed else points

    def _bottoms(self, time_ms: int) -> dict[str | None, tuple[float, str]]:
        bottoms: dict[str | None, tuple[float, str]] = {}
        for own, until_ms in self._floors:
            if until_ms is None or time_ms < until_ms:
                bottoms[own.dimension] = max(bottoms.get(own.dimension, (0.0, "")), (own.score, own.name))
        return bottoms

    def _total(self, levels: list[_Level], time_ms: int) -> tuple[int, str, float, float, str | None]:
        weighted, highest, top = self._base, 0.0, None
        for name, level, *_ in levels:
            weighted += self._weights[name] * level
            if level > highest:
                highest, top = level, name
        peak = self._config.peak_share * highest
        score, term = (weighted, "weighted") if weighted >= peak else (peak, "peak")
        bottom = self._bottoms(time_ms).get(None) if self._floors else None
        if bottom is not None and bottom[0] > score:
            score, term = bottom
        return floor(score * 100 + 0.5), term, weighted, peak, top

    def _dimension(self, level: _Level) -> DimensionScore:
        name, score, term, ceiling, behaviour, model, counted = level
        measure = COMBINE[self._config.mode][1]
        whole = sum(measure(effective) for *_, effective in counted) or 1.0
        return DimensionScore(
            name=name,
            score=score,
            term=term,
            ceiling=ceiling,
            behaviour=behaviour,
            model=model,
            model_points=self._config.model_share * model,
            weight=self._weights[name],
            shares=tuple(
                Share(contribution=c, decayed=d, weight=w, effective=e, ratio=measure(e) / whole)
                for c, d, w, e in counted
            ),
        )


def attribute(config: RatingConfig, total: Composite, inherent_points: float) -> tuple[dict[str, Any], ...]:
    """Return the parts of a score, `{"name", "kind", "points", "dimension"}`: they add up to it exactly.

    Kinds are `inherent`, `rule`, `model`, `floor` and `ceiling`, which takes away. Hundredths that
    rounding leaves over go to the parts with the largest remainders.
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
    if dimension.term not in ("rules", "model"):
        return [(dimension.term, "floor", dimension.name, dimension.score * weight)]
    lines: list[tuple[str, str, str | None, float]] = []
    if dimension.ceiling is not None:
        uncut = dimension.behaviour if dimension.term == "rules" else dimension.model_points
        lines = [(dimension.ceiling, "ceiling", dimension.name, (dimension.score - uncut) * weight)]
    else:
        uncut = dimension.score
    if dimension.term == "model":
        return [("model", "model", dimension.name, uncut * weight), *lines]
    rules: dict[str, float] = {}
    for share in dimension.shares:
        rule = share.contribution.rule
        rules[rule] = rules.get(rule, 0.0) + share.ratio
    return [(rule, "rule", dimension.name, uncut * weight * ratio) for rule, ratio in rules.items()] + lines


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
