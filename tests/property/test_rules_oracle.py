"""Compiled aggregates say what a slow, independent reading of the same accepted events says.

Streams have ties, late and too late events, duplicates, reversals and restarts at any point; the
institution's zone changes its clocks inside them. The oracle keeps a plain list and counts it anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle_streams import DAY_MS, GRACE_MS, HOUR_MS, accepted, engine_of, rule_showing

ZONE = ZoneInfo("Europe/Berlin")
STARTS = [
    int(datetime(2026, 3, 27, 9, tzinfo=ZONE).timestamp() * 1000),  # the clock goes forward two days later
    int(datetime(2026, 10, 23, 9, tzinfo=ZONE).timestamp() * 1000),  # back
    int(datetime(2026, 12, 30, 9, tzinfo=ZONE).timestamp() * 1000),
]
LETS = {
    "count_24h": "count(24h)",
    "sum_in": 'sum(amount, 24h, where=direction == "in")',
    "sum_large_3d": "sum(amount, 3d, of=(payment.transfer, cash.deposit), where=amount >= 50 EUR)",
    "count_transfers": "count(3d, of=payment.transfer)",
    "avg_3d": "avg(amount, 3d)",
    "avg_min_n": "avg(amount, 24h, min_n=3)",
    "avg_prior": "avg(amount, 24h, prior=true)",
    "sum_computed": "sum(amount * 0.5, 24h)",
    "min_24h": "min(amount, 24h)",
    "max_24h": "max(amount, 24h)",
    "stddev_3d": "stddev(amount, 3d)",
    "distinct_3d": "distinct(counterparty.account, 3d)",
    "share_in": 'share(direction == "in", 3d, min_n=3)',
    "first_24h": "first(amount, 24h)",
    "last_24h": "last(amount, 24h)",
    "quantile_3d": "quantile(amount, 0.75, 3d)",
    "zscore_3d": "zscore(amount, 3d, min_n=3)",
    "sum_2bd": "sum(amount, 2bd)",
    "sum_day": "sum(amount, day)",
    "count_week": "count(week)",
    "max_month": "max(amount, month)",
    "sum_previous_day": "sum(amount, previous(day))",
    "count_previous_month": "count(previous(month))",
    "avg_5_events": "avg(amount, 5 events)",
    "sum_3_prior": "sum(amount, 3 events, prior=true)",
    "count_since": "count(since(auth.login))",
    "by_account": "count(24h, key=account)",
    "sum_lagged": "sum(amount, 2d, lag=1d)",
}


@dataclass
class Move:
    """An accepted event of the oracle."""

    time_ms: int
    place: int
    kind: str
    amount: Fraction
    direction: str | None
    party: str | None
    account: str | None


@dataclass
class Oracle:
    """The accepted events, and every aggregate counted from scratch."""

    moves: list[Move] = field(default_factory=list)
    now_ms: int = -1
    login_ms: int | None = None

    def answers(self, own: Move) -> dict[str, object]:
        every = sorted(self.moves, key=lambda move: (move.time_ms, move.place))
        before = every[: every.index(own)]

        def within(length_ms, lag_ms=0):
            end = self.now_ms - lag_ms
            return [move for move in every if end - length_ms < move.time_ms <= end]

        def day(move):
            return datetime.fromtimestamp(move.time_ms / 1000, ZONE).date()

        def amounts(moves):
            return [move.amount for move in moves]

        def mean(moves):
            return sum(amounts(moves)) / len(moves) if moves else None

        def spread(moves):
            middle = mean(moves)
            return (
                float(sum((move.amount - middle) ** 2 for move in moves) / len(moves)) ** 0.5
                if moves
                else None
            )

        own_day, last_day, last_3d = day(own), within(DAY_MS), within(3 * DAY_MS)
        prior_day = [move for move in last_day if move in before]
        prior_3d = [move for move in last_3d if move in before]
        month_ends = own_day.replace(day=1) - timedelta(days=1)
        ordered = sorted(amounts(last_3d))
        parties = {move.party for move in last_3d if move.party is not None}
        ins = [move for move in last_3d if move.direction == "in"]
        since = -1 if self.login_ms is None else self.login_ms
        scored = len(prior_3d) >= 3 and spread(prior_3d)
        return {
            "count_24h": len(last_day),
            "sum_in": sum(move.amount for move in last_day if move.direction == "in"),
            "sum_large_3d": sum(move.amount for move in last_3d if move.amount >= 50),
            "count_transfers": sum(move.kind == "payment.transfer" for move in last_3d),
            "avg_3d": mean(last_3d),
            "avg_min_n": mean(last_day) if len(last_day) >= 3 else None,
            "avg_prior": mean(prior_day),
            "sum_computed": sum(amounts(last_day)) / 2,
            "min_24h": min(amounts(last_day), default=None),
            "max_24h": max(amounts(last_day), default=None),
            "stddev_3d": spread(last_3d),
            "distinct_3d": len(parties),
            "share_in": Fraction(len(ins), len(last_3d)) if len(last_3d) >= 3 else None,
            "first_24h": last_day[0].amount if last_day else None,
            "last_24h": last_day[-1].amount if last_day else None,
            "quantile_3d": ordered[max(-(-len(ordered) * 3 // 4), 1) - 1] if ordered else None,
            "zscore_3d": float(own.amount - mean(prior_3d)) / spread(prior_3d) if scored else None,
            "sum_2bd": sum(move.amount for move in every if day(move) >= self.business_day_before()),
            "sum_day": sum(move.amount for move in every if day(move) == own_day),
            "count_week": sum(day(move).isocalendar()[:2] == own_day.isocalendar()[:2] for move in every),
            "max_month": max(amounts([m for m in every if day(m).replace(day=1) == own_day.replace(day=1)])),
            "sum_previous_day": sum(m.amount for m in every if day(m) == own_day - timedelta(days=1)),
            "count_previous_month": sum(day(m).replace(day=1) == month_ends.replace(day=1) for m in every),
            "avg_5_events": mean(every[-5:]),
            "sum_3_prior": sum(amounts(before[-3:])),
            "count_since": sum(move.time_ms > since for move in every),
            "by_account": sum(move.account == own.account for move in last_day) if own.account else 0,
            "sum_lagged": sum(amounts(within(2 * DAY_MS, DAY_MS))),
        }

    def business_day_before(self) -> date:
        """Return the first day of a window of two business days that ends now."""
        found = datetime.fromtimestamp(self.now_ms / 1000, ZONE).date() - timedelta(days=1)
        while found.weekday() >= 5:
            found -= timedelta(days=1)
        return found


ENGINE = engine_of(rule_showing(LETS, on="[payment.transfer, cash.deposit]"))

steps = st.lists(
    st.fixed_dictionaries(
        {
            "what": st.sampled_from(
                ["payment.transfer"] * 6 + ["cash.deposit"] * 3 + ["auth.login", "again", "reverse"]
            ),
            "ahead_ms": st.sampled_from(
                [0, 0, 1, 600_000, HOUR_MS, 5 * HOUR_MS, DAY_MS, DAY_MS + 1, 3 * DAY_MS]
            ),
            "late_ms": st.sampled_from([0] * 6 + [1, HOUR_MS, 23 * HOUR_MS, GRACE_MS, GRACE_MS + 1]),
            "cents": st.integers(0, 20_000),
            "direction": st.sampled_from(["in", "out"]),
            "party": st.sampled_from([None, "x", "y", "z"]),
            "account": st.sampled_from([None, "a", "b"]),
            "pick": st.integers(0, 9),
            "restart": st.booleans(),
        }
    ),
    min_size=1,
    max_size=40,
)


def fields(kind, step):
    account = {"account_id": step["account"]}
    if kind == "auth.login":
        return account
    return account | {
        "amount": Decimal(step["cents"]) / 100,
        "currency": "EUR",
        "direction": step["direction"],
        "counterparty": {"account": step["party"]} if step["party"] else None,
    }


def number_of(shown):
    return Fraction(shown.split()[0]) if isinstance(shown, str) else shown


def agrees(shown, exact):
    if shown is None or exact is None:
        return shown is None and exact is None
    return abs(float(number_of(shown)) - float(exact)) <= 0.0051 + 1e-9 * abs(float(exact))


@given(st.sampled_from(STARTS), steps)
def test_compiled_aggregates_equal_a_brute_force_oracle(start_ms, stream):
    oracle = Oracle()
    for one in accepted(ENGINE, start_ms, stream, fields, lasting=["auth.login"]):
        oracle.now_ms = one.now_ms
        if one.undone is not None:
            oracle.moves = [other for other in oracle.moves if other.place != one.undone]
        elif one.kind == "auth.login":
            oracle.login_ms = max(one.time_ms, oracle.login_ms or 0)
        else:
            step, amount = one.step, Fraction(one.step["cents"], 100)
            move = Move(
                one.time_ms, one.place, one.kind, amount, step["direction"], step["party"], step["account"]
            )
            oracle.moves.append(move)
            saw, expected = one.saw, oracle.answers(move)
            assert {name: saw[name] for name in LETS if not agrees(saw[name], expected[name])} == {}, expected


def test_the_oracle_knows_every_aggregate_asked():
    oracle = Oracle(now_ms=STARTS[0])
    move = Move(STARTS[0], 0, "payment.transfer", Fraction(1), "in", "x", "a")
    oracle.moves.append(move)
    assert oracle.answers(move).keys() == LETS.keys()


@pytest.mark.parametrize("shown", ["1.02 EUR", 1.02])
def test_an_answer_a_cent_off_is_told_apart(shown):
    assert not agrees(shown, Fraction(101, 100))
    assert agrees(shown, Fraction(102, 100))
