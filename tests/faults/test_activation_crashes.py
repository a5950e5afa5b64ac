"""The process dies at every step of an activation; after a restart the rules are the old or the new."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from counting_rulebooks import CountingRulebooks, DoublingEngine, StepCodec, step

from streams.processor import Limits, Processor
from streams.progress import read_progress
from streams.stores.sqlite import SqliteStore, open_database
from streams.testing import CountingEngine, Crash, CrashingStore, assemble, records, results, stream

PLAIN = stream(seed=2, length=60)
WHEN = PLAIN[30]["time_ms"]
PLAIN[31:31] = [step("proposed", "d0", "ada", WHEN), step("activated", "d0", "ada", WHEN)]
PLAIN[45:45] = [
    step("rolled_back", "c0", "ada", WHEN),  # refused: what is in force wants a second person
    step("proposed", "c0", "ada", WHEN),
    step("approved", "c0", "bob", WHEN),
    step("activated", "c0", "bob", WHEN, 1),
]
RECORDS = records(PLAIN)
SIZE = 7
BATCHES = [RECORDS[start : start + SIZE] for start in range(0, len(RECORDS), SIZE)]
LIMITS = Limits(cache_subjects=5, tail_events=12, snapshots_per_batch=1)


def opened(store: SqliteStore) -> Processor:
    rulebooks = CountingRulebooks([CountingEngine(), DoublingEngine()])
    return assemble(store, limits=LIMITS, rulebooks=rulebooks, codec=StepCodec())


def untouched() -> tuple[dict[str, list[Any]], list[tuple[int, str]]]:
    processor = opened(SqliteStore(open_database(":memory:", sync="normal")))
    for batch in BATCHES:
        processor.process(batch)
    processor.close()
    return results(processor.store.db), processor.progress.rulebooks  # type: ignore[attr-defined]


UNTOUCHED, RULEBOOKS = untouched()


def test_the_rules_change_twice_among_the_events() -> None:
    assert [digest for _, digest in RULEBOOKS] == ["c0", "d0", "c0"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("nth", range(2, len(BATCHES) + 3))
@pytest.mark.parametrize("step", ["begin", "append", "put_states", "put_meta", "commit"])
def test_crash_leaves_the_rules_whole(step: str, nth: int, when: str, tmp_path: Path) -> None:
    path = tmp_path / "riskmon.db"
    db = open_database(path, sync="normal")
    try:
        processor = opened(CrashingStore(db, step, nth, when))
        for batch in BATCHES:
            processor.process(batch)
    except Crash:
        pass
    db.close()

    processor = reopened(path)
    for batch in BATCHES:  # the source delivers from the beginning: what is known already changes nothing
        processor.process(batch)
    processor.close()
    assert processor.progress.rulebooks == RULEBOOKS
    assert results(processor.store.db) == UNTOUCHED  # type: ignore[attr-defined]
    processor.store.db.close()  # type: ignore[attr-defined]


def reopened(path: Path) -> Processor:
    """As the service starts: by what is in force, where that lets nothing follow without an approval."""
    store = SqliteStore(open_database(path, sync="normal"))
    rulebooks = CountingRulebooks([CountingEngine(), DoublingEngine()])
    rulebooks_then = read_progress(store.meta).rulebooks
    engine = DoublingEngine() if rulebooks_then and rulebooks_then[-1][1] == "d0" else CountingEngine()
    return assemble(store, limits=LIMITS, rulebooks=rulebooks, codec=StepCodec(), engine=engine)
