"""A baseline says how unusual a payment is: bounded, repeatable, and only once it knows enough."""

from copy import deepcopy
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.detectors import PARTIES, WARM_UP, Baseline

DAY_MS = 86_400_000
SHOP_ARGS = ("DE", "card", 12)

payments = st.lists(
    st.tuples(
        st.integers(0, 400 * DAY_MS),
        st.integers(0, 10**15),
        st.none() | st.sampled_from([f"shop-{n}" for n in range(60)]),
        st.none() | st.sampled_from(["DE", "FR", "CN"]),
        st.none() | st.sampled_from(["card", "mobile"]),
        st.integers(0, 23),
    ),
    max_size=80,
)


def learnt(stream: list[Any]) -> Baseline:
    usual = Baseline()
    for payment in stream:
        usual.learn_one(*payment)
    return usual


def regular(days: int = 60) -> Baseline:
    """A customer who pays about 50 at noon in one of five shops, every day."""
    return learnt(
        [
            (n * DAY_MS, 400_000 + n * 37 % 11 * 20_000, f"shop-{n % 5}", *SHOP_ARGS)
            for n in range(1, days + 1)
        ]
    )


@settings(max_examples=150, deadline=None)
@given(payments)
def test_scores_lie_between_0_and_1_and_looking_changes_nothing(stream: list[Any]) -> None:
    usual = Baseline()
    for payment in stream:
        before = deepcopy(usual.snapshot())
        score = usual.score_one(*payment)
        assert 0.0 <= score <= 1.0
        assert all(isinstance(reason, str) for reason in usual.reasons(*payment))
        assert usual.score_one(*payment) == score
        assert usual.snapshot() == before
        usual.learn_one(*payment)


@settings(max_examples=80, deadline=None)
@given(payments, st.integers(0, 80))
def test_a_restart_at_any_point_changes_no_score(stream: list[Any], cut: int) -> None:
    straight, resumed = Baseline(), Baseline()
    for n, payment in enumerate(stream):
        if n == cut:
            plain = msgspec.msgpack.decode(msgspec.msgpack.encode(resumed.snapshot()))
            resumed = Baseline.restore(plain)
        assert straight.score_one(*payment) == resumed.score_one(*payment)
        straight.learn_one(*payment)
        resumed.learn_one(*payment)
    assert straight.snapshot() == resumed.snapshot()


@settings(max_examples=60, deadline=None)
@given(payments, st.integers(1, 10**9), st.floats(1.1, 100))
def test_a_larger_amount_is_never_less_unusual(stream: list[Any], amount: int, times: float) -> None:
    usual = learnt(stream)
    context = (400 * DAY_MS, "shop-1", "DE", "card", 12)
    small, large = (usual.score_one(context[0], a, *context[1:]) for a in (amount, int(amount * times)))
    assert large >= small - 1e-12


def test_during_the_warm_up_there_is_no_score_and_the_reason_says_so() -> None:
    usual = regular(WARM_UP - 1)
    strange = (10 * DAY_MS, 10**12, "stranger", "KP", "branch", 3)
    assert usual.score_one(*strange) == 0.0
    assert usual.reasons(*strange) == ("no score: 4 payments known, 5 needed",)


def test_a_usual_payment_scores_low_and_needs_no_reason() -> None:
    usual = regular()
    assert usual.score_one(61 * DAY_MS, 500_000, "shop-1", *SHOP_ARGS) < 0.2
    assert usual.reasons(61 * DAY_MS, 500_000, "shop-1", *SHOP_ARGS) == ()


@pytest.mark.parametrize(
    ("payment", "reason"),
    [
        ((61 * DAY_MS, 2_500_000, "shop-1", "DE", "card", 12), "amount 5.0 times the usual"),
        (
            (60 * DAY_MS + 5_000, 500_000, "shop-1", "DE", "card", 12),
            "5 s after the one before, usually 24 h",
        ),
        ((61 * DAY_MS, 500_000, "shop-1", "DE", "card", 3), "at 3 h, when hardly ever paid"),
        ((61 * DAY_MS, 500_000, "stranger", "DE", "card", 12), "counterparty not seen before"),
        ((61 * DAY_MS, 500_000, "shop-1", "KP", "card", 12), "country KP not seen before"),
        ((61 * DAY_MS, 500_000, "shop-1", "DE", "branch", 12), "channel branch not seen before"),
    ],
)
def test_each_surprise_raises_the_score_and_is_said_in_words(payment: Any, reason: str) -> None:
    usual = regular()
    assert usual.reasons(*payment) == (reason,)
    assert usual.score_one(*payment) > usual.score_one(61 * DAY_MS, 500_000, "shop-1", *SHOP_ARGS)


def test_five_times_the_usual_amount_alone_is_highly_unusual() -> None:
    assert regular().score_one(61 * DAY_MS, 2_500_000, "shop-1", *SHOP_ARGS) > 0.9


def test_who_always_pays_strangers_is_not_strange_for_it() -> None:
    usual = learnt([(n * DAY_MS, 500_000, f"shop-{n}", *SHOP_ARGS) for n in range(1, 60)])
    assert usual.reasons(61 * DAY_MS, 500_000, "stranger", *SHOP_ARGS) == ()


def test_habits_change() -> None:
    usual = regular()
    for n in range(61, 261):
        usual.learn_one(n * DAY_MS, 5_000_000, "shop-1", *SHOP_ARGS)
    assert usual.score_one(261 * DAY_MS, 5_000_000, "shop-1", *SHOP_ARGS) < 0.3


def test_the_snapshot_stays_small_however_much_was_learnt() -> None:
    usual = learnt([(n * DAY_MS, 500_000, f"shop-{n}", *SHOP_ARGS) for n in range(1, 2000)])
    assert len(usual.parties) == 4 * PARTIES
    assert len(msgspec.msgpack.encode(usual.snapshot())) <= 300
