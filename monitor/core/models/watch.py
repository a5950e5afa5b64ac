"""Who watches the populations: each is compared with the version it began with, until it has moved."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from monitor.core.feature import Feature
from monitor.core.models.drift import Drift, Shift
from monitor.core.models.published import Published
from monitor.core.models.version import Version

OBSERVED = 4
"""One event in so many is looked at."""
PATIENCE_MS = 28 * 86_400_000
"""After so long a newer version becomes the reference, alarm or not."""


class Watch:
    """Drift of every population against a version of its own.

    A version stays the reference for four weeks, so that slow changes add up; after an alarm the
    newest version takes its place, and the same change is not told again.

    Parameters
    ----------
    features
        What the numbers of a vector are, in their order.
    psi_alarm, delta
        As for `Drift`.
    segments
        Of each model: those with a population of their own.
    """

    __slots__ = ("_alarm", "_delta", "_drifts", "_features", "_moved", "_segments")

    def __init__(
        self,
        features: Sequence[Feature],
        psi_alarm: float,
        delta: float,
        segments: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self._segments = segments or {}
        self._features, self._alarm, self._delta = features, psi_alarm, delta
        self._drifts: dict[tuple[str, str], tuple[Published, Drift]] = {}
        self._moved: set[tuple[str, str]] = set()
        """Populations that gave an alarm since their reference."""

    def observe(self, number: int, x: Sequence[float], segment: str = "") -> list[Shift]:
        """Look at an event of a customer's segment; `number` counts them. Return what moved with it."""
        if number % OBSERVED:
            return []
        found = []
        for key, (published, drift) in self._drifts.items():
            if key[1] != (segment if segment in self._segments.get(key[0], ()) else ""):
                continue
            shift = drift.observe(x, published.score_one(x))
            if shift is not None:
                self._moved.add(key)
                found.append(shift)
        return found

    def turn(self, versions: Iterable[Version]) -> list[Shift]:
        """Compare, now that versions were published; return every index that could be measured."""
        found = []
        for version in versions:
            key = version.model, version.segment
            held = self._drifts.get(key)
            if held is None:
                self._refer(version)
                continue
            shifts = held[1].compare()
            found += shifts
            old = version.to_ms - held[0].version.to_ms > PATIENCE_MS
            if old or key in self._moved or any(shift.is_alarm for shift in shifts):
                self._refer(version)
        return found

    def snapshot(self) -> list[Any]:
        """Return references and what was observed as plain data."""
        return [
            [
                [published.version.packed, key in self._moved, drift.snapshot()]
                for key, (published, drift) in self._drifts.items()
            ]
        ]

    def resume(self, plain: Sequence[Any]) -> None:
        """Go on from a `snapshot()` taken with the same features and limits."""
        (rows,) = plain
        for packed, has_moved, observed in rows:
            version = Version.of_packed(packed)
            self._refer(version)
            key = version.model, version.segment
            self._drifts[key][1].resume(observed)
            if has_moved:
                self._moved.add(key)

    def _refer(self, version: Version) -> None:
        key, published = (version.model, version.segment), Published(version, self._features)
        self._drifts[key] = published, Drift(published, self._alarm, self._delta)
        self._moved.discard(key)
