"""Flows of money say what matching every cent by hand says, whatever comes late, twice or is reversed."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st
from oracle_streams import DAY_MS, GRACE_MS, HOUR_MS, accepted, engine_of, rule_showing

ZONE = ZoneInfo("Europe/Berlin")
START_MS = int(datetime(2026, 3, 27, 9, tzinfo=ZONE).timestamp() * 1000)
"""The clock goes forward two days later."""
LETS = {
    "stayed": "retention(amount, 3d) / 1ms",
    "stayed_of_two": "retention(amount, 3d, min_n=2) / 1ms",
    "stayed_by_account": "retention(amount, 3d, key=account) / 1ms",
    "stayed_today": "retention(amount, day) / 1ms",
    "stayed_large": 'retention(amount, 3d, in=direction == "in" and amount >= 50 EUR, where=rail == "y")/1h',
    "same_day": "turned_over(amount, 3d, within=day)",
    "within_6h": "turned_over(amount, 3d, within=6h)",
    "within_6h_of_two": "turned_over(amount, 3d, within=6h, min_n=2)",
}
ENGINE = engine_of(rule_showing(LETS))


def day_of(time_ms):
    return datetime.fromtimestamp(time_ms / 1000, ZONE).date()


def in_order(moves):
    """Money in before money out at the same instant, then as it came."""
    return sorted(moves, key=lambda move: (move["time_ms"], move["direction"] == "out", move["place"]))


def matched(moves, may_leave):
    """Return (cents, came, left) of every part of an inflow that an outflow takes, oldest first."""
    queue, parts = deque(), []
    for move in in_order(moves):
        if move["direction"] == "in":
            queue.append([move["time_ms"], move["cents"]])
            continue
        wanted, took = move["cents"], []
        while queue and wanted:
            came, left = queue[0]
            part = min(left, wanted) if may_leave(came, move["time_ms"]) else 0
            took += [(part, came, move["time_ms"])] if part else []
            wanted -= part
            if part == left or not part:
                queue.popleft()
            else:
                queue[0][1] -= part
        parts += [took] if took else []
    return parts


def stayed(moves, least=1):
    parts = matched(moves, lambda *_: True)
    flat = [part for took in parts for part in took]
    if len(parts) < least:
        return None
    return Fraction(sum(c * (left - came) for c, came, left in flat), sum(c for c, *_ in flat))


def in_hours(length_ms):
    return None if length_ms is None else length_ms / HOUR_MS


def turned(moves, may_leave, least=1):
    came = [move["cents"] for move in moves if move["direction"] == "in"]
    if len(came) < least or not sum(came):
        return None
    return Fraction(sum(c for took in matched(moves, may_leave) for c, *_ in took), sum(came))


def answers(moves, own, now_ms):
    last = [move for move in moves if now_ms - 3 * DAY_MS < move["time_ms"] <= now_ms]
    today = [move for move in moves if day_of(move["time_ms"]) == day_of(own["time_ms"])]
    large = [m for m in last if m["rail"] == "y" and (m["direction"] == "out" or m["cents"] >= 5000)]
    return {
        "stayed": stayed(last),
        "stayed_of_two": stayed(last, 2),
        "stayed_by_account": (
            stayed([m for m in last if m["account"] == own["account"]]) if own["account"] else None
        ),
        "stayed_today": stayed(today),
        "stayed_large": in_hours(stayed(large)),
        "same_day": turned(last, lambda came, left: day_of(came) == day_of(left)),
        "within_6h": turned(last, lambda came, left: left - came < 6 * HOUR_MS),
        "within_6h_of_two": turned(last, lambda came, left: left - came < 6 * HOUR_MS, 2),
    }


steps = st.lists(
    st.fixed_dictionaries(
        {
            "what": st.sampled_from(["pay"] * 7 + ["again", "reverse"]),
            "ahead_ms": st.sampled_from([0, 0, 1, 600_000, HOUR_MS, 6 * HOUR_MS, DAY_MS, 3 * DAY_MS]),
            "late_ms": st.sampled_from([0] * 6 + [1, HOUR_MS, 23 * HOUR_MS, GRACE_MS, GRACE_MS + 1]),
            "cents": st.sampled_from([0, 1, 100, 4999, 5000, 5001, 20_000]),
            "direction": st.sampled_from(["in", "out"]),
            "account": st.sampled_from([None, "a", "b"]),
            "rail": st.sampled_from([None, "x", "y", "y"]),
            "pick": st.integers(0, 9),
            "restart": st.booleans(),
        }
    ),
    min_size=1,
    max_size=40,
)


def fields(kind, step):
    return {
        "amount": Decimal(step["cents"]) / 100,
        "currency": "EUR",
        "direction": step["direction"],
        "rail": step["rail"],
        "account_id": step["account"],
    }


def agrees(shown, exact):
    if shown is None or exact is None:
        return shown is None and exact is None
    return abs(shown - float(exact)) <= 1e-6


def pay(direction, cents, ahead_ms):
    return {
        "what": "pay", "ahead_ms": ahead_ms, "late_ms": 0, "cents": cents, "direction": direction,
        "account": None, "rail": None, "pick": 0, "restart": False,
    }  # fmt: skip


@given(steps)
@example([pay("in", 100, 0), pay("out", 100, 6 * HOUR_MS)])
@example([pay("in", 100, 0), pay("out", 100, 6 * HOUR_MS - 1)])
def test_flows_equal_matching_every_cent_by_hand(stream):
    moves = {}
    for one in accepted(ENGINE, START_MS, stream, fields):
        if one.undone is not None:
            del moves[one.undone]
            continue
        own = one.step | {"time_ms": one.time_ms, "place": one.place}
        moves[one.place] = own
        expected = answers(list(moves.values()), own, one.now_ms)
        saw = {name: one.saw[name] for name in LETS}
        assert {n: (saw[n], expected[n]) for n in LETS if not agrees(saw[n], expected[n])} == {}
