"""Both databases, for contracts that hold on either."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from alerts import outbox
from alerts.stores import sql
from monitor.audit import ledger
from monitor.database import Database, connect_postgres
from streams import deadletter
from streams.stores.sqlite import open_database


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def connect(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Database]]:
    """Open connections to one database with every table; closed after the test."""
    with ExitStack() as opened:
        if request.param == "postgres":
            url = request.getfixturevalue("migrated_url")
            yield lambda: opened.enter_context(closing(connect_postgres(url)))
        else:
            path = tmp_path / "riskmon.db"
            first = opened.enter_context(closing(open_database(path)))
            for schema in (ledger.SCHEMA, sql.SCHEMA, deadletter.SCHEMA):
                first.executescript(schema)
            yield lambda: opened.enter_context(closing(outbox.connect(path)))


@pytest.fixture
def db(connect: Callable[[], Database]) -> Database:
    """A connection to the database of the test."""
    return connect()
