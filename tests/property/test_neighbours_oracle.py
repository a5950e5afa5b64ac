"""Neighbours and rare combinations are those a reading of all accepted payments finds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
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
from rules.model import Entry, ListData
from rules.vocabulary import load_vocabulary
from streams.codec import Codec, encode

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
GRACE_MS = 72 * HOUR_MS
START_MS = 1_770_000_000_000
RULE = """
id: T-1
title: neighbours
dimension: compliance
on: payment.transfer
let:
  near: neighbour(amount, 3d, at_least=100 EUR, among=list.bad)
  paid: neighbour(amount, 3d, among=list.bad, where=direction == "out" and amount > 0 EUR)
  dated: neighbour(amount, 3d, at_least=100 EUR, among=list.lately)
  rare: rarity((rail, floor(hour(occurred_at) / 6)), 3d)
  rare_of_three: rarity(rail, 3d, min_n=3)
  ways: distinct(together(rail, direction), 3d)
when: amount >= 0 EUR
points: 1
severity: info
status: live
say: hit
why: x
source: x
triage: x
owner: x
"""
LISTS = {
    "bad": ListData("bad", "1", frozenset({"x", "y", "far"})),
    "lately": ListData("lately", "1", frozenset(), more=(Entry("x", from_ms=START_MS + DAY_MS),)),
}
CODEC = Codec(load_vocabulary(), "EUR")


def build():
    rule = read_rule(Path("T-1.yaml"), RULE, "test")
    book = compile_rulebook([rule], load_vocabulary(), LISTS, base_currency="EUR", grace_ms=GRACE_MS)
    path = Path(__file__).parents[2] / "config" / "rating.yaml"
    rater = Rater(RatingConfig.from_plain(yaml.safe_load(path.read_text(encoding="utf-8"))))
    return Engine(
        book, load_vocabulary(), rater, Periods("UTC"), lambda units, *_: units,
        base_currency="EUR", grace_ms=GRACE_MS,
    )  # fmt: skip


ENGINE = build()


def near(moves, parties, least):
    sums = {party: sum(m["cents"] for m in moves if m["party"] == party) for party in parties}
    found = {party: cents for party, cents in sums.items() if cents >= least}
    return min(found, key=lambda party: (-found[party], party), default=None)


def rare(moves, own, value, least=1):
    return Fraction(sum(value(m) == value(own) for m in moves), len(moves)) if len(moves) >= least else None


def answers(moves, own, now_ms):
    last = [m for m in moves if now_ms - 3 * DAY_MS < m["time_ms"] <= now_ms]
    last.sort(key=lambda m: (m["time_ms"], m["place"]))
    before = last[: last.index(own)] if own in last else last
    before = [m for m in before if (m["time_ms"], m["place"]) < (own["time_ms"], own["place"])]
    railed = [m for m in before if m["rail"]]
    return {
        "near": near(last, "xy", 10_000),
        "paid": near([m for m in last if m["direction"] == "out" and m["cents"]], "xy", 1),
        "dated": near(last, "x", 10_000) if own["time_ms"] >= START_MS + DAY_MS else None,
        "rare": rare(before, own, lambda m: (m["rail"], m["time_ms"] // (6 * HOUR_MS) % 4)),
        "rare_of_three": rare(railed, own, lambda m: m["rail"], 3) if own["rail"] else None,
        "ways": len({(m["rail"], m["direction"]) for m in last}),
    }


steps = st.lists(
    st.fixed_dictionaries(
        {
            "what": st.sampled_from(["pay"] * 7 + ["again", "reverse"]),
            "ahead_ms": st.sampled_from([0, 0, 1, HOUR_MS, 6 * HOUR_MS, DAY_MS, 3 * DAY_MS]),
            "late_ms": st.sampled_from([0] * 6 + [1, HOUR_MS, 23 * HOUR_MS, GRACE_MS, GRACE_MS + 1]),
            "cents": st.sampled_from([0, 1, 4999, 5000, 10_000]),
            "direction": st.sampled_from(["in", "out"]),
            "party": st.sampled_from([None, "x", "x", "y", "z"]),
            "rail": st.sampled_from([None, "r", "s"]),
            "pick": st.integers(0, 9),
            "restart": st.booleans(),
        }
    ),
    min_size=1,
    max_size=30,
)


def record(number, time_ms, step):
    plain = {
        "event_id": f"e{number}",
        "event_type": "payment.transfer",
        "occurred_at": (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)).isoformat(),
        "customer_id": "c",
        "amount": Decimal(step["cents"]) / 100,
        "currency": "EUR",
        "direction": step["direction"],
    }
    plain |= {"rail": step["rail"]} if step["rail"] else {}
    return plain | ({"counterparty": {"account": step["party"]}} if step["party"] else {})


def agrees(shown, exact):
    if isinstance(exact, Fraction) and shown is not None:
        return abs(shown - float(exact)) <= 1e-6
    return shown == exact


@given(steps)
def test_neighbours_and_rarities_equal_a_reading_of_all_payments(stream):
    state, latest_ms, now_ms = ENGINE.new_state("customer"), START_MS, -1
    sent, moves = {}, {}
    for number, step in enumerate(stream):
        if step["restart"]:
            state = ENGINE.restore("customer", state.pack())
        recent = list(sent)[-10:]
        if step["what"] == "again" and recent:
            again = CODEC.decode(sent[recent[step["pick"] % len(recent)]])
            assert ENGINE.assess(again, "customer", "c", state).duplicate
            continue
        latest_ms += step["ahead_ms"]
        time_ms = latest_ms - step["late_ms"]
        plain = record(number, time_ms, step)
        undone = list(moves)[-5:] if step["what"] == "reverse" else []
        if undone:
            plain["reversal_of"] = undone[step["pick"] % len(undone)]
        sent[plain["event_id"]] = encode(plain)
        answer = ENGINE.assess(CODEC.decode(sent[plain["event_id"]]), "customer", "c", state)
        assert answer.failures == []
        if answer.too_late:
            continue
        now_ms = max(now_ms, time_ms)
        if undone:
            del moves[plain["reversal_of"]]
            continue
        own = step | {"time_ms": time_ms, "place": number}
        moves[plain["event_id"]] = own
        expected = answers(list(moves.values()), own, now_ms)
        saw = answer.hits[0].saw
        assert {n: (saw[n], expected[n]) for n in expected if not agrees(saw[n], expected[n])} == {}
