"""What the runtime reports, as plain numbers: the hooks that run on the path of every event.

Labels come from closed sets (kinds of the vocabulary, rules of the rulebook, severities, grades):
never an id of an event, a customer, an officer or an alert.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any, Final

from monitor.core.assessment import Hit
from monitor.core.notable import DIMENSION, SEVERITY
from monitor.tallies import Names, Spread, Tally
from rules.model import Rule
from streams.faults import REASONS
from streams.ports import Outcome, Record, Sensor

GRADES: Final = (10, 11, 12, 13, 14)
MOST_SOURCES: Final = 20
"""Sources told apart; later ones are `other`."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)
_DELAYS = (1, 5, 15, 60, 300, 900, 3_600, 4 * 3_600, 86_400, 3 * 86_400, 14 * 86_400)
_EVENTS = (1, 4, 16, 64, 128, 256, 512, 1024, 4096)
_SHARES = tuple(share / 10 for share in range(1, 11))

_HIT = ("rule", "dimension", "severity", "status")
_DRIFT = ("model", "feature", "measure")
COUNTED: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "events": ("Accepted events.", ("kind",)),
    "records": ("Records of committed batches, by what became of them.", ("source", "status")),
    "rejected": ("Records that became dead letters.", ("reason",)),
    "duplicates": ("Events that came again.", ()),
    "late": ("Events after newer ones of their subject.", ("treatment",)),
    "rule_hits": ("Rules that hit, shadow hits included.", _HIT),
    "rule_failures": ("Rules that failed on an event.", ("rule",)),
    "rule_findings": ("What payments that a live rule hit turned out to be.", ("rule", "verdict")),
    "drift_alarms": ("Features, or scores, that moved away from a model's training.", _DRIFT),
    "lesson_failures": ("Events that a learner could not learn from.", ("learner",)),
    "rating_changes": ("Changes of grade; `none` before the first.", ("previous", "grade")),
    "alerts_raised": ("Alerts raised.", ("rule", "dimension", "severity")),
    "deliveries": ("Messages delivered from the outbox.", ("channel",)),
    "delivery_failures": ("Deliveries that failed.", ("channel",)),
    "store_unavailable": ("Batches the store could not take.", ()),
    "rebalances": ("Times partitions were given to workers anew.", ()),
    "items": ("Items a worker carried out.", ("stage",)),
    "item_seconds": ("Time a worker spent on them.", ("stage",)),
}
SPREAD: Final[Mapping[str, tuple[str, Sequence[float]]]] = {
    "latency_seconds": ("From an event accepted to its alerts committed.", _SECONDS),
    "alert_delay_seconds": ("From the event's own time to its alert.", _DELAYS),
    "batch_seconds": ("From the start of a batch to its commit.", _SECONDS),
    "batch_events": ("Records in a committed batch.", _EVENTS),
    "commit_seconds": ("Writing and committing a batch.", _SECONDS),
    "event_score": ("Score of accepted events, 0 to 1.", _SHARES),
}
"""Histograms: what they show and their bounds."""
LEVELS: Final = {
    "last_batch_timestamp_seconds": "When a batch was last committed.",
    "waiting_records": "Records that wait for the engine.",
    "in_flight_orders": "Orders sent to workers and not committed yet.",
    "recovery_seconds": "How long the last recovery of states took.",
}
"""Gauges that the hooks set."""


