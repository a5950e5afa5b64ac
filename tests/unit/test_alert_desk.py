"""The desk raises, counts and changes alerts inside the processor's transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from alerts.desk import Desk, DeskSettings
from alerts.lifecycle import ActionNotAllowedError, Alert, Status, UnknownAlertError
from alerts.stores import sql as stores
from alerts.stores.sql import SqlAlertStore
from monitor.audit import ledger as ledgers
from monitor.audit.ledger import Ledger, verify
from monitor.core.assessment import Assessment, Hit, RatingChange

HOUR_MS = 3_600_000


class Bench:
    """A desk with its store and ledger over one database, driven as the processor does."""

    def __init__(self, connection: sqlite3.Connection, settings: DeskSettings | None = None) -> None:
        self.connection = connection
        self.settings = settings
        self.restart()

    def restart(self) -> None:
        self.store = SqlAlertStore(self.connection)
        self.ledger = Ledger(self.connection)
        self.desk = Desk(self.store, self.ledger, self.settings)

    def commit(self) -> None:
        self.connection.execute("BEGIN")
        self.desk.flush()
        self.ledger.flush()
        self.connection.execute("COMMIT")

    def rollback(self, *, flushed: bool) -> None:
        self.connection.execute("BEGIN")
        if flushed:
            self.desk.flush()
            self.ledger.flush()
        self.connection.execute("ROLLBACK")
        self.ledger.rollback()
        self.desk.rollback()

    def entries(self) -> list[tuple[int, str, str, dict[str, Any]]]:
        self.commit()
        return [(e.time_ms, e.kind, e.subject, e.data) for e in self.ledger.entries()]

    def messages(self) -> list[dict[str, Any]]:
        self.commit()
        return [
            orjson.loads(row[0]) for row in self.connection.execute("SELECT body FROM outbox ORDER BY seq")
        ]


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(stores.SCHEMA + ledgers.SCHEMA)
    yield connection
    connection.close()


@pytest.fixture
def bench(connection: sqlite3.Connection) -> Bench:
    return Bench(connection)


def hit(event: str = "tx-1", time_ms: int = 0, **changes: Any) -> Hit:
    values: dict[str, Any] = {
        "rule": "A-124",
        "version": "0123456789ab",
        "subject": "customer",
        "subject_id": "C-1",
        "event_id": event,
        "ref": sum(event.encode()),
        "time_ms": time_ms,
        "late": False,
        "status": "live",
        "title": "Structuring",
        "dimension": "compliance",
        "severity": "medium",
        "points": 25.0,
        "alert": True,
        "cooldown_ms": HOUR_MS,
        "say": "3 deposits of 62,400",
        "saw": {"amount": "62400.00 CNY", "n": 3},
        "evidence": (1, 2, 3),
        "triage": ("Ask.",),
    }
    return Hit(**values | changes)


def assessment(*hits: Hit, **changes: Any) -> Assessment:
    first = hits[0] if hits else hit(changes.get("event_id", "tx-1"), changes.get("time_ms", 0))
    values: dict[str, Any] = {
        "event_id": first.event_id,
        "ref": first.ref,
        "kind": "payment.transfer",
        "subject": first.subject,
        "subject_id": first.subject_id,
        "time_ms": first.time_ms,
        "hits": list(hits),
    }
    return Assessment(**values | changes)


def rating(grade: int, previous: int | None, time_ms: int = 0, cause: str = "tx-9") -> RatingChange:
    parts = (
        {"name": "fraud", "kind": "dimension", "points": 50.0},
        {"name": "S'", "kind": "base", "points": 12.5},
    )
    return RatingChange(
        customer_id="C-1",
        time_ms=time_ms,
        cause=cause,
        previous_grade=previous,
        grade=grade,
        score=62.5,
        parts=parts,
    )


def officer(alert_id: str, time_ms: int, actor: str = "ada", **fields: Any) -> SimpleNamespace:
    return SimpleNamespace(alert_id=alert_id, actor=actor, occurred_at=time_ms, **fields)


def close(bench: Bench, alert: Alert, time_ms: int, actor: str = "ada") -> Alert:
    data = officer(alert.id, time_ms, actor, reason="known", disposition="false_positive.explained")
    return bench.desk.act("alert.closed", data)


def raised(bench: Bench, *hits: Hit) -> Alert:
    (alert,) = bench.desk.consider(assessment(*hits))
    return alert


def test_a_hit_that_asks_for_it_raises_an_alert(bench: Bench) -> None:
    alert = raised(bench, hit())
    bench.commit()
    assert bench.store.get(alert.id) == alert
    assert (alert.status, alert.hits, alert.customers, alert.priority) == (Status.OPEN, 1, ("C-1",), 33)


@pytest.mark.parametrize("change", [{"alert": False}, {"status": "shadow"}])
def test_other_hits_are_recorded_only(bench: Bench, change: dict[str, Any]) -> None:
    assert bench.desk.consider(assessment(hit(**change))) == []
    assert [kind for _, kind, _, _ in bench.entries()] == ["hit"]
    assert bench.messages() == []


def test_a_repeat_adds_to_the_open_alert(bench: Bench) -> None:
    alert = raised(bench, hit())
    assert bench.desk.consider(assessment(hit("tx-2", 90 * HOUR_MS))) == []
    bench.commit()
    stored = bench.store.get(alert.id)
    assert stored is not None
    assert (stored.hits, stored.last_hit_ms, stored.opened_ms) == (2, 90 * HOUR_MS, 0)
    assert [one.event_id for one in bench.store.counted(alert.id)] == ["tx-2", "tx-1"]
    assert bench.store.count() == 1


@pytest.mark.parametrize("committed", [True, False])
def test_a_closed_alert_counts_inside_its_cooldown_and_is_followed_by_another_after_it(
    bench: Bench, committed: bool
) -> None:
    first = raised(bench, hit())
    close(bench, first, 10)
    if committed:
        bench.commit()
    assert bench.desk.consider(assessment(hit("tx-2", HOUR_MS - 1))) == []
    assert bench.desk.alert(first.id).hits == 2
    second = raised(bench, hit("tx-3", HOUR_MS))
    assert second.id != first.id
    assert bench.desk.alert(first.id).status is Status.CLOSED


def test_a_graver_hit_inside_the_cooldown_of_a_closed_alert_raises_another(bench: Bench) -> None:
    close(bench, raised(bench, hit()), 10)
    assert raised(bench, hit("tx-2", 20, severity="critical")).severity == "critical"


def test_a_graver_hit_makes_an_open_alert_graver(bench: Bench) -> None:
    alert = raised(bench, hit())
    bench.desk.consider(assessment(hit("tx-2", 20, severity="critical", say="worse")))
    graver = bench.desk.alert(alert.id)
    assert (graver.severity, graver.say, graver.hits, graver.priority) == ("critical", "worse", 2, 67)
    assert graver.due_ms == 20 + 15 * 60_000
    bench.desk.consider(assessment(hit("tx-3", 30, severity="low")))
    assert bench.desk.alert(alert.id).severity == "critical"


def test_alerts_of_a_subject_share_a_case_while_one_is_open(bench: Bench) -> None:
    first = raised(bench, hit())
    second = raised(bench, hit("tx-2", 10, rule="A-200"))
    other = raised(bench, hit("tx-3", 10, subject_id="C-2"))
    assert first.case_id == second.case_id != other.case_id
    close(bench, first, 20)
    third = raised(bench, hit("tx-4", 30, rule="A-300"))
    assert third.case_id == first.case_id
    close(bench, second, 40)
    close(bench, third, 50)
    assert raised(bench, hit("tx-5", 60, rule="A-400")).case_id != first.case_id


def test_an_entity_alert_concerns_the_customers_it_was_seen_with(bench: Bench) -> None:
    alert = raised(bench, hit(subject="device", subject_id="D-1", customers=("C-1", "C-2")))
    bench.commit()
    assert [one.id for one in bench.store.of_customer("C-2")] == [alert.id]
    assert alert.priority == 33


def test_a_snoozed_alert_goes_on_counting_and_wakes_with_the_first_hit_after_its_end(bench: Bench) -> None:
    alert = raised(bench, hit())
    bench.desk.act("alert.snoozed", officer(alert.id, 10, reason="payday", until=100))
    bench.desk.consider(assessment(hit("tx-2", 99)))
    assert bench.desk.alert(alert.id).status is Status.SNOOZED
    bench.desk.consider(assessment(hit("tx-3", 100)))
    woken = bench.desk.alert(alert.id)
    assert (woken.status, woken.hits, woken.assignee) == (Status.OPEN, 3, None)


def test_a_tick_wakes_alerts_whose_snooze_ran_out(bench: Bench) -> None:
    alert = raised(bench, hit())
    bench.desk.act("alert.snoozed", officer(alert.id, 10, reason="payday", until=100))
    bench.commit()
    bench.restart()
    assert bench.desk.tick(99) == []
    assert [one.status for one in bench.desk.tick(100)] == [Status.OPEN]
    assert bench.desk.tick(101) == []
    assert bench.entries()[-1][3]["actor"] == "timer"


@pytest.mark.parametrize(
    ("grade", "previous", "severity"),
    [(10, 12, "high"), (11, 14, "medium"), (10, None, "high"), (10, 11, "high")],
)
def test_a_rise_of_the_grade_to_eleven_or_worse_raises_an_alert(
    bench: Bench, grade: int, previous: int | None, severity: str
) -> None:
    (alert,) = bench.desk.consider(assessment(rating=[rating(grade, previous)]))
    assert (alert.rule, alert.severity, alert.dimension, alert.disclosure, alert.grade) == (
        "rating",
        severity,
        "fraud",
        "aml_confidential",
        grade,
    )


@pytest.mark.parametrize(("grade", "previous"), [(12, 14), (11, 10), (14, None), (13, 11)])
def test_other_changes_of_the_grade_are_recorded_only(bench: Bench, grade: int, previous: int | None) -> None:
    assert bench.desk.consider(assessment(rating=[rating(grade, previous)])) == []
    assert [kind for _, kind, _, _ in bench.entries()] == ["rating"]


def test_a_second_rise_makes_the_open_rating_alert_graver(bench: Bench) -> None:
    (alert,) = bench.desk.consider(assessment(rating=[rating(11, 12)]))
    bench.desk.consider(assessment(rating=[rating(10, 11, 50, "tx-10")]))
    graver = bench.desk.alert(alert.id)
    assert (graver.severity, graver.title, graver.hits) == ("high", "Rating rose to high", 2)


@pytest.mark.parametrize("committed", [True, False])
def test_the_grade_of_the_customer_raises_the_priority(bench: Bench, committed: bool) -> None:
    before = raised(bench, hit())
    bench.desk.consider(assessment(rating=[rating(10, 13)]))
    if committed:
        bench.commit()
        bench.restart()
    after = raised(bench, hit("tx-2", 5, rule="A-200"))
    assert (before.priority, bench.desk.alert(before.id).priority, after.priority) == (33, 42, 42)
    bench.desk.consider(assessment(rating=[rating(14, 10, 9)]))
    assert bench.desk.alert(after.id).priority == 33


def test_an_event_too_late_is_in_the_ledger(bench: Bench) -> None:
    bench.desk.consider(assessment(too_late=True, hits=[]))
    assert [(kind, body["event"]) for _, kind, _, body in bench.entries()] == [("late", "tx-1")]


@pytest.mark.parametrize("committed", [True, False])
def test_a_redelivery_changes_nothing(bench: Bench, committed: bool) -> None:
    first = assessment(hit(), hit(rule="A-200"), rating=[rating(10, 12)])
    bench.desk.consider(first)
    if committed:
        bench.commit()
        bench.restart()
    first.duplicate = True
    assert bench.desk.consider(first) == []
    assert len(bench.entries()) == 3 + 3
    assert {alert.hits for alert in bench.store.select()} == {1}


def test_a_first_answer_that_got_lost_is_made_up_for_by_its_redelivery(bench: Bench) -> None:
    assert len(bench.desk.consider(assessment(hit(), duplicate=True))) == 1


def test_an_action_repeated_word_for_word_changes_nothing(bench: Bench) -> None:
    alert = raised(bench, hit())
    closed = close(bench, alert, 10)
    before = bench.entries()
    assert close(bench, alert, 10) == closed
    bench.restart()
    assert close(bench, alert, 10) == closed
    assert bench.entries() == before


def test_actions_are_in_the_history_and_the_ledger_and_told(bench: Bench) -> None:
    alert = raised(bench, hit())
    bench.desk.act("alert.taken", officer(alert.id, 5))
    bench.desk.act("alert.noted", officer(alert.id, 6, note="called the branch"))
    close(bench, alert, 10)
    bench.desk.act("alert.reopened", officer(alert.id, 20, "bo", reason="new facts"))
    told = [one["type"] for one in bench.messages()]
    assert told == ["alert.raised", "alert.taken", "alert.noted", "alert.closed", "alert.reopened"]
    steps = [(step.action, step.actor, step.reason) for step in bench.store.history(alert.id)]
    assert steps == [
        ("take", "ada", ""),
        ("note", "ada", "called the branch"),
        ("close", "ada", "known"),
        ("reopen", "bo", "new facts"),
    ]
    assert [body["action"] for _, kind, _, body in bench.entries() if kind == "alert"] == [
        "raised",
        "take",
        "note",
        "close",
        "reopen",
    ]


def test_an_alert_is_not_reopened_beside_another_of_its_kind(bench: Bench) -> None:
    first = raised(bench, hit())
    close(bench, first, 10)
    second = raised(bench, hit("tx-2", HOUR_MS))
    with pytest.raises(ActionNotAllowedError, match=f"alert {second.id} of the same rule"):
        bench.desk.act("alert.reopened", officer(first.id, 20, reason="again"))


def test_a_reopened_alert_joins_the_open_case_of_its_subject(bench: Bench) -> None:
    first = raised(bench, hit())
    close(bench, first, 10)
    bench.commit()
    second = raised(bench, hit("tx-2", 20, rule="A-200"))
    assert second.case_id != first.case_id
    again = bench.desk.act("alert.reopened", officer(first.id, 30, reason="again"))
    assert again.case_id == second.case_id


@pytest.mark.parametrize("restarted", [True, False])
def test_alerts_are_regraded_in_the_order_of_their_ids(bench: Bench, restarted: bool) -> None:
    ids = [raised(bench, hit(f"tx-{n}", n, rule=f"A-{n}", saw={"n": n})).id for n in range(9)]
    bench.commit()
    if restarted:
        bench.restart()
    bench.desk.consider(assessment(rating=[rating(11, 11, 50)], event_id="tx-50", time_ms=50))
    changed = [body["alert"] for _, _, _, body in bench.entries() if body.get("action") == "prioritised"]
    assert changed == sorted(ids)


@pytest.mark.parametrize("committed", [True, False])
def test_which_alert_a_hit_belongs_to_does_not_depend_on_commits(bench: Bench, committed: bool) -> None:
    first = raised(bench, hit())
    close(bench, first, 10)
    second = raised(bench, hit("tx-2", HOUR_MS))
    close(bench, second, HOUR_MS + 1)
    bench.desk.act("alert.reopened", officer(first.id, HOUR_MS + 2, reason="again"))
    close(bench, first, HOUR_MS + 3)
    if committed:
        bench.commit()
    bench.desk.consider(assessment(hit("tx-3", 2 * HOUR_MS - 1)))
    assert bench.desk.alert(second.id).hits == 2


def test_four_eyes_take_two_events_of_two_officers(connection: sqlite3.Connection) -> None:
    bench = Bench(connection, DeskSettings(four_eyes=frozenset({"medium"})))
    alert = raised(bench, hit())
    assert close(bench, alert, 10).status is Status.OPEN
    with pytest.raises(ActionNotAllowedError, match="expected approval by another person"):
        close(bench, alert, 11)
    assert close(bench, alert, 12, "bo").status is Status.CLOSED
    actions = [body["action"] for _, kind, _, body in bench.entries() if kind == "alert"]
    assert actions == ["raised", "propose", "close"]
    assert [one["type"] for one in bench.messages()] == ["alert.raised", "alert.proposed", "alert.closed"]


def test_an_unknown_alert_is_said_to_be_unknown(bench: Bench) -> None:
    with pytest.raises(UnknownAlertError, match="no alert has the id 'nope'"):
        bench.desk.act("alert.taken", officer("nope", 1))


def test_an_unknown_action_names_those_that_exist(bench: Bench) -> None:
    with pytest.raises(ActionNotAllowedError, match=r"alert.eaten: expected one of alert.taken, "):
        bench.desk.act("alert.eaten", officer("nope", 1))


def test_an_action_without_a_time_is_refused(bench: Bench) -> None:
    alert = raised(bench, hit())
    with pytest.raises(ActionNotAllowedError, match="occurred_at: expected epoch milliseconds, was None"):
        bench.desk.act("alert.taken", SimpleNamespace(alert_id=alert.id, actor="ada"))
    assert bench.desk.act("alert.taken", SimpleNamespace(alert_id=alert.id, actor="ada"), 7).changed_ms == 7


@pytest.mark.parametrize("flushed", [True, False])
def test_rollback_restores_alerts_ledger_and_outbox(bench: Bench, flushed: bool) -> None:
    kept = raised(bench, hit())
    before = bench.entries(), bench.messages()
    bench.desk.consider(assessment(hit("tx-2", 10)))
    bench.desk.act("alert.taken", officer(kept.id, 11))
    raised(bench, hit("tx-3", 12, rule="A-300"))
    bench.rollback(flushed=flushed)
    assert (bench.entries(), bench.messages()) == before
    assert bench.desk.alert(kept.id) == kept
    assert bench.desk.open_count() == 1
    assert raised(bench, hit("tx-3", 12, rule="A-300")).case_id == kept.case_id
    bench.commit()
    assert verify(bench.ledger.entries()) is None
