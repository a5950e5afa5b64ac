"""What a partition of a stage does with single items."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from stage_line import Rows, counting

from monitor.core.schedules import leisure_ms
from streams.stage import StagePartition
from streams.testing import HOUR_MS
from streams.wire import Adopt, Facts, Tick, Work

ADOPT = Adopt(1, "configuration", "c0")


def partition(stage: str = "customer", rows: Rows | None = None) -> StagePartition:
    return StagePartition(stage, 0, rows or Rows(), counting)


def work(order: int, time_ms: int, *, awaits: tuple[str, ...] = (), **fields: Any) -> Work:
    body = orjson.dumps({"id": f"e-{order}", "time_ms": time_ms, **fields})
    return Work(order, "C-1", body, None, awaits, fields.get("reply_to"))


def test_an_event_waits_for_facts_and_everything_behind_it_waits_too():
    tried = partition()
    out = tried.feed([ADOPT, work(2, 5), work(3, 6, awaits=("device",)), work(4, 7)])
    assert (out.answers.orders, tried.waiting) == ([1, 2], 2)
    assert tried.receive(Facts("desk", [(3, {})])).answers.orders == []
    out = tried.receive(Facts("device", [(3, {"device_count": 40})]))
    assert out.answers.orders == [3, 4]
    assert out.answers.answers[-1].assessment.hits[0].saw == {"count": 3, "total": 43}


def test_facts_may_come_before_their_event():
    tried = partition()
    tried.receive(Facts("device", [(2, {})]))
    assert tried.feed([ADOPT, work(2, 5, awaits=("device",))]).answers.orders == [1, 2]


def test_a_refused_event_is_done_and_changes_nothing():
    tried = partition()
    out = tried.feed([ADOPT, work(2, 5, awaits=("desk",))])
    out = tried.receive(Facts("desk", [(2, None)]))
    assert (out.answers.orders, out.answers.answers) == ([2], [])
    assert [row.id for row in tried.snapshots(10).rows] == ["\x00epoch", "\x00done"]


def test_facts_that_come_again_are_dropped():
    tried = partition()
    facts = Facts("device", [(2, {})])
    tried.feed([ADOPT, work(2, 5, awaits=("device",))])
    tried.receive(facts)
    assert tried.receive(facts).answers.orders == []
    assert tried.feed([work(2, 5, awaits=("device",)), work(3, 6)]).answers.orders == [3]


def test_what_a_stage_attaches_goes_to_who_waits_for_it():
    out = partition("device").feed([ADOPT, work(2, 5, reply_to=3), work(3, 6, poison=1, reply_to=3)])
    # One that the engine failed on is no event for the customer either.
    assert out.facts == {3: Facts("device", [(2, {"device_count": 1}), (3, None)])}


def test_a_failing_tick_is_answered_each_time_and_leaves_the_state_alone():
    tried = partition()
    out = tried.feed([ADOPT, work(2, 0), work(3, 1), Tick(4, 3 * HOUR_MS), Tick(5, 4 * HOUR_MS)])
    due_ms = 1 + 2 * HOUR_MS + leisure_ms("customer", "C-1") // 6
    found = [(answer.order, answer.due_ms, answer.failure) for answer in out.answers.answers[-2:]]
    assert found == [(order, due_ms, "the engine failed: ZeroDivisionError: tick") for order in (4, 5)]
    out = tried.feed([work(6, 5 * HOUR_MS)])
    assert [hit.rule for hit in out.answers.answers[0].assessment.hits] == ["SLEEP", "T-3"]
    assert out.answers.answers[0].assessment.hits[1].saw == {"count": 3, "total": 3}


def test_work_before_anything_was_adopted_is_an_error():
    with pytest.raises(RuntimeError, match="customer/0: work came before a configuration was adopted"):
        partition().feed([work(2, 5)])


def test_a_successor_knows_what_is_in_force_and_what_is_done():
    rows = Rows()
    first = partition(rows=rows)
    first.feed([ADOPT, work(2, 5), work(3, 6)])
    assert first.snapshots(10).floor == 4
    successor = partition(rows=rows)
    assert successor.done == 3
    assert successor.feed([ADOPT, work(2, 5), work(3, 6), work(4, 7)]).answers.orders == [4]


def test_a_bounded_tail_forces_snapshots():
    tried = partition()
    tried.feed([ADOPT, *(work(order, order) for order in range(2, 30))])
    assert tried.snapshots(0).floor == 2
    assert tried.snapshots(1).floor == 30
