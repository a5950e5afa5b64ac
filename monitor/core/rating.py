"""Ratings: hits become points, points decay, points become one of five grades."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

from monitor.core.assessment import Hit, RatingChange
from monitor.core.decline import Decline, settled_ms
from monitor.core.inherent import Form
from monitor.core.periods import DAY_MS, months_after_ms
from monitor.core.rating_config import Floor, RatingConfig
from monitor.core.rating_state import Rating, RatingState
from monitor.core.scoring import Composite, Contribution, Evidence, attribute, decay

__all__ = ["FALSE_POSITIVE", "TRUE_POSITIVE", "Rater", "Rating", "RatingState"]

FALSE_POSITIVE = "false_positive"
TRUE_POSITIVE = "true_positive"
FIXED_ORDER = attrgetter("time_ms", "rule", "dimension", "cooldown_ms", "points", "version", "event_id")


class Rater:
    """Keeps ratings current.

    Timers come first: a caller runs `tick(state, now_ms)` before anything else at `now_ms`, and
    `now_ms` never goes back. A change that comes with time alone carries the time it fell due, so
    that one late tick and many early ones give the same changes.

    Examples
    --------
    >>> from pathlib import Path
    >>> from yaml import safe_load
    >>> config = RatingConfig.from_plain(safe_load(Path("config/rating.yaml").read_text()))
    >>> rater, state = Rater(config), RatingState()
    >>> change = rater.apply(state, [], 0, segment=None, profile={}, customer_id="ada", cause="e-1")
    >>> change.grade, change.score, change.parts[0]["name"]
    (14, 7.5, 'profile')
    """

    def __init__(self, config: RatingConfig) -> None:
        self.config = config
        self._form = Form(config)
        self._names = {grade.code: grade.name for grade in config.grades}
        self._ranks = {grade.code: rank for rank, grade in enumerate(config.grades)}
        self._bounds = [round(grade.at_least * 100) for grade in config.grades]
        self._margin = round(config.margin * 100)
        self._floors_by_rule: dict[str, list[Floor]] = {}
        for floor in config.floors.values():
            for rule in floor.rules:
                self._floors_by_rule.setdefault(rule, []).append(floor)

    # Evidence.

    def apply(
        self,
        rs: RatingState,
        hits: Sequence[Hit],
        now_ms: int,
        *,
        segment: str | None,
        profile: Mapping[str, Any],
        customer_id: str,
        cause: str,
        model_scores: Mapping[str, float] | None = None,
    ) -> RatingChange | None:
        """Add live hits (and model scores, 0 to 1, by dimension) and rate again.

        The first call gives the first rating. The order of `hits` does not matter. The same hits a
        second time refresh their contributions; the caller keeps duplicates away.
        """
        items, demanded = self._form.read(profile)
        is_same = (items, demanded, segment) == (rs.items, rs.profile_floors, rs.segment)
        if is_same and not (hits or model_scores or rs.grade is None):
            return None
        before = self._shown(rs, now_ms)
        rs.items, rs.profile_floors, rs.segment = items, demanded, segment
        self._forget(rs, now_ms)
        for hit in sorted(hits, key=FIXED_ORDER):
            if hit.status == "live":
                self._add(rs, hit)
        for dimension, score in (model_scores or {}).items():
            self._learn(rs, dimension, 100 * score, now_ms)
        return self._rate(rs, now_ms, before, customer_id, cause)

    def outcome(
        self,
        rs: RatingState,
        rule: str,
        time_ms: int,
        disposition: str,
        now_ms: int,
        *,
        customer_id: str,
        cause: str,
    ) -> RatingChange | None:
        """Take in what an officer found about the hit of `rule` at `time_ms`.

        `false_positive` removes its contribution and the floors the rule imposed; `true_positive`
        raises its points, once. Anything else, or a contribution that is gone, changes nothing.
        """
        found = [c for c in rs.contributions if c.rule == rule and c.started_ms <= time_ms <= c.time_ms]
        before = self._shown(rs, now_ms)
        if disposition == FALSE_POSITIVE:
            rs.contributions = [c for c in rs.contributions if c not in found]
            for floor in self._floors_by_rule.get(rule, []):
                rs.floors.pop(floor.name, None)
        elif disposition == TRUE_POSITIVE:
            for contribution in found:
                contribution.is_confirmed = True
        else:
            return None
        return self._rate(rs, now_ms, before, customer_id, cause)

    # What people decide.

    def impose(
        self, rs: RatingState, floor: str, until_ms: int | None, now_ms: int, *, customer_id: str, cause: str
    ) -> RatingChange | None:
        """Impose a floor until a time (None: until it is lifted); ValueError where the parameters lack it."""
        if floor not in self.config.floors:
            raise ValueError(f"floor: expected one of {sorted(self.config.floors)}, was {floor!r}")
        before = self._shown(rs, now_ms)
        rs.floors[floor] = until_ms
        return self._rate(rs, now_ms, before, customer_id, cause)

    def lift(
        self, rs: RatingState, floor: str, now_ms: int, *, customer_id: str, cause: str
    ) -> RatingChange | None:
        """Lift a floor; nothing happens where there is none."""
        before = self._shown(rs, now_ms)
        rs.floors.pop(floor, None)
        return self._rate(rs, now_ms, before, customer_id, cause)

    def overrule(
        self,
        rs: RatingState,
        grade: int | None,
        until_ms: int,
        reason: str,
        now_ms: int,
        *,
        customer_id: str,
        cause: str,
    ) -> RatingChange | None:
        """Let a person's grade stand until a time; None takes it back.

        The automatic grade goes on underneath. Who may do it is the desk's to check.
        """
        before = self._shown(rs, now_ms)
        rs.override = None if grade is None else (grade, until_ms, reason)
        return self._rate(rs, now_ms, before, customer_id, cause)

    def hold(self, rs: RatingState, alert_id: str) -> None:
        """Let a serious alert be open: no downgrade until it is closed."""
        if alert_id not in rs.open_alerts:
            rs.open_alerts.append(alert_id)

    def release(self, rs: RatingState, alert_id: str, now_ms: int) -> None:
        """Let an alert be closed; a downgrade that waited for it comes with the next tick."""
        if alert_id in rs.open_alerts:
            rs.open_alerts.remove(alert_id)
            rs.free_ms = now_ms

    def review(self, rs: RatingState, now_ms: int) -> None:
        """Take in an approved review: only after one may the highest grade be left."""
        rs.reviewed_ms = now_ms

    # Time.

    def due_ms(self, rs: RatingState) -> int | None:
        """Return when the grade may next change by time alone; None: not foreseeable."""
        dues = [rs.override[1] if rs.override else None, rs.upgrade_due_ms, self._downgrade_ms(rs)]
        return min((due for due in dues if due is not None), default=None)

    def tick(self, rs: RatingState, now_ms: int, *, customer_id: str) -> list[RatingChange]:
        """Let time pass up to `now_ms`: the changes that fell due, oldest first, at their own times."""
        changes = []
        while (due := self.due_ms(rs)) is not None and due <= now_ms:
            change = self._fire(rs, due, customer_id)
            if change is not None:
                changes.append(change)
        return changes

    def rating(self, rs: RatingState, now_ms: int) -> Rating:
        """Return the rating at `now_ms`, at or after the last change, with all its arithmetic."""
        shown = self._shown(rs, now_ms)
        if rs.grade is None or shown is None:
            raise ValueError("rating: not rated yet, expected a first rating before it is shown")
        total = self._evidence(rs).composite(now_ms)
        return Rating(
            time_ms=now_ms,
            grade=shown,
            grade_name=self._names[shown],
            automatic_grade=rs.grade,
            is_first=rs.is_first,
            segment=rs.segment,
            mode=self.config.mode,
            config_version=self.config.version,
            inherent=self._form.score(rs.items),
            inherent_rescaled=self._form.rescaled(rs.items),
            inherent_weight=self.config.segment(rs.segment).weights["inherent"],
            items=self._form.lines(rs.items),
            composite=total,
            parts=self._parts(rs, total),
            floors=tuple(sorted({*rs.profile_floors, *self._standing(rs, now_ms)})),
            override=rs.override if rs.override and now_ms < rs.override[1] else None,
            review_ms=self._review_ms(rs, shown),
            downgrade_ms=self._downgrade_ms(rs),
        )

    # Inside: evidence.

    def _add(self, rs: RatingState, hit: Hit) -> None:
        for floor in self._floors_by_rule.get(hit.rule, []):
            until_ms = None if floor.days is None else hit.time_ms + int(floor.days * DAY_MS)
            rs.floors[floor.name] = _later(rs.floors.get(floor.name, until_ms), until_ms)
        if hit.points <= 0:
            return
        for c in rs.contributions:
            if (
                c.rule == hit.rule
                and c.dimension == hit.dimension
                and abs(hit.time_ms - c.started_ms) < hit.cooldown_ms
            ):
                _refresh(c, hit)
                return
        rs.contributions.append(
            Contribution(
                hit.rule, hit.version, hit.dimension, hit.points, hit.time_ms, hit.time_ms, hit.event_id
            )
        )
        rs.contributions.sort(key=lambda c: (c.dimension, c.rule, c.started_ms, c.points, c.event_id))

    def _learn(self, rs: RatingState, dimension: str, score: float, now_ms: int) -> None:
        old = rs.models.get(dimension)
        half_life_ms = self.config.half_life_ms[dimension]
        if old is None or old[0] * decay(now_ms - old[1], half_life_ms) <= score:
            rs.models[dimension] = (score, now_ms)

    def _forget(self, rs: RatingState, now_ms: int) -> None:
        """Drop contributions that count nothing any more, and repeats beyond the last weight."""
        if rs.contributions:
            counted = {id(c) for c in self._evidence(rs).counting(now_ms)}
            rs.contributions = [c for c in rs.contributions if id(c) in counted]

    # Inside: scores.

    def _standing(self, rs: RatingState, now_ms: int) -> list[str]:
        return [name for name, until_ms in rs.floors.items() if until_ms is None or now_ms < until_ms]

    def _evidence(self, rs: RatingState) -> Evidence:
        floors = {**rs.floors, **dict.fromkeys(rs.profile_floors)} if rs.profile_floors else rs.floors
        return Evidence(
            self.config, rs.segment, self._form.rescaled(rs.items), rs.contributions, rs.models, floors
        )

    def _parts(self, rs: RatingState, total: Composite) -> tuple[dict[str, Any], ...]:
        weight = self.config.segment(rs.segment).weights["inherent"]
        return attribute(self.config, total, weight * self._form.rescaled(rs.items))

    # Inside: grades.

    def _shown(self, rs: RatingState, now_ms: int) -> int | None:
        if rs.override is not None and now_ms < rs.override[1]:
            return rs.override[0]
        return rs.grade

    def _rank(self, hundredths: int) -> int:
        return next(rank for rank, bound in enumerate(self._bounds) if hundredths >= bound)

    def _give(self, rs: RatingState, rank: int, now_ms: int) -> None:
        rs.is_first = rs.grade is None
        rs.grade = self.config.grades[rank].code
        rs.graded_ms = now_ms
        rs.upgrade_due_ms = None

    def _rate(
        self, rs: RatingState, now_ms: int, before: int | None, customer_id: str, cause: str
    ) -> RatingChange | None:
        total = self._evidence(rs).composite(now_ms)
        rs.hundredths = total.hundredths
        rank = self._rank(total.hundredths)
        if rs.grade is None:
            self._give(rs, rank, now_ms)
        elif rank >= self._ranks[rs.grade]:
            rs.upgrade_due_ms = None
        elif rank == 0 or rs.is_first or now_ms - rs.graded_ms >= self.config.min_gap_ms:
            self._give(rs, rank, now_ms)
        else:
            rs.upgrade_due_ms = rs.graded_ms + self.config.min_gap_ms
        self._watch(rs, now_ms, total.hundredths)
        return self._change(rs, now_ms, before, total, customer_id, cause)

    def _change(
        self,
        rs: RatingState,
        now_ms: int,
        before: int | None,
        total: Composite,
        customer_id: str,
        cause: str,
    ) -> RatingChange | None:
        after = self._shown(rs, now_ms)
        if after is None or after == before:
            return None
        return RatingChange(
            customer_id=customer_id,
            time_ms=now_ms,
            cause=cause,
            previous_grade=before,
            grade=after,
            score=total.score,
            parts=self._parts(rs, total),
        )

    # Inside: time.

    def _fire(self, rs: RatingState, due: int, customer_id: str) -> RatingChange | None:
        before = self._shown(rs, due - 1)
        if rs.override is not None and rs.override[1] <= due:
            rs.override = None
        total = self._evidence(rs).composite(due)
        if rs.upgrade_due_ms is not None and rs.upgrade_due_ms <= due:
            rs.upgrade_due_ms = None
            rank = self._rank(total.hundredths)
            if rs.grade is not None and rank < self._ranks[rs.grade]:
                self._give(rs, rank, due)
                self._watch(rs, due, total.hundredths)
        fall_ms = self._downgrade_ms(rs)
        if rs.grade is not None and fall_ms is not None and fall_ms <= due:
            self._give(rs, self._calm_rank(rs, due), due)
            self._watch(rs, due, total.hundredths)
        return self._change(rs, due, before, total, customer_id, "timer")

    def _downgrade_ms(self, rs: RatingState) -> int | None:
        """Return when every condition for a lower grade holds; None where one cannot be foreseen."""
        if rs.grade is None or rs.open_alerts:
            return None
        rank = self._ranks[rs.grade]
        since_ms = rs.below_ms[rank] if rank < len(rs.below_ms) else None
        if since_ms is None:
            return None
        due = max(since_ms + self.config.calm_ms, rs.graded_ms + self.config.min_gap_ms, rs.free_ms)
        if rank > 0:
            return due
        if rs.reviewed_ms is None or rs.reviewed_ms < rs.graded_ms:
            return None
        return max(due, rs.reviewed_ms)

    def _calm_rank(self, rs: RatingState, due: int) -> int:
        """Return the lowest grade whose every threshold above was passed long enough ago."""
        rank = self._ranks[rs.grade or 0]
        for since_ms in rs.below_ms[rank:]:
            if since_ms is None or since_ms + self.config.calm_ms > due:
                break
            rank += 1
        return rank

    def _watch(self, rs: RatingState, now_ms: int, hundredths: int) -> None:
        """Note since when, or from when on, the score is below each threshold by the margin.

        A threshold above the current grade is of no interest.
        """
        rank = self._ranks[rs.grade or 0]
        none: list[int | None] = [None] * (len(self._bounds) - 1)
        old = rs.below_ms if len(rs.below_ms) == len(none) else none
        rs.below_ms = none.copy()
        decline = Decline(self._evidence(rs).hundredths, now_ms, hundredths)
        for k in range(rank, len(old)):
            limit, since_ms = self._bounds[k] - self._margin, old[k]
            if hundredths <= limit and since_ms is not None and since_ms <= now_ms:
                rs.below_ms[k] = since_ms
            else:
                rs.below_ms[k] = decline.below_from(limit, settled_ms(self.config, rs, now_ms))

    def _review_ms(self, rs: RatingState, shown: int) -> int:
        months = self.config.grades[self._ranks[shown]].review_months
        if rs.is_first:
            months = min(months, self.config.first_review_months)
        return months_after_ms(max(rs.graded_ms, rs.reviewed_ms or rs.graded_ms), months)


def _refresh(contribution: Contribution, hit: Hit) -> None:
    """Let a repeat inside the cool-down renew a contribution: its time and points never fall."""
    contribution.points = max(contribution.points, hit.points)
    if hit.time_ms >= contribution.time_ms:
        contribution.time_ms = hit.time_ms
        contribution.event_id = hit.event_id
        contribution.version = hit.version


def _later(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else max(one, other)
