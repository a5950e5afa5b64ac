"""Moving an embedded monitor into a cluster: nothing of its past is lost, and the chains go on."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from monitor.app import archive, open_data
from monitor.cluster import topics
from monitor.configuration import Configuration, build_codec, build_engine
from monitor.core.events import Event
from monitor.database import PostgresDatabase
from monitor.migrations import migrate
from monitor.servers import broker
from monitor.settings import Settings
from streams.journal import facts_of, tick_of
from streams.ports import JournalRow, Progress, StateRow
from streams.progress import progress_of
from streams.runners.kafka.moving import import_states
from streams.runners.kafka.topics import create_topics
from streams.settlement import PLACE
from streams.stores.postgres import PostgresStore, open_postgres
from streams.stores.sqlite import SqliteStore, read_only

TABLES = (
    "ledger", "alerts", "alert_customers", "alert_hits", "alert_steps", "alert_grades", "outbox",
    "outbox_positions", "outbox_refused", "dead_letters", "artifacts", "findings", "meta",
)  # fmt: skip
"""Tables that are copied as they are; the journal gets the customer of each row beside it."""
_CHUNK = 2_000


class MoveError(Exception):
    """A database cannot be moved as it is; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What was moved."""

    journal: int
    ledger: int
    alerts: int
    states: int
    ledger_head: str


def export_state(data: Path, out: Path, settings: Settings) -> Moved:
    """Write everything a data directory holds into one file, every state in it.

    The file is a `riskmon.db` itself: it serves as a backup too. No service may run on the directory.

    Raises
    ------
    DataInUseError
        A service runs on it.
    FileNotFoundError
        There is no database.
    MoveError
        `out` exists.
    """
    if out.exists():
        raise MoveError(f"{out}: exists already\n  hint: name another file")
    with closing(read_only(data / "riskmon.db")) as db:
        stored = progress_of(db)
        if not stored.rulebooks:
            raise MoveError(f"{data}: nothing to export\n  hint: no event was taken in yet")
        in_force = Configuration.of_archive(archive(db, stored.rulebooks[-1][1]))
    with closing(open_data(data, settings, in_force)) as opened:
        opened.processor.close()  # writes every state that has changes no snapshot has
        opened.store.db.execute("VACUUM INTO ?", (str(out),))
    with closing(read_only(out)) as db:
        return _moved(db)


def import_state(
    file: Path, settings: Settings, progress: Callable[[str, int, int], None] = lambda name, done, total: None
) -> Moved:
    """Fill the empty database and topics of a cluster with what `export_state` wrote.

    The database is filled in one transaction, at the end: an import that is interrupted leaves it empty
    and may be repeated.

    Parameters
    ----------
    progress
        Called with what is under way, and how much of it is done of how much in all.

    Raises
    ------
    MoveError
        The file has states that are not written, or the cluster's database is not empty.
    NotEmptyError
        The cluster's topics are not empty.
    """
    migrate(settings.storage.postgres_url)
    with closing(read_only(file)) as source, closing(open_postgres(settings.storage.postgres_url)) as target:
        stored = progress_of(source)
        if not stored.rulebooks or stored.floor <= stored.head:
            raise MoveError(
                f"{file}: has states that are not written\n  hint: make it with `riskmon export-state`"
            )
        if target.execute("SELECT 1 FROM meta LIMIT 1").fetchone():
            raise MoveError("storage.postgres_url: the database is not empty\n  hint: give a new one")
        found = _moved(source)
        place = asyncio.run(_import_states(source, stored, settings, found, progress))
        store = PostgresStore(target)
        store.begin()
        _copy_journal(source, store, stored, found, progress)
        for table in TABLES:
            _copy_table(source, target, table, progress)
        last = "GREATEST(1, (SELECT max(seq) FROM outbox))"
        target.execute(f"SELECT setval(pg_get_serial_sequence('outbox', 'seq'), {last})")
        store.put_meta(PLACE, msgspec.json.encode(place))
        store.commit()
        return found


async def _import_states(
    source: sqlite3.Connection,
    stored: Progress,
    settings: Settings,
    found: Moved,
    progress: Callable[[str, int, int], None],
) -> Any:
    names, reach = topics(settings), broker(settings.kafka)
    await create_topics(reach, names, replication=settings.kafka.replication)
    digest = stored.rulebooks[-1][1]
    rows = source.execute("SELECT kind, id, seq, due_ms, packed FROM states ORDER BY kind, id")
    return await import_states(
        reach,
        names,
        map(StateRow._make, rows),
        order=stored.head,
        configuration=digest,
        archive=archive(source, digest),
        stream_time_ms=stored.stream_time_ms,
        progress=lambda done: progress("states", min(done, found.states), found.states),
    )


def _copy_journal(
    source: sqlite3.Connection,
    store: PostgresStore,
    stored: Progress,
    found: Moved,
    progress: Callable[[str, int, int], None],
) -> None:
    whose = _Customers(source, stored)
    batch: list[JournalRow] = []
    for row in SqliteStore(source).rows(1):
        batch.append(row._replace(customer_id=whose.of(row)))
        if len(batch) == _CHUNK:
            store.append(batch)
            batch = []
            progress("journal", row.seq, found.journal)
    store.append(batch)
    progress("journal", found.journal, found.journal)


class _Customers:
    """Tells whose customer stage a journaled event had, by the configuration of its day."""

    def __init__(self, source: sqlite3.Connection, stored: Progress) -> None:
        self._source, self._epochs = source, list(stored.rulebooks)

    def of(self, row: JournalRow) -> str | None:
        while self._epochs and self._epochs[0][0] <= row.seq:
            archived = archive(self._source, self._epochs.pop(0)[1])
            configuration = Configuration.of_archive(archived)
            self._engine, self._codec = build_engine(configuration), build_codec(configuration)
        if tick_of(row.body):
            return None
        event = self._codec.decode(row.body)
        if type(event) is not Event:
            raise MoveError(f"journal row {row.seq}: expected an event, was {event}")
        event.facts = facts_of(row)
        return next((name for kind, name in self._engine.subjects(event) if kind == "customer"), None)


def _copy_table(
    source: sqlite3.Connection,
    target: PostgresDatabase,
    table: str,
    progress: Callable[[str, int, int], None],
) -> None:
    types: dict[str, str] = dict(
        target.execute(
            "SELECT column_name::text, udt_name::text FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND table_name = ? ORDER BY ordinal_position",
            (table,),
        ).fetchall()
    )
    there = {row[1] for row in source.execute(f"PRAGMA table_info({table})")}
    columns = {name: kind for name, kind in types.items() if name in there}
    (total,) = source.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 (constants only)
    rows = source.execute(f"SELECT {', '.join(columns)} FROM {table}")  # noqa: S608 (names from the schema)
    done = 0
    while chunk := rows.fetchmany(_CHUNK):
        target.copy(table, columns, chunk)
        done += len(chunk)
        progress(table, done, total)


def _moved(db: sqlite3.Connection) -> Moved:
    def count(table: str) -> int:
        return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608

    head = db.execute("SELECT hash FROM ledger ORDER BY seq DESC LIMIT 1").fetchone()
    return Moved(
        journal=count("journal"),
        ledger=count("ledger"),
        alerts=count("alerts"),
        states=count("states"),
        ledger_head=head[0].hex() if head else "",
    )


def steps(moved: Moved) -> Iterator[str]:
    """Say what was moved, a line each."""
    yield f"journal  {moved.journal:>12,} events"
    yield f"ledger   {moved.ledger:>12,} entries, head {moved.ledger_head[:16]}"
    yield f"alerts   {moved.alerts:>12,}"
    yield f"states   {moved.states:>12,}"
