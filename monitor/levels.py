"""Levels: what is looked up in the database when metrics are asked for, as plain facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from monitor.audit.verified import Verified
from monitor.tallies import Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """Levels at one moment. Every key is of a closed set: no ids of customers, officers or alerts."""

    open_alerts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Alerts not closed, by (severity, status)."""
    oldest_alert_s: Mapping[str, float] = field(default_factory=dict)
    """Age of the oldest alert not closed, by severity; 0 where there is none."""
    overdue_alerts: Mapping[str, int] = field(default_factory=dict)
    """Open past their due time, by severity."""
    sla_breaches: Mapping[str, int] = field(default_factory=dict)
    """Ever decided after their due time or still waiting past it, by severity."""
    decisions: Mapping[str, Spread] = field(default_factory=dict)
    """Seconds from the alert to its first decision, by severity."""
    dispositions: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Closed alerts by (rule, verdict); the verdict is a disposition without its detail."""
    customers: Mapping[int, int] = field(default_factory=dict)
    """By grade, 10 (high) to 14 (low)."""
    states: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Kind of subject to (snapshots, their bytes); `Store.footprint`."""
    dead_letters: Mapping[str, int] = field(default_factory=dict)
    """Waiting to be mended and sent again, by reason."""
    undelivered: Mapping[str, int] = field(default_factory=dict)
    """Messages of the outbox that a channel does not have yet."""
    refused: Mapping[str, int] = field(default_factory=dict)
    """Messages a channel will never take."""
    stream_time_ms: int = 0
    """Largest event time of all."""
    journal_position: int = 0
    unwritten_rows: int = 0
    """Rows of the journal that a recovery would repeat."""
    ledger_position: int = 0
    verified: Verified | None = None
    """The last `riskmon audit verify`; None where there never was one."""
