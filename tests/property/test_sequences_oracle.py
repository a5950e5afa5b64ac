"""Sequences say what trying every combination of the accepted events says.

Streams have ties, late and too late events, duplicates, reversals, values that were not sent, and
restarts at any point.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.testing import Bench, configuration, record, with_rules

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
GRACE_MS = 72 * HOUR_MS
LOGIN, FAILED, LOGOUT, TRANSFER = "auth.login", "auth.failed", "auth.logout", "payment.transfer"
KINDS = (LOGIN, FAILED, LOGOUT, TRANSFER)


@dataclass(frozen=True)
class Seen:
    """An accepted event."""

    name: str
    at_ms: int
    kind: str
    amount: int
    session: str | None
    channel: str | None


@dataclass(frozen=True)
class Steps:
    """A sequence as the oracle knows it: kinds of each step, hours to the step before."""

    text: str
    steps: tuple[tuple[tuple[str, ...], int], ...]
    least: int = 0
    without: str = ""
    same: tuple[str, ...] = ()
    is_skipped: bool = False

    def holds(self, events: list[Seen], own: Seen) -> bool:
        least = self.least or len(self.steps)
        if self.is_skipped and (own.kind not in self.steps[-1][0] or not _are_same([own], self.same)):
            return False
        found = any(
            own.kind in self.steps[chosen[-1]][0] and self._ends(events, chosen, (own,))
            for chosen in combinations(range(len(self.steps)), least)
        )
        return found != self.is_skipped

    def _ends(self, events: list[Seen], chosen: tuple[int, ...], later: tuple[Seen, ...]) -> bool:
        if len(later) == len(chosen):
            return _are_same(later, self.same)
        n = len(chosen) - len(later)
        before, after = chosen[n - 1], chosen[n]
        limit_ms = sum(hours for _, hours in self.steps[before + 1 : after + 1]) * HOUR_MS
        return any(
            self._ends(events, chosen, (one, *later))
            for one in events
            if one.kind in self.steps[before][0]
            and 0 <= later[0].at_ms - one.at_ms < limit_ms
            and one not in later
            and not self._is_broken(events, one, later[0])
        )

    def _is_broken(self, events: list[Seen], one: Seen, other: Seen) -> bool:
        return any(
            event.kind == self.without
            and one.at_ms < event.at_ms <= other.at_ms
            and _are_same([event, one], self.same)
            for event in events
        )


@dataclass(frozen=True)
class Together:
    """Events in any order as the oracle knows them: kinds with the least amount, hours."""

    text: str
    least: int
    kinds: tuple[tuple[str, int], ...]
    hours: int
    same: tuple[str, ...] = ()

    def holds(self, events: list[Seen], own: Seen) -> bool:
        if not any(_fits(own, kind) for kind in self.kinds):
            return False
        near = [one for one in events if _are_same([one, own], self.same)]
        return any(
            begin <= own.at_ms < begin + self.hours * HOUR_MS
            and sum(self._is_there(near, kind, begin) for kind in self.kinds) >= self.least
            for begin in {one.at_ms for one in near}
        )

    def _is_there(self, near: list[Seen], kind: tuple[str, int], begin: int) -> bool:
        return any(_fits(one, kind) and begin <= one.at_ms < begin + self.hours * HOUR_MS for one in near)


def _fits(one: Seen, kind: tuple[str, int]) -> bool:
    return one.kind == kind[0] and one.amount >= kind[1]


def _are_same(events: Any, fields: tuple[str, ...]) -> bool:
    values = [tuple(getattr(one, name) for name in fields) for one in events]
    return None not in values[0] and len(set(values)) == 1


def step(*kinds: str, within: int = 0) -> tuple[tuple[str, ...], int]:
    return kinds, within


SESSION = ("session",)
PATTERNS = {
    "two": Steps(f"seq({LOGIN} -> {TRANSFER} within 2h)", (step(LOGIN), step(TRANSFER, within=2))),
    "three": Steps(
        f"seq({LOGIN} -> {FAILED} within 1h -> {TRANSFER} within 2h)",
        (step(LOGIN), step(FAILED, within=1), step(TRANSFER, within=2)),
    ),
    "again": Steps(
        f"seq({TRANSFER} -> {LOGIN} within 2h -> {TRANSFER} within 2h)",
        (step(TRANSFER), step(LOGIN, within=2), step(TRANSFER, within=2)),
    ),
    "thrice": Steps(
        f"seq({TRANSFER} -> {TRANSFER} within 1h -> {TRANSFER} within 1h)",
        (step(TRANSFER), step(TRANSFER, within=1), step(TRANSFER, within=1)),
    ),
    "without": Steps(
        f"seq({LOGIN} -> {TRANSFER} within 2h without {LOGOUT})",
        (step(LOGIN), step(TRANSFER, within=2)),
        without=LOGOUT,
    ),
    "of_session": Steps(
        f"seq({LOGIN} -> {FAILED} within 2h -> {TRANSFER} within 2h without {LOGOUT}, same=session_id)",
        (step(LOGIN), step(FAILED, within=2), step(TRANSFER, within=2)),
        without=LOGOUT,
        same=SESSION,
    ),
    "of_both": Steps(
        f"seq({LOGIN} -> {TRANSFER} within 5h, same=(session_id, channel))",
        (step(LOGIN), step(TRANSFER, within=5)),
        same=("session", "channel"),
    ),
    "either": Steps(
        f"seq({LOGIN} or {FAILED} -> {LOGOUT} or {TRANSFER} within 1h)",
        (step(LOGIN, FAILED), step(LOGOUT, TRANSFER, within=1)),
    ),
    "some": Steps(
        f"seq(3 of {LOGIN} -> {FAILED} within 1h -> {LOGOUT} within 1h -> {TRANSFER} within 2h)",
        (step(LOGIN), step(FAILED, within=1), step(LOGOUT, within=1), step(TRANSFER, within=2)),
        least=3,
    ),
    "some_of_session": Steps(
        f"seq(2 of {LOGIN} -> {TRANSFER} within 1h -> {TRANSFER} within 2h without {FAILED}, "
        "same=session_id)",
        (step(LOGIN), step(TRANSFER, within=1), step(TRANSFER, within=2)),
        least=2,
        without=FAILED,
        same=SESSION,
    ),
    "skipped": Steps(
        f"skipped({LOGIN} -> {TRANSFER} within 2h without {LOGOUT})",
        (step(LOGIN), step(TRANSFER, within=2)),
        without=LOGOUT,
        is_skipped=True,
    ),
    "skipped_of_session": Steps(
        f"skipped({LOGIN} -> {TRANSFER} within 5h, same=session_id)",
        (step(LOGIN), step(TRANSFER, within=5)),
        same=SESSION,
        is_skipped=True,
    ),
    "any_two": Together(
        f"any(2 of {LOGIN}, {FAILED}, {TRANSFER}[amount >= 50 CNY] within 2h)",
        2,
        ((LOGIN, 0), (FAILED, 0), (TRANSFER, 50)),
        2,
    ),
    "any_three_of_session": Together(
        f"any(3 of {LOGIN}, {FAILED}, {LOGOUT}, {TRANSFER} within 1h, same=session_id)",
        3,
        ((LOGIN, 0), (FAILED, 0), (LOGOUT, 0), (TRANSFER, 0)),
        1,
        SESSION,
    ),
}
RULE = {
    "id": "T-1",
    "on": list(KINDS),
    "let": {name: pattern.text for name, pattern in PATTERNS.items()},
    "when": "1 == 1",
    "severity": "info",
}
CONFIGURATION = with_rules(configuration("flow"), RULE)
ENGINE, CODEC = Bench(CONFIGURATION).engine, Bench(CONFIGURATION).codec

moves = st.lists(
    st.fixed_dictionaries(
        {
            "what": st.sampled_from([*KINDS, *KINDS, TRANSFER, LOGIN, "again", "reverse"]),
            "ahead_ms": st.sampled_from(
                [0, 0, 0, 1, 20 * MINUTE_MS, HOUR_MS - 1, HOUR_MS, HOUR_MS + 1, 2 * HOUR_MS, 30 * HOUR_MS]
            ),
            "late_ms": st.sampled_from([0] * 5 + [1, HOUR_MS, 2 * HOUR_MS, GRACE_MS, GRACE_MS + 1]),
            "amount": st.sampled_from([10, 50]),
            "session": st.sampled_from([None, "s", "s", "u"]),
            "channel": st.sampled_from([None, "atm", "pos"]),
            "pick": st.integers(0, 9),
            "restart": st.booleans(),
        }
    ),
    min_size=1,
    max_size=16,
)


@given(moves)
@settings(max_examples=200)
def test_sequences_equal_a_brute_force_oracle(stream):
    bench = Bench(CONFIGURATION, ENGINE, CODEC)
    events: list[Seen] = []
    sent: list[tuple[bytes, Any]] = []
    latest_ms, now_ms = 100 * HOUR_MS, -1
    for number, move in enumerate(stream):
        if move["restart"]:
            bench.restart()
        if move["what"] == "again" and sent:
            body, first = sent[move["pick"] % len(sent)]
            (answer,) = bench.send(body)
            assert answer.duplicate
            assert [hit.saw for hit in answer.hits] == first
            continue
        latest_ms += move["ahead_ms"]
        at_ms = latest_ms - move["late_ms"]
        kind = move["what"] if move["what"] in KINDS else TRANSFER
        undone = events[move["pick"] % len(events)] if move["what"] == "reverse" and events else None
        more: dict[str, Any] = {"session_id": move["session"], "channel": move["channel"]}
        if kind == TRANSFER:
            more |= {"amount": str(move["amount"]), "direction": "out"}
        more |= {"reversal_of": undone.name} if undone else {}
        body = record(f"e{number}", kind, at_ms, **more)
        (answer,) = bench.send(body)
        assert answer.failures == []
        assert answer.too_late == (at_ms < now_ms - GRACE_MS)
        sent.append((body, [hit.saw for hit in answer.hits]))
        if answer.too_late:
            continue
        now_ms = max(now_ms, at_ms)
        if undone:
            events.remove(undone)
            continue
        amount = move["amount"] if kind == TRANSFER else 0
        own = Seen(f"e{number}", at_ms, kind, amount, move["session"], move["channel"])
        events.append(own)
        (hit,) = answer.hits
        expected = {name: pattern.holds(events, own) for name, pattern in PATTERNS.items()}
        assert {name: hit.saw[name] for name in PATTERNS} == expected


def evidence_of(text: str, *bodies: bytes) -> list[str]:
    bench = Bench(with_rules(configuration("flow"), {"id": "T-1", "on": [TRANSFER, LOGOUT], "when": text}))
    names = {bench.event(body).ref: bench.event(body).id for body in bodies}
    hits = [hit for answer in bench.send_all(bodies) for hit in answer.hits]
    return [names[ref] for ref in hits[-1].evidence]


def test_the_evidence_is_the_latest_event_of_each_step():
    bodies = [
        record("old", LOGIN, 0, session_id="s"),
        record("new", LOGIN, MINUTE_MS, session_id="s"),
        record("other", LOGIN, 2 * MINUTE_MS, session_id="u"),
        record("failed", FAILED, 3 * MINUTE_MS, session_id="s"),
        record("last", TRANSFER, 4 * MINUTE_MS, session_id="s", amount="5", direction="out"),
    ]
    text = f"seq({LOGIN} -> {FAILED} within 1h -> {TRANSFER} within 1h, same=session_id)"
    assert evidence_of(text, *bodies) == ["new", "failed", "last"]


def test_the_evidence_of_events_in_any_order_is_the_newest_of_each():
    bodies = [
        record("far", LOGIN, 0),
        record("failed", FAILED, 2 * HOUR_MS),
        record("login", LOGIN, 2 * HOUR_MS + 1),
        record("last", TRANSFER, 2 * HOUR_MS + 2, amount="5", direction="out"),
    ]
    text = f"any(3 of {LOGIN}, {FAILED}, {TRANSFER} within 1h)"
    assert evidence_of(text, *bodies) == ["failed", "login", "last"]


def test_keys_with_nothing_left_are_forgotten():
    text = f"seq({LOGIN} -> {TRANSFER} within 1h, same=session_id)"
    bench = Bench(with_rules(configuration("flow"), {"id": "T-1", "on": TRANSFER, "when": text}))
    for number in range(1_000):
        bench.send(record(f"e{number}", LOGIN, number * HOUR_MS, session_id=f"s{number}"))
    (held,) = [held for held in bench.state().slots if held]
    assert len(held) <= 72 + 1 + 32
    size = len(bench.packed()["customer", "c1"])
    assert size < 100 * (72 + 1) + 2_000
