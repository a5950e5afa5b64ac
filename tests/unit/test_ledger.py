"""The ledger names the first entry that was tampered with, and follows the caller's transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace

import pytest

from monitor.audit.ledger import GENESIS, SCHEMA, Entry, Ledger, verify


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(SCHEMA)
    yield connection
    connection.close()


def written(connection: sqlite3.Connection) -> list[Entry]:
    ledger = Ledger(connection)
    connection.execute("BEGIN")
    ledger.append(10, "hit", "customer:C-1", {"rule": "A-1", "points": 5.0})
    ledger.append(20, "rating", "customer:C-1", {"grade": 13})
    ledger.append(20, "hit", "device:D-1", {"rule": "A-2", "points": 1.5})
    ledger.flush()
    connection.execute("COMMIT")
    return list(ledger.entries())


def test_an_untouched_chain_holds(connection: sqlite3.Connection) -> None:
    assert verify(written(connection)) is None


def test_the_chain_goes_on_after_a_restart(connection: sqlite3.Connection) -> None:
    written(connection)
    again = Ledger(connection)
    again.append(30, "alert", "customer:C-1", {"action": "raised"})
    again.flush()
    assert [entry.seq for entry in again.entries()] == [1, 2, 3, 4]
    assert verify(again.entries()) is None
    assert verify(again.entries(start_seq=2), again.entry(2).hash, 2) is None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "change",
    [
        {"time_ms": 21},
        {"kind": "hit"},
        {"subject": "customer:C-2"},
        {"body": b'{"grade":12}'},
        {"hash": GENESIS},
        {"seq": 4},
        {"kind": "\udcff"},
        {"body": '{"grade":13}'},
        {"time_ms": 20.0},
    ],
    ids=str,
)
def test_any_change_breaks_the_chain_where_it_was_made(
    connection: sqlite3.Connection, change: dict[str, object]
) -> None:
    entries = written(connection)
    entries[1] = replace(entries[1], **change)  # type: ignore[arg-type]
    broken = verify(entries)
    assert broken is not None
    assert broken.seq == 2


def test_a_removed_entry_breaks_the_chain(connection: sqlite3.Connection) -> None:
    entries = written(connection)
    assert str(verify([entries[0], entries[2]])) == "ledger entry 2: expected entry 2, was 3"


def test_exchanged_entries_break_the_chain(connection: sqlite3.Connection) -> None:
    first, second, third = written(connection)
    exchanged = [first, replace(third, seq=2), replace(second, seq=3)]
    broken = verify(exchanged)
    assert broken is not None
    assert broken.seq == 2


def test_rollback_restores_the_head_even_after_a_flush(connection: sqlite3.Connection) -> None:
    written(connection)
    ledger = Ledger(connection)
    before = ledger.head
    connection.execute("BEGIN")
    ledger.append(40, "hit", "customer:C-9", {})
    ledger.flush()
    connection.execute("ROLLBACK")
    ledger.rollback()
    assert (ledger.head, ledger.seq) == (before, 3)
    ledger.append(50, "hit", "customer:C-8", {})
    ledger.flush()
    assert verify(ledger.entries()) is None


def test_a_forgotten_rollback_is_refused_at_the_next_flush(connection: sqlite3.Connection) -> None:
    ledger = Ledger(connection)
    connection.execute("BEGIN")
    ledger.append(1, "hit", "", {})
    ledger.flush()
    connection.execute("ROLLBACK")
    ledger.append(2, "hit", "", {})
    with pytest.raises(RuntimeError, match="expected to append entry 1, was 2"):
        ledger.flush()


def test_readers_select_by_kind_subject_and_time(connection: sqlite3.Connection) -> None:
    written(connection)
    ledger = Ledger(connection)
    assert [e.seq for e in ledger.entries(kind="hit")] == [1, 3]
    assert [e.seq for e in ledger.entries(subject="customer:C-1")] == [1, 2]
    assert [e.seq for e in ledger.entries(start_ms=20, end_ms=21)] == [2, 3]
    assert [e.seq for e in ledger.entries(newest_first=True, limit=2)] == [3, 2]
    assert ledger.entry(2).data == {"grade": 13}  # type: ignore[union-attr]
    assert ledger.entry(9) is None


def test_holds_sees_buffered_and_stored_facts_and_nothing_else(connection: sqlite3.Connection) -> None:
    written(connection)
    ledger = Ledger(connection)
    ledger.append(70, "hit", "customer:C-1", {"b": 1, "a": 2})
    assert ledger.holds(20, "rating", "customer:C-1", {"grade": 13})
    assert ledger.holds(70, "hit", "customer:C-1", {"a": 2, "b": 1})
    assert not ledger.holds(70, "hit", "customer:C-1", {"a": 2})
    assert not ledger.holds(71, "hit", "customer:C-1", {"a": 2, "b": 1})


def test_a_byte_flipped_in_the_database_is_named(connection: sqlite3.Connection) -> None:
    written(connection)
    connection.execute("UPDATE ledger SET kind = CAST(x'68ff74' AS TEXT) WHERE seq = 3")
    broken = verify(Ledger(connection).entries())
    assert broken is not None
    assert broken.seq == 3
