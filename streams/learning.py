"""Learning beside the stream: what became of payments goes into versions that score the next ones.

Everything follows from the journal: events in their order, what models saw of them, and the labels
among them. So a restart, a recovery and a verification come to the same versions.
"""

from __future__ import annotations

from typing import Any

import msgspec

from monitor.core.boosting import Growth, Steps
from monitor.core.classifier import ClassifierVersion
from monitor.core.lessons import Lessons
from monitor.core.seen import Seen, read
from streams.learnt import Learnt, Lesson

ARTIFACT = "classifier"
"""Kind under which versions are archived, each by its hash."""
KEPT = "learner"
"""Under which key of the bookkeeping the learner is kept."""
FIRST, PART, MOST = 1024, 8, 65_536
"""Payments until the first boundary; from each to the next an eighth more, but at most so many. A
boundary is passed with the first tick after it: a cluster has to know beforehand when one may be."""
STEPS = 256
"""Into so many parts the payments up to the next boundary are divided; each brings the version that is
being grown a step further. It has some 75, so it is there early, and no step holds events up for long."""


class Learner:
    """Learns after every event, and publishes with ticks, at boundaries counted in payments.

    What is known at one boundary takes force at the next: meanwhile a version is grown of it, step by step.

    Parameters
    ----------
    learnt
        Takes versions, ledger entries and what is to be kept.
    kept
        What was kept last, to go on from; the lessons after it are to be followed again.
    growth
        How versions are grown.
    """

    def __init__(self, learnt: Learnt, kept: bytes | None = None, growth: Growth | None = None) -> None:
        self._learnt, self._growth = learnt, growth or Growth()
        self._lessons, self._next = Lessons(), b""
        self._growing: Steps[ClassifierVersion] | None = None
        self.seq = 0
        """The last journal position it includes."""
        self._count, self._boundary, self._stride = 0, FIRST, FIRST // STEPS
        if kept is not None:
            self.seq, self._count, self._boundary, self._next, lessons, *since = msgspec.msgpack.decode(kept)
            self._lessons.resume(lessons)
            if since:
                self._learn(*since)
        self.kept = self.seq
        """The journal position at which it was kept last."""

    @property
    def remaining(self) -> int:
        """Payments to come before a tick may bring the next version."""
        return max(0, self._boundary - self._count)

    def follow(self, lesson: Lesson, seen: Seen) -> None:
        """Learn from an event; at a tick beyond a boundary put into force what was learnt at the one before.

        Parameters
        ----------
        seen
            What models saw of it.
        """
        self.seq, told = lesson.seq, lesson.told
        if told is not None and not (then := read(told.features)).is_restricted:
            self._lessons.judge(told.ref, told.is_fraud, told.time_ms, then.vector)
        if lesson.features:
            self._count += 1
            if not seen.is_restricted:
                self._lessons.see(lesson.ref, lesson.time_ms, seen.vector)
            if not self._count % self._stride:
                self._step()
        if lesson.is_tick and not self.remaining:
            self._turn(lesson.time_ms)

    def keep(self) -> None:
        """Have it kept as it is now."""
        self._finish()
        self._keep(self._lessons.snapshot())

    def _step(self) -> None:
        if self._growing is not None:
            try:
                next(self._growing)
            except StopIteration as end:
                self._growing, self._next = None, end.value.packed

    def _finish(self) -> None:
        while self._growing is not None:
            self._step()

    def _turn(self, time_ms: int) -> None:
        self._finish()
        published, known = self._next, self._lessons.snapshot()
        if published:
            self._publish(ClassifierVersion.of_packed(published), time_ms)
        self._next = b""
        self._boundary = self._count + min(max(self._count // PART, FIRST), MOST)
        self._learn(time_ms)
        # Where nothing came of it, a restart may come to the same nothing again.
        if published or self._growing is not None:
            self._keep(known, time_ms)

    def _learn(self, time_ms: int) -> None:
        self._growing = self._lessons.learn(time_ms, self._growth)
        self._stride = max(1, self.remaining // STEPS)

    def _keep(self, lessons: list[Any], *since: int) -> None:
        """Keep where it is; a version that is being grown is grown again from the lessons of `since`."""
        self.kept = self.seq
        kept: tuple[Any, ...] = (self.seq, self._count, self._boundary, self._next, lessons, *since)
        self._learnt.kept[KEPT] = msgspec.msgpack.encode(kept)

    def _publish(self, version: ClassifierVersion, time_ms: int) -> None:
        digest = version.hash
        self._learnt.archives.append((ARTIFACT, digest, version.packed))
        self._learnt.epochs.append(("models", self.seq + 1, digest))
        fact = {
            "hash": digest,
            "from_ms": version.from_ms,
            "to_ms": version.to_ms,
            "frauds": version.frauds,
            "genuine": version.genuine,
        }
        self._learnt.entries.append((time_ms, f"{ARTIFACT}:{version.number}", fact))
