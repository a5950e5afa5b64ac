"""The outbox: messages committed with what they tell of, and the relay that carries them on.

A message is written in the transaction of its event, under a sequence number, so it exists exactly
when its alert does. The relay, on a connection of its own, hands committed messages to channels (the
queue, webhooks) in order and remembers per channel how far it came. A crash between delivery and
remembering repeats the last messages; sequence numbers and idempotency keys make that harmless.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Final, Protocol

from alerts.ports import AlertQueue, Message, QueueDownError
from monitor.database import ERRORS, Database, is_unavailable

SCHEMA = """
CREATE TABLE IF NOT EXISTS outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL,
    confidential INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS outbox_positions (
    channel TEXT PRIMARY KEY,
    seq INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox_refused (
    channel TEXT NOT NULL,
    seq INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (channel, seq)
) WITHOUT ROWID;
"""


class DeliveryError(Exception):
    """A message could not be delivered now; it is tried again later."""


class RefusedError(Exception):
    """The receiver will never take this message; it is put aside with the reason."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A committed message."""

    sequence: int
    message: Message


class Channel(Protocol):
    """Where messages go."""

    name: str
    """Names the channel's position; two channels never share one."""
    topics: frozenset[str]
    """Which messages it is told; the others are passed over."""

    def deliver(self, posted: Posted) -> None:
        """Deliver a message, the same one twice without harm.

        Raises
        ------
        DeliveryError, RefusedError
        """


def connect(database: Path) -> sqlite3.Connection:
    """Open a connection for the relay or the embedded queue, beside the processor's own.

    It waits up to 10 seconds for the processor's transaction to end, may be handed to another
    thread, and does not wait for the disk: what it forgets in a power loss is only repeated.
    """
    connection = sqlite3.connect(database, isolation_level=None, timeout=10.0, check_same_thread=False)
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def post(connection: Database, messages: Iterable[Message]) -> None:
    """Add messages in order, inside the caller's transaction."""
    rows = [(message.key, int(message.confidential), message.body) for message in messages]
    connection.executemany("INSERT INTO outbox (key, confidential, body) VALUES (?, ?, ?)", rows)


def posted_after(connection: Database, sequence: int, limit: int) -> list[Posted]:
    """Return up to `limit` committed messages after a sequence, oldest first."""
    query = "SELECT seq, key, confidential, body FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?"
    rows = connection.execute(query, (sequence, limit)).fetchall()
    return [Posted(row[0], Message(row[1], bool(row[2]), row[3])) for row in rows]


def last_posted(connection: Database) -> int:
    """Return the sequence of the newest message, 0 where there is none."""
    row = connection.execute("SELECT max(seq) FROM outbox").fetchone()
    return int(row[0] or 0)


@dataclass(slots=True)
class QueueChannel:
    """The alert queue as a channel.

    The queue itself knows the last sequence it holds, so a queue that lost its content (Redis is
    never the only copy) is filled again from what the outbox keeps; see `Relay`.
    """

    queue: AlertQueue
    name: str = "queue"
    topics: frozenset[str] = frozenset({"alerts"})

    def deliver(self, posted: Posted) -> None:
        """Publish the message under its sequence; a repeat is a no-op of the queue."""
        try:
            self.queue.publish(posted.sequence, posted.message.body)
        except QueueDownError as error:
            raise DeliveryError(str(error)) from error


@dataclass(slots=True)
class Backoff:
    """How long to wait after failures: doubling from `first_s` to at most `most_s` seconds.

    Examples
    --------
    >>> backoff = Backoff(first_s=1, most_s=5)
    >>> [backoff.failed(now_s=0) for _ in range(4)]
    [1, 2, 4, 5]
    >>> backoff.is_due(4), backoff.is_due(5)
    (False, True)
    """

    first_s: float = 0.5
    most_s: float = 300.0
    failures: int = 0
    due_s: float = 0.0

    def is_due(self, now_s: float) -> bool:
        """Whether it is time to try (again)."""
        return now_s >= self.due_s

    def failed(self, now_s: float) -> float:
        """Note a failure and return the seconds until the next try."""
        # The exponent is bounded: 2 ** 1000 seconds is a number no clock needs.
        delay = min(self.most_s, self.first_s * (1 << min(self.failures, 32)))
        self.failures += 1
        self.due_s = now_s + delay
        return delay

    def worked(self) -> None:
        """Forget the failures."""
        self.failures, self.due_s = 0, 0.0


_BATCH: Final = 100
_PUT_REFUSED: Final = (
    "INSERT INTO outbox_refused VALUES (?, ?, ?)"
    " ON CONFLICT (channel, seq) DO UPDATE SET reason = excluded.reason"
)
_PUT_POSITION: Final = (
    "INSERT INTO outbox_positions VALUES (?, ?) ON CONFLICT (channel) DO UPDATE SET seq = excluded.seq"
)


class Relay:
    """Carries committed messages from the outbox to the channels.

    Every channel advances on its own: one that is down is tried again with back-off and delays no
    other. At most `batch` messages are in memory. Messages that every channel has are kept
    until the outbox holds `keep` of them, so that a queue which lost its content can be refilled.

    Parameters
    ----------
    connect
        Opens a connection of the relay's own, at the start and after every trouble with the database;
        see `connect` and `monitor.database.connect_postgres`.
    channels
        Where messages go.
    failed
        Told of every failure: channel and reason.
    delivered
        Told of what was delivered: channel and number of messages; 0 for each channel at the start.
    """

    def __init__(
        self,
        connect: Callable[[], Database],
        channels: Sequence[Channel],
        *,
        keep: int = 10_000,
        batch: int = _BATCH,
        poll_s: float = 0.1,
        backoff: Callable[[], Backoff] = Backoff,
        failed: Callable[[str, str], None] = lambda channel, reason: None,
        delivered: Callable[[str, int], None] = lambda channel, messages: None,
    ) -> None:
        self._connect = connect
        self._channels = tuple(channels)
        self._keep, self._batch, self._poll_s = keep, batch, poll_s
        self._backoffs = {channel.name: backoff() for channel in channels}
        self._failed, self._delivered = failed, delivered
        self._stopping = Event()
        self._connection: Database | None = None
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin to relay in a thread of its own."""
        self._connection = self._connect()
        for channel in self._channels:
            self._delivered(channel.name, 0)
        self._thread = Thread(target=self._run, name="outbox-relay", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish the message under way and stop; stopping twice, or unstarted, is harmless."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def health(self) -> dict[str, int]:
        """Return failures in a row by channel; 0 where the last delivery worked."""
        return {name: backoff.failures for name, backoff in self._backoffs.items()}

    def relay(self, connection: Database) -> int:
        """Deliver what is due, one batch a channel; return how many messages are done with."""
        passed = sum(self._relay_to(channel, connection) for channel in self._channels)
        if passed:
            self._trim(connection)
        return passed

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                if not self._round():
                    self._stopping.wait(self._poll_s)
        finally:
            self._disconnect()

    def _round(self) -> int:
        try:
            if self._connection is None:
                self._connection = self._connect()
            return self.relay(self._connection)
        except ERRORS as error:
            if not is_unavailable(error):
                raise
            # Away, busy, full or read-only: the next round tries again, on a connection that is whole.
            self._failed("outbox", str(error))
            self._disconnect()
            return 0

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _relay_to(self, channel: Channel, connection: Database) -> int:
        backoff = self._backoffs[channel.name]
        if not backoff.is_due(monotonic()):
            return 0
        start = reached = self._position(channel, connection)
        delivered = passed = 0
        try:
            for posted in posted_after(connection, start, self._batch):
                if self._stopping.is_set():
                    break
                if posted.message.topic in channel.topics:
                    self._deliver(channel, posted, connection)
                    delivered += 1
                    backoff.worked()
                reached, passed = posted.sequence, passed + 1
        except ERRORS:
            raise  # the outbox, not the channel; what was delivered comes again
        except Exception as error:  # whatever a channel does, the relay and the others go on
            backoff.failed(monotonic())
            self._failed(channel.name, str(error))
        if reached != start:
            _remember(connection, channel.name, reached)
            self._delivered(channel.name, delivered)
        return passed

    def _deliver(self, channel: Channel, posted: Posted, connection: Database) -> None:
        try:
            channel.deliver(posted)
        except RefusedError as error:
            self._failed(channel.name, str(error))
            row = (channel.name, posted.sequence, str(error))
            connection.execute(_PUT_REFUSED, row)

    def _position(self, channel: Channel, connection: Database) -> int:
        query = "SELECT seq FROM outbox_positions WHERE channel = ?"
        row = connection.execute(query, (channel.name,)).fetchone()
        stored = int(row[0]) if row else 0
        if isinstance(channel, QueueChannel) and stored:
            return self._held(channel, stored, connection)
        return stored

    def _held(self, channel: QueueChannel, stored: int, connection: Database) -> int:
        try:
            last = channel.queue.last()
        except QueueDownError:
            return stored  # the next delivery fails too, and says so
        # What the queue is not told of it need not hold.
        is_whole = last >= stored or not _told_between(connection, channel.topics, last, stored)
        return stored if is_whole else last

    def _trim(self, connection: Database) -> None:
        reached = min(self._stored_positions(connection))
        query = "DELETE FROM outbox WHERE seq <= ? AND seq <= (SELECT max(seq) FROM outbox) - ?"
        connection.execute(query, (reached, self._keep))

    def _stored_positions(self, connection: Database) -> list[int]:
        stored = dict(connection.execute("SELECT channel, seq FROM outbox_positions").fetchall())
        return [stored.get(channel.name, 0) for channel in self._channels]


def _told_between(connection: Database, topics: frozenset[str], after: int, until: int) -> bool:
    """Return whether a kept message of the topics lies in `(after, until]`."""
    query = "SELECT key FROM outbox WHERE seq > ? AND seq <= ? ORDER BY seq"
    rows = connection.execute(query, (after, until))
    return any(Message(key, False, b"").topic in topics for (key,) in rows.fetchall())


def _remember(connection: Database, channel: str, sequence: int) -> None:
    connection.execute(_PUT_POSITION, (channel, sequence))
