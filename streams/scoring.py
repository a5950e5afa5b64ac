"""Everything that is learnt beside the stream, as one: the classifier and the populations."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from monitor.core.events import Event
from monitor.core.models.config import ModelsConfig
from streams.commit import Committer
from streams.crowd import IN_FORCE as POPULATIONS
from streams.crowd import Crowd
from streams.journal import features_of, tick_of
from streams.learning import ARTIFACT as CLASSIFIER
from streams.learning import Learner, seen_by
from streams.ports import Progress

Parts = tuple[bytes | None, list[bytes]]
"""A classifier and populations, packed."""
_JOIN = "."


def name_at(progress: Progress, seq: int) -> str:
    """Return the name of the versions that score the event at a journal position; empty: none.

    Examples
    --------
    >>> progress = Progress(models=[(7, "m1")], populations=[(3, "p1"), (9, "p2")])
    >>> [name_at(progress, seq) for seq in (2, 3, 8, 9)]
    ['', '.p1', 'm1.p1', 'm1.p2']
    """
    names = [_in_force(epochs, seq) for epochs in (progress.models, progress.populations)]
    return _JOIN.join(names) if any(names) else ""


def parts_of(name: str, artifact: Callable[[str, str], bytes | None]) -> Parts:
    """Return what a name stands for.

    Parameters
    ----------
    artifact
        Gives an archived body by its kind and hash.
    """
    classifier, _, populations = name.partition(_JOIN)
    packed = artifact(POPULATIONS, populations) if populations else None
    found = artifact(CLASSIFIER, classifier) if classifier else None
    return found, [] if packed is None else msgspec.msgpack.decode(packed, type=list[bytes])


def _in_force(epochs: Sequence[tuple[int, str]], seq: int) -> str:
    place = bisect_right(epochs, seq, key=lambda epoch: epoch[0])
    return epochs[place - 1][1] if place else ""


class Versions:
    """Learns from settled events, and names what scores the next ones.

    Parameters
    ----------
    committer
        Writes versions, ledger entries and what was learnt, with the events they follow from.
    decode
        Gives the event of a journaled record.
    """

    def __init__(self, committer: Committer, decode: Callable[[bytes], Any]) -> None:
        self._committer, self._decode = committer, decode
        self._learner, self._crowd = Learner(committer, seen_by(committer, decode)), Crowd(committer)

    @property
    def seq(self) -> int:
        """The last journal position that both include."""
        return min(self._learner.seq, self._crowd.seq)

    @property
    def in_force(self) -> str:
        """The name of the versions that score the next event; empty: there are none yet."""
        return self.at(self._committer.progress.head + 1)

    def at(self, seq: int) -> str:
        """Return the name of the versions that score the event at a journal position."""
        return name_at(self._committer.progress, seq)

    def parts(self, name: str) -> Parts:
        """Return what a name stands for."""
        return parts_of(name, self._committer.store.artifact)

    def may_turn(self, time_ms: int, payments: int) -> bool:
        """Tell whether a tick may put other versions into force.

        Parameters
        ----------
        payments
            How many are on their way before it, not followed yet.
        """
        return self._learner.remaining <= payments or self._crowd.is_due(time_ms)

    def follow(self, event: Event, seq: int, features: bytes) -> None:
        """Learn from an event; at a tick, put into force what is due."""
        if seq > self._learner.seq:
            self._learner.follow(event, seq, features)
        if seq > self._crowd.seq:
            self._crowd.follow(event, seq, features)

    def adopt(self, config: ModelsConfig | None) -> None:
        """Learn populations by a configuration from now on."""
        self._crowd.adopt(config)

    def recover(self) -> None:
        """Come back to what was kept; the rows after `seq` are to be followed again."""
        self._learner.recover()
        self._crowd.recover()

    def catch_up(self) -> None:
        """Follow those rows, where nobody else reads the journal."""
        for row in self._committer.store.rows(self.seq + 1):
            self.follow(tick_of(row.body) or self._decode(row.body), row.seq, features_of(row))
