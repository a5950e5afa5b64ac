"""What operations see: counts and timings of the runtime as Prometheus text.

Labels come from closed sets (kinds of the vocabulary, rules of the rulebook, severities, grades):
never an id of an event, a customer, an officer or an alert. Every instance has its own registry.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from monitor.core.assessment import Hit
from streams.ports import Sensor

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_EVENTS = (1, 4, 16, 64, 128, 256, 512, 1024, 4096)


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """Levels that are looked up when metrics are asked for, not counted as events pass."""

    open_alerts: Mapping[str, int] = field(default_factory=dict)
    """By severity."""
    overdue_alerts: Mapping[str, int] = field(default_factory=dict)
    """Open past their due time, by severity."""
    customers: Mapping[int, int] = field(default_factory=dict)
    """By grade, 10 (high) to 14 (low)."""
    states: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Kind of subject to (snapshots, their bytes); `Store.footprint`."""
    dead_letters: int = 0
    """Waiting to be mended and sent again."""
    stream_time_ms: int = 0
    """Largest event time of all."""


class PrometheusSensor(Sensor):
    """Counts what the runtime reports and renders it for a scrape.

    The hooks run on the event path, so they only add to plain dictionaries; the families are built
    when somebody scrapes. One thread counts, any thread may render.

    Parameters
    ----------
    readings
        Called at every scrape. Where it raises, its gauges are left out and `riskmon_readings_up`
        is 0: an unreadable store must not blind operations.

    Examples
    --------
    >>> sensor = PrometheusSensor()
    >>> sensor.on_event("payment.transfer")
    >>> b'riskmon_events_total{kind="payment.transfer"} 1.0' in sensor.render()
    True
    """

    def __init__(self, readings: Callable[[], Readings] | None = None) -> None:
        self._tallies = _Tallies(readings)
        self._registry = registry = CollectorRegistry()
        registry.register(self._tallies)
        ProcessCollector(namespace="riskmon", registry=registry)
        build = Gauge("riskmon_build_info", "Version; always 1.", ["version", "python"], registry=registry)
        build.labels(version("riskmon"), platform.python_version()).set(1)
        self._batch_seconds = Histogram(
            "riskmon_batch_seconds",
            "From the start of a batch to its commit.",
            registry=registry,
            buckets=_SECONDS,
        )
        self._batch_events = Histogram(
            "riskmon_batch_events", "Records in a committed batch.", registry=registry, buckets=_EVENTS
        )
        self._commit_seconds = Histogram(
            "riskmon_commit_seconds", "Writing and committing a batch.", registry=registry, buckets=_SECONDS
        )
        self._last_batch = Gauge(
            "riskmon_last_batch_timestamp_seconds",
            "Wall clock when a batch was last committed.",
            registry=registry,
        )
        self._waiting = Gauge(
            "riskmon_waiting_records", "Records that wait for the engine.", registry=registry
        )

    def render(self) -> bytes:
        """Return everything in the Prometheus text format."""
        return generate_latest(self._registry)

    def on_event(self, kind: str) -> None:
        """Count an accepted event."""
        self._tallies.events[kind,] += 1

    def on_hit(self, hit: Hit) -> None:
        """Count a hit; shadow hits are told apart by their status."""
        self._tallies.hits[hit.rule, hit.dimension, hit.severity, hit.status] += 1

    def on_rating(self, grade: int, previous_grade: int | None = None) -> None:
        """Count a change of grade by the new grade."""
        self._tallies.ratings[str(grade),] += 1

    def on_late(self, too_late: bool) -> None:
        """Count a late event: still counted in its windows, or recorded only."""
        self._tallies.late["recorded" if too_late else "counted",] += 1

    def on_duplicate(self) -> None:
        """Count an event that came again."""
        self._tallies.duplicates[()] += 1

    def on_reject(self, rejection: Any) -> None:
        """Count a dead letter by its reason, one of `streams.faults.REASONS`."""
        self._tallies.rejected[rejection.reason,] += 1

    def on_failure(self, rule: str) -> None:
        """Count a rule that failed on an event."""
        self._tallies.failures[rule,] += 1

    def on_alert(self, alert: Any) -> None:
        """Count a raised alert."""
        self._tallies.alerts[alert.severity, alert.dimension] += 1

    def on_batch(self, events: int, seconds: float) -> None:
        """Observe a committed batch."""
        self._batch_events.observe(events)
        self._batch_seconds.observe(seconds)
        self._last_batch.set_to_current_time()

    def on_commit(self, seconds: float) -> None:
        """Observe writing and committing."""
        self._commit_seconds.observe(seconds)

    def on_store_unavailable(self) -> None:
        """Count a batch that could not be committed."""
        self._tallies.unavailable[()] += 1

    def on_queue(self, waiting: int) -> None:
        """Show how many records wait."""
        self._waiting.set(waiting)


