"""All populations together: which one an event belongs to, what they say of it, when they publish."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from monitor.core.feature import Feature
from monitor.core.models.config import PopulationConfig
from monitor.core.models.population import Population
from monitor.core.models.published import Published
from monitor.core.models.version import Version

Score = Callable[[Sequence[float]], float]
"""Scores a vector."""
NEVER_MS = 1 << 62
"""Later than every event."""
EVERYBODY = ""
"""The segment of whoever has no population of their own."""


class Ensemble:
    """The versions at work; frozen. An event is scored by the populations of its customer's segment.

    Parameters
    ----------
    configs
        The populations of the configuration.
    features
        What the numbers of a vector are, in their order.
    versions
        Those in force: of each model and segment at most one. A version of a model or of features
        that are no more is left out.

    Notes
    -----
    The combined score is the weighted mean of those that have a version, so it stays between 0 and 1
    and rises with each of them. It says how unusual an event is, not how probable a fraud. Whoever
    makes a rating of it counts it at most as `model_share` (`config/rating.yaml`): a model alone
    never gives the highest grade.
    """

    __slots__ = ("_found", "_own", "_published", "versions")

    def __init__(
        self, configs: Sequence[PopulationConfig], features: Sequence[Feature], versions: Iterable[Version]
    ) -> None:
        known, weights = {feature.name for feature in features}, {one.name: one.weight for one in configs}
        self.versions = tuple(
            version for version in versions if version.model in weights and known.issuperset(version.features)
        )
        self._found: dict[str | None, list[tuple[float, Score]]] = {}
        """Segment to what scores it, once somebody asked."""
        self._own = [(config.name, frozenset(config.segments)) for config in configs]
        self._published = {
            (version.model, version.segment): (weights[version.model], Published(version, features))
            for version in self.versions
        }

    def score_one(self, segment: str | None, x: Sequence[float]) -> float | None:
        """Return how unusual an event is, 0 to 1; None where no population can say yet."""
        found = self._found.get(segment)
        if found is None:
            found = self._found[segment] = self._of(segment)
        total = whole = 0.0
        for weight, score_one in found:
            total += weight * score_one(x)
            whole += weight
        return total / whole if whole else None

    def reasons(
        self, segment: str | None, x: Sequence[float], facts: Mapping[str, str] | None = None
    ) -> tuple[str, ...]:
        """Return in words what raised the score, by the population that weighs most in it."""
        scored = [(weight * one.score_one(x), one) for weight, one in self._populations(segment)]
        return max(scored, key=lambda pair: pair[0])[1].reasons(x, facts) if scored else ()

    def _of(self, segment: str | None) -> list[tuple[float, Score]]:
        return [(weight, published.score_one) for weight, published in self._populations(segment)]

    def _populations(self, segment: str | None) -> Iterable[tuple[float, Published]]:
        for name, own in self._own:
            found = self._published.get((name, segment)) if segment in own and segment else None
            # Whoever has a population of their own is everybody while it warms up.
            found = found or self._published.get((name, EVERYBODY))
            if found is not None:
                yield found


class Trainer:
    """The successors of all populations: they learn, and publish at boundaries of event time.

    A segment with a population of its own learns there; until the first version of it also in the one of
    everybody, which scores the segment meanwhile.

    Parameters
    ----------
    configs, features
        As for `Ensemble`.
    """

    __slots__ = ("_boundaries", "_configs", "_features", "_found", "_populations")

    def __init__(self, configs: Sequence[PopulationConfig], features: Sequence[Feature]) -> None:
        self._configs, self._features = tuple(configs), tuple(features)
        self._populations: dict[tuple[str, str], Population] = {}
        self._boundaries: dict[str, int] = {}
        """The last boundary of each model, in lengths of its interval since 1970."""
        self._found: dict[str | None, tuple[Population, ...]] = {}
        """Segment to what learns it, once somebody asked; until the next versions."""

    @property
    def is_learning(self) -> bool:
        """Whether there is any population to be learnt."""
        return bool(self._configs)

    def learn_one(self, time_ms: int, segment: str | None, x: Sequence[float]) -> None:
        """Take an event's vector for usual in the populations of its customer's segment."""
        for population in self._of(segment):
            population.learn_one(time_ms, x)

    def pass_over(self, segment: str | None, x: Sequence[float] | None = None) -> None:
        """Note an event that is not learnt; `x` as for `Population.pass_over`."""
        for population in self._of(segment):
            population.pass_over(x)

    @property
    def due_ms(self) -> int:
        """From when on `publish` passes a boundary it did not pass yet."""
        due = ((self._boundaries.get(one.name, -1) + 1) * one.publish_ms for one in self._configs)
        return min(due, default=NEVER_MS)

    def publish(self, time_ms: int) -> list[Version]:
        """Return the versions due by a time, in the order of the configuration and of segments.

        Called when stream time passes a boundary: what a version contains depends on the events
        alone, not on how they came in batches.
        """
        self._found, found = {}, []
        for config in self._configs:
            boundary = time_ms // config.publish_ms
            if boundary <= self._boundaries.get(config.name, -1):
                continue
            self._boundaries[config.name] = boundary
            for segment in (EVERYBODY, *config.segments):
                population = self._populations.get((config.name, segment))
                version = population.publish() if population is not None else None
                if version is not None:
                    found.append(version)
        return found

    def snapshot(self) -> list[Any]:
        """Return all successors as plain data."""
        return [
            [[*key, self._populations[key].snapshot()] for key in sorted(self._populations)],
            sorted(self._boundaries.items()),
        ]

    def resume(self, plain: Sequence[Any]) -> None:
        """Go on from a `snapshot()` taken with the same configuration and features.

        Raises
        ------
        ValueError
            Where a population is not in the configuration.
        """
        populations, boundaries = plain
        configs = {config.name: config for config in self._configs}
        for name, segment, learnt in populations:
            if name not in configs:
                raise ValueError(f"models: expected one of {', '.join(configs)}, was {name!r}")
            population = Population(configs[name], segment, self._features)
            population.resume(learnt)
            self._populations[name, segment] = population
        self._boundaries, self._found = dict(boundaries), {}

    def _of(self, segment: str | None) -> tuple[Population, ...]:
        found = self._found.get(segment)
        if found is None:
            found = self._found[segment] = tuple(self._learning(segment))
        return found

    def _learning(self, segment: str | None) -> Iterable[Population]:
        for config in self._configs:
            own = segment if segment and segment in config.segments else EVERYBODY
            population = self._population(config, own)
            yield population
            if own != EVERYBODY and not population.number:
                yield self._population(config, EVERYBODY)

    def _population(self, config: PopulationConfig, segment: str) -> Population:
        key = (config.name, segment)
        population = self._populations.get(key)
        if population is None:
            population = self._populations[key] = Population(config, segment, self._features)
        return population
