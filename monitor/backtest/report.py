"""Two runs compared: everything a back-test tells, as plain data."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from alerts.facts import RATING_RULE
from monitor.backtest.job import Period
from monitor.backtest.outcome import FoundAlert, Outcome, outcome_of, quality
from monitor.backtest.portfolio import if_removed, noisy, overlap, silent
from monitor.backtest.run import Told
from monitor.backtest.verdicts import Verdicts
from monitor.configuration import Configuration
from monitor.rulediff import differences
from rules.vocabulary import load_vocabulary

BEFORE: Final = "before"
AFTER: Final = "after"
EXAMPLES: Final = 3
"""Hits gained and lost that are shown of each rule, the oldest first."""
MOVED: Final = 20
"""Customers whose grade moves that are named, those that became riskiest first."""
GRADES: Final = (10, 11, 12, 13, 14)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two that are compared."""

    configuration: Configuration
    scratch: Path
    told: Told

    @property
    def rules(self) -> dict[str, Mapping[str, Any]]:
        """Its rules by id, as their files say them."""
        return {entry["content"]["id"]: entry["content"] for entry in self.configuration.plain["rules"]}


def report(sides: Mapping[str, Side], period: Period, verdicts: Verdicts, officers: int) -> dict[str, Any]:
    """Return everything there is to tell of one run (`before`) or of two (`before` and `after`).

    It depends on the journal, the configurations and the arguments alone: the same ones give the
    same report.

    Parameters
    ----------
    officers
        Among how many people alerts are shared.
    """
    outcomes = {name: _outcome(side, period, verdicts) for name, side in sides.items()}
    last = list(sides)[-1]
    cases = verdicts.confirmed
    total = quality(outcomes[last].alerts, cases)
    found: dict[str, Any] = {
        "period": _period(period),
        "officers": officers,
        "verdicts": _known(verdicts),
        "sides": {name: _side(side, outcomes[name], period, officers, cases) for name, side in sides.items()},
        "rules": _rules(sides, outcomes, period, officers, cases),
        "days": _days(outcomes, period, sides[last].configuration.plain["zone"]),
        "grades": _grades(outcomes),
        "overlap": overlap(outcomes[last]),
        "silent": silent(sides[last].rules, outcomes[last].hits, sides[last].told.kinds, load_vocabulary()),
        "noisy": noisy(outcomes[last], total, cases),
    }
    if AFTER in sides:
        told = differences(sides[BEFORE].configuration, sides[AFTER].configuration)
        found["differences"] = str(told).splitlines()
    return found


