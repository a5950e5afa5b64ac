"""What must not depend on how the events come: batches, repeats, restarts, the size of memory."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.ports import Record
from streams.processor import Limits, Processor
from streams.stores.sqlite import SqliteStore, open_database
from streams.testing import assemble, counting_processor, records, results, stream

EVENTS = stream(seed=1, length=160)
SMALL = Limits(cache_subjects=4, tail_events=10, snapshots_per_batch=1)
few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def carried(batches: Sequence[Sequence[Record]], limits: Limits | None = None) -> dict[str, list[Any]]:
    processor = counting_processor(":memory:", limits=limits)
    for batch in batches:
        processor.process(batch)
    return closed(processor)


def closed(processor: Processor) -> dict[str, list[Any]]:
    processor.close()
    assert isinstance(processor.store, SqliteStore)
    return results(processor.store.db)


def cut(stream_records: list[Record], places: Sequence[int]) -> list[list[Record]]:
    edges = [0, *sorted(places), len(stream_records)]
    return [stream_records[start:end] for start, end in pairwise(edges)]


ONE_BY_ONE = carried([[record] for record in records(EVENTS)])
places = st.lists(st.integers(0, len(EVENTS)), max_size=12)


def test_the_stream_of_these_tests_has_everything_in_it() -> None:
    processor = counting_processor(":memory:")
    processor.process(records(EVENTS))
    counters = processor.progress.counters
    assert min(counters.rejected, counters.duplicates, counters.late, counters.hits, counters.alerts) > 0
    assert processor.progress.head > counters.events  # ticks


@few
@given(places)
def test_batch_boundaries_change_nothing(edges: list[int]) -> None:
    assert carried(cut(records(EVENTS), edges)) == ONE_BY_ONE


@few
@given(places)
def test_a_cache_that_holds_few_states_changes_nothing(edges: list[int]) -> None:
    assert carried(cut(records(EVENTS), edges), SMALL) == ONE_BY_ONE


@few
@given(places, places)
def test_delivering_any_part_again_changes_nothing(edges: list[int], again: list[int]) -> None:
    batches = cut(records(EVENTS), edges)
    repeated = [records(EVENTS[max(0, place - 30) : place]) for place in again]
    # A repeat may only come after the first time: behind everything, one batch each.
    assert carried([*batches, *repeated]) == ONE_BY_ONE


@pytest.mark.parametrize("limits", [None, SMALL])
@few
@given(edges=places)
def test_restarting_without_closing_changes_nothing(
    edges: list[int], limits: Limits | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("restart") / "riskmon.db"
    for batch in cut(records(EVENTS), edges):
        db = open_database(path, sync="normal")
        assemble(SqliteStore(db), limits=limits).process(batch)
        db.close()
    processor = counting_processor(path)
    assert closed(processor) == ONE_BY_ONE
    processor.store.db.close()  # type: ignore[attr-defined]


def test_a_duplicate_gets_the_first_answer(tmp_path: Path) -> None:
    batch = records([{"id": f"e-{n}", "time_ms": n, "customer": "C-1", "amount": 7} for n in range(3)])
    processor = counting_processor(tmp_path / "riskmon.db")
    first = processor.process(batch)
    again = processor.process(batch + batch[:1])
    assert [o.status for o in again] == ["duplicate"] * 4
    assert [(o.event_id, o.score, o.rules, o.late) for o in again[:3]] == [
        (o.event_id, o.score, o.rules, o.late) for o in first
    ]
    assert again[2].rules == ("T-3",)


def test_a_duplicate_within_one_batch_gets_the_first_answer() -> None:
    event = {"id": "e-1", "time_ms": 5, "customer": "C-1", "amount": 7}
    first, again = counting_processor(":memory:").process(records([event, event]))
    assert (first.status, again.status, again.score) == ("accepted", "duplicate", first.score)


def test_a_record_the_engine_cannot_survive_spares_its_neighbours() -> None:
    good = [{"id": f"e-{n}", "time_ms": n, "customer": "C-1", "amount": 7} for n in range(4)]
    poison = {"id": "p", "time_ms": 2, "customer": "C-1", "poison": 1}
    processor = counting_processor(":memory:")
    outcomes = processor.process(records([*good[:2], poison, *good[2:]]))
    assert [o.status for o in outcomes] == ["accepted", "accepted", "rejected", "accepted", "accepted"]
    assert "ZeroDivisionError: poison" in str(outcomes[2].rejection.faults[0])
    assert closed(processor) == carried([records(good)])
