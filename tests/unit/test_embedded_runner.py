"""The engine thread: acknowledged after the commit, patient with the store, bounded, and clean at the end."""

import sqlite3
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any

import orjson
import pytest

from streams.ports import BusyError, Outcome, Record, StoreUnavailableError
from streams.processor import Processor
from streams.runners.embedded import EmbeddedRunner, Pace
from streams.stores.sqlite import SqliteStore, open_database, read_only
from streams.testing import Crash, CrashingStore, assemble, counting_processor, records, results, stream

PATIENCE_S = 60
QUIET = Pace(tick_ms=0, gather_ms=1)
EVENTS = records(stream(seed=3, length=90))


def journaled(path: Path) -> int:
    reader = read_only(path)
    (count,) = reader.execute(
        "SELECT COUNT(*) FROM journal WHERE instr(CAST(body AS TEXT), 'tick-') = 0"
    ).fetchone()
    reader.close()
    return int(count)


def test_outcomes_come_in_order_after_the_commit(tmp_path: Path) -> None:
    path = tmp_path / "riskmon.db"
    runner = EmbeddedRunner(counting_processor(path), QUIET)
    runner.start()
    outcomes = runner.submit(EVENTS, "http").result(PATIENCE_S)
    assert [o.event_id for o in outcomes] == [orjson.loads(record.body)["id"] for record in EVENTS]
    assert journaled(path) == sum(o.status == "accepted" for o in outcomes)
    assert runner.health.is_alive
    assert runner.health.is_store_ok
    runner.stop()
    runner.stop()
    assert not runner.health.is_alive


def test_many_submitters_get_their_own_outcomes() -> None:
    runner = EmbeddedRunner(counting_processor(":memory:"), QUIET)
    runner.start()
    answers: dict[int, list[Outcome]] = {}

    def client(number: int) -> None:
        mine = records([{"id": f"{number}-{n}", "time_ms": n, "customer": f"C-{number}"} for n in range(40)])
        for start in range(0, 40, 8):
            told = runner.submit(mine[start : start + 8], "http").result(PATIENCE_S)
            answers.setdefault(number, []).extend(told)

    threads = [Thread(target=client, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    runner.stop()
    assert {n: [o.event_id for o in answers[n]] for n in range(6)} == {
        n: [f"{n}-{i}" for i in range(40)] for n in range(6)
    }


class SlowCodec:
    """Holds the engine thread until it is let go."""

    def __init__(self, processor: Processor) -> None:
        self.entered, self.go = Event(), Event()
        self._inner = processor._codec
        processor._codec = self

    def decode(self, record: bytes, now_ms: int | None = None) -> Any:
        self.entered.set()
        self.go.wait(PATIENCE_S)
        return self._inner.decode(record, now_ms)


def test_a_full_queue_refuses_and_takes_again_when_there_is_room() -> None:
    processor = counting_processor(":memory:")
    slow = SlowCodec(processor)
    runner = EmbeddedRunner(processor, Pace(tick_ms=0, gather_ms=0, queued_events=10, patience_s=0.05))
    runner.start()
    first = runner.submit(EVENTS[:8], "http")
    slow.entered.wait(PATIENCE_S)
    with pytest.raises(BusyError, match="8 records wait"):
        runner.submit(EVENTS[8:16], "http")
    slow.go.set()
    first.result(PATIENCE_S)
    assert len(runner.submit(EVENTS[8:16], "http").result(PATIENCE_S)) == 8
    runner.stop()


def test_nothing_is_acknowledged_while_the_store_refuses(tmp_path: Path) -> None:
    path = tmp_path / "riskmon.db"
    db = open_database(path)
    runner = EmbeddedRunner(assemble(SqliteStore(db)), Pace(tick_ms=0, gather_ms=0, longest_pause_s=0.05))
    runner.start()
    runner.submit(EVENTS[:5], "http").result(PATIENCE_S)
    db.execute("PRAGMA query_only = ON")
    pending = runner.submit(EVENTS[5:10], "http")
    end = monotonic() + PATIENCE_S
    while runner.health.is_store_ok and monotonic() < end:
        sleep(0.01)
    assert not pending.done()
    assert not runner.health.is_store_ok
    assert "readonly" in runner.health.problem
    db.execute("PRAGMA query_only = OFF")
    assert len(pending.result(PATIENCE_S)) == 5
    assert runner.health.is_store_ok
    runner.stop()
    db.close()


def test_stopping_carries_out_what_was_accepted_first() -> None:
    processor = counting_processor(":memory:")
    slow = SlowCodec(processor)
    runner = EmbeddedRunner(processor, Pace(tick_ms=0, gather_ms=0))
    runner.start()
    futures = [runner.submit(EVENTS[start : start + 10], "http") for start in range(0, 90, 10)]
    stopper = Thread(target=runner.stop)
    stopper.start()
    slow.go.set()
    stopper.join(PATIENCE_S)
    assert sum(len(future.result(0)) for future in futures) == 90
    with pytest.raises(BusyError, match="not running"):
        runner.submit(EVENTS[:1], "http")


def test_stopping_while_the_store_refuses_tells_those_who_wait() -> None:
    processor = counting_processor(":memory:")
    runner = EmbeddedRunner(processor, QUIET)
    runner.start()
    processor.store.db.execute("PRAGMA query_only = ON")  # type: ignore[attr-defined]
    pending = runner.submit(EVENTS[:5], "http")
    runner.stop()
    with pytest.raises(StoreUnavailableError):
        pending.result(PATIENCE_S)


def test_time_passes_without_events() -> None:
    now = [1_700_000_000.0]
    processor = counting_processor(":memory:", tick_every_ms=0)
    runner = EmbeddedRunner(processor, Pace(tick_ms=20, gather_ms=0), clock=lambda: now[0])
    runner.start()
    event = {"id": "e", "time_ms": 1_700_000_000_000, "customer": "C-1"}
    runner.submit([Record(records([event])[0].body)], "http").result(PATIENCE_S)
    now[0] += 3 * 3_600 + 1
    runner.submit([Record(b"rubbish wakes the thread")], "http").result(PATIENCE_S)
    runner.stop()
    kinds = processor.store.db.execute("SELECT kind, subject FROM ledger").fetchall()  # type: ignore[attr-defined]
    assert ("hit", "customer:C-1") in kinds


def test_an_engine_thread_that_dies_is_seen() -> None:
    store = CrashingStore(open_database(":memory:"), "commit", 4)
    runner = EmbeddedRunner(assemble(store), QUIET)
    runner.start()
    with pytest.raises((Crash, BusyError)):  # noqa: PT012 (which submission meets it is not fixed)
        for start in range(0, 90, 10):
            runner.submit(EVENTS[start : start + 10], "http").result(PATIENCE_S)
    runner.stop()
    assert "Crash" in runner.health.problem


def test_the_runner_gives_what_the_processor_gives() -> None:
    direct = counting_processor(":memory:")
    direct.process(EVENTS)
    direct.close()
    processor = counting_processor(":memory:")
    runner = EmbeddedRunner(processor, QUIET)
    runner.start()
    for start in range(0, 90, 7):
        runner.submit(EVENTS[start : start + 7], "http")
    runner.stop()
    for one, other in zip(*(results(_db(p)).values() for p in (direct, processor)), strict=True):
        assert one == other


def _db(processor: Processor) -> sqlite3.Connection:
    assert isinstance(processor.store, SqliteStore)
    return processor.store.db
