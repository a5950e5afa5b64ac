"""What others commit to PostgreSQL, seen from a process that only reads."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Event, Thread

import msgspec

from alerts.inbox.service import UnavailableError
from alerts.outbox import last_posted
from monitor.app import CONFIGURATION
from monitor.configuration import Configuration
from monitor.database import ERRORS, Database
from monitor.reader import Reader
from streams.entries import Place
from streams.progress import progress_of
from streams.settlement import PLACE
from streams.stores.reading import artifact

log = logging.getLogger(__name__)

Wake = Callable[[], None]
LOOK_S = 1.0
"""Between two looks: open pages are told of a change within this time."""


class Watch:
    """Looks once a second how far the desk is, for everybody of this process.

    Parameters
    ----------
    reader
        Of the database.
    look_s
        Between two looks.
    """

    def __init__(self, reader: Reader, look_s: float = LOOK_S) -> None:
        self._reader = reader
        self._look_s = look_s
        self._listeners: list[Wake] = []
        self._stop = Event()
        self._thread = Thread(target=self._run, name="watch", daemon=True)
        self._problem = "database: not looked at yet"
        self._seen: tuple[int, int] | None = None
        self._committed: float | None = None

    def start(self) -> None:
        """Start looking."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking; twice is harmless."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def problem(self) -> str:
        """Why the database cannot be read; empty where it can."""
        return self._problem

    @property
    def commit_age_s(self) -> float | None:
        """Seconds since the desk was last seen to commit something; None where it never was."""
        return None if self._committed is None else time.monotonic() - self._committed

    def subscribe(self, wake: Wake) -> Callable[[], None]:
        """Call `wake`, from another thread, after alerts changed; return how to end it."""
        self._listeners.append(wake)
        return lambda: self._listeners.remove(wake) if wake in self._listeners else None

    def wake(self) -> None:
        """Wake everybody who listens."""
        for listener in list(self._listeners):
            listener()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._look()
            except (UnavailableError, *ERRORS) as error:
                if not self._problem:
                    log.warning("database_unavailable reason=%s", error)
                self._problem = str(error)
            self._stop.wait(self._look_s)
        self._reader.close()

    def _look(self) -> None:
        before, self._seen = self._seen, self._reader.read(_position)
        self._problem = ""
        if before is None or before == self._seen:
            return
        self._committed = time.monotonic()
        if before[1] != self._seen[1]:
            self.wake()


def _position(db: Database) -> tuple[int, int]:
    _digest(db)  # without a configuration nothing can be taken or shown
    head = progress_of(db).head
    return head, last_posted(db)


class InForce:
    """The configuration in force, as archived in the database; asked for again once a second.

    While the database is away the last one known holds.

    Raises
    ------
    UnavailableError
        When called: no desk has put any into force yet, or the database never was reached.
    """

    def __init__(self, reader: Reader, look_s: float = LOOK_S) -> None:
        self._reader = reader
        self._look_s = look_s
        self._known: tuple[str, Configuration] | None = None
        self._looked = 0.0

    def __call__(self) -> Configuration:
        """Return it."""
        known = self._known
        if known is not None and time.monotonic() - self._looked < self._look_s:
            return known[1]
        try:
            known = self._reader.read(lambda db: in_force(db, known))
        except UnavailableError:
            if known is None:
                raise
        self._known, self._looked = known, time.monotonic()
        return known[1]


def in_force(db: Database, known: tuple[str, Configuration] | None = None) -> tuple[str, Configuration]:
    """Return hash and content of the configuration in force; `known` itself where it still is.

    Raises
    ------
    UnavailableError
        There is none yet.
    """
    digest = _digest(db)
    if known is not None and known[0] == digest:
        return known
    archive = artifact(db, CONFIGURATION, digest)
    if archive is None:
        raise LookupError(f"artifacts: configuration {digest[:12]} is not archived")
    return digest, Configuration.of_archive(archive)


def _digest(db: Database) -> str:
    rulebooks = progress_of(db).rulebooks
    if rulebooks:
        return str(rulebooks[-1][1])
    # Before the first worker answers, what the desk began with.
    row = db.execute("SELECT value FROM meta WHERE key = ?", (PLACE,)).fetchone()
    if row is None:
        raise UnavailableError("no configuration is in force yet\n  hint: start `riskmon desk`")
    return msgspec.json.decode(row[0], type=Place).configuration
