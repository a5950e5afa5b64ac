"""One surface over SQLite and PostgreSQL: what our stores ask of a connection, and no more.

`sqlite3.Connection` has this surface by nature; `PostgresDatabase` gives it to a psycopg connection. SQL is
written with `?` for values, in the part of the language that both databases understand. Transactions are
opened and ended by statements (`BEGIN`, `COMMIT`, `ROLLBACK`); outside of them every statement is one.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import count
from typing import Any, Final, Protocol

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8BinaryDumper

Row = tuple[Any, ...]

ERRORS: Final = (sqlite3.Error, psycopg.Error)
"""Everything the two databases raise; see `is_unavailable`."""

# Primary result codes that mean "not now": the disk, the file or its permissions, not our SQL.
_SQLITE_UNAVAILABLE = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
    }
)
# Classes of SQLSTATE: connection, resources (disk, memory, connections), intervention, system.
_POSTGRES_CLASSES = frozenset({"08", "53", "57", "58"})
_POSTGRES_STATES = frozenset(
    {
        "25006",  # read-only: a standby, until it is promoted
        "25P03",  # the transaction was idle for too long
        "40001",  # could not serialize
        "40P01",  # deadlock
        "55P03",  # lock timeout
        "XX001",  # damaged data
        "XX002",  # damaged index
    }
)

_PLACEHOLDER = re.compile(r"'[^']*'|\"[^\"]*\"|\?")
_FETCH = 2_000
"""Rows a round trip of `stream`."""

# A server that is cut off is noticed within half a minute, on both sides: its session, and with it the
# desk's lock, must not outlive the desk for hours.
_CONNECT: Mapping[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
    "client_encoding": "UTF8",
    "fallback_application_name": "riskmon",
}
_SERVER = (
    "-c lock_timeout=10s -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
)
# A reader's transaction sees one moment from its beginning to its end, as in SQLite.
_READER = r"-c default_transaction_read_only=on -c default_transaction_isolation=repeatable\ read"


class Cursor(Protocol):
    """What a statement gives."""

    @property
    def rowcount(self) -> int:
        """Rows written."""

    def fetchone(self) -> Any:
        """Return the next row, or None."""

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""

    def __iter__(self) -> Iterator[Any]:
        """Give the rows that are left."""


class Database(Protocol):
    """A connection in autocommit mode, to either database."""

    @property
    def in_transaction(self) -> bool:
        """Whether a `BEGIN` waits for its end."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Cursor:
        """Carry out one statement."""

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Cursor:
        """Carry out one statement for every row of values, in order."""

    def close(self) -> None:
        """Close the connection; closing twice is harmless."""


class PostgresDatabase:
    """A `Database` on PostgreSQL; safe between threads, one statement at a time.

    Numbers go as BIGINT, texts and bytes as they are; a text with a NUL is refused by PostgreSQL.
    A statement repeated a few times is prepared. The rows of `execute` are in memory at once: see
    `stream` for many.

    Parameters
    ----------
    connect
        Opens a psycopg connection that nobody else uses.
    """

    def __init__(self, connect: Callable[[], psycopg.Connection[Any]]) -> None:
        self._connect = connect
        self._connection = _set_up(connect())
        self._names = count()

    @property
    def in_transaction(self) -> bool:
        """Whether a `BEGIN` waits for its end; False where the connection is lost."""
        status = self._connection.info.transaction_status
        return status not in (TransactionStatus.IDLE, TransactionStatus.UNKNOWN)

    @property
    def is_lost(self) -> bool:
        """Whether the connection was closed, by either side."""
        return self._connection.closed

    def reconnect(self) -> None:
        """Open a connection in place of one that was lost: a new session, without its locks."""
        self._connection.close()
        self._connection = _set_up(self._connect())

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> psycopg.Cursor[Row]:
        """Carry out one statement; every row it gives is fetched."""
        return self._connection.execute(numbered(sql), parameters, binary=True)

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> psycopg.Cursor[Row]:
        """Carry out one statement for every row of values, without waiting for each answer."""
        cursor = self._connection.cursor(binary=True)
        cursor.executemany(numbered(sql), parameters)
        return cursor

    def stream(self, sql: str, parameters: Sequence[Any] = (), /) -> Iterator[Row]:
        """Give the rows of a query, few of them in memory at a time; other statements may run meanwhile."""
        name, hold = f"stream_{next(self._names)}", not self.in_transaction
        with psycopg.RawServerCursor(self._connection, name, withhold=hold) as cursor:
            cursor.itersize = _FETCH
            cursor.execute(numbered(sql), parameters, binary=True)
            yield from cursor

    def copy(self, table: str, columns: Mapping[str, str], rows: Iterable[Sequence[Any]]) -> None:
        """Add rows by the fastest way there is.

        Parameters
        ----------
        columns
            Name to type (`int8`, `bytea`, `text`), in the order of the values.
        """
        query = f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)".encode()
        with self._connection.cursor() as cursor, cursor.copy(query) as copy:
            copy.set_types(list(columns.values()))
            for row in rows:
                copy.write_row(row)

    def close(self) -> None:
        """Close the connection; closing twice is harmless."""
        self._connection.close()


