"""Values of periods, streaks and rates say what a slow, independent reading of the same events says.

Streams have ties, late and too late events, reversals and restarts at any point; the zone changes
its clocks inside them and has holidays. The oracle knows dates alone and counts everything anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from statistics import mean, pstdev
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from oracle_streams import DAY_MS, GRACE_MS, HOUR_MS, accepted, engine_of, rule_showing

ZONE = ZoneInfo("Europe/Berlin")
DAY = timedelta(days=1)
CARRIED_MS = 92 * DAY_MS
HOLIDAYS = frozenset({date(2026, 4, 3), date(2026, 4, 6), date(2026, 12, 25), date(2027, 1, 1)})
STARTS = [
    int(datetime(2026, 3, 27, 9, tzinfo=ZONE).timestamp() * 1000),  # clocks change, then Easter
    int(datetime(2026, 10, 23, 9, tzinfo=ZONE).timestamp() * 1000),
    int(datetime(2026, 12, 22, 9, tzinfo=ZONE).timestamp() * 1000),
]
NET = 'sum(if(direction == "in", amount, -amount))'
HELD = "last(balance, of=balance.snapshot)"
LETS = {
    "highest_day_10bd": "max(sum(amount), 10bd, per=day)",
    "highest_bd": "max(sum(amount), previous(4bd))",
    "highest_day_of_month": "max(sum(amount), month, per=day)",
    "lowest_count": "min(count(), 3 weeks)",
    "sum_of_highest": "sum(max(amount), previous(week), per=day)",
    "middle": "avg(avg(amount), 10 days)",
    "spread": "stddev(sum(amount), 6 days)",
    "unevenness": 'cv(sum(amount, where=direction == "in"), previous(3 weeks))',
    "median_day": "median(max(amount), 9 days)",
    "ninth_tenth": "quantile(sum(amount), 0.9, 9 days)",
    "earliest": "first(min(amount), 2 months)",
    "newest": "last(min(amount), previous(2 months))",
    "few": "max(max(amount), 5 days, min_n=3)",
    "by_party": "count(count(key=(customer_id, counterparty.account)) >= 2, 10 days)",
    "negative_net": f"share({NET} < 0 EUR, previous(4 weeks))",
    "negative_days": f"count({HELD} < 0 EUR, 20 days)",
    "falls": f"falls({HELD}, 5 weeks)",
    "rises": f"rises({HELD}, previous(3 months))",
    "change_of_weeks": f"change({HELD}, 3 weeks)",
    "above_own": "count(sum(amount) > 2 * amount, 7 days)",
    "prior_count": "max(count(prior=true), 3 days)",
    "streak_bd": "streak(bd, where=amount >= 50 EUR)",
    "streak_twice": "streak(day, at_least=2, up_to=5)",
    "streak_party": "streak(bd, key=(customer_id, counterparty.account))",
    "streak_months": f"streak({NET} < 0 EUR, month)",
    "streak_snapshots": "streak(week, of=balance.snapshot)",
    "cv_3d": "cv(amount, 3d)",
    "median_3d": "median(amount, 3d)",
    "change_3d": "change(amount, 3d)",
    "sum_3_weeks": "sum(amount, 3 weeks)",
    "sum_previous_2_months": "sum(amount, previous(2 months))",
    "count_previous_3bd": "count(previous(3bd))",
    "drawdown": "1 - amount / max(amount, 20d)",
    "baseline": "amount / avg(amount, 20d, lag=2d, min_n=2)",
    "ratio": 'sum(amount, 3d, where=direction == "in") / sum(amount, 3d)',
    "known": "known(counterparty.account, 5d)",
    "seen_for": "seen_for(counterparty.account) / 1ms",
    "quiet_for": "quiet_for(of=cash.deposit) / 1ms",
    "steps": "steps_down(first(amount, month), amount, 0.1)",
    "since_login": "steps_down(first(amount, since(auth.login)), amount, 0.05)",
}


def local(time_ms: int) -> date:
    return datetime.fromtimestamp(time_ms / 1000, ZONE).date()


def midnight_ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=ZONE).timestamp() * 1000)


def is_business(day: date) -> bool:
    return day.weekday() < 5 and day not in HOLIDAYS


def unit_of(unit: str, day: date) -> date:
    """Return the first day of the unit that holds a day."""
    if unit == "week":
        return day - day.weekday() * DAY
    if unit == "month":
        return day.replace(day=1)
    while unit == "bd" and not is_business(day):
        day -= DAY
    return day


def units_before(unit: str, count: int, day: date) -> list[date]:
    """Return the first days of so many units that end before a day, oldest first."""
    found: list[date] = []
    while len(found) < count:
        day -= DAY
        if not found or unit_of(unit, day) != found[-1]:
            found.append(unit_of(unit, day))
    return found[::-1]


@dataclass
class Move:
    """An accepted event of the oracle."""

    time_ms: int
    place: int
    kind: str
    amount: Fraction
    direction: str
    party: str | None


@dataclass
class Oracle:
    """The accepted events, and every let counted from scratch."""

    moves: list[Move] = field(default_factory=list)
    now_ms: int = -1
    login_ms: int = -1
    cash_ms: int | None = None
    seen: dict[str, list[int]] = field(default_factory=dict)

    def note(self, move: Move) -> None:
        """Remember what is remembered whether or not it is taken back."""
        if move.kind == "cash.deposit":
            self.cash_ms = max(self.cash_ms or 0, move.time_ms)
        if move.party is not None and move.kind != "balance.snapshot":
            self.seen.setdefault(move.party, []).append(move.time_ms)

    def answers(self, own: Move) -> dict[str, object]:
        every = sorted(self.moves, key=lambda move: (move.time_ms, move.place))
        money = [move for move in every if move.kind != "balance.snapshot"]
        told = [move for move in every if move.kind == "balance.snapshot"]
        asked = Asked(own, money, told, local(own.time_ms), local(self.now_ms))
        windows = asked.windows(self.now_ms, self.login_ms)
        return {**asked.over_periods(), **asked.streaks(), **windows, **self.remembered(own)}

    def remembered(self, own: Move) -> dict[str, object]:
        seen = self.seen.get(own.party or "", [])
        return {
            "known": any(time_ms > own.time_ms - 5 * DAY_MS for time_ms in seen),
            "seen_for": max(0, own.time_ms - min(seen, default=own.time_ms)) if own.party else None,
            "quiet_for": None if self.cash_ms is None else max(0, own.time_ms - self.cash_ms),
        }


def of(moves, unit, first):
    """Return the moves of the unit that begins on a day."""
    return [move for move in moves if unit_of(unit, local(move.time_ms)) == first]


def running(unit, count, day):
    return [*units_before(unit, count - 1, unit_of(unit, day)), unit_of(unit, day)]


def whole(unit, count, day):
    return units_before(unit, count, unit_of(unit, day))


def amounts(moves):
    return [move.amount for move in moves]


def total(moves):
    return sum(amounts(moves), Fraction(0))


def net(moves):
    return sum((m.amount if m.direction == "in" else -m.amount for m in moves), Fraction(0))


def there(values):
    return [value for value in values if value is not None]


def row(values, sign):
    values = there(values)[::-1]
    count = 0
    while count + 1 < len(values) and sign * (values[count] - values[count + 1]) > 0:
        count += 1
    return count


def nth(values, part):
    ordered = sorted(there(values))
    rank = max(-(-len(ordered) * part.numerator // part.denominator), 1)
    return ordered[rank - 1] if ordered else None


def uneven(values):
    middle = mean(values) if values else 0
    return pstdev(map(float, values)) / float(middle) if middle else None


def change(values):
    values = there(values)
    return (values[-1] - values[0]) / values[0] if values and values[0] > 0 else None


def highest_of(moves, unit, firsts):
    """Return the highest amount of each unit."""
    return [max(amounts(of(moves, unit, one)), default=None) for one in firsts]


def lowest_of(moves, unit, firsts):
    return [min(amounts(of(moves, unit, one)), default=None) for one in firsts]


def next_to(values, place):
    values = there(values)
    return values[place] if values else None


@dataclass
class Asked:
    """What one event is told of all accepted ones, counted from scratch."""

    own: Move
    money: list[Move]
    told: list[Move]
    today: date
    last: date

    def over_periods(self):
        money, today, last = self.money, self.today, self.last
        month = of(money, "month", unit_of("month", today))
        back = [last, *units_before("bd", 9, last)[::-1]][9]
        ten_bd = [back + n * DAY for n in range((next_business(unit_of("bd", last)) - back).days)]
        four_bd = [*units_before("bd", 4, last), last]
        days, party = running("day", 9, today), self.of_party()
        five = there(highest_of(money, "day", running("day", 5, today)))
        averages = [
            mean(amounts(of(money, "day", d))) for d in running("day", 10, today) if of(money, "day", d)
        ]
        tops = there(highest_of(money, "day", [unit_of("week", today) - n * DAY for n in range(7, 0, -1)]))
        ins = [move for move in money if move.direction == "in"]
        before = money[: money.index(self.own)]
        return {
            "highest_day_10bd": max(total(of(money, "day", day)) for day in ten_bd),
            "highest_bd": max(
                total([m for m in money if low <= local(m.time_ms) < high])
                for low, high in pairwise(four_bd)
            ),
            "highest_day_of_month": max(total(of(month, "day", local(move.time_ms))) for move in month),
            "lowest_count": min(len(of(money, "week", one)) for one in running("week", 3, today)),
            "sum_of_highest": sum(tops) if tops else None,
            "middle": mean(averages) if averages else None,
            "spread": pstdev([float(total(of(money, "day", one))) for one in running("day", 6, today)]),
            "unevenness": uneven([total(of(ins, "week", one)) for one in whole("week", 3, today)]),
            "median_day": nth(highest_of(money, "day", days), Fraction(1, 2)),
            "ninth_tenth": nth([total(of(money, "day", one)) for one in days], Fraction(9, 10)),
            "earliest": next_to(lowest_of(money, "month", running("month", 2, today)), 0),
            "newest": next_to(lowest_of(money, "month", whole("month", 2, today)), -1),
            "few": max(five) if len(five) >= 3 else None,
            "by_party": sum(len(of(party, "day", one)) >= 2 for one in running("day", 10, today)),
            "negative_net": Fraction(
                sum(net(of(money, "week", one)) < 0 for one in whole("week", 4, today)), 4
            ),
            "negative_days": sum((self.held("day", one) or 0) < 0 for one in running("day", 20, today)),
            "falls": row([self.held("week", one) for one in running("week", 5, today)], -1),
            "rises": row([self.held("month", one) for one in whole("month", 3, today)], 1),
            "change_of_weeks": change([self.held("week", one) for one in running("week", 3, today)]),
            "above_own": sum(
                total(of(money, "day", one)) > 2 * self.own.amount for one in running("day", 7, today)
            ),
            "prior_count": max(len(of(before, "day", one)) for one in running("day", 3, today)),
        }  # fmt: skip

    def streaks(self):
        money, party = self.money, self.of_party()
        return {
            "streak_bd": self.streak("bd", lambda one: any(m.amount >= 50 for m in of(money, "bd", one)), 30),
            "streak_twice": self.streak("day", lambda one: len(of(money, "day", one)) >= 2, 5),
            "streak_party": self.streak("bd", lambda one: bool(of(party, "bd", one)), 30),
            "streak_months": self.streak("month", lambda one: net(of(money, "month", one)) < 0, 12),
            "streak_snapshots": self.streak("week", lambda one: bool(of(self.told, "week", one)), 12),
        }

    def windows(self, now_ms, login_ms):
        money, today = self.money, self.today
        last_3d = [move for move in money if move.time_ms > now_ms - 3 * DAY_MS]
        last_20d = [move for move in money if move.time_ms > now_ms - 20 * DAY_MS]
        since = [move for move in money if move.time_ms > max(login_ms, now_ms - 365 * DAY_MS)]
        past = [m.amount for m in money if now_ms - 22 * DAY_MS < m.time_ms <= now_ms - 2 * DAY_MS]
        ins = [move for move in last_3d if move.direction == "in"]
        three_bd = units_before("bd", 3, self.last)[0]
        return {
            "cv_3d": uneven(amounts(last_3d)),
            "median_3d": nth(amounts(last_3d), Fraction(1, 2)),
            "change_3d": change(amounts(last_3d)),
            "sum_3_weeks": sum(total(of(money, "week", one)) for one in running("week", 3, today)),
            "sum_previous_2_months": sum(total(of(money, "month", one)) for one in whole("month", 2, today)),
            "count_previous_3bd": sum(three_bd <= local(move.time_ms) < self.last for move in money),
            "drawdown": 1 - self.own.amount / max(amounts(last_20d)) if any(amounts(last_20d)) else None,
            "baseline": self.own.amount / mean(past) if len(past) >= 2 and mean(past) else None,
            "ratio": total(ins) / total(last_3d) if total(last_3d) else None,
            "steps": self.steps(of(money, "month", unit_of("month", today)), Fraction(1, 10)),
            "since_login": self.steps(since, Fraction(1, 20)),
        }

    def of_party(self):
        party = self.own.party
        return [move for move in self.money if move.party == party and party is not None]

    def held(self, unit, first):
        """Return the balance at the end of a unit, told in it or at most 92 days before."""
        seen = [
            move for move in self.told
            if unit_of(unit, local(move.time_ms)) <= first and move.time_ms >= midnight_ms(first) - CARRIED_MS
        ]  # fmt: skip
        return seen[-1].amount if seen else None

    def streak(self, unit, holds, most):
        units = running(unit, most, self.today)[::-1]
        count = int(holds(units[0]))
        for one in units[1:]:
            if not holds(one):
                return count
            count += 1
        return count

    def steps(self, moves, size):
        start = moves[0].amount if moves else 0
        return max(0, (start - self.own.amount) // (start * size)) if start > 0 else None


def next_business(day: date) -> date:
    day += DAY
    while not is_business(day):
        day += DAY
    return day


ENGINE = engine_of(rule_showing(LETS, on="[payment.transfer, cash.deposit]"), holidays=HOLIDAYS)
KINDS = ["payment.transfer"] * 6 + ["cash.deposit"] * 2 + ["balance.snapshot"] * 3 + ["auth.login", "reverse"]

steps = st.lists(
    st.fixed_dictionaries(
        {
            "what": st.sampled_from(KINDS),
            "ahead_ms": st.sampled_from(
                [0, 0, 1, HOUR_MS, 15 * HOUR_MS, DAY_MS, DAY_MS, 2 * DAY_MS, 9 * DAY_MS]
            ),
            "late_ms": st.sampled_from([0] * 6 + [1, HOUR_MS, 23 * HOUR_MS, GRACE_MS, GRACE_MS + 1]),
            "cents": st.one_of(st.integers(0, 20_000), st.sampled_from([9_000, 10_000, 8_000])),
            "direction": st.sampled_from(["in", "out"]),
            "party": st.sampled_from([None, "x", "y"]),
            "pick": st.integers(0, 9),
            "restart": st.booleans(),
        }
    ),
    min_size=1,
    max_size=40,
)


def fields(kind, step):
    if kind == "auth.login":
        return {}
    if kind == "balance.snapshot":
        return {"balance": Decimal(step["cents"] - 8_000) / 100, "currency": "EUR"}
    return {
        "amount": Decimal(step["cents"]) / 100,
        "currency": "EUR",
        "direction": step["direction"],
        "counterparty": {"account": step["party"]} if step["party"] else None,
    }


def number_of(shown):
    return Fraction(shown.split()[0].replace(",", "")) if isinstance(shown, str) else shown


def agrees(shown, exact):
    if shown is None or exact is None:
        return shown is None and exact is None
    return abs(float(number_of(shown)) - float(exact)) <= 0.0051 + 1e-9 * abs(float(exact))


@given(st.sampled_from(STARTS), steps)
def test_values_of_periods_equal_a_brute_force_oracle(start_ms, stream):
    oracle = Oracle()
    for one in accepted(ENGINE, start_ms, stream, fields, lasting=["auth.login"]):
        oracle.now_ms = one.now_ms
        if one.undone is not None:
            oracle.moves = [other for other in oracle.moves if other.place != one.undone]
            continue
        if one.kind == "auth.login":
            oracle.login_ms = max(one.time_ms, oracle.login_ms)
            continue
        step, owed = one.step, 8_000 if one.kind == "balance.snapshot" else 0
        value = Fraction(step["cents"] - owed, 100)
        move = Move(one.time_ms, one.place, one.kind, value, step["direction"], step["party"])
        oracle.moves.append(move)
        if one.kind != "balance.snapshot":
            saw, expected = one.saw, oracle.answers(move)
            wrong = {name: (saw[name], expected[name]) for name in LETS}
            assert {name: pair for name, pair in wrong.items() if not agrees(*pair)} == {}
        oracle.note(move)


def test_the_oracle_knows_every_let():
    oracle = Oracle(now_ms=STARTS[0])
    oracle.moves.append(Move(STARTS[0], 0, "payment.transfer", Fraction(1), "in", "x"))
    assert oracle.answers(oracle.moves[0]).keys() == LETS.keys()
