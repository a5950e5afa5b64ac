"""An answer that is kept is given again whole; words, and what is remembered of a customer."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import msgspec
import pytest

from monitor.core.answers import again, plain_answer
from monitor.core.assessment import Assessment, Hit, RatingChange
from monitor.core.known import remember, setters
from monitor.core.periods import Periods
from monitor.core.words import Words
from rules.vocabulary import load_vocabulary

HIT = Hit(
    rule="A-1",
    version="0" * 12,
    subject="customer",
    subject_id="c1",
    event_id="e1",
    ref=-5,
    time_ms=7,
    late=True,
    status="live",
    title="T",
    dimension="fraud",
    severity="high",
    points=2.5,
    alert=True,
    cooldown_ms=9,
    say="s",
    saw={"n": 1, "amount": "1.00 CNY", "x": None},
    evidence=(1, -5),
    triage=("Look.",),
    customers=("c1", "c2"),
)
CHANGE = RatingChange(
    customer_id="c1",
    time_ms=7,
    cause="e1",
    previous_grade=None,
    grade=11,
    score=61.5,
    parts=({"name": "A-1", "kind": "rule", "points": 61.5},),
)
EMPTY = Assessment(event_id="e1", ref=-5, kind="k", subject="customer", subject_id="c1", time_ms=7)


@pytest.mark.parametrize(
    "answer",
    [
        replace(EMPTY, score=0.25),
        replace(EMPTY, late=True),
        replace(EMPTY, late=True, too_late=True),
        replace(
            EMPTY, hits=[HIT], rating=[CHANGE], score=0.999999, reasons=("much",), failures=[("A-2", "x")]
        ),
    ],
)
def test_an_answer_survives_a_snapshot(answer):
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(plain_answer(answer)))
    assert again(replace(EMPTY), round(answer.score * 1_000_000), kept) == replace(answer, duplicate=True)


def test_nothing_is_kept_of_an_answer_that_says_nothing():
    assert plain_answer(EMPTY) is None


WORDS = Words("CNY", Periods("Asia/Shanghai"))
NEW_YEAR_MS = 1_767_225_600_000
"""2026 in London; eight o'clock in Shanghai."""


@pytest.mark.parametrize(
    ("value", "kind", "style", "text"),
    [
        (None, "money", "", "unknown"),
        (624_000_000, "money", "", "62,400.00 CNY"),
        (-50, "money", "", "-0.00 CNY"),
        (0.905, "number", "percent", "90.5 %"),
        (5_400_000, "duration", "", "1 h 30 min"),
        (5_400_000, "duration", "hours", "1.5"),
        (129_600_000, "duration", "days", "1.5"),
        (NEW_YEAR_MS, "time", "", "2026-01-01 08:00"),
        (NEW_YEAR_MS, "time", "date", "2026-01-01"),
        (1234.5, "number", "", "1,234.5"),
        ("A-1", "text", "", "A-1"),
    ],
)
def test_a_value_is_shown_by_its_kind(value, kind, style, text):
    assert WORDS.show(value, kind, style) == text


@pytest.mark.parametrize(
    ("value", "kind", "plain"),
    [
        (None, "money", None),
        (624_000_000, "money", "62400.00 CNY"),
        (NEW_YEAR_MS, "time", "2026-01-01T08:00:00.000+08:00"),
        (1500, "duration", "1.5 s"),
        (1 / 3, "number", 0.333333),
        (True, "bool", True),
        (frozenset("a"), "set", None),
    ],
)
def test_a_value_is_recorded_exactly(value, kind, plain):
    assert WORDS.plain(value, kind) == plain


def test_what_an_event_does_not_carry_stays_as_it_was():
    wanted = setters(load_vocabulary().profile)["customer.updated"]
    names = {read_name for read_name, _, _ in wanted}
    assert {"segment", "opened_at"} <= names
    known = {"segment": "vip"}
    fields = {field.source or field.name for field in load_vocabulary().profile.values()}
    silent = SimpleNamespace(**dict.fromkeys(fields))
    remember(wanted, silent, 5, known)
    assert known == {"segment": "vip", "opened_at": 5}
    remember(wanted, silent, 9, known)
    assert known["opened_at"] == 5
