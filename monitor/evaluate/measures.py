"""How well scores tell fraud from genuine: ranking, precision, calibration."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]


def roc_auc(labels: Array, scores: Array) -> float:
    """Return the chance that a fraud scores higher than a genuine event; ties count half.

    Examples
    --------
    >>> roc_auc(np.array([0, 1, 0, 1]), np.array([0.1, 0.8, 0.4, 0.4]))
    0.875
    """
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    frauds = int(labels.sum())
    above = float(ranks[place][labels == 1].sum()) - frauds * (frauds + 1) / 2
    return above / (frauds * (len(labels) - frauds))


def precision_recall(labels: Array, scores: Array) -> tuple[Floats, Floats]:
    """Return precision and recall at every distinct score, from the highest down."""
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    found = np.cumsum(labels[order])[last].astype(np.float64)
    return found / (last + 1), found / max(found[-1], 1.0)


def average_precision(labels: Array, scores: Array) -> float:
    """Return the mean of precision over recall, stepwise.

    Examples
    --------
    >>> round(average_precision(np.array([0, 1, 0, 1]), np.array([0.1, 0.8, 0.4, 0.4])), 4)
    0.8333
    """
    precision, recall = precision_recall(labels, scores)
    return float(np.sum(precision * np.diff(recall, prepend=0.0)))


def alerts_against_recall(labels: Array, scores: Array, days: float) -> tuple[Floats, Floats]:
    """Return alerts a day, were every event from a score on one, and the share of frauds among them."""
    precision, recall = precision_recall(labels, scores)
    alerts = np.divide(recall * labels.sum(), precision, out=np.zeros_like(recall), where=precision > 0)
    return alerts / days, recall


def reliability(labels: Array, scores: Array, least: int = 50) -> tuple[Floats, Floats]:
    """Return mean score and share of frauds of groups of neighbouring scores.

    Parameters
    ----------
    least
        Events in a group; groups are of equal width in the logarithm of the odds.
    """
    odds = np.log(np.clip(scores, 1e-6, 1 - 1e-6) / (1 - np.clip(scores, 1e-6, 1 - 1e-6)))
    groups = np.floor(2 * odds).astype(int)
    groups -= groups.min()
    counts = np.bincount(groups)
    kept = counts >= least
    means = np.bincount(groups, scores)[kept] / counts[kept]
    return means, np.bincount(groups, labels)[kept] / counts[kept]
