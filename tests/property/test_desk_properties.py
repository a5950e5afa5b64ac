"""Promises of the desk for every sequence of hits, rating changes, actions, ticks and commits."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.desk import ACTIONS, Desk
from alerts.lifecycle import ActionNotAllowedError, Status
from alerts.stores import sql as stores
from alerts.stores.sql import SqlAlertStore
from monitor.audit import ledger as ledgers
from monitor.audit.ledger import Ledger, verify
from monitor.core.assessment import Assessment, Hit, RatingChange

STEP_MS = 60_000
SEVERITIES = ("low", "medium", "high")


@dataclass(frozen=True)
class Given:
    """An assessment, an action or a tick: what a processor would hand to the desk, in order."""

    kind: str
    rule: int = 0
    subject: int = 0
    severity: int = 0
    alert: bool = True
    grade: int = 12
    target: int = 0
    action: str = "alert.taken"
    actor: str = "ada"


hits = st.builds(
    Given,
    kind=st.just("hit"),
    rule=st.sampled_from([0, 0, 1]),
    subject=st.sampled_from([0, 0, 0, 1]),
    severity=st.integers(0, 2),
    alert=st.sampled_from([True, True, True, False]),
)
ratings = st.builds(
    Given, kind=st.just("rating"), subject=st.sampled_from([0, 0, 0, 1]), grade=st.integers(10, 14)
)
actions = st.builds(
    Given,
    kind=st.just("action"),
    target=st.sampled_from([0, 0, 1, 2]),
    action=st.sampled_from([*ACTIONS, "alert.closed", "alert.closed", "alert.reopened"]),
    actor=st.sampled_from(["ada", "bo"]),
)
ticks = st.just(Given("tick"))
streams = st.lists(st.one_of(hits, hits, hits, actions, actions, ratings, ticks), min_size=5, max_size=40)


def assessment(n: int, given: Given, grades: dict[int, int]) -> Assessment:
    """The assessment of event number `n`; ids and times depend on the position alone."""
    time_ms, event, subject = n * STEP_MS, f"e-{n}", f"C-{given.subject}"
    result = Assessment(
        event_id=event, ref=n, kind="x", subject="customer", subject_id=subject, time_ms=time_ms
    )
    if given.kind == "hit":
        result.hits.append(
            Hit(
                rule=f"A-{given.rule}", version="v", subject="customer", subject_id=subject, event_id=event,
                ref=n, time_ms=time_ms, late=False, status="live", title="t", dimension="fraud",
                severity=SEVERITIES[given.severity], points=1.0, alert=given.alert, cooldown_ms=2 * STEP_MS,
                say=f"say {n}", saw={"n": n, "amount": f"{n * 10**4}.00 CNY"},
            )
        )  # fmt: skip
    else:
        previous = grades.get(given.subject)
        grades[given.subject] = given.grade
        if previous != given.grade:
            result.rating.append(
                RatingChange(
                    customer_id=subject, time_ms=time_ms, cause=event, previous_grade=previous,
                    grade=given.grade, score=1.0, parts=(),
                )
            )  # fmt: skip
    return result


class Run:
    """Drives a desk through a stream; what it wrote is compared between runs."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        connection.executescript(stores.SCHEMA + ledgers.SCHEMA)
        self.connection = connection
        self.grades: dict[int, int] = {}
        self.raised: list[str] = []
        self.start()

    def start(self) -> None:
        self.store = SqlAlertStore(self.connection)
        self.ledger = Ledger(self.connection)
        self.desk = Desk(self.store, self.ledger)

    def commit(self) -> None:
        self.connection.execute("BEGIN")
        self.desk.flush()
        self.ledger.flush()
        self.connection.execute("COMMIT")

    def rollback(self, flush: bool) -> None:
        self.connection.execute("BEGIN")
        if flush:
            self.desk.flush()
            self.ledger.flush()
        self.connection.execute("ROLLBACK")
        self.ledger.rollback()
        self.desk.rollback()

    def handle(self, n: int, given: Given, *, twice: bool = False) -> None:
        if given.kind == "tick":
            self.desk.tick(n * STEP_MS)
        elif given.kind == "action":
            self.act(n, given)
            if twice:
                self.act(n, given)
        else:
            answer = assessment(n, given, self.grades)
            self.raised += [alert.id for alert in self.desk.consider(answer)]
            if twice:
                assert self.desk.consider(replace(answer, duplicate=True)) == []

    def act(self, n: int, given: Given) -> None:
        if given.target >= len(self.raised):
            return
        data = SimpleNamespace(
            alert_id=self.raised[given.target],
            actor=given.actor,
            reason="why",
            disposition="duplicate",
            until=(n + 3) * STEP_MS,
            occurred_at=n * STEP_MS,
        )
        with suppress(ActionNotAllowedError):
            self.desk.act(given.action, data)

    def written(self) -> tuple[Any, ...]:
        self.commit()
        tables = ("alerts", "alert_hits", "alert_steps", "alert_customers", "alert_grades", "outbox")
        rows = [
            self.connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in tables
        ]
        return self.ledger.head, rows


