"""The one database file: journal, snapshots of states, progress; opened by one service at a time.

Both `full` and `normal` synchronisation survive a killed process, since written pages belong to
the operating system by then. They differ on power loss: `full` (HTTP ingest) keeps everything
that was acknowledged; `normal` (replay) may lose the last commits whole, and since the position
in the source goes with them, the replay repeats them with the same result.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import starmap
from pathlib import Path
from typing import Literal

from monitor.database import is_unavailable
from streams.ports import DataInUseError, JournalRow, StateRow, StoreUnavailableError
from streams.stores.bookkeeping import Bookkeeping
from streams.stores.guard import guard
from streams.stores.index import JournalIndex

SCHEMA = """
CREATE TABLE IF NOT EXISTS journal(
  seq INTEGER PRIMARY KEY, ref INTEGER NOT NULL, received_ms INTEGER NOT NULL, hash BLOB NOT NULL,
  facts BLOB, answer BLOB, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS journal_index(
  first_seq INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL, refs BLOB NOT NULL, seqs BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS states(
  kind TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL, due_ms INTEGER NOT NULL,
  packed BLOB NOT NULL, UNIQUE(kind, id));
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS artifacts(
  hash TEXT NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY(kind, hash));
CREATE TABLE IF NOT EXISTS findings(
  rule TEXT NOT NULL, seq INTEGER NOT NULL, is_fraud INTEGER NOT NULL, PRIMARY KEY(rule, seq));
"""

_JOURNAL = "seq, ref, received_ms, hash, facts, answer, body"


class Database(sqlite3.Connection):
    """The writing connection; holds the lock of its data directory until it is closed."""

    lock: int | None = None

    def close(self) -> None:
        """Close the connection and give the data directory free. Closing twice is harmless."""
        super().close()
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None


def open_database(path: Path | str, sync: Literal["full", "normal"] = "full") -> sqlite3.Connection:
    """Open the database for writing, creating it where it is missing.

    Parameters
    ----------
    path
        The file, or `:memory:`.
    sync
        `full` for acknowledged ingest, `normal` for replay (see the module's docstring).

    Raises
    ------
    DataInUseError
        Where another service holds the data directory; the message names its process.
    """
    if str(path) == ":memory:":
        return _prepare(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False), sync)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = _lock(path)
    try:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Database)
        db.lock = lock
        return _prepare(db, sync)
    except BaseException:
        os.close(lock)
        raise


def read_only(path: Path | str) -> sqlite3.Connection:
    """Open the database for reading, beside a running service or alone.

    Raises
    ------
    FileNotFoundError
        Where there is no database.
    """
    if not Path(path).exists():
        raise FileNotFoundError(
            f"{path}: no database here\n  hint: give the directory of `riskmon run` or `replay` with --data"
        )
    db = sqlite3.connect(
        f"{Path(path).absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
    )
    db.execute("PRAGMA busy_timeout = 5000")
    return db


def _lock(path: Path) -> int:
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(lock, 20).decode().strip() or "unknown"
        os.close(lock)
        raise DataInUseError(
            f"{path.parent}: in use by process {owner}\n  hint: stop it, or give another one with --data"
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def _prepare(db: sqlite3.Connection, sync: str) -> sqlite3.Connection:
    # Larger pages hold more journal rows a write; a larger checkpoint writes a hot page once, a smaller
    # one keeps nobody waiting for long.
    db.execute("PRAGMA page_size = 8192")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA synchronous = {sync}")
    db.execute(f"PRAGMA wal_autocheckpoint = {1000 if sync == 'full' else 4000}")
    db.execute("PRAGMA cache_size = -65536")
    db.execute("PRAGMA busy_timeout = 5000")
    db.execute("PRAGMA foreign_keys = ON")
    # REPLACE must fire delete triggers, or a row's seal would outlive the row.
    db.execute("PRAGMA recursive_triggers = ON")
    db.executescript(SCHEMA)
    return db


class SqliteStore(Bookkeeping[sqlite3.Connection]):
    """Journal, states and progress on one writing connection; the processor owns the transaction.

    Parameters
    ----------
    db
        From `open_database`.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        super().__init__(db)
        self.index = JournalIndex(db)

    def begin(self) -> None:
        """Start the transaction of a batch."""
        self.db.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Make the batch durable: all of it or, where this raises, nothing."""
        self.db.execute("COMMIT")

    def rollback(self) -> None:
        """Undo the batch. SQLite has often done so by itself after a failed write: then nothing happens."""
        if self.db.in_transaction:
            self.db.execute("ROLLBACK")

    def guard(self) -> None:
        """Seal every row of the tables that nothing else proves, from now on; safe to repeat."""
        self.begin()
        guard(self.db)
        self.commit()

    def reload(self) -> None:
        """Forget everything held in memory and read it again, after a rollback."""
        self.index = JournalIndex(self.db)

    def probe(self) -> None:
        """Write something small and commit it; raises where the store cannot take a batch."""
        self.begin()
        self.put_meta("probe", b"x" * 4096)
        self.commit()

    def unavailable(self, error: Exception) -> StoreUnavailableError | None:
        """Return the reason to retry later, or None where the error is not the store's condition."""
        if is_unavailable(error):
            return StoreUnavailableError(f"store: {error}")
        return None

    def append(self, rows: Sequence[JournalRow]) -> None:
        """Write journal rows, in order, and seal a block of the index where one is full."""
        stored = [row[:7] for row in rows]
        self.db.executemany(f"INSERT INTO journal({_JOURNAL}) VALUES(?, ?, ?, ?, ?, ?, ?)", stored)
        self.index.seal_full_blocks()

    def rows(self, first: int) -> Iterator[JournalRow]:
        """Read the journal from a position on, in order."""
        while chunk := self.db.execute(
            f"SELECT {_JOURNAL} FROM journal WHERE seq >= ? ORDER BY seq LIMIT 1000",  # noqa: S608
            (first,),
        ).fetchall():
            yield from starmap(JournalRow, chunk)
            first = chunk[-1][0] + 1

    def row(self, seq: int) -> JournalRow:
        """Return one journal row."""
        row = self.db.execute(f"SELECT {_JOURNAL} FROM journal WHERE seq = ?", (seq,)).fetchone()  # noqa: S608
        return JournalRow(*row)

    def state(self, kind: str, subject_id: str) -> StateRow | None:
        """Return the snapshot of a subject, or None."""
        row = self.db.execute(
            "SELECT kind, id, seq, due_ms, packed FROM states WHERE kind = ? AND id = ?", (kind, subject_id)
        ).fetchone()
        return StateRow._make(row) if row else None

    def put_states(self, rows: Iterable[StateRow]) -> None:
        """Write snapshots; the last one of a subject wins."""
        self.db.executemany(
            "INSERT INTO states(kind, id, seq, due_ms, packed) VALUES(?, ?, ?, ?, ?) ON CONFLICT(kind, id)"
            " DO UPDATE SET seq = excluded.seq, due_ms = excluded.due_ms, packed = excluded.packed",
            rows,
        )

    def timers(self) -> Iterator[tuple[int, str, str]]:
        """Give (due_ms, kind, id) of every snapshot with a timer."""
        yield from self.db.execute("SELECT due_ms, kind, id FROM states WHERE due_ms > 0").fetchall()

    def footprint(self) -> Mapping[str, tuple[int, int]]:
        """Return per kind of subject how many have a snapshot and their packed bytes together."""
        rows = self.db.execute("SELECT kind, COUNT(*), SUM(LENGTH(packed)) FROM states GROUP BY kind")
        return {kind: (count, size) for kind, count, size in rows}