def connect_postgres(url: str, *, read_only: bool = False) -> PostgresDatabase:
    """Open a connection to PostgreSQL.

    A statement waits up to 10 seconds for a lock. The connection must be a session of its own: no
    pooler that shares sessions between transactions.

    Parameters
    ----------
    url
        As libpq takes it: `postgresql://user:password@host:5432/database?sslmode=verify-full`, several
        hosts allowed. What it says wins over our settings.
    read_only
        Writing is refused, and a transaction sees one moment.

    Raises
    ------
    psycopg.OperationalError
        The server cannot be reached or does not let us in; see `is_unavailable`.
    """
    return PostgresDatabase(lambda: native_connection(url, read_only=read_only))


def native_connection(url: str, *, read_only: bool = False) -> psycopg.Connection[Any]:
    """Return a psycopg connection as it comes, for tools that ask for one (migrations)."""
    asked = conninfo_to_dict(url)
    ours = f"{_SERVER} {_READER}" if read_only else _SERVER
    settings = {**_CONNECT, **asked, "options": f"{ours} {asked.get('options') or ''}".rstrip()}
    return psycopg.connect(**settings)


def _set_up(connection: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    connection.autocommit = True
    connection.cursor_factory = psycopg.RawCursor  # takes $1 and leaves % alone
    # One size for all numbers: a statement is then one statement, prepared once.
    connection.adapters.register_dumper(int, Int8BinaryDumper)
    return connection


def streamed(db: Database, sql: str, parameters: Sequence[Any] = ()) -> Iterator[Any]:
    """Give the rows of a query that may be many, few of them in memory at a time, on either database."""
    if isinstance(db, PostgresDatabase):
        return db.stream(sql, parameters)
    return iter(db.execute(sql, parameters))


def insert(db: Database, table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> None:
    """Add rows that are not there yet, as fast as the database can.

    Parameters
    ----------
    columns
        Name to PostgreSQL's type (`int8`, `bytea`, `text`), in the order of the values.
    """
    if isinstance(db, PostgresDatabase):
        db.copy(table, columns, rows)
    else:
        places = ", ".join("?" * len(columns))
        db.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", rows)  # noqa: S608


def is_unavailable(error: BaseException) -> bool:
    """Tell whether a database cannot serve now, so that the same may work later.

    True where the server or the disk is the reason: away, shutting down, full, read-only, a lock
    held too long, a connection lost. False where repeating is no help: our SQL, a broken constraint.
    A server that refuses a password looks like one that is away: PostgreSQL's client tells them apart
    by their words alone.

    Examples
    --------
    >>> is_unavailable(psycopg.errors.AdminShutdown()), is_unavailable(psycopg.errors.UniqueViolation())
    (True, False)
    """
    if isinstance(error, psycopg.Error):
        if error.sqlstate is None:
            return isinstance(error, psycopg.OperationalError)
        return error.sqlstate[:2] in _POSTGRES_CLASSES or error.sqlstate in _POSTGRES_STATES
    return isinstance(error, sqlite3.Error) and (
        getattr(error, "sqlite_errorcode", 0) & 0xFF in _SQLITE_UNAVAILABLE
    )


@lru_cache(maxsize=1_024)
def numbered(sql: str) -> bytes:
    """Return a statement with PostgreSQL's placeholders in place of ours.

    Examples
    --------
    >>> numbered("SELECT '?' FROM alerts WHERE id = ? AND hits > ?")
    b"SELECT '?' FROM alerts WHERE id = $1 AND hits > $2"
    """
    places = count(1)
    return _PLACEHOLDER.sub(lambda found: f"${next(places)}" if found[0] == "?" else found[0], sql).encode()