def moment(time_ms: int) -> str:
    """Return a moment as text, UTC.

    Examples
    --------
    >>> moment(1_767_225_600_000)
    '2026-01-01T00:00:00Z'
    """
    return datetime.fromtimestamp(time_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _outcome(side: Side, period: Period, verdicts: Verdicts) -> Outcome:
    with closing(sqlite3.connect(side.scratch)) as db:
        return outcome_of(db, period, verdicts)


def _period(period: Period) -> dict[str, Any]:
    warm_up = None if period.warm_up_ms is None else round(period.warm_up_ms / 86_400_000, 4)
    return {
        "from": moment(period.from_ms),
        "to": moment(period.to_ms),
        "days": round(period.days, 4),
        "warm_up_days": warm_up,
        "last_journal_row": period.last_seq,
    }


def _known(verdicts: Verdicts) -> dict[str, int]:
    cases = len(verdicts.confirmed)
    return {
        "events": len(verdicts.events),
        "alerts": sum(len(closings) for closings in verdicts.closings.values()),
        "cases": cases,
        "refuted_customers": len(verdicts.customers) - cases,
    }


def _load(alerts: int, period: Period, officers: int) -> dict[str, float]:
    return {
        "alerts_a_day": round(alerts / period.days, 4),
        "alerts_per_officer_a_day": round(alerts / period.days / officers, 4),
    }


def _side(
    side: Side, outcome: Outcome, period: Period, officers: int, cases: Collection[str]
) -> dict[str, Any]:
    ours = quality(outcome.alerts, cases)
    told = asdict(side.told)
    told.pop("kinds")
    return {
        "configuration": side.configuration.hash,
        "hits": sum(outcome.hits.values()),
        "customers": len({customer for alert in outcome.alerts for customer in alert.customers}),
        **ours.plain(),
        **_load(ours.alerts, period, officers),
        "replayed": told,
    }


def _rules(
    sides: Mapping[str, Side],
    outcomes: Mapping[str, Outcome],
    period: Period,
    officers: int,
    cases: Collection[str],
) -> list[dict[str, Any]]:
    changes = _Changes(sides) if AFTER in sides else None
    by_rule = {name: outcome.by_rule() for name, outcome in outcomes.items()}
    last = list(sides)[-1]
    names = {rule for outcome in outcomes.values() for rule in (*outcome.hits, *outcome.alerted)}
    rows = []
    for rule in sorted(names):
        row: dict[str, Any] = {"rule": rule, "title": _title(rule, sides)}
        for name, side in sides.items():
            alerts, content = by_rule[name].get(rule, []), side.rules.get(rule)
            ours = quality(alerts, cases)
            row[name] = {
                "status": content["status"] if content else ("live" if rule == RATING_RULE else None),
                "hits": outcomes[name].hits.get(rule, 0),
                **ours.plain(),
                **_load(ours.alerts, period, officers),
                "customers": len(outcomes[name].alerted.get(rule, ())),
                "only_this_rule": len(outcomes[name].unique(rule)),
            }
        row["if_removed"] = if_removed(rule, by_rule[last].get(rule, []), outcomes[last], cases)
        if changes is not None:
            row |= changes.of(rule)
        rows.append(row)
    return rows


def _title(rule: str, sides: Mapping[str, Side]) -> str:
    titles = [side.rules[rule]["title"] for side in sides.values() if rule in side.rules]
    return str(titles[-1]) if titles else "The rating rose"


class _Changes:
    """Hits of one side that the other has not."""

    def __init__(self, sides: Mapping[str, Side]) -> None:
        self._sides = sides

    def of(self, rule: str) -> dict[str, Any]:
        """Return hits gained and lost of a rule: their numbers, and the first ones."""
        gained, first_gained = self._only(rule, AFTER, BEFORE)
        lost, first_lost = self._only(rule, BEFORE, AFTER)
        return {
            "gained": gained,
            "lost": lost,
            "gained_examples": first_gained,
            "lost_examples": first_lost,
        }

    def _only(self, rule: str, here: str, there: str) -> tuple[int, list[dict[str, Any]]]:
        rest = (
            " FROM found_hits AS ours WHERE rule = ? AND NOT EXISTS"
            " (SELECT 1 FROM other.found_hits AS theirs WHERE theirs.rule = ours.rule"
            " AND theirs.subject = ours.subject AND theirs.event = ours.event"
            " AND theirs.time_ms = ours.time_ms)"
        )
        first = f"SELECT subject, time_ms, event, say{rest} ORDER BY time_ms, subject, event LIMIT {EXAMPLES}"
        with closing(sqlite3.connect(self._sides[here].scratch)) as db:
            db.execute("ATTACH ? AS other", (str(self._sides[there].scratch),))
            (count,) = db.execute(f"SELECT COUNT(*){rest}", (rule,)).fetchone()
            rows = db.execute(first, (rule,)).fetchall()
        return count, [
            {"subject": subject, "time": moment(time_ms), "event": event, "say": say}
            for subject, time_ms, event, say in rows
        ]


def _days(outcomes: Mapping[str, Outcome], period: Period, zone: str) -> list[dict[str, Any]]:
    where = ZoneInfo(zone)

    def day(time_ms: int) -> str:
        return datetime.fromtimestamp(time_ms / 1000, where).date().isoformat()

    counted = {name: Counter(day(alert.opened_ms) for alert in _new(o)) for name, o in outcomes.items()}
    first, last = day(period.from_ms), day(period.to_ms - 1)
    every = {day(time_ms) for time_ms in range(period.from_ms, period.to_ms, 43_200_000)} | {first, last}
    return [{"day": one, **{name: counted[name][one] for name in outcomes}} for one in sorted(every)]


def _new(outcome: Outcome) -> Sequence[FoundAlert]:
    return [alert for alert in outcome.alerts if alert.is_new]


def _grades(outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
    """Return how many customers have which grade on one side (row) and on the other (column)."""
    before = outcomes[BEFORE].grades
    after = outcomes[AFTER].grades if AFTER in outcomes else before
    found: dict[str, Any] = {}
    for place, name in enumerate(("end", "peak")):
        pairs = Counter((before[who][place], after[who][place]) for who in before.keys() & after.keys())
        found[name] = [[pairs[old, new] for new in GRADES] for old in GRADES]
        found[f"{name}_riskier"] = sum(count for (old, new), count in pairs.items() if new < old)
        found[f"{name}_safer"] = sum(count for (old, new), count in pairs.items() if new > old)
    moved: list[dict[str, Any]] = [
        {"customer": who, "before": before[who][0], "after": after[who][0]}
        for who in sorted(before.keys() & after.keys())
        if before[who][0] != after[who][0]
    ]
    found["moved"] = sorted(moved, key=lambda one: (one["after"] - one["before"], one["customer"]))[:MOVED]
    return {"grades": list(GRADES), **found, "one_side_only": len(before.keys() ^ after.keys())}
