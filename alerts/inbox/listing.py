"""The inbox as a list: what to show, grouped by case, a page at a time. Pure but for the reader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from urllib.parse import urlencode

from alerts.lifecycle import Alert, Status
from alerts.ports import Filter

STATES: tuple[tuple[str, str], ...] = (
    ("undecided", "open or taken"),
    ("open", "open"),
    ("taken", "taken"),
    ("snoozed", "snoozed"),
    ("closed", "closed"),
    ("all", "all"),
)
"""Value and text of the filter by state."""

_STATUSES: Mapping[str, tuple[Status, ...]] = {
    "undecided": (Status.OPEN, Status.TAKEN),
    "all": (),
}

DIMENSIONS: tuple[str, ...] = (
    "credit", "market", "operational", "reputation", "liquidity", "fraud", "compliance", "infosec",
    "product_service",
)  # fmt: skip
"""The nine dimensions of risk."""

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What a page or a program asks to see; empty fields do not restrict.

    Examples
    --------
    >>> Query.read({"severity": "high", "page": "x", "unknown": "1"})
    Query(status='undecided', severity='high', dimension='', rule='', text='', mine=False, page=1)
    """

    status: str = "undecided"
    severity: str = ""
    dimension: str = ""
    rule: str = ""
    text: str = ""
    mine: bool = False
    page: int = 1

    @classmethod
    def read(cls, values: Mapping[str, str]) -> Query:
        """Read a query from the address of a page; what makes no sense counts as not asked."""
        status, page = values.get("status", ""), values.get("page", "")
        return cls(
            status=status if status in dict(STATES) else "undecided",
            severity=values.get("severity", "").strip(),
            dimension=values.get("dimension", "").strip(),
            rule=values.get("rule", "").strip(),
            text=values.get("text", "").strip(),
            mine=values.get("mine", "") not in {"", "0"},
            page=int(page) if page.isascii() and page.isdigit() and 0 < int(page) < 1_000_000 else 1,
        )

    @property
    def is_filtered(self) -> bool:
        """True where anything but the page differs from what the inbox shows by itself."""
        return self.link(page=1) != "/"

    def wanted(self, user: str) -> Filter:
        """Return the store's part of the query; the dimension is looked at by `grouped`."""
        return Filter(
            statuses=_STATUSES[self.status] if self.status in _STATUSES else (Status(self.status),),
            severities=(self.severity,) if self.severity else (),
            assignee=user if self.mine else None,
            rule=self.rule or None,
            text=self.text or None,
        )

    def link(self, **changes: str | int) -> str:
        """Return the address of the inbox with this query and some changes.

        Examples
        --------
        >>> Query(severity="high").link(page=2)
        '/?severity=high&page=2'
        """
        plain = asdict(Query())
        values = {**asdict(self), **changes}
        kept = {name: int(v) if v is True else v for name, v in values.items() if v != plain[name]}
        return "/?" + urlencode(kept) if kept else "/"


@dataclass(frozen=True, slots=True)
class Case:
    """Alerts of one subject that are shown together, most urgent first."""

    id: str
    alerts: list[Alert]


def grouped(alerts: Iterable[Alert], dimension: str = "") -> list[Alert]:
    """Return alerts so that those of a case stand together, the most urgent case first."""
    kept = [alert for alert in alerts if not dimension or alert.dimension == dimension]
    best: dict[str, tuple[int, int]] = {}
    for alert in kept:
        rank = (-alert.priority, alert.due_ms)
        best[alert.case_id] = min(best.get(alert.case_id, rank), rank)
    return sorted(kept, key=lambda a: (*best[a.case_id], a.case_id, -a.priority, a.due_ms, a.id))


def cases(alerts: Sequence[Alert]) -> list[Case]:
    """Return neighbours of one case as a case."""
    return [Case(case_id, list(members)) for case_id, members in groupby(alerts, key=lambda a: a.case_id)]


def pressing(alerts: Iterable[Alert], now_ms: int) -> tuple[int, int]:
    """Return how many undecided alerts are late, and how many are due within the hour."""
    dues = [alert.due_ms - now_ms for alert in alerts if alert.is_open]
    return sum(due < 0 for due in dues), sum(0 <= due < HOUR_MS for due in dues)


def ages(alerts: Iterable[Alert], now_ms: int) -> tuple[int, int, int]:
    """Return how many undecided alerts are younger than an hour, than a day, and older."""
    found = [now_ms - alert.opened_ms for alert in alerts if alert.is_open]
    young = sum(age < HOUR_MS for age in found)
    today = sum(HOUR_MS <= age < DAY_MS for age in found)
    return young, today, len(found) - young - today
