"""The shipped method of rating, and a hit for it to count."""

from __future__ import annotations

from pathlib import Path

from yaml import safe_load

from monitor.core.assessment import Hit
from monitor.core.rating import Rater
from monitor.core.rating_config import DAY_MS, RatingConfig

PLAIN = safe_load((Path(__file__).parents[1] / "config" / "rating.yaml").read_text(encoding="utf-8"))
RATER = Rater(RatingConfig.from_plain(PLAIN))
START_MS = 20_000 * DAY_MS
HIT = Hit(
    rule="F-308",
    version="90bc",
    subject="customer",
    subject_id="ada",
    event_id="e-1",
    ref=1,
    time_ms=START_MS,
    late=False,
    status="live",
    title="t",
    dimension="fraud",
    severity="high",
    points=40,
    alert=True,
    cooldown_ms=DAY_MS,
    say="",
    saw={},
)
"""Of `START_MS`; tests replace what they are about."""
