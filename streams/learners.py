"""Everything that learns beside the stream, as one: the classifier, the populations, the scale."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Protocol

from monitor.core.boosting import Growth
from monitor.core.models.config import ModelsConfig
from monitor.core.seen import read
from streams.crowd import KEPT as CROWD
from streams.crowd import Crowd
from streams.learning import KEPT as LEARNER
from streams.learning import Learner
from streams.learnt import KEEP_EVERY, Agenda, Learnt, Lesson
from streams.scaling import KEPT as SCALING
from streams.scaling import Scaling

log = logging.getLogger(__name__)
KEYS = (LEARNER, CROWD, SCALING)
"""Under which keys of the bookkeeping they are kept."""


class Learning(Protocol):
    """Learners, wherever they are. What they have written down comes with the answers."""

    def recover(self, kept: Mapping[str, bytes]) -> Learnt:
        """Come back to what was kept; the lessons after `Agenda.seq` are to be followed again."""

    def adopt(self, config: ModelsConfig | None, head: int) -> Learnt:
        """Learn by a configuration from the event after a journal position on."""

    def follow(self, lesson: Lesson) -> None:
        """Learn from an event that brings no version into force."""

    def turn(self, lesson: Lesson) -> Learnt:
        """Learn from a tick, and put into force what is due."""

    def keep(self, seq: int) -> Learnt:
        """Give what was learnt up to a journal position, where it was not kept for long."""

    def close(self) -> None:
        """Learn no more; `recover` begins again."""


class Learners:
    """Learners in this process. Equal lessons in equal order lead to equal versions, wherever they learn.

    Parameters
    ----------
    growth
        How versions of the classifier are grown.
    """

    def __init__(self, growth: Growth | None = None) -> None:
        self._growth = growth
        self.recover({})

    def recover(self, kept: Mapping[str, bytes]) -> Learnt:
        """See `Learning`."""
        self._learnt = Learnt()
        self._learner = Learner(self._learnt, kept.get(LEARNER), self._growth)
        self._crowd = Crowd(self._learnt, kept.get(CROWD))
        self._scaling = Scaling(self._learnt, kept.get(SCALING))
        return self._answer()

    def adopt(self, config: ModelsConfig | None, head: int) -> Learnt:
        """See `Learning`."""
        self._crowd.adopt(config, head)
        self._scaling.adopt(config, head)
        return self._answer()

    def follow(self, lesson: Lesson) -> None:
        """See `Learning`; what cannot be learnt from is passed over."""
        seen = read(lesson.features)
        learners: tuple[tuple[str, Learner | Crowd | Scaling], ...] = (
            ("classifier", self._learner), ("populations", self._crowd), ("scales", self._scaling),
        )  # fmt: skip
        for name, one in learners:
            if lesson.seq > one.seq:
                try:
                    one.follow(lesson, seen)
                except Exception:
                    log.exception("not_learnt seq=%d by=%s", lesson.seq, name)
                    self._learnt.failed.append(name)

    def turn(self, lesson: Lesson) -> Learnt:
        """See `Learning`."""
        self.follow(lesson)
        return self._answer()

    def keep(self, seq: int) -> Learnt:
        """See `Learning`."""
        for one in (self._learner, self._crowd, self._scaling):
            one.seq = seq
            if seq >= one.kept + KEEP_EVERY:
                one.keep()
        return self._answer()

    def close(self) -> None:
        """See `Learning`."""

    def _answer(self) -> Learnt:
        """Return what was written since the last answer."""
        learner, crowd, scaling = self._learner, self._crowd, self._scaling
        answer, learnt = Learnt(), self._learnt
        for name in ("archives", "epochs", "entries", "alarms", "kept", "failed"):
            written = getattr(learnt, name)
            setattr(answer, name, written.copy())
            written.clear()
        answer.agenda = Agenda(
            seq=min(learner.seq, crowd.seq, scaling.seq),
            counted=learner.seq,
            remaining=learner.remaining,
            tick_ms=min(crowd.due_ms, scaling.due_ms),
            keep=min(learner.kept, crowd.kept, scaling.kept) + KEEP_EVERY,
        )
        return answer
