"""Ends a worker that must not or cannot go on: what is wrong is said, and another process starts afresh.

A stuck or outdated process is worse than a dead one, whose partitions others take over. So nothing
here repairs: it leaves.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, sleep

log = logging.getLogger(__name__)

EXIT_STATUS = 70
"""Of a worker that ended itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How patient a worker is, seconds."""

    session: float = 30.0
    """Brokers give a worker's partitions to others when they hear nothing of it for so long."""
    heartbeat: float = 3.0
    progress: float = 60.0
    """Input waits and nothing of it is carried out for so long: the worker leaves."""
    recovery: float = 300.0
    """States are not back for so long after a start or a rebalance: the worker leaves."""
    flush: float = 0.5
    """Between two writes of snapshots."""
    farewell: float = 10.0
    """For writing what is unwritten before partitions are given away."""
    look: float = 5.0
    """Between two looks at the lag."""


def leave(reason: str) -> None:
    """End the process at once, saying why."""
    log.critical("worker_leaves reason=%s", reason)
    print(f"worker: {reason}", file=sys.stderr, flush=True)  # noqa: T201  the last words of a process
    os._exit(EXIT_STATUS)


class Watch:
    """Knows since when the worker lives, recovers or stands still.

    Parameters
    ----------
    waits
        Bounds.
    leave
        Called with the reason where one is passed; does not return.
    """

    def __init__(self, waits: Waits, leave: Callable[[str], None] = leave) -> None:
        self.waits = waits
        self.leave = leave
        self._beat_s = monotonic()
        self._heard_s = monotonic()
        self._recovering_s: float | None = None

    def start(self) -> None:
        """Watch from a thread: an event loop that hangs cannot watch itself."""
        self._beat_s = self._heard_s = monotonic()
        threading.Thread(target=self._look, name="watch", daemon=True).start()

    def beat(self) -> None:
        """Note that the event loop goes round; called more often than every second."""
        self.check()
        self._beat_s = monotonic()

    def check(self) -> None:
        """Leave where the process stood still so long that others may have its partitions.

        Called before everything that is written: a process that was stopped and goes on must not
        write behind those who took over.
        """
        still = monotonic() - self._beat_s
        if still > self.waits.session / 2:
            self.leave(f"stood still for {still:.1f} s: others may have its partitions by now")

    def heard(self) -> None:
        """Note that the coordinator of the group answered: it hears heartbeats too."""
        self._heard_s = monotonic()

    def look(self) -> None:
        """Leave where something takes too long; called every second, from a thread.

        A worker that is cut off leaves too, with all it has not sent: written later, that would be
        behind what its successors wrote.
        """
        self.check()
        now, waits = monotonic(), self.waits
        if now - self._heard_s > waits.session:
            self.leave(f"has not heard of the brokers for {waits.session:g} s: others have its partitions")
        if self._recovering_s is not None and now - self._recovering_s > waits.recovery:
            self.leave(f"has not recovered its states in {waits.recovery:g} s")

    @property
    def is_recovering(self) -> bool:
        """Whether states are not back yet, since the start or a rebalance."""
        return self._recovering_s is not None

    def recovering(self) -> None:
        """Note that partitions were taken away or given, and states are to be recovered."""
        if self._recovering_s is None:
            self._recovering_s = monotonic()

    def recovered(self) -> float:
        """Note that states are there; return how long that took, seconds."""
        since, self._recovering_s = self._recovering_s, None
        return 0.0 if since is None else monotonic() - since

    def _look(self) -> None:
        while True:
            sleep(1.0)
            self.look()
