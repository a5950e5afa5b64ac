"""What scores are worth, learnt beside the stream: the threshold and the chances, published with ticks."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from monitor.core.classifier import chance
from monitor.core.models.config import ModelsConfig
from monitor.core.models.ensemble import NEVER_MS
from monitor.core.models.outcomes import DAY_MS, Outcomes
from monitor.core.models.scale import ARTIFACT, NOBODY, Scale
from monitor.core.models.thresholds import Threshold
from monitor.core.seen import Seen, read
from streams.learnt import Learnt, Lesson

KEPT = "scale"
"""Under which key of the bookkeeping what was learnt is kept."""
RANKS = (0.99, 0.995, 0.999, 0.9995)
"""Shares of all scores that a scale tells the scores of."""


class Scaling:
    """Counts every score of the classifier and what came of it; publishes a scale with a day's first tick.

    Before there is a classifier there is nothing to count: what stands for its score is another one.

    Parameters
    ----------
    learnt
        Takes scales, ledger entries and what is to be kept.
    kept
        What was kept last, to go on from; the lessons after it are to be followed again.
    """

    def __init__(self, learnt: Learnt, kept: bytes | None = None) -> None:
        self._learnt = learnt
        self.seq = self._number = self._from_ms = self._to_ms = self._scored = 0
        self._boundary = -1
        self._outcomes = Outcomes()
        self._learn_by(None)
        if kept is not None:
            plain, threshold, outcomes, figures = msgspec.msgpack.decode(kept)
            self.seq, self._number, self._from_ms, self._to_ms, self._scored, self._boundary = figures
            self._learn_by(None if plain is None else tuple(plain))
            self._threshold.resume(threshold)
            self._outcomes.resume(outcomes)
        self.kept = self.seq
        """The journal position at which it was kept last."""

    def adopt(self, config: ModelsConfig | None, head: int) -> None:
        """Learn by a configuration from now on; with another budget the threshold begins anew."""
        budget = None if config is None else (config.alerts_a_day, config.memory_days)
        if budget != self._budget:
            self._learn_by(budget)
            self.seq = head
            # No threshold of another budget is left in force.
            self._learnt.epochs.append(("scales", head + 1, ""))
            self.keep()

    @property
    def due_ms(self) -> int:
        """From when on a tick may put another scale into force."""
        return NEVER_MS if self._budget is None else (self._boundary + 1) * DAY_MS

    def follow(self, lesson: Lesson, seen: Seen) -> None:
        """Learn from an event at a journal position; at a tick, put into force what is due.

        Parameters
        ----------
        seen
            What models saw of it.
        """
        self.seq, told = lesson.seq, lesson.told
        if self._budget is None:
            return
        if lesson.is_tick and lesson.time_ms >= self.due_ms:
            self._turn(lesson.time_ms)
        if told is not None:
            then = read(told.features)
            if then.margin is not None and not then.is_restricted:
                self._outcomes.judge(told.ref, told.is_fraud, told.time_ms, chance(then.margin))
        if seen.margin is not None:
            self._count(lesson.time_ms, chance(seen.margin), seen.is_restricted)

    def keep(self) -> None:
        """Have it kept as it is now."""
        self.kept = self.seq
        figures = (self.seq, self._number, self._from_ms, self._to_ms, self._scored, self._boundary)
        kept = (self._budget, self._threshold.snapshot(), self._outcomes.snapshot(), figures)
        self._learnt.kept[KEPT] = msgspec.msgpack.encode(kept)

    def _count(self, time_ms: int, raw: float, is_restricted: bool) -> None:
        self._from_ms = self._from_ms or time_ms
        self._to_ms = max(self._to_ms, time_ms)
        self._scored += 1
        self._threshold.learn_one(time_ms, raw)
        if not is_restricted:
            self._outcomes.see(time_ms, raw)

    def _turn(self, time_ms: int) -> None:
        self._boundary = time_ms // DAY_MS
        self._outcomes.mature(time_ms)
        scale = self._scale()
        if scale is None:
            return
        self._number = scale.number
        self._learnt.archives.append((ARTIFACT, scale.hash, scale.packed))
        self._learnt.epochs.append(("scales", self.seq + 1, scale.hash))
        fact = {
            "hash": scale.hash,
            "from_ms": scale.from_ms,
            "to_ms": scale.to_ms,
            "scored": scale.scored,
            "threshold": scale.threshold,
            "judged": scale.judged,
            "frauds": scale.frauds,
        }
        self._learnt.entries.append((time_ms, f"{ARTIFACT}:{scale.number}", fact))
        self.keep()

    def _scale(self) -> Scale | None:
        """Return what is known now; None while that is nothing."""
        held = self._outcomes.calibration
        if self._threshold.value == NOBODY and not held.is_known:
            return None
        slope, shift = self._outcomes.correction()
        scale = Scale(
            number=self._number + 1,
            from_ms=self._from_ms,
            to_ms=self._to_ms,
            scored=self._scored,
            alerts_a_day=self._threshold.alerts_a_day,
            threshold=self._threshold.value,
            ranks=tuple(self._threshold.ranks(RANKS)),
            slope=slope,
            shift=shift,
            curve=tuple(held.curve()),
            judged=round(sum(held.counts)),
            frauds=round(sum(held.bad)),
        )
        points = tuple((scale.told(p.predicted), p.observed, p.count) for p in held.reliability())
        return replace(scale, reliability=points)

    def _learn_by(self, budget: tuple[float, float] | None) -> None:
        self._budget = budget
        self._threshold = Threshold(*(budget or (1.0, 1.0)))
