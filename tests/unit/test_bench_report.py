"""A benchmark's report says what was measured and whether it is enough."""

from __future__ import annotations

from itertools import islice

import orjson
import pytest

from monitor.bench.models import scoring_us
from monitor.bench.report import Figure, Report
from monitor.bench.standard import quantile, transfers
from monitor.testing import configuration
from rules.vocabulary import load_vocabulary
from streams.codec import Codec, Rejection


@pytest.mark.parametrize(
    ("value", "reach", "more_is_better", "is_reached"),
    [
        (1.0, None, False, None),
        (20.0, 20.0, False, True),
        (20.1, 20.0, False, False),
        (9.0, 10.0, True, False),
    ],
)
def test_a_figure_knows_whether_it_is_reached(value, reach, more_is_better, is_reached):
    assert Figure("row", value, "U", reach, more_is_better=more_is_better).is_reached is is_reached


def test_a_report_is_plain_data():
    report = Report(0.8, {"cores": 2}, (Figure("row", 3.0, "U", 20.0),))
    (row,) = orjson.loads(orjson.dumps(report.plain()))["figures"]
    assert (row["name"], row["value"], row["is_reached"]) == ("row", 3.0, True)


def test_standard_transfers_are_good_events_and_always_the_same():
    first, second = (list(islice(transfers(50, 5, seed=3), 50)) for _ in range(2))
    assert first == second
    codec = Codec(load_vocabulary(), "CNY")
    assert not [one for one in map(codec.decode, first) if isinstance(one, Rejection)]


def test_a_quantile_is_one_of_the_values():
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([3.0, 1.0, 2.0], 0.999) == 3.0


def test_scoring_is_measured_for_populations_and_trees():
    assert all(us > 0 for us in scoring_us(configuration("card_terminal")))
