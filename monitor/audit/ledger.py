"""The ledger: an append-only chain of hashes over everything that was decided.

Every entry holds the hash of the entry before it, so a byte changed, an entry taken out or two
entries exchanged break the chain at a place that `verify` names. Bodies hold event time only,
nothing of the wall clock, of batches or of journal positions: two runs over the same events have
the same ledger, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from sqlite3 import Connection
from typing import Any

import orjson

from monitor.database import Database, insert

SCHEMA = """
CREATE TABLE IF NOT EXISTS ledger (
    seq INTEGER PRIMARY KEY,
    time_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    body BLOB NOT NULL,
    hash BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS ledger_kind ON ledger (kind, seq);
CREATE INDEX IF NOT EXISTS ledger_subject ON ledger (subject, time_ms);
CREATE INDEX IF NOT EXISTS ledger_time ON ledger (time_ms);
"""

GENESIS = bytes(32)
"""The hash before the first entry."""

_ALL = 2**62

_TYPES = {
    "seq": "int8",
    "time_ms": "int8",
    "kind": "text",
    "subject": "text",
    "body": "bytea",
    "hash": "bytea",
}
_COLUMNS = ", ".join(_TYPES)
# In SQLite, text is read as bytes: a flipped byte may leave text that is no UTF-8, which its reader
# would refuse before `verify` could name the entry.
_SQLITE_COLUMNS = "seq, time_ms, CAST(kind AS BLOB), CAST(subject AS BLOB), body, hash"


@dataclass(frozen=True, slots=True)
class Entry:
    """One fact of the ledger."""

    seq: int
    """Position, 1 and up without gaps."""
    time_ms: int
    """Event time, epoch milliseconds."""
    kind: str
    """`hit`, `rating`, `alert`, `late`, `rulebook`, `model`, `access`, `dead_letter`, ..."""
    subject: str
    """Whom it is about, `customer:C-1`; empty where nobody."""
    body: bytes
    """Canonical JSON: sorted keys, UTF-8."""
    hash: bytes
    """32 bytes; see `chain`."""

    @property
    def data(self) -> dict[str, Any]:
        """The body, decoded."""
        return dict(orjson.loads(self.body))


@dataclass(frozen=True, slots=True)
class Break:
    """The first entry at which the chain does not hold."""

    seq: int
    reason: str

    def __str__(self) -> str:
        return f"ledger entry {self.seq}: {self.reason}"


def canonical(payload: Mapping[str, Any]) -> bytes:
    """Return canonical JSON: sorted keys, no spaces, UTF-8.

    Examples
    --------
    >>> canonical({"b": 1, "a": (2, None)})
    b'{"a":[2,null],"b":1}'
    """
    return orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)


def chain(previous_hash: bytes, time_ms: int, kind: str, subject: str, body: bytes) -> bytes:
    """Return the hash of an entry that follows the entry with `previous_hash`.

    The lengths of the variable parts are hashed before them, so no two different entries have
    the same encoding.

    Examples
    --------
    >>> chain(GENESIS, 0, "ab", "c", b"{}") == chain(GENESIS, 0, "a", "bc", b"{}")
    False
    """
    name, whom = kind.encode(), subject.encode()
    return sha256(
        b"%b%d %d %d %b%b%b" % (previous_hash, time_ms, len(name), len(whom), name, whom, body)
    ).digest()


def verify(entries: Iterable[Entry], start_hash: bytes = GENESIS, start_seq: int = 0) -> Break | None:
    """Return the first broken entry, or None where the chain holds.

    Parameters
    ----------
    entries
        In order of `seq`, following the entry `start_seq`.
    start_hash, start_seq
        Hash and position of the entry before the first one; the defaults begin the ledger.

    Notes
    -----
    Entries cut off at the end leave a chain that holds: compare the last hash with a head that
    was kept elsewhere.

    Examples
    --------
    >>> first = Entry(1, 5, "hit", "customer:C-1", b"{}", chain(GENESIS, 5, "hit", "customer:C-1", b"{}"))
    >>> verify([first]) is None
    True
    >>> print(verify([Entry(1, 6, "hit", "customer:C-1", b"{}", first.hash)]))
    ledger entry 1: its hash does not follow from its content and the entry before
    """
    seq, previous = start_seq, start_hash
    for entry in entries:
        seq += 1
        if entry.seq != seq:
            return Break(seq, f"expected entry {seq}, was {entry.seq}")
        if not _follows(entry, previous):
            return Break(seq, "its hash does not follow from its content and the entry before")
        previous = entry.hash
    return None


class Ledger:
    """The ledger in a database, appended to inside the caller's transactions.

    `append` buffers; `flush` writes the buffer with one statement and must be called before the
    caller commits. After the caller rolled its transaction back, `rollback` drops what was
    buffered or flushed since and goes on from the stored head. Entries that were not flushed are
    not seen by the readers of this class, except `holds`.

    Parameters
    ----------
    connection
        With `SCHEMA` in place; a read-only connection serves for reading.
    """

    def __init__(self, connection: Database) -> None:
        self._connection = connection
        self._columns = _SQLITE_COLUMNS if isinstance(connection, Connection) else _COLUMNS
        self._buffer: list[tuple[int, int, str, str, bytes, bytes]] = []
        self._seq, self._head = self._stored_head()

    @property
    def head(self) -> bytes:
        """The hash of the last entry, buffered ones included; `GENESIS` where there is none."""
        return self._head

    @property
    def seq(self) -> int:
        """The position of the last entry, buffered ones included; 0 where there is none."""
        return self._seq

    def append(self, time_ms: int, kind: str, subject: str, payload: Mapping[str, Any]) -> None:
        """Add an entry behind the last one; it is written by the next `flush`."""
        body = canonical(payload)
        self._head = chain(self._head, time_ms, kind, subject, body)
        self._seq += 1
        self._buffer.append((self._seq, time_ms, kind, subject, body, self._head))

    def flush(self) -> None:
        """Write the buffer inside the caller's transaction.

        Raises
        ------
        RuntimeError
            The stored ledger is not where the buffer begins: somebody else wrote to it, or
            `rollback` was not called after the transaction was rolled back.
        """
        if not self._buffer:
            return
        stored, first = self._stored_head()[0], self._buffer[0][0]
        if first != stored + 1:
            raise RuntimeError(f"ledger: expected to append entry {stored + 1}, was {first}")
        insert(self._connection, "ledger", _TYPES, self._buffer)
        self._buffer.clear()

    def rollback(self) -> None:
        """Forget what was not committed; to be called after the connection's own rollback."""
        self._buffer.clear()
        self._seq, self._head = self._stored_head()

    def holds(self, time_ms: int, kind: str, subject: str, payload: Mapping[str, Any]) -> bool:
        """Tell whether the very same fact is in the ledger, buffered entries included."""
        wanted = (time_ms, kind, subject, canonical(payload))
        if any(row[1:5] == wanted for row in self._buffer):
            return True
        query = "SELECT 1 FROM ledger WHERE time_ms = ? AND kind = ? AND subject = ? AND body = ? LIMIT 1"
        return self._connection.execute(query, wanted).fetchone() is not None

    def entry(self, seq: int) -> Entry | None:
        """Return the entry at a position, or None."""
        return next(self.entries(start_seq=seq - 1, end_seq=seq), None)

    def entries(
        self,
        *,
        start_seq: int = 0,
        end_seq: int | None = None,
        kind: str | None = None,
        subject: str | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
        newest_first: bool = False,
        limit: int | None = None,
    ) -> Iterator[Entry]:
        """Yield entries in order of `seq`.

        Parameters
        ----------
        start_seq, end_seq
            After the one, up to and including the other.
        kind, subject
            Only these.
        start_ms, end_ms
            Event time from the one (included) to the other (excluded).
        limit
            At most so many; all by default.
        """
        conditions = [
            ("seq > ?", start_seq or None),
            ("seq <= ?", end_seq),
            ("kind = ?", kind),
            ("subject = ?", subject),
            ("time_ms >= ?", start_ms),
            ("time_ms < ?", end_ms),
        ]
        wanted = [(text, value) for text, value in conditions if value is not None]
        where = " WHERE " + " AND ".join(text for text, _ in wanted) if wanted else ""
        order = " ORDER BY seq DESC" if newest_first else " ORDER BY seq"
        values = [*(value for _, value in wanted), _ALL if limit is None else limit]
        query = f"SELECT {self._columns} FROM ledger{where}{order} LIMIT ?"  # noqa: S608 (constants only)
        return (_entry(row) for row in self._connection.execute(query, values))

    def _stored_head(self) -> tuple[int, bytes]:
        row = self._connection.execute("SELECT seq, hash FROM ledger ORDER BY seq DESC LIMIT 1").fetchone()
        return (row[0], row[1]) if row else (0, GENESIS)


def _follows(entry: Entry, previous: bytes) -> bool:
    # A damaged file may give a column another type; that is a break, not a crash.
    if not (type(entry.time_ms) is int and type(entry.body) is bytes):
        return False
    try:
        return chain(previous, entry.time_ms, entry.kind, entry.subject, entry.body) == entry.hash
    except UnicodeEncodeError:
        return False


def _entry(row: tuple[int, int, bytes | str, bytes | str, bytes, bytes]) -> Entry:
    seq, time_ms, kind, subject, body, digest = row
    return Entry(seq, time_ms, _text(kind), _text(subject), body, digest)


def _text(raw: bytes | str | None) -> str:
    if isinstance(raw, str):
        return raw
    # Bytes that are no UTF-8 become surrogates, which no hash accepts: the entry shows as broken.
    return (raw or b"").decode("utf-8", "surrogateescape")
