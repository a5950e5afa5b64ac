"""What scores are worth, learnt beside the stream: the threshold and the chances, published with ticks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import msgspec

from monitor.core.classifier import chance
from monitor.core.events import Event
from monitor.core.feedback import outcome_of
from monitor.core.models.config import ModelsConfig
from monitor.core.models.outcomes import DAY_MS, Outcomes
from monitor.core.models.scale import ARTIFACT, NOBODY, Scale
from monitor.core.models.thresholds import Threshold
from monitor.core.seen import Seen
from streams.commit import Committer

KEPT = "scale"
"""Under which key of the bookkeeping what was learnt is kept."""
ENTRY = "model"
"""Kind of the ledger's entries about scales."""
RANKS = (0.99, 0.995, 0.999, 0.9995)
"""Shares of all scores that a scale tells the scores of."""
KEEP_EVERY = 50_000
"""Journal positions that a restart has to follow again, at most."""

Find = Callable[[int], tuple[int, Seen] | None]
"""Gives event time and what models saw of a payment by its reference."""


class Scaling:
    """Counts every score of the classifier and what came of it; publishes a scale with a day's first tick.

    Before there is a classifier there is nothing to count: what stands for its score is another one.

    Parameters
    ----------
    committer
        Writes scales, ledger entries and what was learnt, with the events they follow from.
    find
        See `Find`.
    """

    def __init__(self, committer: Committer, find: Find) -> None:
        self._committer, self._find = committer, find
        self.recover()

    def recover(self) -> None:
        """Come back to what was kept last; the rows after it are to be followed again."""
        self.seq = self._number = self._from_ms = self._to_ms = self._scored = 0
        self._boundary = -1
        self._outcomes = Outcomes()
        self._learn_by(None)
        kept = self._committer.store.meta(KEPT)
        if kept is not None:
            plain, threshold, outcomes, figures = msgspec.msgpack.decode(kept)
            self.seq, self._number, self._from_ms, self._to_ms, self._scored, self._boundary = figures
            self._learn_by(None if plain is None else tuple(plain))
            self._threshold.resume(threshold)
            self._outcomes.resume(outcomes)
        self._kept = self.seq

    def adopt(self, config: ModelsConfig | None) -> None:
        """Learn by a configuration from now on; with another budget the threshold begins anew."""
        budget = None if config is None else (config.alerts_a_day, config.memory_days)
        if budget != self._budget:
            self._learn_by(budget)
            self.seq = self._committer.progress.head
            self._publish_nothing()
            self._keep()

    def is_due(self, time_ms: int) -> bool:
        """Return whether a tick at that time may put another scale into force."""
        return self._budget is not None and time_ms // DAY_MS > self._boundary

    def follow(self, event: Event, seq: int, seen: Seen) -> None:
        """Learn from an event at a journal position; at a tick, put into force what is due.

        Parameters
        ----------
        seen
            What models saw of it.
        """
        self.seq = seq
        has_turned = False
        if self._budget is not None:
            if event.kind == "tick" and self.is_due(event.time_ms):
                has_turned = self._turn(event.time_ms)
            outcome = outcome_of(event)
            if outcome is not None and (found := self._find(outcome.ref)) is not None:
                time_ms, then = found
                if then.margin is not None and not then.is_restricted:
                    self._outcomes.judge(outcome.ref, outcome.is_fraud, time_ms, chance(then.margin))
            if seen.margin is not None:
                self._count(event.time_ms, chance(seen.margin), seen.is_restricted)
        if has_turned or seq >= self._kept + KEEP_EVERY:
            self._keep()

    def _count(self, time_ms: int, raw: float, is_restricted: bool) -> None:
        self._from_ms = self._from_ms or time_ms
        self._to_ms = max(self._to_ms, time_ms)
        self._scored += 1
        self._threshold.learn_one(time_ms, raw)
        if not is_restricted:
            self._outcomes.see(time_ms, raw)

    def _turn(self, time_ms: int) -> bool:
        self._boundary = time_ms // DAY_MS
        self._outcomes.mature(time_ms)
        scale = self._scale()
        if scale is None:
            return False
        self._number = scale.number
        self._committer.store.archive(ARTIFACT, scale.hash, scale.packed)
        self._committer.progress.scales.append((self.seq + 1, scale.hash))
        fact = {
            "hash": scale.hash,
            "from_ms": scale.from_ms,
            "to_ms": scale.to_ms,
            "scored": scale.scored,
            "threshold": scale.threshold,
            "judged": scale.judged,
            "frauds": scale.frauds,
        }
        self._committer.ledger.append(time_ms, ENTRY, f"{ARTIFACT}:{scale.number}", fact)
        return True

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

    def _publish_nothing(self) -> None:
        """Leave no threshold of another budget in force."""
        progress = self._committer.progress
        if progress.scales and progress.scales[-1][1]:
            progress.scales.append((self.seq + 1, ""))

    def _keep(self) -> None:
        self._kept = self.seq
        figures = (self.seq, self._number, self._from_ms, self._to_ms, self._scored, self._boundary)
        kept = (self._budget, self._threshold.snapshot(), self._outcomes.snapshot(), figures)
        self._committer.store.put_meta(KEPT, msgspec.msgpack.encode(kept))
