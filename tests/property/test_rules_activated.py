"""Rules change while events come: what is remembered is as if the new rules had always been there."""

from __future__ import annotations

from datetime import datetime
from random import Random
from typing import Any

import orjson
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from ruled_monitor import change, configured, opened, send, windows

from monitor.recompute import proof
from monitor.testing import START_MS, record

HOUR_MS = 3_600_000
PAID = {"on": "payment.transfer", "points": 3}
RULES = [
    PAID | {"id": "R-1", "when": "count(24h) >= 3"},
    PAID | {"id": "R-2", "when": "sum(amount, 7d, where=is_cross_border) > 900 CNY"},
    PAID | {"id": "R-3", "when": "max(amount, 5 events) > 900 CNY"},
    PAID | {"id": "R-4", "when": "not known(counterparty.account, 30d)"},
    PAID | {"id": "R-5", "subject": "device", "when": "distinct(customer_id, 24h) >= 2"},
    PAID | {"id": "R-6", "when": "distinct(customer_id, 24h, key=device) >= 2"},
    PAID | {"id": "R-7", "when": "seq(auth.failed -> payment.transfer within 24h without auth.login)"},
    {
        "id": "R-8", "on": "loan.repayment_due", "dimension": "credit", "points": 4,
        "when": "absent(loan.repayment, for=30h, after=loan.repayment_due, key=loan_id)",
    },
    PAID | {"id": "R-9", "when": "count(24h) >= 2 and stddev(amount, 3d) > 1 CNY"},
    PAID | {"id": "R-10", "when": "count(30d, where=counterparty.account in list.watched) >= 2"},
    {"id": "R-11", "on": "every day", "points": 2, "when": "count(3d, of=payment.transfer) >= 2"},
    PAID | {"id": "R-12", "when": 'count(30d, of=rule.hit, where=rule == "R-99") >= 2'},
]  # fmt: skip


def watched(*accounts: str) -> dict[str, Any]:
    return {"watched": {"version": "1", "about": "", "entries": list(accounts)}}


def stream(seed: int, length: int) -> list[bytes]:
    """Payments, log-ins and instalments of a few customers: some late, some reversed, some too late."""
    random = Random(seed)
    found: list[tuple[bytes, dict[str, Any]]] = []
    at = 0
    for n in range(length):
        at += random.randrange(4 * HOUR_MS)
        late = random.choice((0, 0, 0, 0, random.randrange(60 * HOUR_MS), 90 * HOUR_MS))
        who = {"customer_id": f"c{random.randrange(3)}"}
        kind = random.choice(
            ("payment.transfer",) * 6 + ("auth.failed", "auth.login", "loan.repayment_due", "loan.repayment")
        )
        if kind == "payment.transfer":
            who |= {
                "amount": str(random.randrange(1000)),
                "direction": "out",
                "is_cross_border": random.random() < 0.5,
            }
            who |= {"counterparty": {"account": f"X{random.randrange(4)}"}}
            if random.random() < 0.6:
                who |= {"device": {"device_id": f"d{random.randrange(2)}"}}
            before = [fields for _, fields in found if fields["kind"] == kind]
            if before and random.random() < 0.15:
                who |= {random.choice(("reversal_of", "correction_of")): random.choice(before)["name"]}
        elif kind.startswith("loan"):
            who |= {"loan_id": f"L{random.randrange(2)}", "amount": "10"}
            if kind == "loan.repayment_due":
                who |= {"due_date": "2026-01-20"}
        name = f"e{n}"
        body = record(name, kind, max(0, at - late), **who)
        found.append((body, {"kind": kind, "name": name}))
    return [body for body, _ in found]


def rules(numbers: set[int]) -> list[dict[str, Any]]:
    return [RULES[number] for number in sorted(numbers)]


def newest_ms(events: list[bytes]) -> int:
    """The largest event time: steps at this time let no time pass."""
    moments = [datetime.fromisoformat(orjson.loads(body)["occurred_at"]) for body in events]
    return round(max(moments).timestamp() * 1000) - START_MS


QUICK = (Phase.explicit, Phase.reuse, Phase.generate)
"""A failing example is small enough; a smaller one takes minutes."""
CHOICE = st.sets(st.integers(0, len(RULES) - 1), min_size=1)


@settings(max_examples=8, deadline=None, phases=QUICK)
@given(seed=st.integers(0, 500), cut=st.integers(1, 80), before=CHOICE, after=CHOICE, other=st.booleans())
def test_after_a_change_every_window_is_as_if_the_rules_had_always_been_there(
    seed: int, cut: int, before: set[int], after: set[int], other: bool, tmp_path_factory: Any
) -> None:
    # A window over hits that both have keeps the hits that were found, by the rules of then.
    old = configured(*rules(before - {11} or {0}), lists=watched("X1", "X2"))
    new = configured(
        *rules(after), {**RULES[0], "id": "R-99"}, lists=watched("X1", "X3") if other else watched("X1", "X2")
    )
    events = stream(seed, 90)
    place = tmp_path_factory.mktemp("changed")
    changed, straight = opened(place, old), opened(tmp_path_factory.mktemp("straight"), new)
    for start in range(0, cut, 7):
        send(changed, *events[start : min(start + 7, cut)])
    change(changed, new, newest_ms(events[:cut]))
    send(straight, *events[:cut])
    # Before a change everybody is asked what fell due.
    straight.processor.tick(START_MS + newest_ms(events[:cut]), at_once=True)
    assert windows(changed) == windows(straight)
    send(changed, *events[cut:])
    send(straight, *events[cut:])
    assert windows(changed) == windows(straight)
    changed.close()
    straight.close()
    assert proof(place) == []
