"""The embedded alert queue: two tables in SQLite, for a monitor without servers."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from time import time

from alerts.ports import Delivery, QueueDownError

SCHEMA = """
CREATE TABLE IF NOT EXISTS queue_messages (
    seq INTEGER PRIMARY KEY,
    message BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS queue_groups (
    name TEXT PRIMARY KEY,
    seq INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS queue_pending (
    name TEXT NOT NULL,
    seq INTEGER NOT NULL,
    consumer TEXT NOT NULL,
    read_ms INTEGER NOT NULL,
    deliveries INTEGER NOT NULL,
    PRIMARY KEY (name, seq)
) WITHOUT ROWID;
"""


class SqliteQueue:
    """An `AlertQueue` over a connection of its own (see `alerts.outbox.connect`), safe between threads.

    Parameters
    ----------
    connection
        In autocommit mode, not the processor's; `SCHEMA` is put in place.
    keep
        How many messages to keep at most; the oldest go, pending or not.
    clock_ms
        Wall clock, for the idle time of `claim`.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        keep: int = 100_000,
        clock_ms: Callable[[], int] = lambda: round(time() * 1000),
    ) -> None:
        self._connection = connection
        self._keep = keep
        self._clock_ms = clock_ms
        self._lock = Lock()
        connection.executescript(SCHEMA)

    def publish(self, sequence: int, message: bytes) -> bool:
        """Add a message; return False where `sequence` was already published."""
        with self._transaction() as connection:
            if sequence <= _last(connection):
                return False
            connection.execute("INSERT INTO queue_messages VALUES (?, ?)", (sequence, message))
            for table in ("queue_messages", "queue_pending"):
                connection.execute(f"DELETE FROM {table} WHERE seq <= ?", (sequence - self._keep,))  # noqa: S608 (constants only)
            return True

    def last(self) -> int:
        """Return the highest sequence published, 0 where there is none."""
        with self._transaction() as connection:
            return _last(connection)

    def read(self, group: str, consumer: str, count: int = 10) -> list[Delivery]:
        """Return up to `count` messages that nobody of the group has read yet, oldest first."""
        with self._transaction() as connection:
            reached = connection.execute("SELECT seq FROM queue_groups WHERE name = ?", (group,)).fetchone()
            query = "SELECT seq, message FROM queue_messages WHERE seq > ? ORDER BY seq LIMIT ?"
            rows = connection.execute(query, (reached[0] if reached else 0, count)).fetchall()
            if rows:
                connection.execute("INSERT OR REPLACE INTO queue_groups VALUES (?, ?)", (group, rows[-1][0]))
            now_ms = self._clock_ms()
            pending = [(group, seq, consumer, now_ms, 1) for seq, _ in rows]
            connection.executemany("INSERT INTO queue_pending VALUES (?, ?, ?, ?, ?)", pending)
        return [Delivery(seq, message, 1) for seq, message in rows]

    def ack(self, group: str, sequence: int) -> bool:
        """Mark a message as done by the group; return False where it was not pending."""
        with self._transaction() as connection:
            query = "DELETE FROM queue_pending WHERE name = ? AND seq = ?"
            return connection.execute(query, (group, sequence)).rowcount == 1

    def pending(self, group: str) -> dict[int, str]:
        """Return the messages read and not acknowledged: sequence to consumer, ascending."""
        query = "SELECT seq, consumer FROM queue_pending WHERE name = ? ORDER BY seq"
        with self._transaction() as connection:
            return dict(connection.execute(query, (group,)).fetchall())

    def claim(self, group: str, consumer: str, idle_ms: int, count: int = 10) -> list[Delivery]:
        """Take over messages pending for at least `idle_ms` (wall clock) and return them."""
        query = (
            "SELECT p.seq, m.message, p.deliveries + 1 "
            "FROM queue_pending p JOIN queue_messages m USING (seq) "
            "WHERE p.name = ? AND p.read_ms <= ? ORDER BY p.seq LIMIT ?"
        )
        taken = (
            "UPDATE queue_pending SET consumer = ?, read_ms = ?, deliveries = ? WHERE name = ? AND seq = ?"
        )
        with self._transaction() as connection:
            now_ms = self._clock_ms()
            rows = connection.execute(query, (group, now_ms - idle_ms, count)).fetchall()
            connection.executemany(taken, [(consumer, now_ms, times, group, seq) for seq, _, times in rows])
        return [Delivery(*row) for row in rows]

    def close(self) -> None:
        """Close the connection; closing twice is harmless."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                except BaseException:
                    self._connection.execute("ROLLBACK")
                    raise
                self._connection.execute("COMMIT")
            except sqlite3.OperationalError as error:
                raise QueueDownError(f"embedded queue: {error}") from error


def _last(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT max(seq) FROM queue_messages").fetchone()
    return int(row[0] or 0)