class CountingSensor(Sensor):
    """Counts what the runtime reports. One thread counts, any thread may read a copy.

    Attributes
    ----------
    counts, spreads, levels
        By the names of `COUNTED`, `SPREAD` and `LEVELS`.
    lag
        Messages not carried out yet, by (topic, partition).
    """

    def __init__(self) -> None:
        self.counts: dict[str, Tally] = {name: defaultdict(float) for name in COUNTED}
        self.spreads = {name: Spread(bounds) for name, (_, bounds) in SPREAD.items()}
        self.levels: dict[str, float] = dict.fromkeys(LEVELS, 0.0)
        self.lag: dict[tuple[str, str], int] = {}
        self.rules: tuple[Rule, ...] = ()
        self.lists: dict[str, int] = {}
        self.configuration = ""
        self._events = self.counts["events"]
        self._sources = Names(MOST_SOURCES)
        self._begin()

    def announce(
        self, rules: Iterable[Rule], kinds: Iterable[str], lists: Mapping[str, int], configuration: str
    ) -> None:
        """Say what is in force, so that what did not happen yet shows as 0.

        Parameters
        ----------
        rules
            Those that run, live or shadow.
        kinds
            Kinds of events.
        lists
            Name to number of entries.
        configuration
            Its hash.
        """
        self.rules, self.lists, self.configuration = tuple(rules), dict(lists), configuration
        for kind in kinds:
            self._events[kind,] += 0
        for name, severity in SEVERITY.items():
            self.counts["alerts_raised"][name, DIMENSION, severity] += 0
            for verdict in ("fraud", "genuine"):
                self.counts["rule_findings"][name, verdict] += 0
        for rule in self.rules:
            self.counts["rule_failures"][rule.id,] += 0
            for severity in {band.severity for band in rule.bands}:
                self.counts["rule_hits"][rule.id, rule.dimension, severity, rule.status] += 0
                if rule.alert and rule.status == "live":
                    self.counts["alerts_raised"][rule.id, rule.dimension, severity] += 0

    def on_event(self, kind: str) -> None:
        """Count an accepted event."""
        self._events[kind,] += 1

    def on_hit(self, hit: Hit) -> None:
        """Count a hit; shadow hits are told apart by their status."""
        self.counts["rule_hits"][hit.rule, hit.dimension, hit.severity, hit.status] += 1

    def on_rating(self, grade: int, previous_grade: int | None = None) -> None:
        """Count a change of grade."""
        previous = "none" if previous_grade is None else str(previous_grade)
        self.counts["rating_changes"][previous, str(grade)] += 1

    def on_late(self, too_late: bool) -> None:
        """Count a late event: still counted in its windows, or recorded only."""
        self.counts["late"]["recorded" if too_late else "counted",] += 1

    def on_duplicate(self) -> None:
        """Count an event that came again."""
        self.counts["duplicates"][()] += 1

    def on_reject(self, rejection: Any) -> None:
        """Count a dead letter by its reason, one of `streams.faults.REASONS`."""
        self.counts["rejected"][rejection.reason,] += 1

    def on_failure(self, rule: str) -> None:
        """Count a rule that failed on an event."""
        self.counts["rule_failures"][rule,] += 1

    def on_finding(self, rule: str, is_fraud: bool) -> None:
        """Count what a payment that a rule hit turned out to be."""
        self.counts["rule_findings"][rule, "fraud" if is_fraud else "genuine"] += 1

    def on_drift(self, model: str, feature: str, measure: str) -> None:
        """Count an alarm."""
        self.counts["drift_alarms"][model, feature, measure] += 1

    def on_lesson_failure(self, learner: str) -> None:
        """Count an event that was not learnt from."""
        self.counts["lesson_failures"][learner,] += 1

    def on_alert(self, alert: Any) -> None:
        """Count a raised alert and how far behind its event it is."""
        self.counts["alerts_raised"][alert.rule, alert.dimension, alert.severity] += 1
        self.spreads["alert_delay_seconds"].add(max(0.0, time.time() - alert.opened_ms / 1000))

    def on_batch(self, events: int, seconds: float) -> None:
        """Observe a committed batch."""
        self.spreads["batch_events"].add(events)
        self.spreads["batch_seconds"].add(seconds)
        self.levels["last_batch_timestamp_seconds"] = time.time()

    def on_outcomes(self, records: Sequence[Record], outcomes: Sequence[Outcome]) -> None:
        """Count records by source and status, and the scores of the accepted ones."""
        pairs = Counter(
            (record.source, outcome.status) for record, outcome in zip(records, outcomes, strict=True)
        )
        for (source, status), count in pairs.items():
            # Time alone comes without a source.
            self.counts["records"][self._sources.known(source or "clock"), status] += count
        scores = Counter(outcome.score for outcome in outcomes if outcome.status == "accepted")
        for score, count in scores.items():
            self.spreads["event_score"].add(score, count)

    def on_latency(self, seconds: float, events: int = 1) -> None:
        """Observe how long events waited for their commit."""
        self.spreads["latency_seconds"].add(seconds, events)

    def on_commit(self, seconds: float) -> None:
        """Observe writing and committing."""
        self.spreads["commit_seconds"].add(seconds)

    def on_store_unavailable(self) -> None:
        """Count a batch that could not be committed."""
        self.counts["store_unavailable"][()] += 1

    def on_queue(self, waiting: int) -> None:
        """Show how many records wait."""
        self.levels["waiting_records"] = waiting

    def on_in_flight(self, count: int) -> None:
        """Show how many orders are under way."""
        self.levels["in_flight_orders"] = count

    def on_delivery(self, channel: str, messages: int) -> None:
        """Count delivered messages."""
        self.counts["deliveries"][channel,] += messages
        self.counts["delivery_failures"][channel,] += 0

    def on_delivery_failure(self, channel: str) -> None:
        """Count a delivery that failed."""
        self.counts["delivery_failures"][channel,] += 1

    def on_items(self, stage: str, count: int, seconds: float) -> None:
        """Count what a worker carried out."""
        self.counts["items"][stage,] += count
        self.counts["item_seconds"][stage,] += seconds

    def on_lag(self, topic: str, partition: int, messages: int) -> None:
        """Show how far a partition is behind."""
        self.lag[topic, str(partition)] = messages

    def on_recovery(self, seconds: float) -> None:
        """Show how long the last recovery took."""
        self.levels["recovery_seconds"] = seconds

    def on_rebalance(self) -> None:
        """Count a rebalance."""
        self.counts["rebalances"][()] += 1

    def _begin(self) -> None:
        """Begin at 0 what is known beforehand: a rate needs a value to start from."""
        pairs = product(("none", *map(str, GRADES)), map(str, GRADES))
        known: Mapping[str, Iterable[tuple[str, ...]]] = {
            "duplicates": [()],
            "store_unavailable": [()],
            "rebalances": [()],
            "rejected": [(reason,) for reason in REASONS],
            "late": [("counted",), ("recorded",)],
            "records": product(
                map(self._sources.known, ("http", "inbox")), ("accepted", "duplicate", "rejected", "refused")
            ),
            "rating_changes": [pair for pair in pairs if pair[0] != pair[1]],
        }
        for name, labels in known.items():
            self.counts[name].update(dict.fromkeys(labels, 0.0))
