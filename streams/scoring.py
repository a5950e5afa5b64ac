"""Everything that is learnt beside the stream, as one: the classifier, the populations, the scale."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from monitor.core.events import Event
from monitor.core.models.config import ModelsConfig
from monitor.core.models.scale import ARTIFACT as SCALE
from monitor.core.seen import read
from streams.commit import Committer
from streams.crowd import IN_FORCE as POPULATIONS
from streams.crowd import Crowd
from streams.journal import facts_of, features_of, tick_of
from streams.learning import ARTIFACT as CLASSIFIER
from streams.learning import Learner, seen_by
from streams.ports import JournalRow, Progress
from streams.scaling import Scaling

Parts = tuple[bytes | None, list[bytes], bytes | None]
"""A classifier, populations and a scale, packed."""
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
        find = seen_by(committer, decode)
        self._learner, self._crowd, self._scaling = (
            Learner(committer, find),
            Crowd(committer),
            Scaling(committer, find),
        )

    @property
    def seq(self) -> int:
        """The last journal position that all of them include."""
        return min(self._learner.seq, self._crowd.seq, self._scaling.seq)

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

    def may_turn(self, time_ms: int, payments: int) -> bool:
        """Tell whether a tick may put other versions into force.

        Parameters
        ----------
        payments
            How many are on their way before it, not followed yet.
        """
        return (
            self._learner.remaining <= payments
            or self._crowd.is_due(time_ms)
            or self._scaling.is_due(time_ms)
        )

    def follow(self, event: Event, seq: int, features: bytes) -> None:
        """Learn from an event; at a tick, put into force what is due.

        Parameters
        ----------
        features
            What models saw of it; empty for whatever is no payment.
        """
        seen = read(features)
        if seq > self._learner.seq:
            self._learner.follow(event, seq, seen)
        if seq > self._crowd.seq:
            self._crowd.follow(event, seq, seen)
        if seq > self._scaling.seq:
            self._scaling.follow(event, seq, seen)

    def follow_row(self, event: Event, row: JournalRow) -> None:
        """Follow an event by its journal row."""
        event.facts = facts_of(row)
        self.follow(event, row.seq, features_of(row))

    def adopt(self, config: ModelsConfig | None) -> None:
        """Learn by a configuration from now on."""
        self._crowd.adopt(config)
        self._scaling.adopt(config)

    def recover(self) -> None:
        """Come back to what was kept; the rows after `seq` are to be followed again."""
        self._learner.recover()
        self._crowd.recover()
        self._scaling.recover()

    def catch_up(self) -> None:
        """Follow those rows, where nobody else reads the journal."""
        for row in self._committer.store.rows(self.seq + 1):
            self.follow_row(tick_of(row.body) or self._decode(row.body), row)
