"""Snapshots as records: the newest counts, in any order; what was read before an assignment does not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.ports import StateRow
from streams.runners.kafka.snapshots import ChangelogRows, SnapshotRows, record_of


def row(seq: int, subject_id: str = "C-1", due_ms: int = 0) -> StateRow:
    return StateRow("customer", subject_id, seq, due_ms, b"%d" % seq)


@given(st.permutations(range(1, 8)))
def test_the_newest_snapshot_counts_in_whatever_order_they_come(order: list[int]) -> None:
    rows = SnapshotRows("customer")
    for seq in order:
        rows.apply(*record_of(row(seq)))
    assert rows.state("customer", "C-1") == row(7)
    assert rows.overwritten() == ([] if order[-1] == 7 else [row(7)])
    assert rows.overwritten() == []


def test_timers_are_those_of_the_newest_snapshots():
    rows = SnapshotRows("customer")
    rows.put_states([row(1, "C-1", 50), row(2, "C-2"), row(3, "C-3", 40)])
    rows.put_states([row(4, "C-1", 60)])
    assert sorted(rows.timers()) == [(40, "customer", "C-3"), (60, "customer", "C-1")]


def filled() -> ChangelogRows:
    changelog = ChangelogRows("customer")
    changelog.assigned({0, 1}, 1)
    for partition in (0, 1):
        changelog.apply(partition, 4, 1, *record_of(row(9)))
    return changelog


def test_a_partition_that_stays_is_kept_once_it_was_read_to_its_end():
    changelog = filled()
    changelog.completed()
    changelog.assigned({1, 2}, 2)
    assert [changelog.reached(partition) for partition in (0, 1, 2)] == [-1, 4, -1]
    assert changelog.rows(1).state("customer", "C-1") == row(9)
    assert changelog.rows(0).state("customer", "C-1") is None


def test_a_partition_that_was_not_read_to_its_end_is_read_anew():
    changelog = filled()
    changelog.assigned({0, 1}, 2)
    assert changelog.reached(1) == -1
    assert len(changelog.rows(1)) == 0


def test_a_record_read_before_the_assignment_counts_for_nothing():
    changelog = filled()
    changelog.assigned({0}, 2)
    assert changelog.seen(0, 700, 1) == -1
    changelog.apply(0, 700, 1, *record_of(row(9)))
    assert (changelog.reached(0), len(changelog.rows(0))) == (-1, 0)
    assert changelog.seen(0, 0, 2) == 0


def test_own_records_need_not_be_read_again_as_long_as_no_other_is_between():
    changelog = filled()
    changelog.written(0, 5)
    changelog.written(0, 7)
    assert changelog.reached(0) == 5


def test_what_is_ahead_of_the_topic_is_forgotten():
    changelog = filled()
    changelog.forget()
    assert changelog.reached(0) == -1
    assert len(changelog.rows(0)) == 0
