"""A threshold moved in steps: which figures move, and which do not."""

from __future__ import annotations

import pytest

from monitor.backtest.threshold import By, ThresholdError, moved, variants

CONTENT = {
    "id": "X-1",
    "title": "Many",
    "status": "shadow",
    "params": {"minimum": {"default": "20000 CNY", "private": "200_000 CNY"}, "times": "3"},
    "let": {"many": "count(24h) >= 5"},
    "when": "many and amount >= param.minimum",
}
OVERRIDES = {"minimum": [{"value": "40000 CNY", "customer": "1000", "from": "2026-01-01"}]}


def moves(**asked):
    said = {"overrides": {}, "name": "", "text": "", "steps": 1, "by": By.of("10%")} | asked
    return variants(CONTENT, **said)


def test_all_values_of_a_parameter_move_together_and_nothing_else_does():
    low, same, high = moves(name="minimum", overrides=OVERRIDES)
    assert low.content["params"]["minimum"] == {"default": "18000 CNY", "private": "180000 CNY"}
    assert low.overrides["minimum"] == [{"value": "36000 CNY", "customer": "1000", "from": "2026-01-01"}]
    assert (same.step, same.figure) == (0, "20000 CNY")
    assert high.content["params"]["times"] == "3"
    assert CONTENT["params"]["minimum"]["default"] == "20000 CNY"


def test_a_comparison_moves_where_it_is_written():
    low, _, high = moves(text="count(24h) >= 5".removeprefix("count(24h) "), by=By.of("2"))
    assert (low.content["let"]["many"], high.content["let"]["many"]) == ("count(24h) >= 3", "count(24h) >= 7")
    assert low.content["when"] == CONTENT["when"]


def test_variants_run_live_under_names_of_their_own():
    found = moves(name="minimum", steps=2)
    assert [one.id for one in found] == [f"X-1.0{n}" for n in range(5)]
    assert {one.content["status"] for one in found} == {"live"}
    assert len({one.content["title"] for one in found}) == 5


def test_nothing_at_or_below_zero_is_tried():
    assert [one.figure for one in moves(name="times", steps=4, by=By.of("1"))] == [
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
        "7",
    ]


@pytest.mark.parametrize(
    ("figure", "by", "after"),
    [
        ("5000 CNY", "250", "5250 CNY"),
        ("0.35", "10%", "0.385"),
        ("90m", "25%", "6750000ms"),
        ("10bd", "10%", "11bd"),
        ("1_000", "10%", "1100"),
    ],
)
def test_a_figure_keeps_its_unit(figure, by, after):
    assert moved(figure, 1, By.of(by)) == after


def test_a_comparison_with_two_figures_is_refused():
    with pytest.raises(ThresholdError, match="has 2 figures"):
        moves(text="count(24h) >= 5")
