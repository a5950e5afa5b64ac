"""The protocol of the Fraud Detection Handbook: which payments are scored in which weeks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from monitor.evaluate.measures import average_precision, roc_auc

Array = npt.NDArray[Any]
TEST_WEEKS = (115, 122, 129, 136)
"""First days of the training weeks; each test week is a fortnight later (chapter 5)."""
ANOMALY_WEEK = (101,)
"""Of the table of unsupervised detectors (chapter 7)."""
START_MS = 1_522_540_800_000
DAY_MS = 86_400_000
CARDS = 100
"""Cards that can be looked into each day."""


@dataclass(frozen=True, slots=True)
class Payments:
    """Payments in the order of their numbers; labels are for the evaluation alone."""

    number: Array
    time_ms: Array
    customer: Array
    is_fraud: Array

    @property
    def day(self) -> Array:
        """Days since the first one."""
        days: Array = (self.time_ms - START_MS) // DAY_MS
        return days


def read_payments(folder: Path) -> Payments:
    """Return the payments of `dev_tx` and `eval_tx` with their labels."""
    names = ["tx_id", "occurred_at", "customer"]
    parts = [pq.read_table(folder / f"{name}.parquet", columns=names) for name in ("dev_tx", "eval_tx")]
    table = pa.concat_tables(parts).sort_by("tx_id")
    labels = pq.read_table(folder / "labels.parquet")
    frauds = labels["tx_id"].to_numpy()[labels["fraud"].to_numpy() == 1]
    number = table["tx_id"].to_numpy()
    time_ms = table["occurred_at"].cast(pa.timestamp("ms", tz="UTC")).cast(pa.int64()).to_numpy()
    return Payments(number, time_ms, table["customer"].to_numpy(), np.isin(number, frauds).astype(np.int64))


def week_places(payments: Payments, start: int) -> Array:
    """Return the places of the payments of one test week, without customers already known by then."""
    day, fraud = payments.day, payments.is_fraud == 1
    known = set(payments.customer[fraud & (day >= start) & (day < start + 7)].tolist())
    parts = []
    for offset in range(7):
        known |= set(payments.customer[fraud & (day == start + 6 + offset)].tolist())
        places = np.flatnonzero(day == start + 14 + offset)
        parts.append(places[~np.isin(payments.customer[places], list(known))])
    return np.concatenate(parts)


def figures(payments: Payments, scores: Array, weeks: tuple[int, ...] = TEST_WEEKS) -> tuple[float, ...]:
    """Return AUC ROC, average precision and card precision at 100, means over the weeks."""
    rows = []
    for start in weeks:
        places = week_places(payments, start)
        labels, found = payments.is_fraud[places], scores[places]
        rows.append(
            (
                roc_auc(labels, found),
                average_precision(labels, found),
                _card_precision(payments, scores, places),
            )
        )
    return tuple(float(value) for value in np.mean(rows, axis=0))


def _card_precision(payments: Payments, scores: Array, places: Array) -> float:
    detected: set[int] = set()
    found = []
    for cards in _cards(payments, scores, places):
        left = [card for card in cards if card[1] not in detected]
        hits = {customer for _, customer, is_fraud in left[:CARDS] if is_fraud}
        found.append(len(hits) / CARDS)
        detected |= hits
    return float(np.mean(found))


def _cards(payments: Payments, scores: Array, places: Array) -> Iterator[list[tuple[float, int, int]]]:
    """Give of each day (highest score, customer, whether any payment is fraud), riskiest first."""
    day = payments.day[places]
    for one in np.unique(day):
        cards: dict[int, tuple[float, int]] = {}
        for place in places[day == one].tolist():
            customer, score = int(payments.customer[place]), float(scores[place])
            highest, is_fraud = cards.get(customer, (score, 0))
            cards[customer] = (max(highest, score), max(is_fraud, int(payments.is_fraud[place])))
        yield sorted(
            ((score, customer, fraud) for customer, (score, fraud) in cards.items()),
            key=lambda card: (-card[0], card[1]),
        )
