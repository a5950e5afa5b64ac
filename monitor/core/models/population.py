"""A population learns what is usual among many customers, and publishes it as versions.

The version that was published last scores; what is learnt meanwhile is seen by nobody until the next
one. So a score depends on the event and on a version with a name, never on who came a moment before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monitor.core.feature import Feature
from monitor.core.models.config import PopulationConfig
from monitor.core.models.detector import Detector, make_detector
from monitor.core.models.histogram import Histogram
from monitor.core.models.picking import picker
from monitor.core.models.version import Version

EARLY = 100
"""Vectors from which limits are learnt, where a feature declares none."""
ROOM = 0.5
"""Share of their range that learnt limits leave free at both ends."""
SAMPLED = 4096
"""Vectors held at most, to know medians and usual scores by."""
LEAST_SAMPLED = 100
"""A version needs so many new ones."""
STEPS = 200
"""Of the quantiles of scores in a version."""
CARD_BINS = 40
"""Of the histograms in a version."""


class Population:
    """The successor of one model and segment: learns vectors, publishes versions.

    The caller does not show it what was flagged, what belongs to restricted customers, or what is
    outside its purpose; it says so by `pass_over`.

    Parameters
    ----------
    config
        Detector, parameters, features, warm-up.
    segment
        Whose; empty: everybody without a population of their own.
    features
        What the numbers of a vector are, in their order.
    """

    __slots__ = (
        "_detector",
        "_early",
        "_features",
        "_from_ms",
        "_learnt",
        "_limits",
        "_passed_over",
        "_pick",
        "_sample",
        "_to_ms",
        "config",
        "number",
        "segment",
    )

    def __init__(self, config: PopulationConfig, segment: str, features: Sequence[Feature]) -> None:
        self.config, self.segment = config, segment
        self.number = 0
        """Of the version published last."""
        names = [feature.name for feature in features]
        wanted = list(config.features) or names
        self._features = [features[names.index(name)] for name in wanted]
        self._pick = picker(tuple(names.index(name) for name in wanted))
        self._from_ms = self._to_ms = self._learnt = self._passed_over = 0
        self._early: list[tuple[float, ...]] = []
        self._sample = Sample(SAMPLED)
        self._limits: tuple[tuple[float, float], ...] = ()
        self._detector: Detector | None = None
        given = [
            feature.name in config.bounds or (feature.low is not None and feature.high is not None)
            for feature in self._features
        ]
        if all(given):
            self._begin([])

    @property
    def learnt(self) -> int:
        """Vectors learnt in all."""
        return self._learnt

    def learn_one(self, time_ms: int, x: Sequence[float]) -> None:
        """Take the vector of an event for usual."""
        vector = self._pick(x)
        if not self._learnt or time_ms < self._from_ms:
            self._from_ms = time_ms
        self._to_ms = max(self._to_ms, time_ms)
        self._learnt += 1
        self._sample.add((True, vector))
        if self._detector is not None:
            self._detector.learn_one(vector)
            return
        self._early.append(vector)
        if len(self._early) == EARLY:
            self._begin(self._early)
            self._early = []

    def pass_over(self, x: Sequence[float] | None = None) -> None:
        """Note that an event was kept from it.

        Parameters
        ----------
        x
            The vector of an event that was flagged: it is not learnt, but counts when it is told how
            high scores are. Else each version would find more of the upper end odd than the one
            before. None where nothing of the event may be used.
        """
        self._passed_over += 1
        if x is not None:
            self._sample.add((False, self._pick(x)))

    def publish(self) -> Version | None:
        """Return what was learnt as the next version; None while it is not warm or nothing is new."""
        detector, sample = self._detector, self._sample.held
        if detector is None or not detector.is_warm or self._learnt < self.config.warm_up:
            return None
        usual = [vector for learnt, vector in sample if learnt]
        if len(usual) < LEAST_SAMPLED:
            return None
        self.number += 1
        columns = [sorted(column) for column in zip(*usual, strict=True)]
        scores = sorted(detector.score_one(vector) for _, vector in sample)
        version = Version(
            model=self.config.name,
            segment=self.segment,
            number=self.number,
            detector=self.config.detector,
            parameters=dict(self.config.parameters),
            seed=self.config.seed,
            features=tuple(feature.name for feature in self._features),
            limits=self._limits,
            from_ms=self._from_ms,
            to_ms=self._to_ms,
            learnt=self._learnt,
            passed_over=self._passed_over,
            medians=tuple(float(column[len(column) // 2]) for column in columns),
            counts=tuple(
                _counts(column, *limit) for column, limit in zip(columns, self._limits, strict=True)
            ),
            scores=tuple(scores[step * (len(scores) - 1) // STEPS] for step in range(STEPS + 1)),
            learned=detector.snapshot(),
        )
        self._sample = Sample(SAMPLED)
        return version

    def snapshot(self) -> list[Any]:
        """Return the successor as plain data."""
        return [
            self.number,
            self._from_ms,
            self._to_ms,
            self._learnt,
            self._passed_over,
            [list(vector) for vector in self._early],
            self._sample.snapshot(),
            [list(limit) for limit in self._limits],
            None if self._detector is None else self._detector.snapshot(),
        ]

    def resume(self, plain: Sequence[Any]) -> None:
        """Go on from a `snapshot()` taken with the same configuration and features."""
        self.number, self._from_ms, self._to_ms, self._learnt, self._passed_over = plain[:5]
        early, sample, limits, learned = plain[5:]
        self._early = [tuple(vector) for vector in early]
        self._sample.resume(sample)
        if learned is not None:
            self._limits = tuple((low, high) for low, high in limits)
            self._detector = self._made()
            self._detector.resume(learned)

    def _begin(self, early: list[tuple[float, ...]]) -> None:
        """Make the detector: its limits are declared, or learnt from the first vectors."""
        columns = list(zip(*early, strict=True)) or [()] * len(self._features)
        self._limits = tuple(
            self.config.bounds.get(feature.name) or _limit(feature, column)
            for feature, column in zip(self._features, columns, strict=True)
        )
        self._detector = self._made()
        for vector in early:
            self._detector.learn_one(vector)

    def _made(self) -> Detector:
        return make_detector(self.config.detector, self._limits, self.config.parameters, self.config.seed)


class Sample:
    """Some of a sequence, evenly spread over all of it, at most `size` and never chosen by chance.

    Every one is kept until there are too many; then every other is dropped, and from then on only
    every second, fourth, eighth ... is taken.

    Examples
    --------
    >>> sample = Sample(4)
    >>> for n in range(9):
    ...     sample.add((True, (float(n),)))
    >>> [vector for _, vector in sample.held]
    [(0.0,), (4.0,), (8.0,)]
    """

    __slots__ = ("_seen", "_size", "_stride", "held")

    def __init__(self, size: int) -> None:
        self.held: list[tuple[bool, tuple[float, ...]]] = []
        """Whether it was learnt, and the vector."""
        self._size, self._seen, self._stride = size, 0, 1

    def add(self, one: tuple[bool, tuple[float, ...]]) -> None:
        """Take the next one of the sequence."""
        if self._seen % self._stride == 0:
            if len(self.held) == self._size:
                del self.held[1::2]
                self._stride *= 2
            if self._seen % self._stride == 0:
                self.held.append(one)
        self._seen += 1

    def snapshot(self) -> list[Any]:
        """Return the sample as plain data."""
        return [self._seen, self._stride, [[learnt, list(vector)] for learnt, vector in self.held]]

    def resume(self, plain: Sequence[Any]) -> None:
        """Go on from a `snapshot()`."""
        self._seen, self._stride, held = plain
        self.held = [(learnt, tuple(vector)) for learnt, vector in held]


def _limit(feature: Feature, seen: Sequence[float]) -> tuple[float, float]:
    room = ROOM * (max(seen) - min(seen)) or 0.5 if seen else 0.0
    low = feature.low if feature.low is not None else min(seen) - room
    high = feature.high if feature.high is not None else max(seen) + room
    return (float(low), float(high)) if low < high else (float(low), float(low) + 1.0)


def _counts(values: Sequence[float], low: float, high: float) -> tuple[int, ...]:
    held = Histogram(low, high, CARD_BINS)
    for value in values:
        held.add(value)
    return tuple(held.counts)
