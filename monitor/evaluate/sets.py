"""The public sets: what is replayed, and which figures come of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from monitor.evaluate import alone, handbook
from monitor.evaluate.measures import (
    alerts_against_recall,
    average_precision,
    precision_recall,
    reliability,
    roc_auc,
)
from monitor.evaluate.plots import plot
from monitor.evaluate.runs import MAPPINGS, replay, scored

Row = tuple[str, ...]
MODELS = MAPPINGS.parent / "models.yaml"
DAYS_MS = 86_400_000


def cards(data: Path, work: Path, out: Path) -> list[Row]:
    """Return rows of the Fraud Detection Handbook, and write the plots."""
    folder, run = data / "handbook", work / "handbook"
    files = [folder / f"{name}.parquet" for name in ("dev_tx", "eval_tx", "chargebacks")]
    replay(files, "handbook", run)
    payments, found = handbook.read_payments(folder), scored(run)
    places = np.array([int(name.removeprefix("tx-")) for name in found.names])
    order = np.empty(len(places), np.int64)
    order[np.searchsorted(payments.number, places)] = np.arange(len(places))
    times = payments.time_ms[np.searchsorted(payments.number, places)].tolist()

    def cut(day: int) -> int:
        return int(np.searchsorted(times, handbook.START_MS + day * handbook.DAY_MS))

    without = alone.without_rules(
        found.features, found.names, times, "handbook", folder / "chargebacks.parquet"
    )
    plain = alone.plain_trees(found.features, cut(100), cut(157))
    unusual = alone.populations(found.features, times, MODELS, cut(122))
    rules = found.features[:, alone.POINTS].astype(np.float64)
    scores = {"rules and models": found.scores, "models alone": without, "rules alone": rules}
    _pictures({name: one[order] for name, one in scores.items()}, payments, out)
    weeks = handbook.ANOMALY_WEEK
    return [
        _row("plain half-space trees, every feature", handbook.figures(payments, plain[order])),
        _row("rules alone", handbook.figures(payments, rules[order])),
        _row("models alone", handbook.figures(payments, without[order])),
        _row("rules and models", handbook.figures(payments, found.scores[order])),
        _row("populations alone, anomaly week", handbook.figures(payments, unusual[order], weeks)),
    ]


def sffsd(data: Path, work: Path) -> list[Row]:
    """Return rows of S-FFSD: every label told right after its payment.

    `Time` is no clock. Seven seconds a step: so the set is some five hundred steps an hour, and
    shorter than the week after which silence counts as genuine.
    """
    run, table = work / "sffsd", pq.read_table(data / "sffsd" / "sffsd.parquet")
    place = table.schema.get_field_index("Time")
    table = table.set_column(place, "Time", pa.array(7 * table["Time"].to_numpy()))
    run.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, run / "slow.parquet")
    replay([run / "slow.parquet"], "sffsd_online", run)
    found = scored(run)
    labels = dict(zip(table["Time"].to_pylist(), table["Labels"].to_pylist(), strict=True))
    kinds = np.array([labels[int(name.removeprefix("sf-"))] for name in found.names])
    told, scores, is_fraud = kinds != 2, found.scores, (kinds == 1).astype(np.int64)
    half = np.arange(len(kinds)) >= len(kinds) // 2

    def figures(kept: Any) -> Row:
        return (
            f"{roc_auc(is_fraud[kept], scores[kept]):.3f}",
            f"{average_precision(is_fraud[kept], scores[kept]):.3f}",
            "",
        )

    return [("every labelled payment", *figures(told)), ("the second half", *figures(told & half))]


def amlsim(data: Path, work: Path) -> list[Row]:
    """Return rows of AMLSim: accounts ranked by their highest score."""
    folder = data / "amlsim"
    (transfers,), (accounts,) = folder.glob("*transactions.parquet"), folder.glob("*accounts.parquet")
    report = replay([accounts, transfers], "amlsim", work / "amlsim")
    found, table = scored(work / "amlsim"), pq.read_table(accounts)
    highest: dict[str, float] = {}
    for customer, score in zip(found.customers, found.scores.tolist(), strict=True):
        highest[customer] = max(score, highest.get(customer, 0.0))
    suspects = set()
    for node, is_fraud in zip(table["nodeid"].to_pylist(), table["isFraud"].to_pylist(), strict=True):
        if str(is_fraud).lower() in ("1", "true"):
            suspects.add(f"C{node}")
    first = sorted(highest, key=lambda customer: (-highest[customer], customer))[:1000]
    precision = sum(customer in suspects for customer in first) / len(first)
    return [("accounts: precision at 1,000", f"{precision:.3f}", "", ""), _alerts(report, found.times)]


def berka(data: Path, work: Path) -> list[Row]:
    """Return the row of the Czech bank: alerts a day, since nobody knows what was fraud."""
    report = replay(sorted((data / "berka").glob("*.parquet")), "berka", work / "berka")
    return [_alerts(report, scored(work / "berka").times)]


def _alerts(report: dict[str, Any], times: list[str]) -> Row:
    days = len({time[:10] for time in times})
    return "alerts a day", f"{report['alerts'] / max(days, 1):.1f}", "", ""


def _row(name: str, figures: tuple[float, ...]) -> Row:
    return (name, *(f"{value:.3f}" for value in figures))


def _pictures(scores: dict[str, Any], payments: handbook.Payments, out: Path) -> None:
    weeks = [handbook.week_places(payments, start) for start in handbook.TEST_WEEKS]
    kept = np.concatenate(weeks)
    labels, days = payments.is_fraud[kept], 7.0 * len(weeks)
    precisions, alerts = [], []
    for name, values in scores.items():
        precision, recall = precision_recall(labels, values[kept])
        precisions.append((name, recall, precision))
        alerts.append((name, *alerts_against_recall(labels, values[kept], days)))
    chances = [("rules and models", *reliability(labels, scores["rules and models"][kept]))]
    out.mkdir(parents=True, exist_ok=True)
    pictures = {
        "precision": plot("Precision and recall, four test weeks", "recall", "precision", precisions),
        "alerts": plot(
            "Alerts a day against recall", "alerts a day", "recall", alerts,
            ends=(1.0, 10_000.0), logarithmic=True,
        ),
        "calibration": plot(
            "Told chance and what came of it", "score", "share of frauds", chances,
            ends=(1e-4, 1.0), logarithmic=True, diagonal=True, dots=True,
        ),
    }  # fmt: skip
    for name, text in pictures.items():
        (out / f"detection-{name}.svg").write_text(text, encoding="utf-8")
