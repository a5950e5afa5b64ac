"""What is usual among customers, learnt beside the stream and published with ticks, by event time."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from monitor.core.events import Event
from monitor.core.features import FEATURES, NAMES
from monitor.core.models.config import ModelsConfig
from monitor.core.models.drift import Shift
from monitor.core.models.ensemble import Trainer
from monitor.core.models.version import ARTIFACT
from monitor.core.models.watch import Watch
from monitor.core.scorer import SUSPICIOUS_POINTS
from monitor.core.seen import VECTOR, Seen
from streams.commit import Committer

IN_FORCE = "populations"
"""Kind under which the versions that are in force together are archived, by hash."""
KEPT = "crowd"
"""Under which key of the bookkeeping the populations are kept."""
ENTRY = "model"
"""Kind of the ledger's entries about versions and drift."""
KEEP_EVERY = 50_000
"""Journal positions that a restart has to follow again, at most."""

_POINTS = NAMES.index("points")


class Crowd:
    """Shows the populations every payment, and publishes what they learnt.

    A payment whose rules gave 15 points or more, or whose customer is restricted, is passed over. All of it
    follows from the journal, so a restart and a verification come to the same versions.

    Parameters
    ----------
    committer
        Writes versions, ledger entries and what was learnt, with the events they follow from.
    """

    def __init__(self, committer: Committer) -> None:
        self._committer = committer
        self._config: ModelsConfig | None = None
        self._trainer: Trainer
        self._watch: Watch
        self.recover()

    def recover(self) -> None:
        """Come back to what was kept last; the rows after it are to be followed again."""
        self.seq = 0
        self._versions: dict[str, bytes] = {}
        """Model and segment to the version published last, packed."""
        kept = self._committer.store.meta(KEPT)
        if kept is None:
            self._learn_by(None)
        else:
            self.seq, config, trainer, watch, self._versions = msgspec.msgpack.decode(kept)
            self._learn_by(msgspec.convert(config, ModelsConfig | None))
            self._trainer.resume(trainer)
            self._watch.resume(watch)
        self._kept = self.seq

    def adopt(self, config: ModelsConfig | None) -> None:
        """Learn by a configuration from now on; where it is another one, everything is learnt anew."""
        if _learnt_by(config) != _learnt_by(self._config):
            self._learn_by(config)
            self.seq, self._versions = self._committer.progress.head, {}
            self._put_into_force()
            self._keep()
        self._config = config

    def follow(self, event: Event, seq: int, seen: Seen) -> None:
        """Learn from a payment at a journal position; at a tick, put into force what is due.

        Parameters
        ----------
        seen
            What models saw of it.
        """
        self.seq, time_ms = seq, event.time_ms
        has_told = False
        if event.kind == "tick" and self._trainer.is_due(time_ms):
            has_told = self._turn(time_ms)
        if len(seen.vector) == VECTOR.size and self._trainer.is_learning:
            vector, segment = VECTOR.unpack(seen.vector), seen.segment
            has_told = self._tell(self._watch.observe(seq, vector, segment), time_ms) or has_told
            if seen.is_restricted:
                self._trainer.pass_over(segment)
            elif vector[_POINTS] >= SUSPICIOUS_POINTS:
                self._trainer.pass_over(segment, vector)
            else:
                self._trainer.learn_one(time_ms, segment, vector)
        # What is in the ledger is never followed again.
        if has_told or seq >= self._kept + KEEP_EVERY:
            self._keep()

    def is_due(self, time_ms: int) -> bool:
        """Return whether a tick at that time may put other versions into force."""
        return self._trainer.is_due(time_ms)

    def _learn_by(self, config: ModelsConfig | None) -> None:
        self._config = config
        self._trainer = Trainer(config.populations if config else (), FEATURES)
        self._watch = Watch(
            FEATURES,
            config.psi_alarm if config else 1.0,
            config.drift_delta if config else 0.5,
            {one.name: one.segments for one in config.populations} if config else None,
        )

    def _turn(self, time_ms: int) -> bool:
        versions = self._trainer.publish(time_ms)
        for version in versions:
            self._committer.store.archive(ARTIFACT, version.hash, version.packed)
            name = ":".join(part for part in (version.model, version.segment, str(version.number)) if part)
            fact = {
                "hash": version.hash,
                "from_ms": version.from_ms,
                "to_ms": version.to_ms,
                "learnt": version.learnt,
                "passed_over": version.passed_over,
            }
            self._committer.ledger.append(time_ms, ENTRY, f"{ARTIFACT}:{name}", fact)
            self._versions[f"{version.model}:{version.segment}"] = version.packed
        if versions:
            self._put_into_force()
        self._tell(self._watch.turn(versions), time_ms)
        return bool(versions)

    def _put_into_force(self) -> None:
        packed = msgspec.msgpack.encode([self._versions[name] for name in sorted(self._versions)])
        digest = hashlib.sha256(packed).hexdigest()
        self._committer.store.archive(IN_FORCE, digest, packed)
        self._committer.progress.populations.append((self.seq + 1, digest))

    def _tell(self, shifts: list[Shift], time_ms: int) -> bool:
        """Report and write down the alarms; return whether there were any."""
        alarms = [shift for shift in shifts if shift.is_alarm]
        for shift in alarms:
            name = f"drift:{shift.model}:{shift.feature}"
            fact: dict[str, Any] = {"version": shift.version, "measure": shift.measure, "value": shift.value}
            self._committer.ledger.append(time_ms, ENTRY, name, fact)
            self._committer.sensor.on_drift(shift.model, shift.feature, shift.measure)
        return bool(alarms)

    def _keep(self) -> None:
        self._kept = self.seq
        kept = (
            self.seq,
            msgspec.to_builtins(self._config),
            self._trainer.snapshot(),
            self._watch.snapshot(),
            self._versions,
        )
        self._committer.store.put_meta(KEPT, msgspec.msgpack.encode(kept))


def _learnt_by(config: ModelsConfig | None) -> tuple[Any, ...]:
    """Return the part of a configuration by which populations are learnt and watched."""
    return (config.populations, config.psi_alarm, config.drift_delta) if config else ()
