"""What the classifier learns from: payments whose outcome is known, a bounded sample of each kind."""

from __future__ import annotations

from collections.abc import Iterable
from math import log
from typing import Any

import numpy as np

from monitor.core.boosting import Growth, Steps, growing
from monitor.core.classifier import ClassifierVersion
from monitor.core.features import MADE_OF_OTHERS, NAMES
from monitor.core.margins import UNIT
from monitor.core.repute import MATURES_S

FRAUDS, GENUINE = 16_384, 24_576
"""Payments kept of each kind, at most."""
LEAST_FRAUDS, LEAST_GENUINE = 40, 500
"""Without so many nothing is learnt."""
EVERYTHING = 1 << 64
MATURES_MS = 1000 * MATURES_S
VECTOR_BYTES = 4 * len(NAMES)

Row = tuple[int, bytes]
"""Event time and features."""


class Sample:
    """Payments, at most so many; whether one is kept depends on its reference alone.

    References are hashes, so a part of their range is a fair sample. Where the sample is full, the
    part is halved.

    Examples
    --------
    >>> sample = Sample(2)
    >>> for ref in (1, 2, -1):
    ...     sample.put(ref, (0, b""))
    >>> sorted(sample.rows), sample.share
    ([1, 2], 0.5)
    """

    __slots__ = ("limit", "most", "rows")

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = EVERYTHING
        """References below this, as unsigned numbers, are kept."""
        self.rows: dict[int, Row] = {}

    @property
    def share(self) -> float:
        """How much of everything is kept, 0 to 1."""
        return self.limit / EVERYTHING

    def takes(self, ref: int) -> bool:
        """Return whether a payment belongs to the sample."""
        return ref % EVERYTHING < self.limit

    def put(self, ref: int, row: Row) -> None:
        """Keep a payment, if it belongs to the sample."""
        if self.takes(ref):
            self.rows[ref] = row
            while len(self.rows) > self.most:
                self.narrow(self.limit // 2)

    def narrow(self, limit: int) -> None:
        """Keep no more than what lies below a limit."""
        if limit < self.limit:
            self.limit = limit
            self.rows = {ref: row for ref, row in self.rows.items() if ref % EVERYTHING < limit}


class Lessons:
    """Gathers payments and what they turned out to be, in the order in which that became known.

    A payment is learnt once its outcome is known: by a label, or as genuine when nobody has disputed
    it for a week. A later label corrects an earlier one.
    """

    __slots__ = ("_frauds", "_genuine", "_open", "number")

    def __init__(self) -> None:
        self.number = 0
        """Of the version learnt last."""
        self._frauds, self._genuine, self._open = Sample(FRAUDS), Sample(GENUINE), Sample(GENUINE)

    def see(self, ref: int, time_ms: int, features: bytes) -> None:
        """Note a payment."""
        self._open.put(ref, (time_ms, features))

    def judge(self, ref: int, is_fraud: bool, time_ms: int, features: bytes) -> None:
        """Learn what a payment, made at `time_ms`, turned out to be."""
        self._open.rows.pop(ref, None)
        kind, other = (self._frauds, self._genuine) if is_fraud else (self._genuine, self._frauds)
        other.rows.pop(ref, None)
        if len(features) == VECTOR_BYTES:
            kind.put(ref, (time_ms, features))

    def learn(self, now_ms: int, growth: Growth) -> Steps[ClassifierVersion] | None:
        """Return the steps to the next version, of everything known by now; None where that is too little.

        The same again, from the same `snapshot()`, leads to the same version.
        """
        self._mature(now_ms)
        frauds, genuine = self._frauds, self._genuine
        # One sample in two parts: what is too much for one is too much for both.
        genuine.narrow(self._open.limit)
        self._open.narrow(genuine.limit)
        if len(frauds.rows) < LEAST_FRAUDS or len(genuine.rows) < LEAST_GENUINE:
            return None
        self.number += 1
        # Among all payments the odds are lower than in the sample, which has less of the genuine.
        offset = round(UNIT * log(genuine.share / frauds.share))
        known = [(*row, ref, 1) for ref, row in frauds.rows.items()]
        known += [(*row, ref, 0) for ref, row in genuine.rows.items()]
        return _learning(self.number, known, offset, growth)

    def snapshot(self) -> list[Any]:
        """Return all of it as plain data."""
        return [self.number, *(_plain(one) for one in (self._frauds, self._genuine, self._open))]

    def resume(self, plain: list[Any]) -> None:
        """Go on from a `snapshot()`."""
        self.number, *samples = plain
        for sample, (power, rows) in zip((self._frauds, self._genuine, self._open), samples, strict=True):
            sample.limit = 1 << power
            sample.rows = {ref: (time_ms, features) for ref, time_ms, features in rows}

    def _mature(self, now_ms: int) -> None:
        ripe = [ref for ref, (time_ms, _) in self._open.rows.items() if time_ms < now_ms - MATURES_MS]
        for ref in ripe:
            self._genuine.put(ref, self._open.rows.pop(ref))


def _learning(
    number: int, known: list[tuple[int, bytes, int, int]], offset: int, growth: Growth
) -> Steps[ClassifierVersion]:
    # By time and name: the order of the labels says nothing.
    known.sort(key=lambda row: (row[0], row[2]))
    packed = b"".join(features for _, features, _, _ in known)
    labels = np.array([label for *_, label in known], np.int64)
    vectors = np.frombuffer(packed, "<f4").reshape(len(known), len(NAMES)).astype(np.float64)
    vectors[:, MADE_OF_OTHERS] = 0.0
    base, trees = yield from growing(vectors, labels, growth)
    return ClassifierVersion(
        number=number,
        features=NAMES,
        base=base,
        trees=trees,
        offset=offset,
        from_ms=known[0][0],
        to_ms=known[-1][0],
        frauds=int(labels.sum()),
        genuine=int((1 - labels).sum()),
    )


def _plain(sample: Sample) -> list[Any]:
    rows: Iterable[tuple[int, Row]] = sample.rows.items()
    return [sample.limit.bit_length() - 1, [[ref, *row] for ref, row in rows]]
