"""The measures of detection figures, and what is told where a public set is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from monitor.evaluate.handbook import DAY_MS, START_MS, Payments, figures, week_places
from monitor.evaluate.measures import alerts_against_recall, average_precision, reliability, roc_auc
from monitor.evaluate.plots import plot


def payments(rows: list[tuple[int, int, int]]) -> Payments:
    """Return payments of (day, customer, fraud)."""
    day, customer, fraud = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    return Payments(np.arange(len(rows)), START_MS + day * DAY_MS, customer, fraud)


def test_a_perfect_ranking_is_one_and_an_arbitrary_one_a_half() -> None:
    labels = np.array([0, 0, 1, 1])
    assert roc_auc(labels, np.array([0.1, 0.2, 0.3, 0.4])) == 1.0
    assert average_precision(labels, np.array([0.1, 0.2, 0.3, 0.4])) == 1.0
    assert roc_auc(labels, np.zeros(4)) == average_precision(labels, np.zeros(4)) == 0.5


def test_alerts_a_day_grow_with_recall() -> None:
    alerts, recall = alerts_against_recall(np.array([1, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.1]), 2.0)
    assert alerts.tolist() == pytest.approx([0.5, 1.0, 1.5, 2.0])
    assert recall.tolist() == [0.5, 0.5, 1.0, 1.0]


def test_groups_of_scores_tell_what_came_of_them() -> None:
    scores = np.repeat([0.01, 0.5], 100)
    labels = np.concatenate([np.arange(100) < 1, np.arange(100) < 50]).astype(np.int64)
    means, shares = reliability(labels, scores)
    assert means.tolist() == pytest.approx([0.01, 0.5])
    assert shares.tolist() == pytest.approx([0.01, 0.5])


def test_customers_known_by_then_are_left_out() -> None:
    start = 10
    rows = [(start, 1, 1), (start + 7, 2, 1), (start + 8, 3, 1)]
    rows += [(start + 14 + offset, customer, 0) for offset in (0, 1, 2) for customer in (1, 2, 3, 4)]
    found = payments(rows)
    kept = [(rows[place][0] - start - 14, rows[place][1]) for place in week_places(found, start)]
    assert kept == [(0, 2), (0, 3), (0, 4), (1, 3), (1, 4), (2, 4)]


def test_a_card_found_on_one_day_is_not_looked_for_on_the_next() -> None:
    start = 10
    rows = [
        (start + 14 + offset, customer, int(customer < 5)) for offset in range(7) for customer in range(200)
    ]
    found = payments(rows)
    scores = 1.0 - found.customer / 200
    _, _, cards = figures(found, scores, (start,))
    assert cards == pytest.approx(5 / 100 / 7)


def test_a_plot_is_a_picture_with_a_line_each() -> None:
    text = plot("Title", "along", "up", [("one", [0.0, 1.0], [0.0, 1.0]), ("two", [0.0, 1.0], [1.0, 0.0])])
    assert text.startswith("<svg")
    assert text.count("<polyline") == 2


def test_missing_sets_are_passed_over_in_words(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "monitor.evaluate", "--datasets", str(tmp_path / "none")]
    told = subprocess.run(
        [*command, "--work", str(tmp_path)], check=True, capture_output=True, text=True
    ).stdout
    assert told.count("Not measured:") == 4
    assert "RISKMON_DATASETS" in told
