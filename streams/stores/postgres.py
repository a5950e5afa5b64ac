"""Journal and bookkeeping in PostgreSQL: written by the one desk of a cluster, read by whoever may.

The tables are those of `monitor.migrations`. States are not here: the workers of a cluster keep them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from time import sleep

from monitor.database import PostgresDatabase, connect_postgres, is_unavailable
from streams.ports import DataInUseError, JournalRow, StoreUnavailableError
from streams.stores.bookkeeping import Bookkeeping

LOCK = "1919513451, hashtext(current_schema())"
"""The advisory lock of the desk: one for every schema of every database."""

_TRIES, _PAUSE_S = 10, 0.05
_COLUMNS = {
    "seq": "int8",
    "ref": "int8",
    "received_ms": "int8",
    "hash": "bytea",
    "facts": "bytea",
    "answer": "bytea",
    "body": "bytea",
    "customer_id": "text",
}
_JOURNAL = ", ".join(_COLUMNS)
_HOLDER = """
SELECT activity.pid, COALESCE(host(activity.client_addr), 'this host')
FROM pg_locks JOIN pg_stat_activity AS activity USING (pid)
WHERE locktype = 'advisory' AND classid = 1919513451 AND granted AND activity.datname = current_database()
"""


def open_postgres(url: str) -> PostgresDatabase:
    """Open the database for writing, as its only desk; `monitor.migrations.migrate` comes first.

    The lock belongs to the session: it is given free when the connection ends, however that comes.

    Raises
    ------
    DataInUseError
        Where another desk has it; the message names its server process and its host.
    psycopg.OperationalError
        The server cannot be reached; see `monitor.database.is_unavailable`.
    """
    db = connect_postgres(url)
    try:
        claim(db)
    except BaseException:
        db.close()
        raise
    return db


def claim(db: PostgresDatabase) -> None:
    """Take the lock of the desk for this session; taking it twice in a session is harmless."""
    for _ in range(_TRIES):
        if db.execute(f"SELECT pg_try_advisory_lock({LOCK})").fetchone() == (True,):
            return
        sleep(_PAUSE_S)  # a desk that ended just now: the server takes a moment to notice
    holder = db.execute(_HOLDER).fetchone()
    who = f"server process {holder[0]} from {holder[1]}" if holder else "a desk that just ended"
    hint = "stop the other desk; one that was cut off is given up after half a minute"
    raise DataInUseError(f"database: in use by {who}\n  hint: {hint}")


class PostgresStore(Bookkeeping[PostgresDatabase]):
    """Journal and bookkeeping on one connection; the caller owns the transaction.

    A connection that is lost in the middle of `commit` leaves it open whether the batch was kept.
    `unavailable` tells so like any other trouble; the caller then waits, calls `reload` and reads
    `meta("progress")` again, which was written in the same transaction: it says what is kept.

    Parameters
    ----------
    db
        From `open_postgres`; one from `connect_postgres` serves for reading.
    """

    def __init__(self, db: PostgresDatabase) -> None:
        super().__init__(db)
        self.index = References(db)

    def begin(self) -> None:
        """Start the transaction of a batch."""
        self.db.execute("BEGIN")

    def commit(self) -> None:
        """Make the batch durable: all of it or, where this raises, nothing; but see the class."""
        # PostgreSQL answers the COMMIT of a transaction that failed before with a rollback, not an error.
        if (done := self.db.execute("COMMIT").statusmessage) != "COMMIT":
            raise RuntimeError(f"database: expected COMMIT, was {done}: a statement of the batch had failed")
        self.index.forget()

    def rollback(self) -> None:
        """Undo the batch; a lost connection has undone it already."""
        if self.db.in_transaction and not self.db.is_lost:
            try:
                self.db.execute("ROLLBACK")
            except Exception as error:
                if not is_unavailable(error):
                    raise
        self.index.forget()

    def reload(self) -> None:
        """Come back to what is committed: on a new connection, and its only desk again, where it was lost.

        Raises
        ------
        StoreUnavailableError
            The server is away, another desk took over, or the server has not yet noticed that the old
            connection ended.
        """
        if self.db.is_lost:
            try:
                self.db.reconnect()
                claim(self.db)
            except Exception as error:
                self.db.close()  # or it would be written to without the lock
                raise self.unavailable(error) or error from error
        self.index.forget()

    def guard(self) -> None:
        """Do nothing: chains and recomputation prove the tables, see `streams.verification`."""

    def probe(self) -> None:
        """Write something small and commit it, on a new connection where the old one is lost."""
        self.reload()
        self.begin()
        self.put_meta("probe", b"x" * 4096)
        self.commit()

    def unavailable(self, error: Exception) -> StoreUnavailableError | None:
        """Return the reason to retry later, or None where the error is not the store's condition."""
        if is_unavailable(error) or isinstance(error, DataInUseError):
            return StoreUnavailableError(f"store: {error}")
        return None

    def append(self, rows: Sequence[JournalRow]) -> None:
        """Write journal rows, in order; with the id of the customer stage, for `streams.history`."""
        self.db.copy("journal", _COLUMNS, rows)

    def rows(self, first: int) -> Iterator[JournalRow]:
        """Read the journal from a position on, in order."""
        while chunk := self.db.execute(
            f"SELECT {_JOURNAL} FROM journal WHERE seq >= ? ORDER BY seq LIMIT 1000",  # noqa: S608
            (first,),
        ).fetchall():
            yield from map(JournalRow._make, chunk)
            first = chunk[-1][0] + 1

    def row(self, seq: int) -> JournalRow:
        """Return one journal row."""
        row = self.db.execute(f"SELECT {_JOURNAL} FROM journal WHERE seq = ?", (seq,)).fetchone()  # noqa: S608
        if row is None:
            raise LookupError(f"journal: no row {seq}")
        return JournalRow._make(row)

    def footprint(self) -> Mapping[str, tuple[int, int]]:
        """Return nothing: states are with the workers, which measure them."""
        return {}


class References:
    """Finds journal positions by reference: those committed, and those of the running batch."""

    def __init__(self, db: PostgresDatabase) -> None:
        self._db = db
        self._batch: dict[int, int] = {}

    def find(self, refs: Sequence[int]) -> dict[int, int]:
        """Return the journal position of each of these references that is known."""
        batch = self._batch
        found = {ref: batch[ref] for ref in refs if ref in batch}
        if rest := [ref for ref in refs if ref not in found]:
            found.update(self._db.execute("SELECT ref, seq FROM journal WHERE ref = ANY(?)", (rest,)))
        return found

    def add(self, ref: int, seq: int) -> None:
        """Remember an event of the running batch."""
        self._batch[ref] = seq

    def get_unsealed(self, ref: int) -> int | None:
        """Return the position of an event of the running batch."""
        return self._batch.get(ref)

    def forget(self) -> None:
        """Forget the batch: it is in the journal, or nowhere."""
        self._batch = {}
