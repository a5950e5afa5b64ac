"""What is usual among customers, learnt beside the stream and published with ticks, by event time."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from monitor.core.features import FEATURES, NAMES
from monitor.core.models.config import ModelsConfig
from monitor.core.models.drift import Shift
from monitor.core.models.ensemble import Trainer
from monitor.core.models.version import ARTIFACT
from monitor.core.models.watch import Watch
from monitor.core.scorer import SUSPICIOUS_POINTS
from monitor.core.seen import VECTOR, Seen
from streams.learnt import Learnt, Lesson

IN_FORCE = "populations"
"""Kind under which the versions that are in force together are archived, by hash."""
KEPT = "crowd"
"""Under which key of the bookkeeping the populations are kept."""

_POINTS = NAMES.index("points")


class Crowd:
    """Shows the populations every payment, and publishes what they learnt.

    A payment whose rules gave 15 points or more, or whose customer is restricted, is passed over. All of it
    follows from the journal, so a restart and a verification come to the same versions.

    Parameters
    ----------
    learnt
        Takes versions, ledger entries and what is to be kept.
    kept
        What was kept last, to go on from; the lessons after it are to be followed again.
    """

    def __init__(self, learnt: Learnt, kept: bytes | None = None) -> None:
        self._learnt = learnt
        self._config: ModelsConfig | None = None
        self._trainer: Trainer
        self._watch: Watch
        self.seq = 0
        """The last journal position it includes."""
        self._versions: dict[str, bytes] = {}
        """Model and segment to the version published last, packed."""
        self._moved: list[tuple[str, str, int, str, float]] = []
        """Alarms to be told with the next turn: model, feature, version, measure, value."""
        if kept is None:
            self._learn_by(None)
        else:
            self.seq, config, trainer, watch, self._versions, *moved = msgspec.msgpack.decode(kept)
            self._learn_by(msgspec.convert(config, ModelsConfig | None))
            self._trainer.resume(trainer)
            self._watch.resume(watch)
            self._moved = [tuple(one) for alarms in moved for one in alarms]
        self.kept = self.seq
        """The journal position at which it was kept last."""

    def adopt(self, config: ModelsConfig | None, head: int) -> None:
        """Learn by a configuration from now on; where it is another one, everything is learnt anew."""
        if _learnt_by(config) != _learnt_by(self._config):
            self._learn_by(config)
            self.seq, self._versions, self._moved = head, {}, []
            self._put_into_force()
            self.keep()
        self._config = config

    def follow(self, lesson: Lesson, seen: Seen) -> None:
        """Learn from a payment at a journal position; at a tick, put into force what is due.

        Parameters
        ----------
        seen
            What models saw of it.
        """
        self.seq = lesson.seq
        if lesson.is_tick and lesson.time_ms >= self.due_ms:
            self._turn(lesson.time_ms)
        if len(seen.vector) == VECTOR.size and self._trainer.is_learning:
            vector, segment = VECTOR.unpack(seen.vector), seen.segment
            self._note(self._watch.observe(lesson.seq, vector, segment))
            if seen.is_restricted:
                self._trainer.pass_over(segment)
            elif vector[_POINTS] >= SUSPICIOUS_POINTS:
                self._trainer.pass_over(segment, vector)
            else:
                self._trainer.learn_one(lesson.time_ms, segment, vector)

    @property
    def due_ms(self) -> int:
        """From when on a tick may put other versions into force."""
        return self._trainer.due_ms

    def keep(self) -> None:
        """Have it kept as it is now."""
        self.kept = self.seq
        kept = (
            self.seq,
            msgspec.to_builtins(self._config, order="deterministic"),
            self._trainer.snapshot(),
            self._watch.snapshot(),
            self._versions,
            self._moved,
        )
        self._learnt.kept[KEPT] = msgspec.msgpack.encode(kept)

    def _learn_by(self, config: ModelsConfig | None) -> None:
        self._config = config
        self._trainer = Trainer(config.populations if config else (), FEATURES)
        self._watch = Watch(
            FEATURES,
            config.psi_alarm if config else 1.0,
            config.drift_delta if config else 0.5,
            {one.name: one.segments for one in config.populations} if config else None,
        )

    def _turn(self, time_ms: int) -> None:
        versions = self._trainer.publish(time_ms)
        for version in versions:
            self._learnt.archives.append((ARTIFACT, version.hash, version.packed))
            name = ":".join(part for part in (version.model, version.segment, str(version.number)) if part)
            fact = {
                "hash": version.hash,
                "from_ms": version.from_ms,
                "to_ms": version.to_ms,
                "learnt": version.learnt,
                "passed_over": version.passed_over,
            }
            self._learnt.entries.append((time_ms, f"{ARTIFACT}:{name}", fact))
            self._versions[f"{version.model}:{version.segment}"] = version.packed
        if versions:
            self._put_into_force()
        self._note(self._watch.turn(versions))
        # What is in the ledger is never followed again.
        if versions or self._moved:
            self._tell(time_ms)
            self.keep()

    def _put_into_force(self) -> None:
        packed = msgspec.msgpack.encode([self._versions[name] for name in sorted(self._versions)])
        digest = hashlib.sha256(packed).hexdigest()
        self._learnt.archives.append((IN_FORCE, digest, packed))
        self._learnt.epochs.append(("populations", self.seq + 1, digest))

    def _note(self, shifts: list[Shift]) -> None:
        for one in shifts:
            if one.is_alarm:
                self._moved.append((one.model, one.feature, one.version, one.measure, one.value))

    def _tell(self, time_ms: int) -> None:
        """Report and write down the alarms since the last turn."""
        for model, feature, version, measure, value in self._moved:
            fact: dict[str, Any] = {"version": version, "measure": measure, "value": value}
            self._learnt.entries.append((time_ms, f"drift:{model}:{feature}", fact))
            self._learnt.alarms.append((model, feature, measure))
        self._moved = []


def _learnt_by(config: ModelsConfig | None) -> tuple[Any, ...]:
    """Return the part of a configuration by which populations are learnt and watched."""
    return (config.populations, config.psi_alarm, config.drift_delta) if config else ()
