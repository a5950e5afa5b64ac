"""What one run came to: its alerts with their verdicts, and its figures rule by rule."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import orjson

from alerts.facts import RATING_RULE
from monitor.backtest.job import Period
from monitor.backtest.verdicts import Verdicts


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundAlert:
    """An alert of a run with hits in the period."""

    id: str
    rule: str
    subject: str
    """Kind and id: `customer:C-1`."""
    opened_ms: int
    customers: tuple[str, ...]
    verdict: bool | None
    """Confirmed, refuted, or nothing known."""
    is_own: bool
    """Whether the verdict is about the alert itself, not about its customers."""
    is_new: bool
    """Raised in the period; else before it, and it went on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How alerts compare with what is known. Shares are None where there is nothing to divide by."""

    alerts: int
    confirmed: int
    refuted: int
    cases_found: int
    """Known cases (customers) with an alert."""
    cases: int
    """Known cases in all."""

    @property
    def undecided(self) -> int:
        """Alerts about which nothing is known."""
        return self.alerts - self.confirmed - self.refuted

    @property
    def precision(self) -> float | None:
        """Confirmed alerts of those with a verdict."""
        return _share(self.confirmed, self.confirmed + self.refuted)

    @property
    def recall(self) -> float | None:
        """Known cases found of all known cases."""
        return _share(self.cases_found, self.cases)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall."""
        precision, recall = self.precision, self.recall
        if precision is None or recall is None:
            return None
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

    def plain(self) -> dict[str, float | int | None]:
        """Return it as plain data, shares to four places."""
        shares = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {
            "alerts": self.alerts,
            "confirmed": self.confirmed,
            "refuted": self.refuted,
            "undecided": self.undecided,
            "cases_found": self.cases_found,
            "cases": self.cases,
            **{name: None if value is None else round(value, 4) for name, value in shares.items()},
        }


@dataclass(slots=True, kw_only=True)
class Outcome:
    """The results of a run."""

    hits: dict[str, int] = field(default_factory=dict)
    """Rule to its hits in the period."""
    alerts: list[FoundAlert] = field(default_factory=list)
    grades: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Customer to the grade at the end and the riskiest one of the period."""
    alerted: dict[str, set[str]] = field(default_factory=dict)
    """Rule to the customers whom its alerts concern."""

    def by_rule(self) -> dict[str, list[FoundAlert]]:
        """Return the alerts rule by rule."""
        found: dict[str, list[FoundAlert]] = defaultdict(list)
        for alert in self.alerts:
            found[alert.rule].append(alert)
        return dict(found)

    def unique(self, rule: str) -> set[str]:
        """Return the customers whom only this rule alerts. A risen rating is no other rule: it follows."""
        others = [names for name, names in self.alerted.items() if name not in (rule, RATING_RULE)]
        return self.alerted.get(rule, set()).difference(*others)


def outcome_of(db: sqlite3.Connection, period: Period, verdicts: Verdicts) -> Outcome:
    """Read what a run left in its scratch database."""
    found = Outcome()
    found.hits = dict(db.execute("SELECT rule, COUNT(*) FROM found_hits GROUP BY rule ORDER BY rule"))
    found.alerts = list(_alerts(db, period, verdicts))
    rows = db.execute("SELECT customer, last, peak FROM found_grades ORDER BY customer")
    found.grades = {customer: (last, peak) for customer, last, peak in rows}
    for alert in found.alerts:
        found.alerted.setdefault(alert.rule, set()).update(alert.customers)
    return found


def quality(alerts: Collection[FoundAlert], cases: Collection[str]) -> Quality:
    """Return how alerts compare with the known cases.

    Those raised in the period are counted; a case counts as found by an older one, too, that had hits in it.
    """
    new = [alert for alert in alerts if alert.is_new]
    found = {customer for alert in alerts for customer in alert.customers}
    return Quality(
        alerts=len(new),
        confirmed=sum(alert.verdict is True for alert in new),
        refuted=sum(alert.verdict is False for alert in new),
        cases_found=len(found.intersection(cases)),
        cases=len(cases),
    )


def _alerts(db: sqlite3.Connection, period: Period, verdicts: Verdicts) -> Iterable[FoundAlert]:
    refs = _refs(db, period)
    query = (
        "SELECT id, rule, subject, subject_id, opened_ms, last_hit_ms, disposition, status, fixed"
        " FROM alerts WHERE last_hit_ms >= ? AND opened_ms < ? ORDER BY opened_ms, id"
    )
    for row in db.execute(query, (period.from_ms, period.to_ms)):
        alert_id, rule, kind, name, opened_ms, last_ms, disposition, status, fixed = row
        plain = orjson.loads(fixed)
        closed_as = disposition if status == "closed" else None
        seen = [*refs.get(alert_id, ()), *plain["evidence"]]
        own = verdicts.of((rule, kind, name), opened_ms, last_ms, seen, closed_as)
        yield FoundAlert(
            id=alert_id,
            rule=rule,
            subject=f"{kind}:{name}",
            opened_ms=opened_ms,
            customers=tuple(sorted(plain["customers"])),
            verdict=_by_customers(plain["customers"], verdicts) if own is None else own,
            is_own=own is not None,
            is_new=opened_ms >= period.from_ms,
        )


def _by_customers(customers: Iterable[str], verdicts: Verdicts) -> bool | None:
    said = [verdicts.customers[one] for one in customers if one in verdicts.customers]
    return any(said) if said else None


def _refs(db: sqlite3.Connection, period: Period) -> Mapping[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    query = "SELECT alert_id, ref FROM alert_hits WHERE time_ms >= ? AND time_ms < ?"
    for alert_id, ref in db.execute(query, (period.from_ms, period.to_ms)):
        found[alert_id].append(ref)
    return found


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
