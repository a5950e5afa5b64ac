"""From scores to grades: thresholds, waiting times, what a person decided, and reviews."""

from __future__ import annotations

from monitor.core.decline import Decline, settled_ms
from monitor.core.periods import months_after_ms
from monitor.core.rating_config import RatingConfig
from monitor.core.rating_state import RatingState
from monitor.core.scoring import Evidence


class Grading:
    """When a grade changes, and to which.

    A rank counts grades from the highest risk, 0.
    """

    def __init__(self, config: RatingConfig) -> None:
        self._config = config
        self._codes = [grade.code for grade in config.grades]
        self.names = {grade.code: grade.name for grade in config.grades}
        self.ranks = {grade.code: rank for rank, grade in enumerate(config.grades)}
        self._bounds = [round(grade.at_least * 100) for grade in config.grades]
        self._margin = round(config.margin * 100)

    def grade_of(self, hundredths: int) -> int:
        """Return the grade of a score in hundredths, as a first rating gives it."""
        return self._codes[self._rank(hundredths)]

    def shown(self, rs: RatingState, now_ms: int) -> int | None:
        """Return the grade in force: the automatic one, or a person's.

        A grade that a person set higher gives way to an automatic one that is riskier still; one
        set lower never goes below a floor.
        """
        override = rs.override
        if rs.grade is None or override is None or now_ms >= override.until_ms:
            return rs.grade
        rank = self.ranks.get(override.grade, self.ranks[rs.grade])
        if rank <= self.ranks.get(override.basis, rank):
            rank = min(rank, self.ranks[rs.grade])
        return self._codes[min(rank, self.floor_rank(rs, now_ms))]

    def floor_rank(self, rs: RatingState, now_ms: int) -> int:
        """Return the rank that the floors of the whole rating leave at least."""
        floors = self._config.floors
        names = [*rs.standing(now_ms), *rs.profile_floors]
        found = [floors[name] for name in names if name in floors]
        return self._rank(
            round(max((floor.score for floor in found if floor.dimension is None), default=0.0) * 100)
        )

    def settle(self, rs: RatingState, now_ms: int, hundredths: int, evidence: Evidence) -> None:
        """Take in a score that changed by more than time: up at once, down not before it is calm."""
        rs.hundredths = hundredths
        rank = self._rank(hundredths)
        if rs.grade is None:
            self._give(rs, rank, now_ms)
        elif rank >= self.ranks[rs.grade]:
            rs.upgrade_due_ms = None
        elif rank == 0 or rs.is_first or now_ms - rs.graded_ms >= self._config.min_gap_ms:
            self._give(rs, rank, now_ms)
        else:
            rs.upgrade_due_ms = rs.graded_ms + self._config.min_gap_ms
        self._watch(rs, now_ms, hundredths, evidence)

    def is_overtaken(self, rs: RatingState) -> bool:
        """Return whether the risk rose above what a person looked at who set the grade lower."""
        override = rs.override
        if override is None or rs.grade is None or override.basis not in self.ranks:
            return False
        basis = self.ranks[override.basis]
        return self.ranks.get(override.grade, basis) > basis > self.ranks[rs.grade]

    # Time.

    def due_ms(self, rs: RatingState) -> int | None:
        """Return when the grade may next change by time alone, or a review falls due."""
        dues = [rs.upgrade_due_ms, self.downgrade_ms(rs)]
        if rs.override is not None:
            dues.append(rs.override.until_ms)
        # The end of a ceiling lifts the score; that of a floor lets a grade come out that was set lower.
        dues += [one.until_ms for one in rs.grounds if rs.override or one.name in self._config.ceilings]
        review_ms = self.review_ms(rs)
        if review_ms is not None and review_ms > rs.review_told_ms:
            dues.append(review_ms)
        return min((due for due in dues if due is not None), default=None)

    def end_ceilings(self, rs: RatingState, due_ms: int) -> bool:
        """Take away the ceilings that end at `due_ms`; return whether there were any."""
        ended = [
            one
            for one in rs.grounds
            if one.name in self._config.ceilings and one.until_ms is not None and one.until_ms <= due_ms
        ]
        rs.grounds = [one for one in rs.grounds if one not in ended]
        return bool(ended)

    def advance(self, rs: RatingState, due_ms: int, evidence: Evidence) -> None:
        """Let happen what falls due at `due_ms`."""
        rs.grounds = [one for one in rs.grounds if one.until_ms is None or due_ms < one.until_ms]
        hundredths = evidence.hundredths(due_ms)
        if rs.upgrade_due_ms is not None and rs.upgrade_due_ms <= due_ms:
            rs.upgrade_due_ms = None
            rank = self._rank(hundredths)
            if rs.grade is not None and rank < self.ranks[rs.grade]:
                self._give(rs, rank, due_ms)
                self._watch(rs, due_ms, hundredths, evidence)
        fall_ms = self.downgrade_ms(rs)
        if rs.grade is not None and fall_ms is not None and fall_ms <= due_ms:
            self._give(rs, self._calm_rank(rs, due_ms), due_ms)
            self._watch(rs, due_ms, hundredths, evidence)

    def downgrade_ms(self, rs: RatingState) -> int | None:
        """Return when every condition for a lower grade holds; None where one cannot be foreseen."""
        if rs.grade is None or rs.open_alerts:
            return None
        rank = self.ranks[rs.grade]
        since_ms = rs.below_ms[rank] if rank < len(rs.below_ms) else None
        if since_ms is None:
            return None
        due = max(since_ms + self._config.calm_ms, rs.graded_ms + self._config.min_gap_ms, rs.free_ms)
        if rank > 0:
            return due
        if not self.is_reviewed(rs):
            return None
        return max(due, rs.reviewed_ms or 0)

    def is_reviewed(self, rs: RatingState) -> bool:
        """Return whether a review was approved since the grade was given."""
        return rs.reviewed_ms is not None and rs.reviewed_ms >= rs.graded_ms

    def review_ms(self, rs: RatingState) -> int | None:
        """Return when the next review is due; None where the stage of life has none."""
        stage = self._config.stage(rs.stage)
        if rs.grade is None or not stage.is_reviewed:
            return None
        rank, since_ms = self.ranks[rs.grade], max(rs.graded_ms, rs.reviewed_ms or rs.graded_ms)
        if rs.override is not None and self.ranks.get(rs.override.grade, rank) < rank:
            rank, since_ms = self.ranks[rs.override.grade], max(since_ms, rs.override.since_ms)
        months = self._config.grades[rank].review_months
        if rs.is_first:
            months = min(months, self._config.first_review_months)
        due_ms = months_after_ms(since_ms, min(months, stage.review_months or months))
        return min(due_ms, rs.review_by_ms) if rs.review_by_ms else due_ms

    # Inside.

    def _rank(self, hundredths: int) -> int:
        return next(rank for rank, bound in enumerate(self._bounds) if hundredths >= bound)

    def _give(self, rs: RatingState, rank: int, now_ms: int) -> None:
        rs.is_first = rs.grade is None
        rs.grade = self._codes[rank]
        rs.graded_ms = now_ms
        rs.upgrade_due_ms = None

    def _calm_rank(self, rs: RatingState, due_ms: int) -> int:
        """Return the lowest grade whose every threshold above was passed long enough ago."""
        rank = self.ranks[rs.grade or 0]
        for since_ms in rs.below_ms[rank:]:
            if since_ms is None or since_ms + self._config.calm_ms > due_ms:
                break
            rank += 1
        return rank

    def _watch(self, rs: RatingState, now_ms: int, hundredths: int, evidence: Evidence) -> None:
        """Note since when, or from when on, the score is below each threshold by the margin.

        A threshold above the current grade is of no interest.
        """
        rank = self.ranks[rs.grade or 0]
        none: list[int | None] = [None] * (len(self._bounds) - 1)
        old = rs.below_ms if len(rs.below_ms) == len(none) else none
        rs.below_ms = none.copy()
        decline = Decline(evidence.hundredths, now_ms, hundredths)
        for k in range(rank, len(old)):
            limit, since_ms = self._bounds[k] - self._margin, old[k]
            if hundredths <= limit and since_ms is not None and since_ms <= now_ms:
                rs.below_ms[k] = since_ms
            else:
                rs.below_ms[k] = decline.below_from(limit, settled_ms(self._config, rs, now_ms))
