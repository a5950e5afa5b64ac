"""Reading a database from many threads, beside whoever writes it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from alerts.inbox.service import UnavailableError
from monitor.database import ERRORS, Database, is_unavailable

Result = TypeVar("Result")
_NO_TABLE = "42P01"
"""SQLSTATE of a table that does not exist."""


class Reader:
    """Gives each thread a read-only connection of its own and opens it anew after the server was away.

    Parameters
    ----------
    connect
        Opens a connection for reading.

    Examples
    --------
    >>> import sqlite3
    >>> reader = Reader(lambda: sqlite3.connect(":memory:"))
    >>> reader.read(lambda db: db.execute("SELECT 1").fetchone())
    (1,)
    """

    def __init__(self, connect: Callable[[], Database]) -> None:
        self._connect = connect
        self._local = threading.local()
        self._open: set[Database] = set()

    def read(self, work: Callable[[Database], Result]) -> Result:
        """Return what `work` reads; it may be called twice, and must not give out the connection.

        Raises
        ------
        UnavailableError
            The database cannot be read now.
        """
        is_fresh = self._mine() is None
        try:
            return self._try(work)
        except UnavailableError:
            if is_fresh:
                raise
            # The connection may be of a server that has long been started again.
            return self._try(work)

    def close(self) -> None:
        """Close the connections of all threads; a later read opens another."""
        while self._open:
            self._open.pop().close()
        self._local = threading.local()

    def _try(self, work: Callable[[Database], Result]) -> Result:
        try:
            return work(self._mine() or self._opened())
        except ERRORS as error:
            if getattr(error, "sqlstate", None) == _NO_TABLE:
                raise UnavailableError(
                    "database: its tables are not there yet\n  hint: start `riskmon desk`"
                ) from error
            if not is_unavailable(error):
                raise
            self._drop()
            raise UnavailableError(f"database: {' '.join(str(error).split())}") from error

    def _mine(self) -> Database | None:
        return getattr(self._local, "db", None)

    def _opened(self) -> Database:
        db = self._local.db = self._connect()
        self._open.add(db)
        return db

    def _drop(self) -> None:
        db, self._local.db = self._mine(), None
        if db is not None:
            self._open.discard(db)
            db.close()
