"""What values of periods, streaks, steps and schedules mean at their edges, and how they are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.core.rating_config import RatingConfig
from monitor.ruletest import RuleTests, read_cases
from monitor.ruletext import told
from rules.compile import compile_rulebook
from rules.loader import read_rule
from rules.vocabulary import load_vocabulary

WORDS = load_vocabulary()
RULE: dict[str, Any] = {
    "id": "T-1", "title": "T-1", "dimension": "compliance", "on": "payment.transfer", "points": 10,
    "severity": "high", "status": "live", "say": "hit", "why": "x", "source": "x", "triage": "x",
    "owner": "x",
}  # fmt: skip
FRIDAY = "2026-03-06T10:00"
"""The start of a case is a Monday at ten unless it says otherwise."""


def rule(when, **more):
    return read_rule(Path("T-1.yaml"), yaml.safe_dump({**RULE, "when": when, **more}), "pack")


@pytest.fixture
def hits(repository, tmp_path):
    """Return what is wrong with a rule by one timeline, written as in a test file."""

    def run(found, events, *, expect, start=None, **more):
        case = {
            "name": "it",
            "events": events,
            "expect": expect,
            **({"start": start} if start else {}),
            **more,
        }
        path = tmp_path / "case.test.yaml"
        plain = {"rule": "T-1", "defaults": {"kind": "payment.transfer"}, "cases": [case]}
        path.write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
        (only,) = read_cases(path, WORDS)
        rating = yaml.safe_load((repository / "config/rating.yaml").read_text(encoding="utf-8"))
        return RuleTests([found], WORDS, {}, {}, RatingConfig.from_plain(rating), None).failures(only)

    return run


def at(*days, **fields):
    return [{"at": f"+{day}d", **fields} for day in days]


def test_what_happens_at_the_weekend_belongs_to_friday(hits):
    streak = rule("streak(bd) >= 2")
    # Saturday is Friday's; with Monday's event that makes two business days in a row.
    assert hits(streak, at(1, 3), start=FRIDAY, expect={"hits": ["+3d"]}) == []
    assert hits(streak, at(0, 1, 2), start=FRIDAY, expect={"hits": []}) == []


def test_the_running_day_breaks_no_streak_before_it_has_an_event(hits):
    streak = rule("streak(day, of=payment.transfer) >= 2", on=["payment.transfer", "auth.login"])
    login = [{"at": "+2d", "kind": "auth.login"}, {"at": "+3d", "kind": "auth.login"}]
    assert hits(streak, [*at(0, 1), *login], expect={"hits": ["+1d", "+2d"]}) == []


def test_a_streak_of_days_counts_no_day_with_too_few_events(hits):
    streak = rule("streak(day, at_least=2) >= 2", say="{streak(day, at_least=2)}")
    twice = [{"at": moment} for moment in ("+0d", "+1h", "+1d", "+1d1h")]
    assert hits(streak, twice, expect={"hits": ["+1d1h"], "say": "2"}) == []


def test_a_balance_stands_until_the_next_is_told(hits):
    days = rule("count(last(balance, of=balance.snapshot) < 0 CNY, 10 days) >= 5")
    told_once = [{"at": "+0d", "kind": "balance.snapshot", "balance": "-1"}]
    assert hits(days, [*told_once, *at(3, 4, 5)], expect={"hits": ["+4d", "+5d"]}) == []


def test_a_balance_is_carried_for_92_days_and_no_longer(hits):
    days = rule("count(last(balance, of=balance.snapshot) < 0 CNY, 2 days) >= 1")
    told_once = [{"at": "+0d", "kind": "balance.snapshot", "balance": "-1"}]
    assert hits(days, [*told_once, *at(92, 93, 94)], expect={"hits": ["+92d", "+93d"]}) == []


def test_the_highest_day_of_ten_business_days_leaves_the_eleventh_out(hits):
    day = rule("max(sum(amount), 10bd, per=day) >= 150 CNY")
    assert hits(day, at(0, 0, 11, 14), expect={"hits": ["+0d", "+11d"]}) == []


def test_a_value_of_a_period_may_be_measured_by_a_let_with_its_own_window(hits):
    often = rule(
        "count(sum(amount) > usual, 5 days) >= 1",
        let={"usual": "2 * median(amount, 20d)"},
        say="{usual}",
    )
    assert hits(often, at(0, 1, 2, 2, 2), expect={"hits": ["+2d"], "say": "200.00 CNY"}) == []


def test_a_rule_over_periods_takes_params_and_shows_its_events(hits):
    uneven = rule(
        "cv(sum(amount), previous(3 weeks)) >= param.most", params={"most": {"default": 1.0, "sme": 3}}
    )
    assert hits(uneven, [*at(0), *at(21)], expect={"hits": ["+21d"]}) == []
    assert hits(uneven, [*at(0), *at(21)], expect={"hits": []}, profile={"segment": "sme"}) == []


def test_each_new_step_below_the_start_hits_once(hits):
    steps = rule(
        "steps_down(start, value, 0.1) > steps_down(start, lowest, 0.1)",
        on="portfolio.valuation",
        let={
            "start": "first(value, quarter, key=portfolio_id)",
            "lowest": "min(value, quarter, key=portfolio_id, prior=true)",
        },
    )

    def worth(portfolio, *values):
        return [
            {"at": f"+{day}h", "kind": "portfolio.valuation", "portfolio_id": portfolio, "value": value}
            for day, value in enumerate(values)
        ]

    values = worth("p", "1000", "901", "900", "950", "900", "801", "790", "1000", "699")
    assert hits(steps, values, expect={"hits": ["+2h", "+6h", "+8h"]}) == []
    # Another portfolio has a start of its own.
    other = [*worth("p", "1000"), *worth("q", "850")]
    assert hits(steps, other, expect={"hits": []}) == []


def test_the_drawdown_from_the_highest_value_is_an_expression(hits):
    highest = "max(value, 250d, key=portfolio_id)"
    # Money times 0.8 is exact, so the edge is too.
    fallen = rule(
        f"value <= 0.8 * {highest}", on="portfolio.valuation", say=f"{{(1 - value / {highest}):percent}}"
    )
    values = [
        {"at": f"+{day}d", "kind": "portfolio.valuation", "portfolio_id": "p", "value": value}
        for day, value in enumerate(["100", "125", "101", "100"])
    ]
    assert hits(fallen, values, expect={"hits": ["+3d"], "say": "20 %"}) == []


def test_assets_that_fell_three_months_in_a_row_are_seen_without_contact(hits):
    falling = rule(
        "falls(last(total_assets, of=balance.snapshot), previous(4 months)) >= 3"
        " and change(last(total_assets, of=balance.snapshot), previous(4 months)) <= -0.2",
        on="every month",
    )
    values = [
        {"at": f"+{31 * month}d", "kind": "balance.snapshot", "balance": "1", "total_assets": value}
        for month, value in enumerate(["1000", "990", "900", "800"])
    ]
    events = [*values, {"tick": "+150d"}]
    # The start is Monday 5 January 2026 at ten; May begins 115 days and 14 hours after it.
    assert hits(falling, events, start="2026-01-05T10:00", expect={"hits": ["+115d14h"]}) == []


def test_a_schedule_reads_the_profile(hits):
    overdue = rule(
        "occurred_at > profile.review_due", on="every business day", say="{profile.review_due:date}"
    )
    events = [{"at": "+0d"}, {"tick": "+4d"}]
    found = hits(
        overdue, events, start=FRIDAY, profile={"review_due": "2026-03-08"},
        expect={"hits": ["+2d14h", "+3d14h"], "say": "2026-03-08"},
    )  # fmt: skip
    assert found == []


@pytest.mark.parametrize(
    ("length", "hit"), [("10bd", "+14d14h"), ("2 months", "+61d"), ("1 week", "+7d"), ("3d", "+3d")]
)
def test_a_wait_ends_by_the_calendar(hits, length, hit):
    waiting = rule(f"absent(kyc.review_completed, for={length}, after=account.opened)", on="account.opened")
    events = [{"at": "+0d", "kind": "account.opened"}, {"tick": "+80d"}]
    assert hits(waiting, events, start="2026-03-02T10:00", expect={"hits": [hit]}) == []


def test_any_of_several_events_ends_a_wait(hits):
    waiting = rule(
        "absent((payment.*, cash.deposit[amount > 50 CNY]), for=1 month, after=(account.opened, auth.login))",
        on="account.opened",
    )
    opened = {"at": "+0d", "kind": "account.opened"}
    tick = {"tick": "+40d"}
    found = {
        "nothing": hits(waiting, [opened, tick], expect={"hits": ["+28d"]}, start="2026-02-02T10:00"),
        "a payment": hits(waiting, [opened, *at(1), tick], expect={"hits": []}),
        "a small deposit": hits(
            waiting, [opened, *at(1, kind="cash.deposit", amount=50), tick], expect={"hits": ["+28d"]},
            start="2026-02-02T10:00",
        ),
        "a large deposit": hits(
            waiting, [opened, *at(1, kind="cash.deposit", amount=51), tick], expect={"hits": []}
        ),
        "begun anew": hits(
            waiting, [opened, *at(3, kind="auth.login"), tick], expect={"hits": ["+31d"]},
            start="2026-02-02T10:00",
        ),
    }  # fmt: skip
    assert not any(found.values()), found


def explained(found):
    return told(found, compile_rulebook([found], WORDS, {}))


def test_a_rule_of_periods_is_explained_in_words():
    text = explained(
        rule('share(sum(if(direction == "in", amount, -amount)) < 0 CNY, previous(6 months)) >= 0.5')
    )
    assert "share: in what share of all periods the condition holds; of each month of the 6 whole" in text
    text = explained(rule("streak(bd, where=amount > 5 CNY, at_least=2, up_to=5) >= 3"))
    assert "streak: business days in a row up to the running one, at most 5: 2 events with" in text


def test_a_rule_of_the_clock_is_explained_in_words():
    text = explained(rule("profile.completeness < 0.8", on="every business day"))
    assert "looks at    every business day (when it begins), for each customer" in text
    assert "when it is asked next: 1 business day begins" in text
    waiting = rule("absent(auth.login, for=10bd, after=account.opened)", on="account.opened")
    assert "a timer of 10 business days after account.opened" in explained(waiting)
