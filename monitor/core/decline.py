"""When a score that only falls will be below a threshold: found ahead, so that nobody has to look daily."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, log2

from monitor.core.periods import DAY_MS
from monitor.core.rating_config import RatingConfig
from monitor.core.rating_state import RatingState


class Decline:
    """A score from now on, as long as nothing but time passes. It is looked at when UTC days end.

    Parameters
    ----------
    score_at
        The score at a time, in hundredths; never rising.
    now_ms, hundredths
        Now, and the score now.

    Examples
    --------
    >>> decline = Decline(lambda time_ms: 5000 - time_ms // DAY_MS * 100, 0, 5000)
    >>> decline.below_from(4000, 100 * DAY_MS) // DAY_MS, decline.below_from(-6000, 100 * DAY_MS)
    (10, None)
    """

    def __init__(self, score_at: Callable[[int], int], now_ms: int, hundredths: int) -> None:
        self._score_at = score_at
        self._next_day = -(-now_ms // DAY_MS)
        self._hundredths = hundredths
        self._seen: dict[int, int] = {}

    def below_from(self, limit: int, settled_ms: int) -> int | None:
        """Return the first end of day with a score of at most `limit`; None: never.

        After `settled_ms` the score does not change any more.
        """
        if self._hundredths <= limit:
            return self._next_day * DAY_MS
        low, high = self._next_day - 1, settled_ms // DAY_MS + 1
        if self._on(high) > limit:
            return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._on(middle) <= limit else (middle, high)
        return high * DAY_MS

    def _on(self, day: int) -> int:
        if day not in self._seen:
            self._seen[day] = self._score_at(day * DAY_MS)
        return self._seen[day]


def settled_ms(config: RatingConfig, rs: RatingState, now_ms: int) -> int:
    """Return a time from which nothing is left in `rs` that could decay or end."""
    most = config.segment(rs.segment).multiplier * config.true_positive_factor
    stage = config.stage(rs.stage)
    ends = [now_ms, *(ground.until_ms for ground in rs.grounds if ground.until_ms is not None)]
    ends += [
        c.time_ms
        + c.rested_ms
        + _halvings(config, c.points * most * stage.of(c.dimension))
        * (c.half_life_ms or config.half_life_ms[c.dimension])
        for c in rs.contributions
    ]
    ends += [
        time_ms + _halvings(config, score) * config.half_life_ms[name]
        for name, (score, time_ms) in rs.models.items()
    ]
    return max(ends)


def _halvings(config: RatingConfig, points: float) -> int:
    """Return after how many half-lives points count no more."""
    return ceil(log2(max(points / config.drop_below, 1))) + 1
