"""Which database a command reads: the one of a data directory, or the one of a cluster."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from monitor.app import DATABASE
from monitor.cli.failure import Failure
from monitor.cli.output import read_settings
from monitor.database import ERRORS, Database, connect_postgres
from monitor.settings import Settings
from streams.stores.sqlite import read_only

Data = Annotated[Path | None, typer.Option(help="data directory; default: what the settings say")]
Config = Annotated[Path | None, typer.Option(help="settings file; default: config/monitor.yaml")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where journal, ledger and alerts are read."""

    folder: Path
    """The data directory; of a cluster, where keys and results of audits lie."""
    settings: Settings | None = None
    """Of the cluster; None where the data directory holds the database."""
    url: str = field(default="", repr=False)

    def __str__(self) -> str:
        return "storage.postgres_url" if self.settings is not None else str(self.folder / DATABASE)

    @contextmanager
    def reading(self) -> Iterator[Database]:
        """Give a connection that reads.

        Raises
        ------
        Failure
            There is no database, or it cannot be read.
        """
        with self._connected(self._reader) as db:
            yield db

    @contextmanager
    def marking(self) -> Iterator[Database]:
        """Give a connection for a moment of writing beside a running service, which waits, as we do.

        Raises
        ------
        Failure
            There is no database, or it cannot be written.
        """
        with self._connected(self._writer) as db:
            yield db

    @contextmanager
    def _connected(self, connect: Callable[[], Database]) -> Iterator[Database]:
        try:
            db = connect()
        except FileNotFoundError as error:
            raise Failure(str(error)) from None
        except ERRORS as error:
            raise self._unreadable(error) from None
        try:
            yield db
        except ERRORS as error:
            raise self._unreadable(error) from None
        finally:
            db.close()

    def _reader(self) -> Database:
        if self.settings is None:
            return read_only(self.folder / DATABASE)
        return connect_postgres(self.url, read_only=True)

    def _writer(self) -> Database:
        if self.settings is None:
            return sqlite3.connect(self.folder / DATABASE, isolation_level=None, timeout=30)
        return connect_postgres(self.url)

    def _unreadable(self, error: Exception) -> Failure:
        hint = "is the server there, and the address right?" if self.settings else "is it a monitor's?"
        return Failure(f"{self}: cannot be used: {' '.join(str(error).split())}\n  hint: {hint}")


def source(data: Path | None, config: Path | None) -> Source:
    """Return the database that is meant.

    A data directory that is named alone is the one; else the settings decide by `storage.kind`.
    """
    if data is not None and config is None:
        return Source(folder=data)
    settings = read_settings(config)
    folder = data or Path(settings.data.dir)
    if settings.storage.kind == "embedded":
        return Source(folder=folder)
    return Source(folder=folder, settings=settings, url=settings.storage.postgres_url)
