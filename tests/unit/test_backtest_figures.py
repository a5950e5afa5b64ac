"""Figures of a back-test from small, literal outcomes."""

from __future__ import annotations

import pytest

from monitor.backtest.outcome import FoundAlert, Outcome, quality
from monitor.backtest.plots import columns, rows, steps
from monitor.backtest.portfolio import if_removed, noisy, silent
from monitor.backtest.verdicts import Closing, Verdicts
from rules.vocabulary import load_vocabulary


def alert(number, rule, customer, verdict=None, *, is_new=True):
    return FoundAlert(
        id=f"a{number}",
        rule=rule,
        subject=f"customer:{customer}",
        opened_ms=number,
        customers=(customer,),
        verdict=verdict,
        is_own=verdict is not None,
        is_new=is_new,
    )


def outcome(*alerts):
    found = Outcome(alerts=list(alerts))
    for one in alerts:
        found.alerted.setdefault(one.rule, set()).update(one.customers)
    return found


def test_precision_is_of_decided_alerts_and_recall_of_known_cases():
    alerts = [
        alert(1, "A", "c1", True),
        alert(2, "A", "c2", False),
        alert(3, "A", "c3"),
        alert(4, "A", "c1", True),
    ]
    ours = quality(alerts, {"c1", "c9"})
    assert (ours.confirmed, ours.refuted, ours.undecided) == (2, 1, 1)
    assert (ours.precision, ours.recall) == (2 / 3, 1 / 2)
    assert ours.f1 == pytest.approx(4 / 7)


def test_without_verdicts_there_is_no_precision_and_without_cases_no_recall():
    ours = quality([alert(1, "A", "c1")], set())
    assert (ours.precision, ours.recall, ours.f1) == (None, None, None)


def test_an_older_alert_finds_its_case_but_is_not_counted_again():
    ours = quality([alert(1, "A", "c1", True, is_new=False)], {"c1"})
    assert (ours.alerts, ours.confirmed, ours.cases_found) == (0, 0, 1)


def test_a_risen_rating_is_no_other_rule():
    found = outcome(alert(1, "A", "c1"), alert(2, "rating", "c1"), alert(3, "A", "c2"), alert(4, "B", "c2"))
    assert found.unique("A") == {"c1"}
    assert found.unique("B") == set()


def test_without_a_rule_its_alerts_and_the_cases_it_alone_found_are_gone():
    alerts = [alert(1, "A", "c1", True), alert(2, "A", "c2", True)]
    found = outcome(*alerts, alert(3, "B", "c2"))
    assert if_removed("A", alerts, found, {"c1", "c2"}) == {"alerts": 2, "customers": 1, "cases": ["c1"]}


def test_a_silent_rule_says_whether_its_events_came():
    rules = {
        "A": {"status": "live", "title": "a", "on": "payment.*"},
        "B": {"status": "shadow", "title": "b", "on": ["auth.login", "cash.deposit"]},
        "C": {"status": "draft", "title": "c", "on": "auth.login"},
        "D": {"status": "live", "title": "d", "on": "auth.login"},
    }
    found = silent(rules, {"D": 3}, {"auth.login": 4}, load_vocabulary())
    assert [(row["rule"], row["events"]) for row in found] == [("A", 0), ("B", 4)]


def test_a_rule_is_noisy_with_many_alerts_and_little_found():
    loud = [alert(n, "A", f"c{n}", False) for n in range(5)]
    good = [alert(10 + n, "B", f"d{n}", True) for n in range(5)]
    unknown = [alert(20 + n, "C", f"e{n}") for n in range(5)]
    alerts = [*loud, *good, *unknown]
    assert [row["rule"] for row in noisy(outcome(*alerts), quality(alerts, set()), set())] == ["A"]


def test_what_an_event_turned_out_to_be_counts_before_how_its_alert_was_closed():
    fingerprint = ("A", "customer", "c1")
    known = Verdicts(events={7: True}, closings={fingerprint: [Closing(100, 200, is_true=False)]})
    assert known.of(fingerprint, 150, 160, [7], "false_positive") is True
    assert known.of(fingerprint, 150, 160, [8], "true_positive") is True
    assert known.of(fingerprint, 150, 160, [8], None) is False
    assert known.of(fingerprint, 201, 210, [8], None) is None
    assert known.of(("B", "customer", "c1"), 150, 160, [8], None) is None


def test_pictures_hold_their_numbers_and_escape_their_names():
    assert rows([("<b>", (3, 12))]).count("<rect") == 2
    assert "&lt;b&gt;" in rows([("<b>", (3, 12))])
    assert columns([("2026-01-01", (1,)), ("2026-01-02", (0,))]).count("<rect") == 2
    assert steps(["1", "2"], [("hits", [5, 3])], 0).count("<circle") == 2
    assert columns([]) == columns([])
