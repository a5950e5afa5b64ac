"""What officers may do with an alert, and what they are told where they may not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from raised_alert import ALERT

from alerts import grouping
from alerts.deadlines import Calendar
from alerts.lifecycle import NEXT, Action, ActionNotAllowedError, Alert, Status, act
from alerts.ports import Standing, standing_of

TAKEN = replace(ALERT, status=Status.TAKEN, assignee="ada")
SNOOZED = replace(ALERT, status=Status.SNOOZED, assignee="ada", snoozed_until_ms=9_000)
CLOSED = replace(ALERT, status=Status.CLOSED, assignee="ada", disposition="duplicate", reason="seen")
IN = {Status.OPEN: ALERT, Status.TAKEN: TAKEN, Status.SNOOZED: SNOOZED, Status.CLOSED: CLOSED}
ENOUGH: dict[str, Any] = {
    "actor": "bo",
    "time_ms": 5_000,
    "reason": "because",
    "disposition": "false_positive.explained",
    "until_ms": 8_000,
}


@pytest.mark.parametrize(("status", "action"), NEXT)
def test_an_allowed_action_leads_to_the_status_of_the_table(status: Status, action: Action) -> None:
    changed = act(IN[status], action, **ENOUGH)
    assert changed.status is NEXT[status, action]
    assert changed.changed_ms == 5_000


@pytest.mark.parametrize(("status", "action"), [(s, a) for s in Status for a in Action if (s, a) not in NEXT])
def test_any_other_action_is_refused(status: Status, action: Action) -> None:
    with pytest.raises(ActionNotAllowedError, match=f"cannot {action} alert {ALERT.id}: it is {status}"):
        act(IN[status], action, **ENOUGH)


@pytest.mark.parametrize(
    ("alert", "action", "text"),
    [
        (ALERT, Action.REOPEN, f"cannot reopen alert {ALERT.id}: it is open, expected closed"),
        (TAKEN, Action.TAKE, f"cannot take alert {ALERT.id}: it is taken by ada, expected open"),
        (SNOOZED, Action.CLOSE, f"cannot close alert {ALERT.id}: it is snoozed, expected open or taken"),
    ],
)
def test_a_refusal_says_what_was_expected(alert: Alert, action: Action, text: str) -> None:
    with pytest.raises(ActionNotAllowedError) as refused:
        act(alert, action, **ENOUGH)
    assert str(refused.value) == text


def test_closing_names_everything_that_is_missing() -> None:
    with pytest.raises(ActionNotAllowedError) as refused:
        act(ALERT, Action.CLOSE, actor=" ", time_ms=1, reason=" ", disposition="fine")
    assert str(refused.value) == (
        f"cannot close alert {ALERT.id}: actor: expected the name of the officer, was ''; "
        "reason: expected why, was ' '; disposition: expected one of true_positive.str_filed, "
        "true_positive.fraud_confirmed, true_positive.measure_applied, true_positive.credit_action, "
        "true_positive, false_positive.explained, false_positive.data_error, "
        "false_positive.rule_too_wide, false_positive, not_determinable, duplicate, out_of_scope, was 'fine'"
    )


@pytest.mark.parametrize("until_ms", [None, 4_000, 5_000])
def test_a_snooze_ends_after_it_began(until_ms: int | None) -> None:
    with pytest.raises(ActionNotAllowedError, match="until: expected a time after 5000, was"):
        act(ALERT, Action.SNOOZE, **ENOUGH | {"until_ms": until_ms})


@pytest.mark.parametrize("action", [Action.NOTE, Action.SNOOZE, Action.CLOSE, Action.REOPEN])
def test_a_reason_is_required(action: Action) -> None:
    alert = CLOSED if action is Action.REOPEN else ALERT
    with pytest.raises(ActionNotAllowedError, match="reason: expected why, was ''"):
        act(alert, action, **ENOUGH | {"reason": ""})


def test_taking_and_releasing_an_alert_sets_and_clears_its_officer() -> None:
    taken = act(ALERT, Action.TAKE, actor="bo", time_ms=5)
    assert taken.assignee == "bo"
    assert act(taken, Action.RELEASE, actor="bo", time_ms=6).assignee is None


def test_reopening_forgets_the_decision_and_keeps_the_reason_for_it() -> None:
    again = act(CLOSED, Action.REOPEN, **ENOUGH)
    assert (again.disposition, again.assignee, again.reason) == (None, None, "because")


def test_an_action_with_an_older_time_does_not_turn_the_clock_back() -> None:
    assert act(ALERT, Action.TAKE, actor="bo", time_ms=5).changed_ms == ALERT.changed_ms


HIGH = frozenset({"high", "critical"})


def test_one_person_cannot_close_what_takes_two() -> None:
    proposed = act(TAKEN, Action.CLOSE, **ENOUGH, four_eyes=HIGH)
    assert (proposed.status, proposed.proposed_by) == (Status.TAKEN, "bo")
    with pytest.raises(ActionNotAllowedError, match="bo proposed it, expected approval by another person"):
        act(proposed, Action.CLOSE, **ENOUGH, four_eyes=HIGH)


def test_the_second_person_closes() -> None:
    proposed = act(TAKEN, Action.CLOSE, **ENOUGH, four_eyes=HIGH)
    closed = act(proposed, Action.CLOSE, **ENOUGH | {"actor": "cy"}, four_eyes=HIGH)
    assert (closed.status, closed.proposed_by, closed.disposition) == (
        Status.CLOSED,
        "bo",
        "false_positive.explained",
    )


def test_a_second_person_of_another_opinion_proposes_anew() -> None:
    proposed = act(TAKEN, Action.CLOSE, **ENOUGH, four_eyes=HIGH)
    other = ENOUGH | {"actor": "cy", "disposition": "true_positive.str_filed"}
    countered = act(proposed, Action.CLOSE, **other, four_eyes=HIGH)
    assert (countered.status, countered.proposed_by) == (Status.TAKEN, "cy")
    assert act(countered, Action.CLOSE, **other | {"actor": "bo"}, four_eyes=HIGH).status is Status.CLOSED


def test_a_milder_alert_is_closed_by_one_person() -> None:
    alert = replace(TAKEN, severity="medium")
    assert act(alert, Action.CLOSE, **ENOUGH, four_eyes=HIGH).status is Status.CLOSED


def standing(status: Status, cooldown_ms: int = 60) -> Standing:
    return replace(standing_of(ALERT), status=status, opened_ms=100, cooldown_ms=cooldown_ms)


@pytest.mark.parametrize("status", [Status.OPEN, Status.TAKEN, Status.SNOOZED])
def test_a_hit_belongs_to_an_alert_that_is_not_closed(status: Status) -> None:
    assert grouping.belongs(10**9, "critical", standing(status))


@pytest.mark.parametrize(("time_ms", "belongs"), [(50, True), (100, True), (159, True), (160, False)])
def test_a_hit_belongs_to_a_closed_alert_inside_its_cooldown(time_ms: int, belongs: bool) -> None:
    assert grouping.belongs(time_ms, "high", standing(Status.CLOSED)) is belongs


def test_a_graver_hit_does_not_belong_to_a_closed_alert() -> None:
    assert not grouping.belongs(101, "critical", standing(Status.CLOSED))


def local(*parts: int) -> int:
    return round(datetime(*parts, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp()) * 1000  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("severity", "opened", "due"),
    [
        ("critical", (2026, 3, 6, 23, 50), (2026, 3, 7, 0, 5)),
        ("high", (2026, 3, 6, 22, 0), (2026, 3, 7, 2, 0)),
        ("medium", (2026, 3, 6, 16, 0), (2026, 3, 10, 16, 0)),
        ("medium", (2026, 3, 7, 16, 0), (2026, 3, 10, 16, 0)),
        ("low", (2026, 3, 2, 9, 0), (2026, 3, 5, 9, 0)),
        ("info", (2026, 3, 2, 9, 0), (2026, 3, 10, 9, 0)),
    ],
)
def test_due_times_follow_the_working_days(
    severity: str, opened: tuple[int, ...], due: tuple[int, ...]
) -> None:
    calendar = Calendar(ZoneInfo("Asia/Shanghai"), frozenset({date(2026, 3, 9)}))
    assert calendar.due_ms(local(*opened), severity) == local(*due)


def test_a_business_day_ends_at_the_same_local_time_across_daylight_saving() -> None:
    calendar = Calendar(ZoneInfo("Europe/Berlin"))
    opened = round(datetime(2026, 3, 27, 9, 0, tzinfo=UTC).timestamp()) * 1000
    due = datetime.fromtimestamp(calendar.due_ms(opened, "medium") / 1000, UTC)
    assert due == datetime(2026, 3, 30, 8, 0, tzinfo=UTC)