Tally = Counter[tuple[str, ...]]


class _Tallies(Collector):
    """Plain counters by label values; a family each when somebody asks."""

    def __init__(self, readings: Callable[[], Readings] | None) -> None:
        self._readings = readings
        self.events: Tally = Counter()
        self.hits: Tally = Counter()
        self.ratings: Tally = Counter()
        self.late: Tally = Counter()
        self.duplicates: Tally = Counter({(): 0})
        self.rejected: Tally = Counter()
        self.failures: Tally = Counter()
        self.alerts: Tally = Counter()
        self.unavailable: Tally = Counter({(): 0})

    def collect(self) -> Iterator[Metric]:
        yield _counted("events", "Accepted events.", ("kind",), self.events)
        yield _counted("rejected", "Records that became dead letters.", ("reason",), self.rejected)
        yield _counted("duplicates", "Events that came again.", (), self.duplicates)
        yield _counted("late", "Events after newer ones of their subject.", ("treatment",), self.late)
        hit_labels = ("rule", "dimension", "severity", "status")
        yield _counted("rule_hits", "Rules that hit, shadow hits included.", hit_labels, self.hits)
        yield _counted("rule_failures", "Rules that failed on an event.", ("rule",), self.failures)
        yield _counted("rating_changes", "Changes of grade, by the new grade.", ("grade",), self.ratings)
        yield _counted("alerts_raised", "Alerts raised.", ("severity", "dimension"), self.alerts)
        yield _counted("store_unavailable", "Batches the store could not take.", (), self.unavailable)
        if self._readings is not None:
            yield from _levels(self._readings)


def _counted(name: str, text: str, labels: tuple[str, ...], tally: Tally) -> Metric:
    family = CounterMetricFamily(f"riskmon_{name}", text, labels=labels)
    for values, count in tally.copy().items():
        family.add_metric(values, count)
    return family


def _levels(readings: Callable[[], Readings]) -> Iterator[Metric]:
    try:
        now = readings()
    except Exception:  # whatever the store throws: the rest of the page must still be served
        yield _gauge("readings_up", "Whether the levels could be read.", 0)
        return
    yield _gauge("readings_up", "Whether the levels could be read.", 1)
    yield _by("open_alerts", "Alerts that wait for a decision.", "severity", now.open_alerts)
    yield _by("overdue_alerts", "Open alerts past their due time.", "severity", now.overdue_alerts)
    yield _by("customers", "Customers of grade 10 (high), 11 and 12.", "grade", now.customers)
    counts = {kind: count for kind, (count, _) in now.states.items()}
    sizes = {kind: size for kind, (_, size) in now.states.items()}
    yield _by("states", "Subjects with a snapshot.", "subject", counts)
    yield _by("state_bytes", "Bytes of their snapshots.", "subject", sizes)
    yield _gauge("dead_letters", "Dead letters that wait to be mended.", now.dead_letters)
    yield _gauge("stream_time_seconds", "Largest event time of all, since 1970.", now.stream_time_ms / 1000)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"riskmon_{name}", text, value=value)


def _by(name: str, text: str, label: str, values: Mapping[Any, float]) -> Metric:
    family = GaugeMetricFamily(f"riskmon_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([str(key)], value)
    return family