def run(stream: Sequence[Given], **options: bool) -> tuple[Any, ...]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        done = Run(connection)
        for n, given in enumerate(stream):
            done.handle(n, given, **options)
        return done.written()


@settings(max_examples=200, deadline=None)
@given(streams, st.lists(st.sampled_from(["", "", "commit", "restart", "rollback", "flushed"]), max_size=40))
def test_commits_restarts_and_rollbacks_change_nothing(stream: list[Given], between: list[str]) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        cut = Run(connection)
        todo: list[tuple[int, Given]] = []
        for n, given_ in enumerate(stream):
            cut.handle(n, given_)
            todo.append((n, given_))
            match between[n] if n < len(between) else "":
                case "commit" | "restart" as what:
                    cut.commit()
                    saved = list(cut.raised), dict(cut.grades)
                    todo = []
                    if what == "restart":
                        cut.start()
                case "rollback" | "flushed" as what:
                    cut.rollback(what == "flushed")
                    before = saved if any(b in {"commit", "restart"} for b in between[:n]) else ([], {})
                    cut.raised, cut.grades = list(before[0]), dict(before[1])
                    for m, again in todo:
                        cut.handle(m, again)
        assert cut.written() == run(stream)


@settings(max_examples=200, deadline=None)
@given(streams)
def test_delivering_everything_twice_changes_nothing(stream: list[Given]) -> None:
    assert run(stream, twice=True) == run(stream)


@settings(max_examples=200, deadline=None)
@given(streams)
def test_no_fingerprint_has_two_open_alerts_and_no_alert_two_hits_of_one_event(stream: list[Given]) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        done = Run(connection)
        for n, given_ in enumerate(stream):
            done.handle(n, given_)
        done.commit()
        alerts = done.store.select(limit=1000)
        standing = Counter(alert.fingerprint for alert in alerts if alert.is_open)
        assert all(count == 1 for count in standing.values())
        assert len(alerts) == len(set(done.raised)) == len(done.raised)
        for alert in alerts:
            counted = [hit.ref for hit in done.store.counted(alert.id, 1000)]
            assert len(counted) == len(set(counted)) == alert.hits
        cases: dict[tuple[str, str], set[str]] = {}
        for alert in alerts:
            if alert.status is not Status.CLOSED:
                cases.setdefault((alert.subject, alert.subject_id), set()).add(alert.case_id)
        assert all(len(ids) == 1 for ids in cases.values())
        assert done.desk.open_count() == sum(done.store.open_by_severity().values())
        assert verify(done.ledger.entries()) is None


@settings(max_examples=50, deadline=None)
@given(streams)
def test_every_hit_that_asks_is_counted_by_exactly_one_alert(stream: list[Given]) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        done = Run(connection)
        for n, given_ in enumerate(stream):
            done.handle(n, given_)
        done.commit()
        asked = sum(given_.kind == "hit" and given_.alert for given_ in stream)
        rule_alerts = [alert for alert in done.store.select(limit=1000) if alert.rule != "rating"]
        assert sum(alert.hits for alert in rule_alerts) == asked
