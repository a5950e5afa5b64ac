"""What each key of a rule file is for: read by the reference page and by editors."""

from __future__ import annotations

from rules.dispositions import DISPOSITIONS
from rules.model import DIMENSIONS, DISCLOSURES, MARKS, SEGMENTS, SEVERITIES, STATUSES

KEYS = {
    "id": "as the file is named",
    "title": "one line; no two rules have the same",
    "dimension": f"one of {', '.join(DIMENSIONS)}",
    "on": "kinds of events that make the rule look: `payment.transfer`, `[auth.login, cash.*]`",
    "when": "the condition",
    "severity": f"{', '.join(SEVERITIES)}",
    "status": f"{', '.join(STATUSES)}",
    "say": "a sentence with the actual numbers",
    "why": "the reason, for officers and auditors",
    "source": "law, paper or practice it comes from",
    "triage": "steps of the officer",
    "owner": "who answers for it",
    "subject": "whom the rule is about; default `customer`",
    "let": "names for parts of the condition",
    "params": f"figures to set, by segment ({', '.join(SEGMENTS)})",
    "points": "0 to 100, into the dimension of the rating",
    "bands": "instead of points and severity",
    "alert": "`false`: points only",
    "cooldown": "no second alert within this time; default 24h",
    "verification": f"how well the figures are verified: {', '.join(MARKS)}",
    "disclosure": f"{', '.join(DISCLOSURES)}",
    "disposition": f"what it recommends, one or several of {', '.join(DISPOSITIONS)}",
    "half_life": "how soon its points halve in the rating; default as those of its dimension",
    "valid": "`{from: 2026-01-01, to: 2027-01-01}`",
}
"""One line each, in the order of the reference."""
