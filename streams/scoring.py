"""What scores events: versions that are in force, and the learning from which the next ones come."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from monitor.core.events import Event
from monitor.core.feedback import outcome_of
from monitor.core.models.config import ModelsConfig
from monitor.core.models.scale import ARTIFACT as SCALE
from streams.commit import Committer
from streams.crowd import IN_FORCE as POPULATIONS
from streams.journal import facts_of, features_of, position, tick_of
from streams.learners import KEYS, Learners, Learning
from streams.learning import ARTIFACT as CLASSIFIER
from streams.learnt import Agenda, Learnt, Lesson, Told
from streams.ports import JournalRow, Progress

Parts = tuple[bytes | None, list[bytes], bytes | None]
"""A classifier, populations and a scale, packed."""
ENTRY = "model"
"""Kind of the ledger's entries about versions and drift."""
_JOIN = "."


def name_at(progress: Progress, seq: int) -> str:
    """Return the name of the versions that score the event at a journal position; empty: none.

    Examples
    --------
    >>> progress = Progress(models=[(7, "m1")], populations=[(3, "p1"), (9, "p2")])
    >>> [name_at(progress, seq) for seq in (2, 3, 8, 9)]
    ['', '.p1', 'm1.p1', 'm1.p2']
    """
    names = [_in_force(epochs, seq) for epochs in (progress.models, progress.populations, progress.scales)]
    return _JOIN.join(names).rstrip(_JOIN) if any(names) else ""


def parts_of(name: str, artifact: Callable[[str, str], bytes | None]) -> Parts:
    """Return what a name stands for.

    Parameters
    ----------
    artifact
        Gives an archived body by its kind and hash.
    """
    classifier, populations, scale = (*name.split(_JOIN), "", "")[:3]
    packed = artifact(POPULATIONS, populations) if populations else None
    return (
        artifact(CLASSIFIER, classifier) if classifier else None,
        [] if packed is None else msgspec.msgpack.decode(packed, type=list[bytes]),
        artifact(SCALE, scale) if scale else None,
    )


def _in_force(epochs: Sequence[tuple[int, str]], seq: int) -> str:
    place = bisect_right(epochs, seq, key=lambda epoch: epoch[0])
    return epochs[place - 1][1] if place else ""


class Versions:
    """Has learners learn from settled events, writes down what they learnt, names what scores next.

    Parameters
    ----------
    committer
        Writes versions, ledger entries and what was learnt, with the events they follow from.
    decode
        Gives the event of a journaled record.
    learning
        The learners; by default in this process.
    """

    def __init__(
        self, committer: Committer, decode: Callable[[bytes], Any], learning: Learning | None = None
    ) -> None:
        self._committer, self._decode = committer, decode
        self._learning = learning or Learners()
        self._agenda, self._remaining = Agenda(), 0

    @property
    def seq(self) -> int:
        """The last journal position that was learnt from when `recover` came back to it."""
        return self._agenda.seq

    @property
    def in_force(self) -> str:
        """The name of the versions that score the next event; empty: there are none yet."""
        return self.at(self._committer.progress.head + 1)

    @property
    def configuration(self) -> str:
        """Hash of the configuration in force for the next event; empty before the first."""
        rulebooks = self._committer.progress.rulebooks
        return rulebooks[-1][1] if rulebooks else ""

    def at(self, seq: int) -> str:
        """Return the name of the versions that score the event at a journal position."""
        return name_at(self._committer.progress, seq)

    def parts(self, name: str) -> Parts:
        """Return what a name stands for."""
        return parts_of(name, self._committer.store.artifact)

    def would_turn(self, event: Event) -> bool:
        """Tell whether a person's step would put another configuration into force."""
        return self._committer.would_turn(event)

    def may_turn(self, time_ms: int, payments: int) -> bool:
        """Tell whether a tick may put other versions into force.

        Parameters
        ----------
        payments
            How many are on their way before it, not followed yet.
        """
        return self._remaining <= payments or time_ms >= self._agenda.tick_ms

    def follow(self, event: Event, seq: int, features: bytes) -> None:
        """Learn from an event; at a tick, put into force what is due.

        Parameters
        ----------
        features
            What models saw of it; empty for whatever is no payment.
        """
        is_tick, told = event.kind == "tick", self._told(event)
        if features or told is not None or is_tick:
            lesson = Lesson(seq, event.time_ms, event.ref, features, is_tick, told)
            if features and seq > self._agenda.counted:
                self._remaining -= 1
            if is_tick and self.may_turn(event.time_ms, 0):
                self._write(self._learning.turn(lesson))
            else:
                self._learning.follow(lesson)
        if seq >= self._agenda.keep:
            self._write(self._learning.keep(seq))

    def follow_row(self, event: Event, row: JournalRow) -> None:
        """Follow an event by its journal row."""
        event.facts = facts_of(row)
        self.follow(event, row.seq, features_of(row))

    def adopt(self, config: ModelsConfig | None) -> None:
        """Learn by a configuration from now on."""
        self._write(self._learning.adopt(config, self._committer.progress.head))

    def recover(self) -> None:
        """Come back to what was kept; the rows after `seq` are to be followed again."""
        store = self._committer.store
        kept = {key: value for key in KEYS if (value := store.meta(key)) is not None}
        self._write(self._learning.recover(kept))

    def catch_up(self) -> None:
        """Follow those rows, where nobody else reads the journal."""
        for row in self._committer.store.rows(self.seq + 1):
            self.follow_row(tick_of(row.body) or self._decode(row.body), row)

    def _told(self, event: Event) -> Told | None:
        """Return what an event tells of an earlier payment, those of the running batch included."""
        label = outcome_of(event)
        if label is None:
            return None
        seq = position(self._committer.store, label.ref)
        if seq is None:
            return None
        row = self._committer.row(seq)
        return Told(label.ref, label.is_fraud, self._decode(row.body).time_ms, features_of(row))

    def _write(self, learnt: Learnt) -> None:
        committer = self._committer
        for kind, digest, body in learnt.archives:
            committer.store.archive(kind, digest, body)
        for name, seq, digest in learnt.epochs:
            epochs: list[tuple[int, str]] = getattr(committer.progress, name)
            if digest or (epochs and epochs[-1][1]):
                epochs.append((seq, digest))
        for time_ms, subject, fact in learnt.entries:
            committer.ledger.append(time_ms, ENTRY, subject, fact)
        for alarm in learnt.alarms:
            committer.sensor.on_drift(*alarm)
        for learner in learnt.failed:
            committer.sensor.on_lesson_failure(learner)
        for key, value in learnt.kept.items():
            committer.store.put_meta(key, value)
        self._agenda, self._remaining = learnt.agenda, learnt.agenda.remaining
