"""Neighbours and rare combinations are those a reading of all accepted payments finds."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st
from oracle_streams import DAY_MS, GRACE_MS, HOUR_MS, accepted, engine_of, rule_showing

from rules.model import Entry, ListData

START_MS = 1_770_000_000_000
LETS = {
    "near": "neighbour(amount, 3d, at_least=100 EUR, among=list.bad)",
    "paid": 'neighbour(amount, 3d, among=list.bad, where=direction == "out" and amount > 0 EUR)',
    "dated": "neighbour(amount, 3d, at_least=100 EUR, among=list.lately)",
    "rare": "rarity((rail, floor(hour(occurred_at) / 6)), 3d)",
    "rare_of_three": "rarity(rail, 3d, min_n=3)",
    "ways": "distinct(together(rail, direction), 3d)",
}
LISTS = {
    "bad": ListData("bad", "1", frozenset({"x", "y", "far"})),
    "lately": ListData("lately", "1", frozenset(), more=(Entry("x", from_ms=START_MS + DAY_MS),)),
}
ENGINE = engine_of(rule_showing(LETS), lists=LISTS, zone="UTC")


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


def fields(kind, step):
    return {
        "amount": Decimal(step["cents"]) / 100,
        "currency": "EUR",
        "direction": step["direction"],
        "rail": step["rail"],
        "counterparty": {"account": step["party"]} if step["party"] else None,
    }


def agrees(shown, exact):
    if isinstance(exact, Fraction) and shown is not None:
        return abs(shown - float(exact)) <= 1e-6
    return shown == exact


@given(steps)
def test_neighbours_and_rarities_equal_a_reading_of_all_payments(stream):
    moves = {}
    for one in accepted(ENGINE, START_MS, stream, fields):
        if one.undone is not None:
            del moves[one.undone]
            continue
        own = one.step | {"time_ms": one.time_ms, "place": one.place}
        moves[one.place] = own
        expected = answers(list(moves.values()), own, one.now_ms)
        saw = one.saw
        assert {n: (saw[n], expected[n]) for n in LETS if not agrees(saw[n], expected[n])} == {}
