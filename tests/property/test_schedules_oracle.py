"""Rules asked by the clock hit when, and see what, a slow reading of the same events says.

Ticks come at any time, or none does; events come late, are taken back, and states are written and
read again in between.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle_streams import CODEC, DAY_MS, GRACE_MS, HOUR_MS, engine_of, rule_showing

from monitor.core.engine import Engine
from monitor.core.periods import Periods
from monitor.core.schedules import LEISURE_MS
from streams.codec import encode

ZONE = ZoneInfo("Europe/Berlin")
DAY = timedelta(days=1)
HOLIDAYS = frozenset({date(2026, 4, 3), date(2026, 4, 6)})
STARTS = [
    int(datetime(2026, 3, 26, 9, tzinfo=ZONE).timestamp() * 1000),  # clocks change, then Easter
    int(datetime(2026, 10, 23, 22, tzinfo=ZONE).timestamp() * 1000),
    int(datetime(2027, 1, 29, 9, tzinfo=ZONE).timestamp() * 1000),  # a short month follows
]
SEEN = {"seen": "count(3d, of=payment.transfer)"}
SCHEDULES = ("day", "business day", "week", "month")
WAITS = {"T-8": "3bd", "T-9": "1 month"}
RULES = [
    *(
        rule_showing(SEEN, name=f"T-{n}", on=f"every {unit}", when="count(30d, of=payment.transfer) >= 0")
        for n, unit in enumerate(SCHEDULES)
    ),
    *(
        rule_showing(
            SEEN, name=name, on="loan.repayment_due",
            when=f"absent(loan.repayment, for={length}, after=loan.repayment_due, key=loan_id)",
        )
        for name, length in WAITS.items()
    ),
]  # fmt: skip


@cache
def engine() -> Engine:
    return engine_of(*RULES, holidays=HOLIDAYS)


def local(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, ZONE)


def at_ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def midnight_ms(day: date) -> int:
    return at_ms(datetime(day.year, day.month, day.day, tzinfo=ZONE))


def is_business(day: date) -> bool:
    return day.weekday() < 5 and day not in HOLIDAYS


BEGINS = {
    "day": lambda day: True,
    "business day": is_business,
    "week": lambda day: day.weekday() == 0,
    "month": lambda day: day.day == 1,
}


def next_begin_ms(unit: str, time_ms: int) -> int:
    day = local(time_ms).date() + DAY
    while not BEGINS[unit](day):
        day += DAY
    return midnight_ms(day)


def three_business_days_on(time_ms: int) -> int:
    day, left = local(time_ms).date(), 3
    while left:
        day += DAY
        left -= is_business(day)
    return midnight_ms(day + DAY)


def month_on(time_ms: int) -> int:
    moment = local(time_ms)
    first = (moment.replace(day=1) + 31 * DAY).replace(day=1)
    last = ((first + 31 * DAY).replace(day=1) - DAY).day
    return at_ms(first.replace(day=min(moment.day, last)))


class Oracle:
    """What falls due, and what is seen then, counted from a plain list."""

    def __init__(self) -> None:
        self.now_ms = -1
        self.paid: dict[str, int] = {}
        self.due: dict[str, int] = {}
        self.waits: dict[tuple[str, str], tuple[int, int]] = {}
        self.hits: list[tuple[str, int, int]] = []

    def pass_time(self, until_ms: int) -> None:
        """Let fall due what does by then, in order of time; first the schedules."""
        while True:
            dues = [(due, 0, unit, "") for unit, due in self.due.items()]
            dues += [(due, 1, rule, key) for (rule, key), (_, due) in self.waits.items()]
            due, is_wait, name, key = min(dues, default=(until_ms + 1, 0, "", ""))
            if due > until_ms:
                return
            self.now_ms = max(self.now_ms, due)
            seen = sum(due - 3 * DAY_MS < time_ms for time_ms in self.paid.values() if time_ms <= self.now_ms)
            if is_wait:
                del self.waits[name, key]
            else:
                self.due[name] = next_begin_ms(name, due)
            self.hits.append((name if is_wait else f"T-{SCHEDULES.index(name)}", due, seen))

    def take(self, event_id: str, kind: str, time_ms: int, loan: str, undone: str | None) -> None:
        if time_ms >= self.now_ms:
            self.pass_time(time_ms)
        elif time_ms < self.now_ms - GRACE_MS:
            return
        self.now_ms = max(self.now_ms, time_ms)
        if undone is not None:
            self.paid.pop(undone, None)
        elif kind == "payment.transfer":
            self.paid[event_id] = time_ms
        else:
            self._wait(kind, time_ms, loan)
        for unit in SCHEDULES:
            self.due.setdefault(unit, next_begin_ms(unit, self.now_ms))

    def _wait(self, kind: str, time_ms: int, loan: str) -> None:
        for rule, ends in (("T-8", three_business_days_on), ("T-9", month_on)):
            begun, due = self.waits.get((rule, loan), (0, 0))
            if kind == "loan.repayment" and due and begun <= time_ms <= due:
                del self.waits[rule, loan]
            if kind == "loan.repayment_due" and ends(time_ms) > due:
                self.waits[rule, loan] = time_ms, ends(time_ms)


KINDS = ["payment.transfer"] * 3 + ["loan.repayment_due"] * 3 + ["loan.repayment", "tick", "tick", "reverse"]
steps = st.lists(
    st.fixed_dictionaries(
        {
            "what": st.sampled_from(KINDS),
            "ahead_ms": st.sampled_from(
                [0, 0, 1, HOUR_MS, 2 * HOUR_MS, 15 * HOUR_MS, DAY_MS, 2 * DAY_MS, 5 * DAY_MS, 33 * DAY_MS]
            ),
            "late_ms": st.sampled_from([0] * 5 + [1, HOUR_MS, 23 * HOUR_MS, GRACE_MS, GRACE_MS + 1]),
            "loan": st.sampled_from(["L-1", "L-2"]),
            "pick": st.integers(0, 9),
            "restart": st.booleans(),
        }
    ),
    min_size=1,
    max_size=15,
)


def record(kind: str, number: int, time_ms: int, loan: str) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "event_id": f"e{number}",
        "event_type": kind,
        "occurred_at": (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)).isoformat(),
        "customer_id": "c",
    }
    if kind == "payment.transfer":
        return plain | {"amount": "10.00", "currency": "EUR", "direction": "out"}
    return plain | {"loan_id": loan, "amount": "10.00", "currency": "EUR"}


@given(st.sampled_from(STARTS), steps, st.sampled_from([0, 0, 1, 2 * HOUR_MS, LEISURE_MS]))
def test_what_the_clock_asks_equals_a_brute_force_oracle(start_ms, stream, leisure_ms):
    oracle, state, latest_ms = Oracle(), engine().new_state("customer"), start_ms
    state.leisure_ms = leisure_ms
    hits: list[tuple[str, int, int]] = []

    def look() -> None:
        """Tell as runners do: a tick touches those of whom something is due."""
        if 0 < state.due_ms <= latest_ms:
            found = engine().tick(latest_ms, "customer", "c", state)
            hits.extend((hit.rule, hit.time_ms, hit.saw["seen"]) for one in found for hit in one.hits)
            oracle.pass_time(latest_ms)
        else:  # nobody waits in vain
            assert all(due + leisure_ms > latest_ms for due in oracle.due.values())
            assert all(due > latest_ms for _, due in oracle.waits.values())

    for number, step in enumerate(stream):
        if step["restart"]:
            due_ms, state = state.due_ms, engine().restore("customer", state.pack())
            state.due_ms, state.leisure_ms = due_ms, leisure_ms
        latest_ms += step["ahead_ms"]
        if step["what"] == "tick":
            look()
            continue
        time_ms = latest_ms - step["late_ms"]
        kind = "payment.transfer" if step["what"] == "reverse" else step["what"]
        plain = record(kind, number, time_ms, step["loan"])
        paid = list(oracle.paid)[-5:] if step["what"] == "reverse" else []
        undone = paid[step["pick"] % len(paid)] if paid else None
        if undone is not None:
            plain["reversal_of"] = undone
        answer = engine().assess(CODEC.decode(encode(plain)), "customer", "c", state)
        assert answer.failures == []
        hits += [(hit.rule, hit.time_ms, hit.saw["seen"]) for hit in answer.hits]
        oracle.take(f"e{number}", kind, time_ms, step["loan"], undone)
    latest_ms += DAY_MS
    look()
    assert sorted(hits) == sorted(oracle.hits)
    assert [time_ms for _, time_ms, _ in hits] == sorted(time_ms for _, time_ms, _ in hits)


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=5))
def test_ticks_between_change_no_answer(days):
    def answers(*, ticks: bool) -> list[tuple[str, int, tuple[int, ...], str]]:
        state, now_ms, found = engine().new_state("customer"), STARTS[0], []
        for number, (gap, is_due) in enumerate([(0, True), *days, (40, False)]):
            for day in range(1, gap + 1) if ticks else ():
                for one in engine().tick(now_ms + day * DAY_MS, "customer", "c", state):
                    found += one.hits
            now_ms += gap * DAY_MS
            kind = "loan.repayment_due" if is_due else "payment.transfer"
            plain = record(kind, number, now_ms, "L-1")
            found += engine().assess(CODEC.decode(encode(plain)), "customer", "c", state).hits
        return [(hit.rule, hit.time_ms, hit.evidence, hit.event_id) for hit in found]

    assert answers(ticks=True) == answers(ticks=False)


@pytest.mark.parametrize("unit", SCHEDULES)
def test_a_schedule_is_kept_through_a_clock_change(unit):
    due_ms, periods = STARTS[0], Periods("Europe/Berlin", HOLIDAYS)
    name = {"business day": "bd"}.get(unit, unit)
    for _ in range(40):
        assert periods.next_ms(name, due_ms) == next_begin_ms(unit, due_ms)
        due_ms = periods.next_ms(name, due_ms)
