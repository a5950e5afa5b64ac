"""The connection to PostgreSQL behaves as that to SQLite does, and tells troubles from mistakes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg
import pytest
from servers import steady_port

from monitor.database import PostgresDatabase, connect_postgres, is_unavailable, streamed
from monitor.migrations import migrate
from streams.ports import DataInUseError, JournalRow, StoreUnavailableError
from streams.stores.postgres import PostgresStore, open_postgres

pytestmark = pytest.mark.postgres


@pytest.fixture
def db(migrated_url: str) -> Iterator[PostgresDatabase]:
    with closing(connect_postgres(migrated_url)) as db:
        yield db


def test_values_come_back_as_they_went(db: PostgresDatabase) -> None:
    row = (-(2**63), b"\x00\xff'?", "C-1 \u00fc ? %s $1 \\", b"", None)
    sql = "INSERT INTO journal VALUES (?, 7, 1, ?, NULL, ?, ?, ?)"
    db.execute(sql, (row[0], row[1], row[3], row[3], row[2]))
    found = db.execute(
        "SELECT seq, hash, customer_id, body, facts FROM journal WHERE ref = ?", (7,)
    ).fetchall()
    assert found == [row]
    assert type(found[0][1]) is bytes


def test_many_rows_are_written_in_order_and_counted(db: PostgresDatabase) -> None:
    rows = [(f"k{n}", 0, b"%d" % n) for n in range(500)]
    assert (
        db.executemany("INSERT INTO outbox (key, confidential, body) VALUES (?, ?, ?)", rows).rowcount == 500
    )
    assert db.execute("SELECT key, confidential, body FROM outbox ORDER BY seq").fetchall() == rows
    assert db.executemany("DELETE FROM outbox WHERE key = ?", []).rowcount in (-1, 0)


def test_a_stream_gives_every_row_while_other_statements_run(db: PostgresDatabase) -> None:
    db.executemany("INSERT INTO outbox (key, confidential, body) VALUES (?, 0, '')", [("k",)] * 5_000)
    for begin, end in (("SELECT 1", "SELECT 1"), ("BEGIN", "COMMIT")):
        db.execute(begin)
        found = []
        for (seq,) in streamed(db, "SELECT seq FROM outbox WHERE seq > ? ORDER BY seq", (10,)):
            if seq % 1000 == 0:
                db.execute("SELECT COUNT(*) FROM outbox").fetchone()
            found.append(seq)
        db.execute(end)
        assert found == list(range(11, 5_001))


def test_a_transaction_is_seen_once_it_is_committed(db: PostgresDatabase, migrated_url: str) -> None:
    with closing(connect_postgres(migrated_url, read_only=True)) as reader:
        db.execute("BEGIN")
        db.execute("INSERT INTO meta VALUES ('a', 'x')")
        assert db.in_transaction
        assert reader.execute("SELECT COUNT(*) FROM meta").fetchone() == (0,)
        reader.execute("BEGIN")
        assert reader.execute("SELECT COUNT(*) FROM meta").fetchone() == (0,)
        db.execute("COMMIT")
        assert not db.in_transaction
        assert reader.execute("SELECT COUNT(*) FROM meta").fetchone() == (0,)  # one moment
        reader.execute("COMMIT")
        assert reader.execute("SELECT COUNT(*) FROM meta").fetchone() == (1,)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            reader.execute("DELETE FROM meta")


def error_of(act: Callable[[], object]) -> Exception:
    try:
        act()
    except (psycopg.Error, sqlite3.Error) as error:
        return error
    raise AssertionError("nothing was raised")


def test_our_own_mistakes_are_no_unavailability(db: PostgresDatabase) -> None:
    twice = [("a", b""), ("b", b""), ("a", b"")]
    acts = (
        lambda: db.execute("SELEC 1"),
        lambda: db.execute("SELECT * FROM nothing"),
        lambda: db.execute("INSERT INTO meta VALUES (?, ?)", ("a", None)),
        lambda: db.executemany("INSERT INTO meta VALUES (?, ?)", twice),
        lambda: db.execute("INSERT INTO meta VALUES (?, ?)", ("a\0", b"")),
    )
    assert [is_unavailable(error_of(act)) for act in acts] == [False] * len(acts)
    assert db.execute("SELECT 1").fetchone() == (1,)


def test_a_server_that_is_away_is_unavailable(db: PostgresDatabase, migrated_url: str) -> None:
    nowhere = f"postgresql://riskmon@127.0.0.1:{steady_port()}/riskmon"
    assert is_unavailable(error_of(lambda: connect_postgres(nowhere)))
    (process,) = db.execute("SELECT pg_backend_pid()").fetchone() or (0,)
    with closing(connect_postgres(migrated_url)) as other:
        other.execute("SELECT pg_terminate_backend(?::int)", (process,))
    assert is_unavailable(error_of(lambda: db.execute("SELECT 1")))
    assert db.is_lost
    assert not db.in_transaction
    assert is_unavailable(error_of(lambda: db.execute("SELECT 1")))
    db.reconnect()
    assert db.execute("SELECT 1").fetchone() == (1,)


def test_waiting_too_long_for_a_lock_is_unavailability(db: PostgresDatabase, migrated_url: str) -> None:
    with closing(connect_postgres(migrated_url)) as other:
        other.execute("BEGIN")
        other.execute("LOCK TABLE meta")
        db.execute("SET lock_timeout = 10")
        assert is_unavailable(error_of(lambda: db.execute("SELECT * FROM meta")))


def test_one_desk_at_a_time_has_the_database(migrated_url: str) -> None:
    first = open_postgres(migrated_url)
    (process,) = first.execute("SELECT pg_backend_pid()").fetchone() or (0,)
    with pytest.raises(DataInUseError, match=rf"in use by server process {process} from .*\n  hint: stop"):
        open_postgres(migrated_url)
    migrate(migrated_url)  # nothing to do: nothing to refuse
    first.close()
    first.close()
    open_postgres(migrated_url).close()


def rows(refs: list[int], first: int = 1) -> list[JournalRow]:
    return [
        JournalRow(first + n, ref, 0, b"h", None, b"" if n % 2 else None, b"body %d" % ref, f"C-{n}")
        for n, ref in enumerate(refs)
    ]


def append(store: PostgresStore, written: list[JournalRow]) -> None:
    store.begin()
    for row in written:
        store.index.add(row.ref, row.seq)
    store.append(written)
    store.commit()


@pytest.fixture
def store(migrated_url: str) -> Iterator[PostgresStore]:
    with closing(open_postgres(migrated_url)) as db:
        yield PostgresStore(db)


def test_the_journal_keeps_the_customer_of_each_event(store: PostgresStore) -> None:
    first, second = rows([5, -(2**63), 2**63 - 1]), rows([7], first=4)
    append(store, first)
    append(store, second)
    assert list(store.rows(1)) == [*first, *second]
    assert list(store.rows(3)) == [first[2], second[0]]
    assert store.row(2) == first[1]
    assert store.index.find([7, 5, 99]) == {7: 4, 5: 1}


def test_an_event_is_journaled_once(store: PostgresStore) -> None:
    append(store, rows([5]))
    store.begin()
    with pytest.raises(psycopg.errors.UniqueViolation) as caught:
        store.append(rows([5], first=2))
    assert store.unavailable(caught.value) is None
    with pytest.raises(RuntimeError, match="expected COMMIT, was ROLLBACK"):
        store.commit()


def test_a_store_that_lost_its_connection_comes_back_as_the_only_desk(
    store: PostgresStore, migrated_url: str
) -> None:
    store.begin()
    store.put_meta("a", b"lost")
    (process,) = store.db.execute("SELECT pg_backend_pid()").fetchone() or (0,)
    with closing(connect_postgres(migrated_url)) as other:
        other.execute("SELECT pg_terminate_backend(?::int)", (process,))
    error = error_of(store.commit)
    assert store.unavailable(error) is not None
    store.rollback()
    store.probe()
    assert store.meta("a") is None
    with pytest.raises(DataInUseError):
        open_postgres(migrated_url)


def test_a_store_whose_place_was_taken_does_not_write(store: PostgresStore, migrated_url: str) -> None:
    (process,) = store.db.execute("SELECT pg_backend_pid()").fetchone() or (0,)
    with closing(connect_postgres(migrated_url)) as other:
        other.execute("SELECT pg_terminate_backend(?::int)", (process,))
    error_of(store.begin)
    with closing(open_postgres(migrated_url)):
        for _ in range(2):
            with pytest.raises(StoreUnavailableError, match="in use by server process"):
                store.probe()
        assert is_unavailable(error_of(lambda: store.put_meta("a", b"")))
    store.probe()
