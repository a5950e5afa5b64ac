"""What operations see: counts and timings of the runtime as Prometheus text, and a small server for them.

Labels come from closed sets (kinds of the vocabulary, rules of the rulebook, severities, grades):
never an id of an event, a customer, an officer or an alert. Every instance has its own registry.
docs/metrics.md lists every metric.
"""

from __future__ import annotations

import json
import os
import platform
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from itertools import product
from pathlib import Path
from threading import Thread
from typing import Any, Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from alerts.inbox.operations import METRICS_TYPE
from alerts.inbox.service import Health
from alerts.lifecycle import DISPOSITIONS, SEVERITIES, Status
from monitor.counting import COUNTED, LEVELS, SPREAD, CountingSensor
from monitor.levels import Readings
from monitor.tallies import Spread
from streams.faults import REASONS

_JSON: Final = "application/json"
VERDICTS: Final = tuple(dict.fromkeys(name.partition(".")[0] for name in DISPOSITIONS))
"""Dispositions without their detail."""


class PrometheusSensor(CountingSensor):
    """Counts what the runtime reports and renders it for a scrape.

    The hooks only add to plain numbers; the families are built when somebody scrapes.

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
        super().__init__()
        self._registry = CollectorRegistry()
        self._registry.register(_Families(self, readings))
        ProcessCollector(namespace="riskmon", registry=self._registry)

    def render(self) -> bytes:
        """Return everything in the Prometheus text format."""
        return generate_latest(self._registry)


class Server:
    """Serves metrics and probes of a process without pages; from `serve`."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self._server = server
        self._thread = Thread(target=server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_port)

    def close(self) -> None:
        """Stop listening; twice is harmless."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def serve(host: str, port: int, sensor: PrometheusSensor, health: Callable[[], Health]) -> Server:
    """Serve `/metrics`, `/healthz` and `/readyz` as the inbox does, in a thread of their own.

    Parameters
    ----------
    port
        0 takes a free one.
    health
        Asked at every probe; must answer at once, whatever the process waits for.

    Raises
    ------
    OSError
        The address cannot be bound.

    Examples
    --------
    >>> from urllib.request import urlopen
    >>> server = serve("127.0.0.1", 0, PrometheusSensor(), lambda: Health(alive=True, ready=True, reasons=[]))
    >>> urlopen(f"http://127.0.0.1:{server.port}/readyz").read()
    b'{"ready": true, "reasons": []}'
    >>> server.close()
    """

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, body = _page(self.path.partition("?")[0], sensor, health)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep probes out of the log: one every few seconds says nothing."""

    ThreadingHTTPServer.daemon_threads = True
    return Server(ThreadingHTTPServer((host, port), Pages))


def _page(path: str, sensor: PrometheusSensor, health: Callable[[], Health]) -> tuple[int, str, bytes]:
    if path == "/metrics":
        return 200, METRICS_TYPE, sensor.render()
    if path not in ("/healthz", "/readyz"):
        return 404, _JSON, b'{"error": "expected /metrics, /healthz or /readyz"}'
    now = health()
    name, is_well = (
        ("alive", now["alive"]) if path == "/healthz" else ("ready", now["alive"] and now["ready"])
    )
    body = json.dumps({name: is_well, "reasons": list(now["reasons"])})
    return (200 if is_well else 503), _JSON, body.encode()


class _Families(Collector):
    """The numbers as families of metrics, made anew for every scrape."""

    def __init__(self, sensor: CountingSensor, readings: Callable[[], Readings] | None) -> None:
        self._sensor, self._readings = sensor, readings
        self._about = {"version": version("riskmon"), "python": platform.python_version()}
        self._memory = memory_limit()

    def collect(self) -> Iterator[Metric]:
        sensor = self._sensor
        for name, (text, labels) in COUNTED.items():
            yield _counted(name, text, labels, sensor.counts[name].copy())
        for name, (text, _) in SPREAD.items():
            yield _spread(name, text, {"": sensor.spreads[name]})
        for name, text in LEVELS.items():
            yield _gauge(name, text, sensor.levels[name])
        lag = sensor.lag.copy()
        yield _grouped("consumer_lag", "Messages not carried out yet.", ("topic", "partition"), lag)
        yield from self._in_force()
        if self._readings is not None:
            yield from _levels(self._readings)

    def _in_force(self) -> Iterator[Metric]:
        sensor, events = self._sensor, self._sensor.counts["events"].copy()
        info = {tuple(self._about.values()): 1.0}
        yield _grouped("build_info", "Version; always 1.", tuple(self._about), info)
        yield _gauge("memory_limit_bytes", "Memory this process may use.", self._memory)
        asked = {(rule.id,): sum(events.get((kind,), 0) for kind in rule.on) for rule in sensor.rules}
        text = "Accepted events of the kinds a rule looks at."
        yield _counted("rule_evaluations", text, ("rule",), asked)
        statuses = Counter(rule.status for rule in sensor.rules)
        yield _by("rules", "Rules that run.", "status", {"live": 0, "shadow": 0} | statuses)
        yield _by("list_entries", "Entries of a list.", "list", sensor.lists)
        configuration = {sensor.configuration[:12]: 1} if sensor.configuration else {}
        yield _by("configuration_info", "Configuration in force; always 1.", "hash", configuration)


