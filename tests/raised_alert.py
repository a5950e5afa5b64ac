"""An open alert, as a rule raised it, for tests of what is done with alerts."""

from __future__ import annotations

from alerts.lifecycle import Alert

ALERT = Alert(
    id="1f3c9b2e77aa01d21f3c9b2e77aa01d2",
    case_id="c",
    subject="customer",
    subject_id="C-1",
    rule="A-124",
    version="0123456789ab",
    title="Structuring",
    severity="high",
    dimension="compliance",
    priority=48,
    event_id="tx-1",
    opened_ms=1_000,
    changed_ms=1_000,
    due_ms=2_000,
    last_hit_ms=1_000,
    say="3 deposits",
)
"""Tests replace what they are about."""
