"""The journal keeps its promises on either database (`streams.ports.Journal`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitor.database import ERRORS, Database
from streams.findings import GATHERED, are_findings_kept, findings_by_rule
from streams.ports import JournalRow, Progress
from streams.progress import progress_of
from streams.stores.postgres import PostgresStore, open_postgres
from streams.stores.reading import artifact, event_body
from streams.stores.sqlite import SqliteStore, open_database

Store = SqliteStore | PostgresStore


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def again(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """Open the store, as a service does that was started again."""
    if request.param == "postgres":
        url = request.getfixturevalue("migrated_url")
        return lambda: PostgresStore(open_postgres(url))
    return lambda: SqliteStore(open_database(tmp_path / "riskmon.db"))


@pytest.fixture
def store(again: Callable[[], Store]) -> Iterator[Store]:
    store = again()
    with closing(store.db):
        yield store


def rows(refs: list[int], first: int = 1) -> list[JournalRow]:
    return [
        JournalRow(first + n, ref, n, b"\0h", None, b"" if n % 2 else None, b"body %d" % ref)
        for n, ref in enumerate(refs)
    ]


def append(store: Store, written: list[JournalRow]) -> None:
    store.begin()
    for row in written:
        store.index.add(row.ref, row.seq)
    store.append(written)
    store.commit()


def test_rows_come_back_as_they_went_in_order(store: Store) -> None:
    first, second = rows([5, -(2**63), 2**63 - 1]), rows([7], first=4)
    append(store, first)
    append(store, second)
    assert list(store.rows(1)) == [*first, *second]
    assert list(store.rows(3)) == [first[2], second[0]]
    assert store.row(2) == first[1]


def test_more_rows_than_are_read_at_a_time_come_back_too(store: Store) -> None:
    append(store, rows(list(range(2_500))))
    assert [row.ref for row in store.rows(501)] == list(range(500, 2_500))


def test_committed_events_are_found_and_no_others(store: Store) -> None:
    append(store, rows([5, 6, 7]))
    store.reload()
    assert store.index.find([7, 5, 99]) == {7: 3, 5: 1}
    assert store.index.find([]) == {}
    assert event_body(store.db, 6) == b"body 6"
    assert event_body(store.db, 99) is None


def test_events_of_the_running_batch_are_found_until_it_is_undone(store: Store) -> None:
    store.begin()
    store.index.add(5, 1)
    assert (store.index.find([5]), store.index.get_unsealed(5)) == ({5: 1}, 1)
    store.append(rows([5]))
    assert store.index.find([5]) == {5: 1}
    store.rollback()
    store.reload()
    assert (store.index.find([5]), store.index.get_unsealed(5)) == ({}, None)
    assert list(store.rows(1)) == []
    store.rollback()


def test_a_place_in_the_journal_is_taken_once(store: Store) -> None:
    append(store, rows([5]))
    store.begin()
    with pytest.raises(ERRORS) as caught:
        store.append(rows([6]))
    assert store.unavailable(caught.value) is None
    store.rollback()
    append(store, rows([6], first=2))
    assert [row.ref for row in store.rows(1)] == [5, 6]


def test_what_is_committed_is_there_after_a_restart_and_nothing_else(again: Callable[[], Store]) -> None:
    first = again()
    append(first, rows([5]))
    first.put_meta("progress", b'{"head":1}')
    first.begin()
    first.append(rows([6], first=2))
    first.put_meta("progress", b'{"head":2}')
    first.db.close()
    second = again()
    with closing(second.db):
        assert [row.ref for row in second.rows(1)] == [5]
        assert progress_of(second.db).head == 1
        assert second.index.find([5, 6]) == {5: 1}


def test_bookkeeping_is_replaced_and_archives_are_not(store: Store) -> None:
    db: Database = store.db
    assert progress_of(db) == Progress()
    store.put_meta("a", b"1")
    store.put_meta("a", b"\xff\0")
    store.archive("rulebook", "c0", b"rules")
    store.archive("rulebook", "c0", b"others")
    assert (store.meta("a"), store.meta("b")) == (b"\xff\0", None)
    assert (store.artifact("rulebook", "c0"), artifact(db, "list", "c0")) == (b"rules", None)


def test_probing_leaves_nothing_open(store: Store) -> None:
    store.probe()
    store.guard()
    assert not store.db.in_transaction


def test_a_finding_is_new_once_and_again_when_the_word_changes(store: Store) -> None:
    told = [("A", 2, True), ("A", 2, True), ("A", 2, False), ("A", 3, False), ("B", 2, True)]
    store.begin()
    new = [store.put_finding(rule, seq, is_fraud=is_fraud) for rule, seq, is_fraud in told]
    store.put_meta(GATHERED, b"1")
    store.commit()
    assert new == [True, False, True, True, True]
    assert findings_by_rule(store.db) == {"A": (0, 2), "B": (1, 0)}


def test_findings_that_are_not_gathered_yet_are_not_told(store: Store) -> None:
    store.put_finding("A", 1, is_fraud=True)
    assert (are_findings_kept(store.db), findings_by_rule(store.db)) == (False, {})
