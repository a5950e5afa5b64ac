"""The database file: one service at a time, found by reference, nothing written by readers."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from streams.journal import journal_row, tick
from streams.ports import DataInUseError, JournalRow, StateRow
from streams.states import StateCache
from streams.stores import index
from streams.stores.reading import event_body
from streams.stores.sqlite import SqliteStore, open_database, read_only
from streams.testing import CountingEngine, CountingState


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(open_database(tmp_path / "riskmon.db", sync="normal"))


def rows(refs: list[int], first: int = 1) -> list[JournalRow]:
    return [JournalRow(first + n, ref, 0, b"h", None, None, b"body %d" % ref) for n, ref in enumerate(refs)]


def append(store: SqliteStore, refs: list[int], first: int = 1) -> None:
    store.begin()
    for row in rows(refs, first):
        store.index.add(row.ref, row.seq)
    store.append(rows(refs, first))
    store.commit()


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 31, 32, 33, 100, 700])
def test_every_event_is_found_and_no_other(
    count: int, store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "BLOCK", 8)
    monkeypatch.setattr(index, "LARGEST", 8 * 16)
    random = Random(count)
    refs = [random.getrandbits(64) - 2**63 for _ in range(count + 5)]
    known, unknown = refs[:count], refs[count:]
    for start in range(0, count, 5):
        append(store, known[start : start + 5], start + 1)

    expected = {ref: seq for seq, ref in enumerate(known, 1)}
    assert store.index.find(known + unknown) == expected
    store.reload()
    assert store.index.find(known + unknown) == expected

    reader = read_only(tmp_path / "riskmon.db")
    assert [event_body(reader, ref) for ref in known] == [b"body %d" % ref for ref in known]
    assert [event_body(reader, ref) for ref in unknown] == [None] * 5
    reader.close()
    store.db.close()


def test_blocks_are_merged_up_to_the_largest(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "BLOCK", 8)
    monkeypatch.setattr(index, "LARGEST", 8 * 16)
    for start in range(0, 8 * 70, 8):
        append(store, list(range(start, start + 8)), start + 1)
    sizes = store.db.execute("SELECT LENGTH(refs) / 8 FROM journal_index ORDER BY first_seq").fetchall()
    assert [size for (size,) in sizes] == [128] * 4 + [32, 8, 8]
    store.db.close()


def test_a_second_service_is_told_who_holds_the_directory(tmp_path: Path) -> None:
    db = open_database(tmp_path / "riskmon.db")
    again = "import sys; from streams.stores.sqlite import open_database; open_database(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", again, str(tmp_path / "riskmon.db")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"in use by process {os.getpid()}" in done.stderr
    with pytest.raises(DataInUseError, match="hint: stop it"):
        open_database(tmp_path / "riskmon.db")
    db.close()
    db.close()
    open_database(tmp_path / "riskmon.db").close()


def test_reading_needs_a_database_and_cannot_write(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no database here"):
        read_only(tmp_path / "riskmon.db")
    assert list(tmp_path.iterdir()) == []
    writer = open_database(tmp_path / "riskmon.db")
    reader = read_only(tmp_path / "riskmon.db")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("DELETE FROM journal")
    reader.close()
    writer.close()


def test_the_last_snapshot_of_a_subject_wins(store: SqliteStore) -> None:
    store.put_states([StateRow("customer", "C-1", 1, 0, b"a"), StateRow("customer", "C-1", 2, 9, b"b")])
    assert store.state("customer", "C-1") == StateRow("customer", "C-1", 2, 9, b"b")
    assert store.state("device", "C-1") is None
    assert list(store.timers()) == [(9, "customer", "C-1")]
    assert store.footprint() == {"customer": (1, 1)}
    store.db.close()


def test_a_tick_leaves_alone_who_includes_it_already(store: SqliteStore) -> None:
    packed = CountingState(1, 1, 5, 0).pack()
    store.put_states([StateRow("customer", "C-1", 7, 50, packed)])
    states = StateCache(CountingEngine(), store, 10)
    assert states.due(60, seq=7) == []
    assert [key for key, _ in states.due(60, seq=8)] == [("customer", "C-1")]
    store.db.close()


def test_timers_fire_in_order_of_due_time_kind_and_id(store: SqliteStore) -> None:
    states = StateCache(CountingEngine(), store, 10)
    for due, key in (
        (9, ("device", "a")),
        (9, ("customer", "b")),
        (3, ("device", "z")),
        (99, ("device", "y")),
    ):
        state = states.get(key)
        state.due_ms = due
        states.changed(key, state, 1)
    assert [key for key, _ in states.due(10, seq=2)] == [("device", "z"), ("customer", "b"), ("device", "a")]
    store.db.close()


def test_no_two_journal_rows_share_a_hash_by_moving_bytes_between_columns() -> None:
    event = tick(0)
    event.facts = {"a": 1}
    moved = tick(0)
    row = journal_row(b"", 1, event, (0.0, False, ()), 0)
    moved.body = (row.facts or b"") + moved.body
    assert journal_row(b"", 1, moved, (0.0, False, ()), 0).hash != row.hash
