"""What speaks for a risk, gathered: hits, models' scores and outcomes on their way into the state."""

from __future__ import annotations

from operator import attrgetter

from monitor.core.assessment import Hit
from monitor.core.periods import DAY_MS
from monitor.core.rating_config import Floor, RatingConfig
from monitor.core.rating_state import Ground, RatingState
from monitor.core.scoring import Contribution, decay


class Gathering:
    """Puts evidence into a rating's state; nothing here computes a score."""

    def __init__(self, config: RatingConfig) -> None:
        self._config = config
        self._floors_by_rule: dict[str, list[Floor]] = {}
        for floor in config.floors.values():
            for rule in () if floor.outcomes else floor.rules:
                self._floors_by_rule.setdefault(rule, []).append(floor)

    def add(self, rs: RatingState, hit: Hit) -> None:
        """Let a hit count: as a contribution of its own, or within the cool-down of one."""
        self.impose(rs, hit.rule, hit.time_ms)
        if hit.points <= 0 or any(
            one.rule == hit.rule and hit.time_ms < one.until_ms for one in rs.suppressions
        ):
            return
        near = [
            c
            for c in rs.contributions
            if c.rule == hit.rule
            and c.dimension == hit.dimension
            and abs(hit.time_ms - c.started_ms) < hit.cooldown_ms
        ]
        # What goes on of a pattern that was found false is false too, unless it became graver.
        near.sort(key=attrgetter("is_refuted"))
        if near and (not near[0].is_refuted or hit.points <= near[0].points):
            _refresh(near[0], hit)
            return
        rs.contributions.append(
            Contribution(
                hit.rule,
                hit.version,
                hit.dimension,
                hit.points,
                hit.time_ms,
                hit.time_ms,
                hit.event_id,
                half_life_ms=hit.half_life_ms,
            )
        )
        rs.contributions.sort(key=lambda c: (c.dimension, c.rule, c.started_ms, c.points, c.event_id))

    def impose(self, rs: RatingState, rule: str, time_ms: int) -> None:
        """Let the floors stand that a hit of the rule imposes."""
        for floor in self._floors_by_rule.get(rule, ()):
            rs.ground(Ground(floor.name, rule, time_ms, _until(floor, time_ms)))

    def demand(
        self, rs: RatingState, rule: str, disposition: str, now_ms: int, author: str, second: str
    ) -> None:
        """Let the floors stand that an outcome of the rule's alert demands."""
        for floor in self._config.floors.values():
            if disposition in floor.outcomes and (not floor.rules or rule in floor.rules):
                rs.ground(
                    Ground(floor.name, rule, now_ms, _until(floor, now_ms), author, second, disposition)
                )

    def learn(self, rs: RatingState, dimension: str, quantile: float, now_ms: int) -> None:
        """Take in a model's score, 0 to 1; the strongest counts, by what is left of it."""
        score = 100 * max(0.0, quantile - self._config.model_from) / (1 - self._config.model_from)
        old = rs.models.get(dimension)
        half_life_ms = self._config.half_life_ms[dimension]
        if score and (old is None or old[0] * decay(now_ms - old[1], half_life_ms) <= score):
            rs.models[dimension] = (score, now_ms)


def found(rs: RatingState, rule: str, time_ms: int) -> list[Contribution]:
    """Return what the hit of a rule at a time is part of."""
    return [c for c in rs.contributions if c.rule == rule and c.started_ms <= time_ms <= c.time_ms]


def hold_still(rs: RatingState, now_ms: int) -> None:
    """Keep what is confirmed from decaying while a case is open, and let it decay on after."""
    for c in rs.contributions:
        is_held = bool(rs.cases) and c.is_confirmed
        if is_held and c.held_ms is None:
            c.held_ms = max(now_ms, c.time_ms)
        elif not is_held and c.held_ms is not None:
            c.rested_ms += max(0, now_ms - c.held_ms)
            c.held_ms = None


def _refresh(contribution: Contribution, hit: Hit) -> None:
    """Let a repeat inside the cool-down renew a contribution: its time and points never fall."""
    contribution.points = max(contribution.points, hit.points)
    if hit.time_ms >= contribution.time_ms:
        contribution.time_ms = hit.time_ms
        contribution.event_id = hit.event_id
        contribution.version = hit.version
        contribution.half_life_ms = hit.half_life_ms
        contribution.rested_ms = 0
        if contribution.held_ms is not None:
            contribution.held_ms = max(contribution.held_ms, hit.time_ms)


def _until(floor: Floor, time_ms: int) -> int | None:
    return None if floor.days is None else time_ms + int(floor.days * DAY_MS)
