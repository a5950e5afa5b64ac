"""What became of scores corrects the chances told, and what models saw is kept whole."""

from __future__ import annotations

import random
from math import exp

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.models.outcomes import DAY_MS, FADES_DAYS, MATURES_DAYS, Outcomes
from monitor.core.models.scale import Scale, corrected
from monitor.core.seen import VECTOR, noted, read

CHANCES = st.floats(0.0005, 0.9995)


def sure(odds: float) -> float:
    return 1 / (1 + exp(-odds))


@given(
    st.lists(st.floats(-5, 5, width=32), min_size=34, max_size=34),
    st.text(max_size=12).filter(lambda text: not text.endswith("\0")),
    st.booleans(),
    st.none() | st.integers(-(2**31), 2**31 - 1),
)
def test_what_models_saw_is_read_as_it_was_noted(vector, segment, restricted, margin):
    packed = VECTOR.pack(*vector)
    found = read(noted(packed, segment, is_restricted=restricted, margin=margin))
    assert found == (packed, segment, restricted, margin)


def test_chances_that_are_told_too_low_are_corrected():
    rng, outcomes = random.Random(1), Outcomes()
    for n in range(60_000):
        odds = rng.gauss(-3, 2)
        outcomes.see(n, sure(odds))
        if rng.random() < sure(1.4 * odds + 1.0):
            outcomes.judge(n, True, n, sure(odds))
    assert outcomes.correction() == (1.0, 0.0)
    outcomes.mature(MATURES_DAYS * DAY_MS)
    slope, shift = outcomes.correction()
    assert slope == pytest.approx(1.4, abs=0.05)
    assert shift == pytest.approx(1.0, abs=0.1)


@given(st.lists(CHANCES, min_size=2, max_size=20), st.floats(0.25, 4), st.floats(-6, 6))
def test_a_correction_changes_no_ranking(raws, slope, shift):
    raws.sort()
    told = [corrected(raw, slope, shift) for raw in raws]
    assert told == sorted(told)
    assert all(0 <= one <= 1 for one in told)


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans(), CHANCES), max_size=60), st.randoms())
def test_outcomes_come_in_any_order_and_twice(rows, rng):
    judged = [(n, fraud, day * DAY_MS, raw) for n, (day, fraud, raw) in enumerate(rows)]
    shuffled = [one for one in judged for _ in range(2)]
    rng.shuffle(shuffled)
    found = []
    for order in (judged, shuffled):
        outcomes = Outcomes()
        for _, _, at_ms, raw in judged:
            outcomes.see(at_ms, raw)
        for one in order:
            outcomes.judge(*one)
        outcomes.mature(50 * DAY_MS)
        found.append((outcomes.calibration.counts, outcomes.calibration.bad))
    assert found[0] == found[1]
    assert sum(found[0][1]) == sum(fraud for _, fraud, _ in rows)


def test_a_day_is_judged_when_its_disputes_are_in_and_fades():
    outcomes = Outcomes()
    outcomes.see(0, 0.5)
    outcomes.mature((MATURES_DAYS - 1) * DAY_MS)
    assert sum(outcomes.calibration.counts) == 0
    outcomes.judge(7, True, 0, 0.5)
    outcomes.mature(MATURES_DAYS * DAY_MS)
    assert (sum(outcomes.calibration.counts), sum(outcomes.calibration.bad)) == (1, 1)
    outcomes.mature((MATURES_DAYS - 1 + FADES_DAYS) * DAY_MS)
    assert (sum(outcomes.calibration.counts), sum(outcomes.calibration.bad)) == (0.5, 0.5)
    outcomes.judge(7, False, 0, 0.5)
    assert sum(outcomes.calibration.bad) == 0


@given(st.lists(st.tuples(st.integers(0, 12), st.booleans(), CHANCES), max_size=40))
def test_outcomes_go_on_from_a_snapshot(rows):
    straight, resumed = Outcomes(), Outcomes()
    for n, (day, fraud, raw) in enumerate(rows):
        for outcomes in (straight, resumed):
            outcomes.see(day * DAY_MS, raw)
            outcomes.judge(n, fraud, day * DAY_MS, raw)
            outcomes.mature(day * DAY_MS)
        plain = msgspec.msgpack.decode(msgspec.msgpack.encode(resumed.snapshot()))
        resumed = Outcomes()
        resumed.resume(plain)
    assert resumed.snapshot() == straight.snapshot()


def test_a_scale_is_what_its_hash_is_of():
    scale = Scale(
        number=2, from_ms=1, to_ms=9, scored=7, alerts_a_day=3, threshold=0.4,
        ranks=((0.1, 0.99), (0.6, 0.999)), curve=((0.1, 0.0), (0.5, 0.5)), reliability=((0.2, 0.1, 5),),
    )  # fmt: skip
    again = Scale.of_packed(scale.packed)
    assert (again, again.hash) == (scale, scale.hash)
    assert [again.rank(raw) for raw in (0.05, 0.1, 0.7)] == [0.0, 0.99, 0.999]
    assert [again.observed(raw) for raw in (0.0, 0.3, 0.9)] == pytest.approx([0.0, 0.25, 0.5])