def _levels(readings: Callable[[], Readings]) -> Iterator[Metric]:
    try:
        now = readings()
    except Exception:  # whatever the store throws: the rest of the page must still be served
        yield _gauge("readings_up", "Whether the levels could be read.", 0)
        return
    yield _gauge("readings_up", "Whether the levels could be read.", 1)
    yield from _desk_levels(now)
    yield _by("customers", "Customers by grade, 10 (high) to 14.", "grade", now.customers)
    counts = {kind: count for kind, (count, _) in now.states.items()}
    sizes = {kind: size for kind, (_, size) in now.states.items()}
    yield _by("states", "Subjects with a snapshot.", "subject", counts)
    yield _by("state_bytes", "Bytes of their snapshots.", "subject", sizes)
    reasons = dict.fromkeys(REASONS, 0) | dict(now.dead_letters)
    yield _by("dead_letters", "Dead letters that wait to be mended.", "reason", reasons)
    yield _by("undelivered_messages", "Messages a channel does not have yet.", "channel", now.undelivered)
    yield _by("refused_messages", "Messages a channel will never take.", "channel", now.refused)
    yield _gauge("stream_time_seconds", "Largest event time of all, since 1970.", now.stream_time_ms / 1000)
    yield _gauge("journal_position", "Rows of the journal.", now.journal_position)
    yield _gauge("unwritten_rows", "Journal rows a recovery would repeat.", now.unwritten_rows)
    yield _gauge("ledger_position", "Entries of the ledger.", now.ledger_position)
    yield from _verification(now)


def _desk_levels(now: Readings) -> Iterator[Metric]:
    waiting = [status.value for status in Status if status is not Status.CLOSED]
    levels = {pair: now.open_alerts.get(pair, 0) for pair in product(SEVERITIES, waiting)}
    yield _grouped("open_alerts", "Alerts that wait for a decision.", ("severity", "status"), levels)
    zero: dict[str, float] = dict.fromkeys(SEVERITIES, 0)
    text = "Age of the oldest alert that waits."
    yield _by("oldest_alert_seconds", text, "severity", zero | dict(now.oldest_alert_s))
    text = "Open alerts past their due time."
    yield _by("overdue_alerts", text, "severity", zero | dict(now.overdue_alerts))
    text = "Alerts ever decided late, or waiting past their due time."
    yield _by("sla_breaches", text, "severity", zero | dict(now.sla_breaches))
    text = "From an alert to its first decision."
    yield _spread("decision_seconds", text, now.decisions, "severity")
    rules = {rule for rule, _ in now.dispositions}
    verdicts = {pair: now.dispositions.get(pair, 0) for pair in product(sorted(rules), VERDICTS)}
    yield _grouped("dispositions", "Closed alerts by verdict.", ("rule", "verdict"), verdicts)


def _verification(now: Readings) -> Iterator[Metric]:
    last = now.verified
    text = "When the ledger was last verified; 0: never."
    yield _gauge("verification_timestamp_seconds", text, last.time_ms / 1000 if last else 0)
    yield _gauge("verification_findings", "What it found.", last.findings if last else 0)
    yield _gauge("verification_entries", "Ledger entries it covered.", last.entries if last else 0)


def _counted(name: str, text: str, labels: Sequence[str], tally: Mapping[Any, float]) -> Metric:
    family = CounterMetricFamily(f"riskmon_{name}", text, labels=labels)
    for values, count in tally.items():
        family.add_metric(values, count)
    return family


def _spread(name: str, text: str, spreads: Mapping[str, Spread], label: str = "") -> Metric:
    family = HistogramMetricFamily(f"riskmon_{name}", text, labels=[label] if label else [])
    for value, spread in spreads.items():
        steps = [("+Inf" if bound == float("inf") else f"{bound}", n) for bound, n in spread.cumulated()]
        family.add_metric([value] if label else [], steps, spread.total)
    return family


def _grouped(name: str, text: str, labels: Sequence[str], values: Mapping[Any, float]) -> Metric:
    family = GaugeMetricFamily(f"riskmon_{name}", text, labels=labels)
    for keys, value in values.items():
        family.add_metric(keys, value)
    return family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"riskmon_{name}", text, value=value)


def _by(name: str, text: str, label: str, values: Mapping[Any, float]) -> Metric:
    family = GaugeMetricFamily(f"riskmon_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([str(key)], value)
    return family


def memory_limit() -> int:
    """Return the bytes this process may use: the limit of its control group, else the machine's memory."""
    for file in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            limit = int(Path("/sys/fs/cgroup", file).read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
        return min(limit, _machine_memory())
    return _machine_memory()


def _machine_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
