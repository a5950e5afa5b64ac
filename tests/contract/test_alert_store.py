"""The alert store keeps its promises on either database."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from alerts.lifecycle import Alert, Status
from alerts.outbox import connect
from alerts.ports import AlertStore, Counted, Filter, Order, Step, standing_of
from alerts.stores.sql import SCHEMA, SqlAlertStore
from monitor.database import Database, connect_postgres
from streams.stores.sqlite import read_only


@pytest.fixture
def store(db: Database) -> AlertStore:
    return SqlAlertStore(db)


def alert(number: int, **changes: object) -> Alert:
    first = Alert(
        id=f"{number:032x}",
        case_id=f"case-{number}",
        subject="customer",
        subject_id=f"C-{number}",
        rule="A-124",
        version="v",
        title="Structuring",
        severity="medium",
        dimension="compliance",
        priority=32,
        grade=None,
        event_id=f"tx-{number}",
        opened_ms=number * 1000,
        changed_ms=number * 1000,
        due_ms=number * 1000 + 500,
        last_hit_ms=number * 1000,
        cooldown_ms=60,
        say="3 deposits of 50% each",
        saw={"amount": 5, "names": ["a"], "none": None},
        evidence=(1, -(2**63)),
        triage=("Ask.",),
        customers=(f"C-{number}",),
    )
    return replace(first, **changes)  # type: ignore[arg-type]


def numbers(alerts: list[Alert]) -> list[int]:
    return [int(one.id, 16) for one in alerts]


def test_an_alert_comes_back_as_it_was_put(store: AlertStore) -> None:
    full = alert(
        1,
        grade=10,
        status=Status.SNOOZED,
        assignee="ada",
        hits=3,
        snoozed_until_ms=7,
        disposition="duplicate",
        reason="why",
        proposed_by="bo",
    )
    store.put([full, alert(2)])
    assert store.get(full.id) == full
    assert store.get(alert(2).id) == alert(2)
    assert store.get("nope") is None


def test_the_last_put_wins_and_a_count_only_counts(store: AlertStore) -> None:
    store.put([alert(1)])
    store.put([alert(1, status=Status.TAKEN, assignee="ada")])
    store.bump([replace(standing_of(alert(1)), hits=4, last_hit_ms=99)])
    assert store.get(alert(1).id) == alert(1, status=Status.TAKEN, assignee="ada", hits=4, last_hit_ms=99)
    assert store.count() == 1


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Filter(), [3, 1, 2, 4]),
        (Filter(statuses=(Status.OPEN,)), [3, 1]),
        (Filter(statuses=(Status.OPEN, Status.TAKEN)), [3, 1, 2]),
        (Filter(statuses=(Status.CLOSED,)), [4]),
        (Filter(severities=("critical", "low")), [3]),
        (Filter(subject="device"), [2]),
        (Filter(subject_id="C-3"), [3]),
        (Filter(assignee="ada"), [2]),
        (Filter(rule="A-200"), [4]),
        (Filter(case_id="case-1"), [1]),
        (Filter(text="STRUCT"), [3, 1, 2]),
        (Filter(text="50% each"), [3, 1, 2, 4]),
        (Filter(text="50_ each"), []),
        (Filter(text="c-4"), [4]),
        (Filter(text="\u00c4rger"), [2]),
        (Filter(text="\u00e4rger"), []),
        (Filter(text="nothing like it"), []),
        (Filter(statuses=(Status.OPEN,), text="struct", severities=("medium",)), [1]),
    ],
    ids=str,
)
def test_alerts_are_selected_most_urgent_first(
    store: AlertStore, wanted: Filter, expected: list[int]
) -> None:
    store.put(
        [
            alert(1),
            alert(2, subject="device", status=Status.TAKEN, assignee="ada", say="\u00c4RGER \\ 50% each"),
            alert(3, severity="critical", priority=64),
            alert(4, rule="A-200", title="Mule", status=Status.CLOSED),
        ]
    )
    assert numbers(store.select(wanted)) == expected
    assert store.count(wanted) == len(expected)


def test_newest_first_and_by_the_page(store: AlertStore) -> None:
    store.put(alert(n) for n in range(1, 8))
    assert numbers(store.select(order=Order.NEWEST, limit=3)) == [7, 6, 5]
    assert numbers(store.select(order=Order.NEWEST, limit=3, offset=6)) == [1]
    assert numbers(store.select(limit=2, offset=2)) == [3, 4]


def test_open_alerts_are_counted_by_severity(store: AlertStore) -> None:
    store.put(
        [alert(1), alert(2, status=Status.SNOOZED), alert(3, status=Status.CLOSED), alert(4, severity="low")]
    )
    assert store.open_by_severity() == {"critical": 0, "high": 0, "medium": 2, "low": 1, "info": 0}


def test_ids_are_found_by_their_beginning(store: AlertStore) -> None:
    store.put([replace(alert(1), id="aa11"), replace(alert(2), id="aa12"), replace(alert(3), id="ab11")])
    assert store.matching("aa") == ["aa11", "aa12"]
    assert store.matching("aa11") == ["aa11"]
    assert store.matching("a", limit=2) == ["aa11", "aa12"]
    assert store.matching("%") == []


def test_what_is_not_closed_is_standing(store: AlertStore) -> None:
    store.put([alert(1), alert(2, status=Status.CLOSED), alert(3, status=Status.SNOOZED, snoozed_until_ms=8)])
    found = sorted(store.standing(), key=lambda one: one.alert_id)
    assert found == [standing_of(alert(1)), standing_of(alert(3, status=Status.SNOOZED, snoozed_until_ms=8))]


def test_the_latest_alert_of_a_fingerprint(store: AlertStore) -> None:
    old, new = alert(1, subject_id="C"), alert(2, subject_id="C", status=Status.CLOSED)
    store.put([old, new, alert(3, subject_id="C", rule="A-200"), alert(4, subject_id="C", subject="device")])
    assert store.latest("A-124", "customer", "C") == standing_of(new)
    assert store.latest("A-124", "customer", "D") is None


def test_histories_and_hits_belong_to_their_alert(store: AlertStore) -> None:
    steps = [
        Step("a", 5, "take", "ada", "", None, None),
        Step("b", 6, "take", "ada", "", None, None),
        Step("a", 4, "snooze", "ada", "why", None, 9),
    ]
    hits = [Counted("a", n, f"tx-{n}", n, "say") for n in (2, 3, 1)]
    store.add_steps(steps)
    store.add_counted(hits)
    assert store.history("a") == [steps[0], steps[2]]
    assert [hit.time_ms for hit in store.counted("a", 2)] == [3, 2]
    assert store.counted("b") == []


def test_alerts_that_concern_a_customer(store: AlertStore) -> None:
    store.put([alert(1), alert(2, subject="device", customers=("C-1", "C-9")), alert(3)])
    assert numbers(store.of_customer("C-1")) == [2, 1]
    assert numbers(store.of_customer("C-1", limit=1)) == [2]
    assert store.of_customer("C-0") == []


def test_grades_are_kept_until_taken_out(store: AlertStore) -> None:
    store.put_grades({"C-1": 10, "C-2": 12})
    store.put_grades({"C-1": 11, "C-2": None, "C-3": None})
    assert store.grades(["C-1", "C-2", "C-3"]) == {"C-1": 11}


@pytest.mark.postgres
def test_a_page_of_open_alerts_needs_no_sort_in_postgres(migrated_url: str) -> None:
    with closing(connect_postgres(migrated_url)) as db:
        SqlAlertStore(db).put(alert(n) for n in range(1, 200))
        # The few alerts of a test are faster sorted; many are not.
        for way in ("seqscan", "bitmapscan", "sort"):
            db.execute(f"SET enable_{way} = off")
        query = (
            "EXPLAIN SELECT id FROM alerts WHERE status IN ('open', 'taken') AND status <> 'closed' "
            "ORDER BY priority DESC, due_ms, id LIMIT 50"
        )
        plan = " ".join(row[0] for row in db.execute(query))
    assert "alerts_open" in plan
    assert "Sort" not in plan


def test_a_page_of_open_alerts_needs_no_scan_of_closed_ones(tmp_path: Path) -> None:
    connection = connect(tmp_path / "riskmon.db")
    connection.executescript(SCHEMA)
    query = (
        "EXPLAIN QUERY PLAN SELECT id FROM alerts WHERE status IN ('open', 'taken') AND status <> 'closed' "
        "ORDER BY priority DESC, due_ms, id LIMIT 50"
    )
    plan = " ".join(row[3] for row in connection.execute(query))
    assert "alerts_open" in plan
    assert "TEMP B-TREE" not in plan
    connection.close()


def test_a_read_only_store_reads_beside_the_writer_and_cannot_write(tmp_path: Path) -> None:
    writer = connect(tmp_path / "riskmon.db")
    writer.execute("PRAGMA journal_mode = WAL")
    writer.executescript(SCHEMA)
    SqlAlertStore(writer).put([alert(1)])
    writer.execute("BEGIN IMMEDIATE")
    SqlAlertStore(writer).put([alert(2)])
    reader = read_only(tmp_path / "riskmon.db")
    assert numbers(SqlAlertStore(reader).select()) == [1]
    writer.execute("COMMIT")
    assert numbers(SqlAlertStore(reader).select()) == [1, 2]
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        SqlAlertStore(reader).put([alert(3)])
    reader.close()
    writer.close()


def test_a_database_left_by_a_clean_stop_opens_read_only(tmp_path: Path) -> None:
    writer = connect(tmp_path / "riskmon.db")
    writer.execute("PRAGMA journal_mode = WAL")
    writer.executescript(SCHEMA)
    SqlAlertStore(writer).put([alert(1)])
    writer.close()
    reader = read_only(tmp_path / "riskmon.db")
    assert SqlAlertStore(reader).count() == 1
    reader.close()
