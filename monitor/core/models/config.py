"""The parameters of models, checked: every mistake of the file at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.core.page import Page

HOUR_MS = 3_600_000

PARAMETERS: Mapping[str, Mapping[str, tuple[float, float, float]]] = {
    "densities": {
        "bins": (4, 1000, 40),
        "cuts": (0, 500, 0),
        "window": (100, 1_000_000, 5000),
        "fading": (0.0, 1.0, 0.98),
    },
    "half_space_trees": {"trees": (1, 200, 25), "height": (1, 20, 8), "window": (10, 1_000_000, 1000)},
    "river_loda": {"bins": (2, 1000, 10), "cuts": (1, 1000, 100)},
    "river_one_class_svm": {"nu": (0.0001, 0.9999, 0.1)},
}
"""Detector to the names of its parameters with lowest, highest and usual value."""

WHOLE = frozenset({"bins", "cuts", "window", "trees", "height"})
"""Parameters that are whole numbers."""


STATUSES = ("active", "dormant", "blocked", "frozen", "closed")
"""Of an account, as the vocabulary has them."""


class ModelsConfigError(Exception):
    """One or more mistakes in the parameters; none of them is used."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationConfig:
    """A detector of what is unusual among many customers."""

    name: str
    detector: str
    """One of `PARAMETERS`."""
    parameters: Mapping[str, int | float]
    features: tuple[str, ...]
    """Names of the features it sees; empty: all of them."""
    bounds: Mapping[str, tuple[float, float]]
    """Lowest and highest value of features, where other than they declare; what lies outside counts as
    the bound. A lowest value in the middle lets only high ones be odd."""
    segments: tuple[str, ...]
    """Segments of customers that have a population of their own; all others share one."""
    weight: float
    """Its share where several are combined."""
    warm_up: int
    """Vectors learnt before it says anything."""
    publish_ms: int
    """How often what was learnt becomes a version, in event time."""
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsConfig:
    """The parameters of models; `config/models.yaml` says what each is."""

    version: str
    populations: tuple[PopulationConfig, ...]
    alerts_a_day: float
    """How many scores a day may pass the threshold."""
    memory_days: float
    """After how long an old score counts half when the threshold is set."""
    psi_alarm: float
    """Population stability index from which a shift is an alarm."""
    drift_delta: float
    """How probable a false alarm about the mean of scores may be."""
    least_chance: float = 1.0
    """Only where so large a share of payments scored so was fraud, a model raises an alert by itself."""
    sample_share: float = 0.0
    """How much of what is below the threshold is shown to officers all the same."""
    sample_seed: int = 0
    restricted_accounts: frozenset[str] = frozenset()
    """Statuses of an account: nothing is learnt from payments of its customer."""
    restricted_floors: frozenset[str] = frozenset()
    """Names of floors of the rating: nothing is learnt while one of them stands."""

    @property
    def segments(self) -> frozenset[str]:
        """Segments that have a population of their own."""
        return frozenset(segment for one in self.populations for segment in one.segments)

    @classmethod
    def from_plain(
        cls, plain: Mapping[str, Any], features: Collection[str] = (), where: str = "models.yaml"
    ) -> ModelsConfig:
        """Return the parameters that a parsed file holds.

        Parameters
        ----------
        plain
            The file.
        features
            Names that may be used; empty: any.
        where
            Begins every message.

        Raises
        ------
        ModelsConfigError
            Naming every mistake by its place, e.g. `models.yaml: populations.unusual.warm_up: ...`.
        """
        page = Page(plain, where, [])
        config = _read(page, features)
        if page.mistakes:
            raise ModelsConfigError(page.mistakes)
        return config


def _read(page: Page, features: Collection[str]) -> ModelsConfig:
    thresholds, drift, populations = page.page("thresholds"), page.page("drift"), page.page("populations")
    # An archive of a day before there were samples and restrictions has none of these.
    sampling, restricted = page.page("sampling", optional=True), page.page("restricted", optional=True)
    config = ModelsConfig(
        version=page.text("version"),
        populations=tuple(
            _population(populations.page(name), str(name), features) for name in populations.plain
        ),
        alerts_a_day=thresholds.number("alerts_a_day", 0.01, 1_000_000),
        memory_days=thresholds.number("memory_days", 0.1, 3650),
        psi_alarm=drift.number("psi_alarm", 0.01, 10),
        drift_delta=drift.number("delta", 1e-12, 0.5),
        least_chance=thresholds.number("least_chance", 0.0, 1.0, 1.0),
        sample_share=sampling.number("share", 0.0, 0.5, 0.0),
        sample_seed=sampling.whole("seed", 0, 2**32 - 1, 0),
        restricted_accounts=restricted.texts("accounts", STATUSES),
        restricted_floors=restricted.texts("floors"),
    )
    for part in (page, thresholds, drift, sampling, restricted):
        part.close()
    return config


def _population(page: Page, name: str, features: Collection[str]) -> PopulationConfig:
    detector = page.text("detector", tuple(PARAMETERS))
    config = PopulationConfig(
        name=name,
        detector=detector,
        parameters=_parameters(page.page("parameters", optional=True), PARAMETERS[detector]),
        features=_names(page, "features", features),
        bounds=_bounds(page.page("bounds", optional=True), features),
        segments=_names(page, "segments", ()),
        weight=page.number("weight", 0.001, 1000, 1.0),
        warm_up=int(page.number("warm_up", 100, 10_000_000)),
        publish_ms=int(page.number("publish_hours", 1 / 60, 8760) * HOUR_MS),
        seed=int(page.number("seed", 0, 2**32 - 1, 0)),
    )
    page.close()
    return config


def _parameters(page: Page, known: Mapping[str, tuple[float, float, float]]) -> dict[str, int | float]:
    found = dict[str, int | float]()
    for name, (low, high, usual) in known.items():
        value = page.number(name, low, high, usual)
        if name in WHOLE and not value.is_integer():
            page.wrong(name, f"expected a whole number, was {value:g}", f"write {value:.0f}")
        found[name] = int(value) if name in WHOLE else value
    page.close()
    return found


def _bounds(page: Page, known: Collection[str]) -> dict[str, tuple[float, float]]:
    found = {}
    for name in page.plain:
        if known and name not in known:
            page.wrong(str(name), "unknown feature", f"expected one of {', '.join(sorted(known))}")
            continue
        values = page.items(name)
        if len(values) == 2 and all(type(one) in (int, float) for one in values) and values[0] < values[1]:
            found[name] = (float(values[0]), float(values[1]))
        else:
            page.wrong(name, f"expected two rising numbers, was {values!r}", "write [0, 10]")
    return found


def _names(page: Page, key: str, known: Collection[str]) -> tuple[str, ...]:
    names = page.items(key, optional=True)
    for name in dict.fromkeys(map(str, names)):
        if known and name not in known:
            page.wrong(key, f"unknown name {name!r}", f"expected one of {', '.join(sorted(known))}")
        elif names.count(name) > 1:
            page.wrong(key, f"{name!r} appears twice", "keep one of them")
    return tuple(str(name) for name in names)
