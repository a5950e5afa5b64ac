"""The process dies at every step of every batch; after a restart nothing is lost and nothing doubled."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from streams.ports import StoreUnavailableError
from streams.processor import Limits
from streams.stores.sqlite import SqliteStore, open_database
from streams.testing import Crash, CrashingStore, assemble, counting_processor, records, results, stream

RECORDS = records(stream(seed=2, length=60))
SIZE = 7
BATCHES = [RECORDS[start : start + SIZE] for start in range(0, len(RECORDS), SIZE)]
LIMITS = Limits(cache_subjects=5, tail_events=12, snapshots_per_batch=1)


def untouched() -> dict[str, list[Any]]:
    processor = counting_processor(":memory:", limits=LIMITS)
    for batch in BATCHES:
        processor.process(batch)
    processor.close()
    return results(processor.store.db)  # type: ignore[attr-defined]


UNTOUCHED = untouched()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("nth", range(2, len(BATCHES) + 1))
@pytest.mark.parametrize("step", ["begin", "append", "put_states", "put_meta", "commit"])
def test_crash_changes_nothing(step: str, nth: int, when: str, tmp_path: Path) -> None:
    path = tmp_path / "riskmon.db"
    db = open_database(path, sync="normal")
    with pytest.raises(Crash):  # noqa: PT012 (opening is a step too)
        processor = assemble(CrashingStore(db, step, nth, when), limits=LIMITS)
        for batch in BATCHES:
            processor.process(batch)
    db.close()

    processor = counting_processor(path, limits=LIMITS)
    for batch in BATCHES:  # the source delivers from the beginning: what is known already changes nothing
        processor.process(batch)
    processor.close()
    assert results(processor.store.db) == UNTOUCHED  # type: ignore[attr-defined]
    processor.store.db.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("step", ["append", "put_states", "put_meta", "commit"])
def test_a_store_that_refuses_a_batch_gets_it_again(step: str, tmp_path: Path) -> None:
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    store = CrashingStore(open_database(tmp_path / "riskmon.db", sync="normal"), step, 6, "before", full)
    processor = assemble(store, limits=LIMITS)
    refused = 0
    for batch in BATCHES:
        try:
            processor.process(batch)
        except StoreUnavailableError:
            refused += 1
            processor.process(batch)
    processor.close()
    assert (refused, results(store.db)) == (1, UNTOUCHED)
    store.db.close()


def test_a_full_database_keeps_what_was_accepted_and_goes_on(tmp_path: Path) -> None:
    db = open_database(tmp_path / "riskmon.db", sync="normal")
    processor = assemble(SqliteStore(db), limits=LIMITS)
    processor.process(BATCHES[0])
    committed = db.execute("SELECT COUNT(*) FROM journal").fetchone()
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {pages}")
    big = records([{"id": "big", "time_ms": 0, "customer": "C-1", "note": "x" * 100_000}])
    for _ in range(3):
        with pytest.raises(StoreUnavailableError, match="full"):
            processor.process(big)
    assert db.execute("SELECT COUNT(*) FROM journal").fetchone() == committed

    db.execute("PRAGMA max_page_count = 1000000")
    for batch in BATCHES[1:]:
        processor.process(batch)
    processor.close()
    assert results(db) == UNTOUCHED
    db.close()


def test_a_read_only_database_keeps_what_was_accepted_and_goes_on(tmp_path: Path) -> None:
    db = open_database(tmp_path / "riskmon.db", sync="normal")
    processor = assemble(SqliteStore(db), limits=LIMITS)
    processor.process(BATCHES[0])
    db.execute("PRAGMA query_only = ON")
    for _ in range(3):
        with pytest.raises(StoreUnavailableError, match="readonly"):
            processor.process(BATCHES[1])
    db.execute("PRAGMA query_only = OFF")
    for batch in BATCHES[1:]:
        processor.process(batch)
    processor.close()
    assert results(db) == UNTOUCHED
    db.close()
