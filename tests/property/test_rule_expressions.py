"""Whatever well-typed condition somebody writes: it compiles, and no event makes it fail.

Expressions are made at random, by type, deep enough to nest windows, choices, patterns and missing
values in each other; one rule asks them when events come, one when a time runs out.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.engine import Engine
from monitor.core.periods import Periods
from monitor.core.rating import Rater
from monitor.core.rating_config import RatingConfig
from rules.compile import compile_rulebook
from rules.loader import read_rule
from rules.model import ListData
from rules.vocabulary import load_vocabulary
from streams.codec import Codec, encode

WORDS = load_vocabulary()
CODEC = Codec(WORDS, "CNY")
LISTS = {"bad": ListData("bad", "1", frozenset({"x"}))}
RULE = """
id: {id}
title: t
dimension: fraud
on: {on}
params:
  line: {{default: 100 CNY, vip: 500 CNY}}
let:
  part: {part}
when: {when}
points: 10
severity: high
status: live
say: '{say}'
why: x
source: x
triage: x
owner: x
"""


def joined(template, *parts):
    return st.builds(template.format, *parts)


windows = st.sampled_from(
    [
        "24h",
        "30d",
        "2bd",
        "day",
        "week",
        "previous(month)",
        "3 events",
        "since(auth.login)",
        "since(cash.deposit)",
    ]
)
plain_windows = st.sampled_from(["1h", "24h", "30d"])
fields = st.sampled_from(["amount", "fee"])
texts = st.sampled_from(["direction", "counterparty.account", "counterparty.country", "purpose_code"])
wheres = st.sampled_from(
    [
        "",
        ', where=direction == "in"',
        ", where=amount >= 50 CNY and not is_batch",
        ", where=fee * 2 > amount",
        ', where=matches(remittance_info, "x|y") or counterparty.account in list.bad',
        ", where=hour(occurred_at) < 6",
        ", where=is_multiple(amount, fee)",
        ", key=account",
        ", key=counterparty",
        ", key=(customer_id, counterparty.account, amount)",
        ", prior=true",
        ", min_n=2",
        ", of=(payment.transfer, cash.deposit)",
    ]
)
money = st.deferred(
    lambda: st.one_of(
        fields,
        st.sampled_from(["100 CNY", "param.line", "(fee - fee)", "account.balance", "profile.total_assets"]),
        joined("sum({}, {}{})", fields, windows, wheres),
        joined("sum(amount * 0.37 + fee, {})", windows),
        joined("avg({}, {}{})", fields, windows, wheres),
        joined("max({}, {}{})", fields, windows, wheres),
        joined("last({}, {}{})", fields, windows, wheres),
        joined("quantile({}, 0.5, {})", fields, windows),
        joined("stddev({}, {})", fields, windows),
        joined("({} {} {})", money, st.sampled_from(["+", "-", "%"]), money),
        joined("({} * {})", money, numbers),
        joined("({} / {})", money, numbers),
        joined("larger({}, {})", money, money),
        joined("default({}, {})", money, money),
        joined("if({}, {}, {})", conditions, money, money),
        joined("-{}", fields),
    )
)
numbers = st.deferred(
    lambda: st.one_of(
        st.sampled_from(["3", "(1 - 1)", "0.9", "hour(occurred_at)", "weekday(occurred_at)", "geo.lat"]),
        joined("count({}{})", windows, wheres),
        joined("distinct({}, {}{})", texts, windows, wheres),
        joined('share(direction == "in", {}{})', windows, wheres),
        joined("zscore({}, {})", fields, plain_windows),
        joined("avg(geo.lat, {})", windows),
        joined("sum(geo.lon, {}{})", windows, wheres),
        joined("({} / {})", money, money),
        joined("({} {} {})", numbers, st.sampled_from(["+", "-", "*", "/", "%"]), numbers),
        joined("abs({})", numbers),
        st.just(
            "distance_km(geo.lat, geo.lon, last(geo.lat, 30d, prior=true), last(geo.lon, 30d, prior=true))"
        ),
        joined("if({}, {}, {})", conditions, numbers, numbers),
    )
)
durations = st.one_of(
    st.sampled_from(["24h", "quiet_for()", "seen_for(counterparty.account)", "age(profile.birth_date)"]),
    joined("occurred_at - last(occurred_at, {}, prior=true)", windows),
)
comparisons = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
conditions = st.deferred(
    lambda: st.one_of(
        joined("({} {} {})", money, comparisons, money),
        joined("({} {} {})", numbers, comparisons, numbers),
        joined("({} {} {})", durations, comparisons, durations),
        joined("({} and {})", conditions, conditions),
        joined("({} or {})", conditions, conditions),
        joined("not {}", conditions),
        joined("missing({})", st.one_of(money, numbers, texts)),
        joined("known({}, 30d)", texts),
        joined('({} {} {{"in", "x"}})', st.just("counterparty.account"), st.sampled_from(["in", "not in"])),
        st.sampled_from(
            [
                "is_batch",
                "counterparty.account in list.bad",
                'profile.segment == "vip"',
                "seq(auth.login -> payment.transfer[amount > 5 CNY] within 24h)",
                "seq(auth.login -> auth.login within 2h -> payment.transfer within 1d without auth.failed)",
                "seq(2 of auth.login or auth.failed -> auth.login within 2h -> payment.transfer within 1d)",
                "skipped(auth.login -> payment.transfer within 2h, same=geo.lat)",
                "any(2 of auth.login, auth.failed, payment.transfer[amount > 5 CNY] within 3h)",
            ]
        ),
    )
)
events = st.lists(
    st.fixed_dictionaries(
        {
            "event_type": st.sampled_from(["payment.transfer"] * 4 + ["auth.login", "auth.failed"]),
            "after": st.integers(-60, 400),
            "amount": st.sampled_from(["0", "0.01", "99.99", "100", "1000000000000"]),
            "fee": st.sampled_from([None, "0", "3"]),
            "direction": st.sampled_from(["in", "out"]),
            "party": st.sampled_from([None, "x", "y"]),
            "lat": st.sampled_from([None, 0.0, 89.9, -31.5]),
            "is_batch": st.sampled_from([None, True, False]),
        }
    ),
    min_size=1,
    max_size=12,
)


def build(*texts):
    plain = yaml.safe_load((Path(__file__).parents[2] / "config/rating.yaml").read_text(encoding="utf-8"))
    rules = [read_rule(Path(f"T-{number}.yaml"), text, "p") for number, text in enumerate(texts, start=1)]
    book = compile_rulebook(rules, WORDS, LISTS)
    return Engine(
        book, WORDS, Rater(RatingConfig.from_plain(plain)), Periods("Asia/Shanghai"), lambda *a: a[0]
    )


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def decoded(number, minutes, given):
    when = datetime(2026, 3, 2, tzinfo=UTC) + timedelta(minutes=minutes)
    plain = {"event_id": f"e{number}", "event_type": given["event_type"], "occurred_at": when.isoformat()}
    plain["customer_id"] = "c"
    if given["event_type"] == "payment.transfer":
        kept = {
            name: given[name]
            for name in ("amount", "fee", "direction", "is_batch")
            if given[name] is not None
        }
        plain |= kept | {"currency": "CNY", "account_id": "a"}
        plain |= {"counterparty": {"account": given["party"]}} if given["party"] else {}
    if given["lat"] is not None:
        plain["geo"] = {"lat": given["lat"], "lon": 10.0}
    return CODEC.decode(encode(plain))


@given(conditions, numbers, events)
def test_a_well_typed_condition_never_fails(when, part, stream):
    text = RULE.format(
        id="T-1", on="payment.transfer", part=quoted(part), when=quoted(when), say="{part} {part:percent}"
    )
    engine = build(text)
    states, minutes = {}, 0
    for number, given_event in enumerate(stream):
        minutes = max(minutes + given_event["after"], 0)
        event = decoded(number, minutes, given_event)
        for kind, subject in engine.subjects(event):
            state = states.setdefault((kind, subject), engine.new_state(kind))
            answer = engine.assess(event, kind, subject, state)
            assert answer.failures == []
            assert not any("unreadable" in hit.saw for hit in answer.hits)
            states[kind, subject] = engine.restore(kind, state.pack())


timed = st.sampled_from(
    [
        "count(30d) >= 1",
        'profile.segment == "vip"',
        "sum(amount, 30d) >= param.line",
        "avg(amount, 30d) > 5 CNY or count(day) == 0",
    ]
)


@given(timed, timed, events)
def test_a_condition_asked_when_a_time_runs_out_never_fails(when, part, stream):
    waiting = f"absent(auth.login, for=1d, after=payment.transfer) and ({when})"
    text = RULE.format(id="T-1", on="payment.transfer", part=quoted(part), when=quoted(waiting), say="{part}")
    engine = build(text)
    state, minutes = engine.new_state("customer"), 0
    for number, given_event in enumerate(stream):
        minutes = max(minutes + given_event["after"], 0)
        assert engine.assess(decoded(number, minutes, given_event), "customer", "c", state).failures == []
    later_ms = int(datetime(2027, 1, 1, tzinfo=UTC).timestamp() * 1000)
    for answer in engine.tick(later_ms, "customer", "c", state):
        assert answer.failures == []
        assert not any("unreadable" in hit.saw for hit in answer.hits)
