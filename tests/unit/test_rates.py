"""Money texts and exchange rates."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.rates import Exchange, Rates, RatesError, exchange, money_units, signed_units

SHIPPED = Path(__file__).parents[2] / "config" / "lists" / "fx_rates.yaml"


@given(st.integers(min_value=0, max_value=10**16))
def test_money_reads_back_exactly(units: int) -> None:
    assert money_units(f"{units // 10_000}.{units % 10_000:04d}") == units


@given(st.integers(min_value=-(10**16), max_value=10**16), st.integers(1, 10**9), st.integers(1, 10**9))
def test_conversion_is_the_exact_ratio_rounded_half_to_even(units: int, over: int, under: int) -> None:
    assert exchange(units, over, under) == round(Fraction(units * over, under))


@given(st.integers(), st.sampled_from([2, 4, 6]))
def test_exact_halves_go_to_the_even_neighbour(units: int, under: int) -> None:
    assert exchange(units, 1, under) == round(Fraction(units, under))


def test_minus_is_read_once() -> None:
    assert signed_units("-1.5") == -15_000
    with pytest.raises(ValueError, match="-"):
        signed_units("--1")


def test_the_shipped_rates_reach_every_currency_both_ways() -> None:
    rates = Rates.load(SHIPPED)
    there, back = rates.factor("CNY", "USD", 0), rates.factor("USD", "CNY", 0)
    assert there * back == 1


def test_a_base_without_a_rate_takes_only_itself() -> None:
    assert Exchange("XAU", Rates.load(SHIPPED)).currencies == {"XAU"}


def test_every_mistake_of_a_rate_table_is_told() -> None:
    with pytest.raises(RatesError) as caught:
        Rates.from_plain({"pivot": "euro", "rates": {"soon": {}, "2026-01-01": {"USD": 1.08, "JPY": "0"}}})
    assert str(caught.value).count("hint:") == 4


def test_a_missing_rate_file_is_named() -> None:
    with pytest.raises(RatesError, match=r"nowhere\.yaml"):
        Rates.load(Path("nowhere.yaml"))
