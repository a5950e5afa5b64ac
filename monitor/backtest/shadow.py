"""Shadow rules compared with live ones: what they recorded silently, from the ledger alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from alerts.facts import RATING_RULE
from monitor.backtest.distil import customers_of, hits_of
from monitor.backtest.job import Period
from monitor.backtest.report import moment
from monitor.backtest.verdicts import Verdicts
from monitor.configuration import Configuration, read_rules
from monitor.database import Database
from rules.loader import DEFAULT_COOLDOWN_MS

NEIGHBOURS: Final = 3
"""Live rules that are named, those that alert most of the same customers first."""


@dataclass(slots=True)
class _Shadow:
    hits: int = 0
    asks: bool = False
    """Whether its hits ask for alerts at all."""
    days: Counter[str] = field(default_factory=Counter)
    customers: set[str] = field(default_factory=set)
    opened_ms: dict[str, int] = field(default_factory=dict)
    """Subject to when the alert would have been raised that its hits belong to."""
    alerts: int = 0


def shadow_report(
    db: Database, configuration: Configuration, period: Period, verdicts: Verdicts
) -> dict[str, Any]:
    """Return what shadow rules recorded in a period, beside what live rules alerted.

    Hits are those of the ledger that were recorded as shadow hits, so a rule that went live within the
    period is told up to then. Rules in shadow without a hit are told, too.
    """
    rules = {rule.id: rule for rule in read_rules(configuration)}
    found: dict[str, _Shadow] = {name: _Shadow() for name, rule in rules.items() if rule.status == "shadow"}
    zone = ZoneInfo(configuration.plain["zone"])
    for time_ms, subject, body in hits_of(db, period.from_ms, period.to_ms):
        if body["status"] == "shadow":
            rule = rules.get(body["rule"])
            cooldown_ms = rule.cooldown_ms if rule else DEFAULT_COOLDOWN_MS
            one = found.setdefault(body["rule"], _Shadow())
            one.asks = one.asks or body["alert"]
            one.days[datetime.fromtimestamp(time_ms / 1000, zone).date().isoformat()] += 1
            _count(one, time_ms, subject, cooldown_ms)
            one.customers.update(customers_of(subject, body))
    live = _alerted(db, period)
    titles = {name: rule.title for name, rule in rules.items()}
    return {
        "period": {
            "from": moment(period.from_ms),
            "to": moment(period.to_ms),
            "days": round(period.days, 4),
        },
        "rules": [
            {"rule": name, "title": titles.get(name, ""), **_row(one, live, period, verdicts)}
            for name, one in sorted(found.items())
        ],
    }


def _count(one: _Shadow, time_ms: int, subject: str, cooldown_ms: int) -> None:
    one.hits += 1
    opened_ms = one.opened_ms.get(subject)
    if opened_ms is None or time_ms >= opened_ms + cooldown_ms:
        one.opened_ms[subject] = time_ms
        one.alerts += 1


def _alerted(db: Database, period: Period) -> Mapping[str, set[str]]:
    """Return the customers that live rules alerted, by rule. A risen rating only follows from rules."""
    query = (
        "SELECT alerts.rule, alert_customers.customer_id FROM alerts"
        " JOIN alert_customers ON alert_customers.alert_id = alerts.id"
        " WHERE alerts.opened_ms < ? AND alerts.last_hit_ms >= ? AND alerts.rule <> ?"
    )
    found: dict[str, set[str]] = defaultdict(set)
    for rule, customer in db.execute(query, (period.to_ms, period.from_ms, RATING_RULE)).fetchall():
        found[rule].add(customer)
    return found


def _row(one: _Shadow, live: Mapping[str, set[str]], period: Period, verdicts: Verdicts) -> dict[str, Any]:
    every = {customer for customers in live.values() for customer in customers}
    alone = one.customers - every
    neighbours = sorted(
        ((len(one.customers & customers), rule) for rule, customers in live.items()),
        key=lambda pair: (-pair[0], pair[1]),
    )
    row = {
        "hits": one.hits,
        "hits_a_day": round(one.hits / period.days, 4),
        "days": dict(sorted(one.days.items())),
        "customers": len(one.customers),
        "also_alerted": len(one.customers & every),
        "alone": len(alone),
        "neighbours": [[rule, both] for both, rule in neighbours[:NEIGHBOURS] if both],
        "alerts_least": len(one.opened_ms) if one.asks else 0,
        "alerts_most": one.alerts if one.asks else 0,
        "confirmed": _judged(one.customers, verdicts, is_true=True),
        "refuted": _judged(one.customers, verdicts, is_true=False),
        "alone_confirmed": _judged(alone, verdicts, is_true=True),
        "alone_refuted": _judged(alone, verdicts, is_true=False),
    }
    return {**row, "says": " ".join(_sentences(row, period))}


def _judged(customers: set[str], verdicts: Verdicts, *, is_true: bool) -> int:
    return sum(verdicts.customers.get(customer) is is_true for customer in customers)


def _sentences(row: Mapping[str, Any], period: Period) -> Iterator[str]:
    """Give what the figures say, and nothing they do not say."""
    if not row["hits"]:
        yield "No hit: nothing can be said of it yet."
        return
    least, most = row["alerts_least"], row["alerts_most"]
    much = f"{least}" if least == most else f"{least} to {most}"
    yield f"Live, it would have raised {much} alerts, {most / period.days:.2f} a day at most."
    yield (
        f"Live rules alerted {row['also_alerted']} of its {row['customers']} customers; "
        f"{row['alone']} it would have found alone."
    )
    decided = row["confirmed"] + row["refuted"]
    if not decided:
        yield "There is no verdict about any of its customers."
    else:
        yield (
            f"Of {decided} customers with a verdict {row['confirmed']} were confirmed, "
            f"{row['alone_confirmed']} of them found by it alone."
        )
