"""Learning beside the stream: what became of payments goes into versions that score the next ones.

Everything follows from the journal: events in their order, what models saw of them, and the labels
among them. So a restart, a recovery and a verification come to the same versions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from monitor.core.boosting import Growth, Steps
from monitor.core.classifier import ClassifierVersion
from monitor.core.events import Event
from monitor.core.feedback import outcome_of
from monitor.core.lessons import Lessons
from monitor.core.seen import Seen, read
from streams.commit import Committer
from streams.journal import features_of

ARTIFACT = "classifier"
"""Kind under which versions are archived, each by its hash."""
KEPT = "learner"
"""Under which key of the bookkeeping the learner is kept."""
ENTRY = "model"
"""Kind of the ledger's entries about versions."""
KEEP_EVERY = 50_000
"""Journal positions that a restart has to follow again, at most."""
FIRST, PART, MOST = 1024, 8, 65_536
"""Payments until the first boundary; from each to the next an eighth more, but at most so many. A
boundary is passed with the first tick after it: a cluster has to know beforehand when one may be."""
STEPS = 256
"""Into so many parts the payments up to the next boundary are divided; each brings the version that is
being grown a step further. It has some 75, so it is there early, and no step holds events up for long."""

Find = Callable[[int], tuple[int, Seen] | None]
"""Gives event time and what models saw of a payment by its reference."""


def seen_by(committer: Committer, decode: Callable[[bytes], Any]) -> Find:
    """Return what looks a payment up in the journal, the rows of the running batch included."""

    def seen(ref: int) -> tuple[int, Seen] | None:
        index = committer.store.index
        seq = index.get_unsealed(ref) or index.find([ref]).get(ref)
        if seq is None:
            return None
        row = committer.row(seq)
        return decode(row.body).time_ms, read(features_of(row))

    return seen


class Learner:
    """Learns after every event, and publishes with ticks, at boundaries counted in payments.

    What is known at one boundary takes force at the next: meanwhile a version is grown of it, step by step.

    Parameters
    ----------
    committer
        Writes versions, ledger entries and what was learnt, with the events they follow from.
    find
        See `Find`.
    growth
        How versions are grown.
    """

    def __init__(self, committer: Committer, find: Find, growth: Growth | None = None) -> None:
        self._committer, self._find, self._growth = committer, find, growth or Growth()
        self.recover()

    @property
    def seq(self) -> int:
        """The last journal position it includes."""
        return self._seq

    def recover(self) -> None:
        """Come back to what was kept at the last boundary; the rows after it are to be followed again."""
        self._lessons, self._next = Lessons(), b""
        self._growing: Steps[ClassifierVersion] | None = None
        self._seq, self._count, self._boundary, self._stride = 0, 0, FIRST, FIRST // STEPS
        kept = self._committer.store.meta(KEPT)
        if kept is not None:
            self._seq, self._count, self._boundary, self._next, lessons, *since = msgspec.msgpack.decode(kept)
            self._lessons.resume(lessons)
            if since:
                self._learn(*since)
        self._kept = self._seq

    @property
    def remaining(self) -> int:
        """Payments to come before a tick may bring the next version."""
        return max(0, self._boundary - self._count)

    def follow(self, event: Event, seq: int, seen: Seen) -> None:
        """Learn from an event; at a tick beyond a boundary put into force what was learnt at the one before.

        Parameters
        ----------
        seen
            What models saw of it.
        """
        self._seq = seq
        label = outcome_of(event)
        if label is not None and (payment := self._find(label.ref)) is not None:
            time_ms, then = payment
            if not then.is_restricted:
                self._lessons.judge(label.ref, label.is_fraud, time_ms, then.vector)
        if seen.vector:
            self._count += 1
            if not seen.is_restricted:
                self._lessons.see(event.ref, event.time_ms, seen.vector)
            if not self._count % self._stride:
                self._step()
        if event.kind == "tick" and not self.remaining:
            self._turn(event.time_ms)
        if seq >= self._kept + KEEP_EVERY:
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
        self._kept = self._seq
        kept: tuple[Any, ...] = (self._seq, self._count, self._boundary, self._next, lessons, *since)
        self._committer.store.put_meta(KEPT, msgspec.msgpack.encode(kept))

    def _publish(self, version: ClassifierVersion, time_ms: int) -> None:
        digest = version.hash
        self._committer.store.archive(ARTIFACT, digest, version.packed)
        self._committer.progress.models.append((self._seq + 1, digest))
        fact = {
            "hash": digest,
            "from_ms": version.from_ms,
            "to_ms": version.to_ms,
            "frauds": version.frauds,
            "genuine": version.genuine,
        }
        self._committer.ledger.append(time_ms, ENTRY, f"{ARTIFACT}:{version.number}", fact)
