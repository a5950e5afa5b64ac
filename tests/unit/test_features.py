"""What models see of a payment: the past of its customer and its place, and no label before its time."""

from __future__ import annotations

from array import array

import msgspec

from monitor.core.assessment import Assessment
from monitor.core.features import FEATURES, NAMES
from monitor.core.place import Place
from monitor.core.repute import OPEN, READS, Repute
from monitor.core.spending import Spending
from monitor.core.state import State, restore
from monitor.testing import Bench, configuration, record
from streams.recall import note_passed

DAY_S = 86_400
DAY_MS = 1000 * DAY_S
CARDS = configuration("card_terminal")


def read(repute: Repute, now_s: int) -> dict[str, int]:
    return dict(zip(READS, repute.read(now_s), strict=True))


def features(answers: list[Assessment]) -> dict[str, float]:
    (own,) = [answer for answer in answers if answer.subject == "customer"]
    return dict(zip(NAMES, array("f", own.features), strict=True))


def payment(name: str, at_ms: int, **fields: str) -> bytes:
    return record(name, "card.authorization", at_ms, **{"amount": "50.00", "terminal_id": "t1", **fields})


def test_a_payment_counts_as_genuine_a_week_later_and_not_before() -> None:
    repute = Repute()
    repute.add(1, 0, usual=True)
    repute.mature(7 * DAY_S)
    assert repute.count == 0
    repute.mature(7 * DAY_S + 1)
    assert (repute.count, repute.calm) == (1, 1)


def test_frauds_in_a_row_end_with_a_genuine_payment() -> None:
    repute = Repute()
    for ref in range(4):
        repute.add(ref, ref * DAY_S, usual=True)
    repute.judge(0, 5 * DAY_S, is_fraud=True, who=1)
    repute.judge(1, 5 * DAY_S, is_fraud=True, who=2)
    known = read(repute, 5 * DAY_S)
    assert (known["run"], known["mixed"], known["first"], known["last"]) == (2, 1, 5 * 64, 4 * 64)
    repute.judge(2, 6 * DAY_S, is_fraud=False, who=3)
    repute.judge(3, 6 * DAY_S, is_fraud=True, who=3)
    known = read(repute, 6 * DAY_S)
    assert (known["run"], known["calm"], known["before"]) == (1, 0, 4 * 64)


def test_a_busy_place_keeps_a_bounded_sample_of_open_payments() -> None:
    place = Place()
    for ref in range(1_000):
        place.see(ref * 7_919, ref, 10_0000)
    assert len(place.repute.refs) == OPEN
    assert place.repute.refs[-1] == 999 * 7_919


def test_a_payment_taken_back_is_not_judged() -> None:
    repute = Repute()
    repute.add(1, 0, usual=True)
    repute.drop(1)
    repute.mature(8 * DAY_S)
    assert repute.count == 0


def test_one_large_amount_hardly_changes_what_is_usual() -> None:
    spending = Spending()
    for day in range(10):
        spending.see(day * DAY_S, 50_0000)
    spending.see(10 * DAY_S, 5_000_0000)
    assert spending.see(11 * DAY_S, 50_0000)[0] > -0.2


def test_a_dispute_reaches_the_terminal_though_it_does_not_name_it() -> None:
    bench = Bench(CARDS)
    for day in range(3):
        bench.send(payment(f"p{day}", day * DAY_MS, customer_id=f"c{day}"))
    before = features(bench.send(payment("p3", 3 * DAY_MS, customer_id="c8")))
    assert (before["place_run"], before["place_fresh"]) == (0.0, 0.0)
    dispute = record("d0", "card.chargeback", 7 * DAY_MS, customer_id="c0", of_event="p0")
    event = bench.event(dispute)
    note_passed(bench.engine, event, bench.event(payment("p0", 0, customer_id="c0")))
    bench.send(dispute, event.facts)
    after = features(bench.send(payment("p9", 7 * DAY_MS + 1, customer_id="c9")))
    assert (after["place_run"], after["place_last"]) == (1.0, 7.0)
    assert after["own_run"] == 0.0


def test_shares_lie_between_nothing_and_all() -> None:
    bench, shares = Bench(CARDS), [feature.name for feature in FEATURES if feature.unit == "percent"]
    for number in range(60):
        found = features(bench.send(payment(f"p{number}", number * DAY_MS // 3)))
        assert all(0.0 <= found[name] <= 1.0 for name in shares)


def test_snapshots_bring_the_past_back() -> None:
    bench = Bench(CARDS)
    for number in range(20):
        bench.send(payment(f"p{number}", number * DAY_MS))
    for key, state in bench.states.items():
        again = restore(bench.engine._plan(key[0]), state.pack())
        assert again.pack() == state.pack()


def test_a_snapshot_without_the_past_is_read() -> None:
    bench = Bench(CARDS)
    bench.send(record("e1", "auth.login", 0))
    state: State = bench.states["customer", "c1"]
    assert restore(state.plan, state.pack()).spending is None


def test_what_is_remembered_of_a_place_and_a_customer_is_small() -> None:
    bench = Bench(CARDS)
    for number in range(300):
        bench.send(payment(f"p{number}", number * DAY_MS // 10))
    place, customer = bench.states["terminal", "t1"].place, bench.states["customer", "c1"]
    assert place is not None
    assert customer.repute is not None
    assert len(msgspec.msgpack.encode(place.snapshot())) < 600
    assert len(customer.repute.refs) == len(place.repute.refs) == OPEN
