"""The monitor as the inbox sees it: reads a database, writes through whatever takes events.

The embedded monitor and the web role of a cluster differ in the second alone; see `Feed`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import orjson

from alerts.inbox.classifier_card import ClassifierFacts
from alerts.inbox.model_card import CardFacts
from alerts.inbox.service import (
    DeadLetter,
    Fault,
    Health,
    HitRow,
    Outcome,
    Part,
    Rating,
    RatingPoint,
    RuleText,
)
from alerts.ports import AlertReader
from alerts.stores.sql import SqlAlertStore
from monitor.audit.ledger import Ledger
from monitor.configuration import Configuration, read_rules
from monitor.model_cards import classifier_versions, model_version, model_versions
from monitor.rating_notices import decided
from monitor.rating_texts import explain
from monitor.ratings import customer_rating
from monitor.reader import Reader
from monitor.rule_service import MonitorRules
from rules.model import Rule
from streams.deadletter import DeadLetters
from streams.progress import progress_of
from streams.stores.reading import event_body

COUNTED = {
    "events": "events",
    "duplicates": "duplicates",
    "rejected": "rejected",
    "late": "late",
    "rule_hits": "hits",
    "rating_changes": "rating_changes",
    "alerts": "alerts",
    "rule_failures": "failures",
}
"""Figure shown to operators to its name among the committed counters."""


class Feed(Protocol):
    """The writing half: takes events and actions, and knows how it is."""

    async def ingest(self, records: Sequence[bytes], source: str) -> list[Outcome]:
        """Take records; as `alerts.inbox.service.Service.ingest`."""

    async def act(self, event: Mapping[str, Any]) -> Outcome:
        """Carry out an officer's action; as `alerts.inbox.service.Service.act`."""

    def note(self, event: Mapping[str, Any]) -> None:
        """Take an event of the monitor's own without waiting for it; from any thread."""

    def figures(self) -> Mapping[str, int | float | str | None]:
        """Return what operators see of it."""

    def health(self) -> Health:
        """Return whether it lives and takes events; at once."""

    def metrics(self) -> bytes:
        """Return the metrics in Prometheus text format."""

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` after alerts changed; return how to end it."""


class MonitorService:
    """What `alerts.inbox.service.Service` asks for, over a database and a feed.

    Parameters
    ----------
    reader
        Of the database, as far as it is committed.
    feed
        Everything that is written goes through it.
    in_force
        Gives the configuration in force: rule texts and ratings are shown by it.
    rules
        The life of configurations; by default nothing waits and nothing is filled.
    """

    def __init__(
        self,
        reader: Reader,
        feed: Feed,
        in_force: Callable[[], Configuration],
        rules: MonitorRules | None = None,
    ) -> None:
        self._reader = reader
        self._rules = rules or MonitorRules(reader)
        self._feed = feed
        self._in_force = in_force
        self._started = time.monotonic()
        # Several processes may note that somebody looked, in the same millisecond.
        self._mark = secrets.token_hex(4)
        self._accesses = 0
        self._shown: _Texts | None = None

    # Reading.

    @property
    def alerts(self) -> AlertReader:
        """Alerts to read, each call on its thread's connection."""
        return cast("AlertReader", _Alerts(self._reader))

    @property
    def rules(self) -> MonitorRules:
        """The life of configurations, to read."""
        return self._rules

    def now_ms(self) -> int:
        """Return the wall clock, which ages of alerts are measured by in a live service."""
        return int(time.time() * 1000)

    def event(self, ref: int) -> Mapping[str, Any] | None:
        """Return an event of the journal by its reference."""
        body = self._reader.read(lambda db: event_body(db, ref))
        found: dict[str, Any] | None = orjson.loads(body) if body is not None else None
        return found

    def rule(self, rule_id: str, version: str) -> RuleText | None:
        """Return what a rule says about itself."""
        rule = self._texts().rules.get((rule_id, version))
        if rule is None:
            return None
        params = {name: parameter.place.text for name, parameter in rule.params.items()}
        mark = f"[{rule.verification}]"
        source = rule.source if mark in rule.source else f"{rule.source} {mark}"
        return RuleText(title=rule.title, why=rule.why, source=source, params=params)

    def rating(self, customer_id: str, at_ms: int | None = None) -> Rating | None:
        """Return a customer's rating now or as of `at_ms`."""
        configuration = self._in_force()
        shown = self._reader.read(lambda db: customer_rating(db, configuration, customer_id, at_ms))
        if shown is None:
            return None
        last = shown.history[-1] if shown.history else {}
        rating = Rating(
            customer_id=customer_id,
            time_ms=shown.rating.time_ms,
            score=shown.rating.score,
            grade=shown.rating.grade,
            previous_grade=last.get("previous_grade"),
            parts=[self._part(part) for part in shown.rating.parts],
            history=[
                RatingPoint(time_ms=point["time_ms"], score=point["score"], grade=point["grade"])
                for point in shown.history
            ],
        )
        explain(rating, shown.rating)
        return rating

    def decided(self, customer_id: str, event_id: str) -> Mapping[str, Any] | None:
        """Return what became of a decision about a rating."""
        return self._reader.read(lambda db: decided(db, customer_id, event_id))

    def _part(self, part: Mapping[str, Any]) -> Part:
        shown = Part(name=part["name"], kind=part["kind"], points=part["points"])
        titles = self._texts().titles
        if part["name"] in titles:
            shown["title"] = titles[part["name"]]
        return shown

    def _texts(self) -> _Texts:
        configuration = self._in_force()
        if self._shown is None or self._shown.configuration is not configuration:
            rules = read_rules(configuration)
            self._shown = _Texts(
                configuration,
                {(rule.id, rule.version): rule for rule in rules},
                {rule.id: rule.title for rule in rules},
            )
        return self._shown

    def customer_hits(self, customer_id: str, limit: int = 50) -> list[HitRow]:
        """Return hits of a customer, newest first."""
        subject = f"customer:{customer_id}"
        entries = self._reader.read(
            lambda db: list(Ledger(db).entries(kind="hit", subject=subject, newest_first=True, limit=limit))
        )
        rules = self._texts().rules
        rows = []
        for entry in entries:
            data = entry.data
            rule = rules.get((data["rule"], data["version"]))
            rows.append(
                HitRow(
                    time_ms=entry.time_ms,
                    rule=data["rule"],
                    version=data["version"],
                    title=rule.title if rule else data["rule"],
                    say=data["say"],
                    severity=data["severity"],
                    points=data["points"],
                    status=data["status"],
                )
            )
        return rows

    def dead_letters(self, limit: int = 50) -> list[DeadLetter]:
        """Return dead letters, newest first."""
        return [
            DeadLetter(
                id=str(letter.id),
                received_ms=letter.received_ms,
                source=letter.source,
                reason=letter.reason,
                faults=[Fault(path=f.path, problem=f.problem, hint=f.hint) for f in letter.faults],
            )
            for letter in self._reader.read(lambda db: DeadLetters(db).select(limit=limit))
        ]

    def dead_letter_counts(self) -> Mapping[str, int]:
        """Return the number of waiting dead letters by reason."""
        return self._reader.read(lambda db: DeadLetters(db).counts())

    def models(self) -> list[CardFacts]:
        """Return every published version of a model, newest first."""
        return self._reader.read(model_versions)

    def model(self, digest: str) -> CardFacts | None:
        """Return a published version by its hash."""
        return self._reader.read(lambda db: model_version(db, digest))

    def classifiers(self) -> list[ClassifierFacts]:
        """Return every published version of the classifier, newest first."""
        return self._reader.read(classifier_versions)

    def status(self) -> Mapping[str, int | float | str | None]:
        """Return figures for operators."""
        committed = self._reader.read(progress_of)
        return {
            **{shown: getattr(committed.counters, name) for shown, name in COUNTED.items()},
            "stream_time_ms": committed.stream_time_ms,
            **self._feed.figures(),
            "journal_position": committed.head,
            "configuration": self._in_force().hash[:12],
            **self._waiting(),
            "running_seconds": round(time.monotonic() - self._started),
        }

    def _waiting(self) -> dict[str, str]:
        waiting = self._rules.standing()["waiting"]
        return {"files_not_in_force": f"{waiting[:12]} (see Rules)"} if waiting else {}

    # Writing, and how it is.

    async def ingest(self, records: Sequence[bytes], source: str) -> list[Outcome]:
        """Take records; return one outcome each once they are durable."""
        return await self._feed.ingest(records, source)

    async def act(self, event: Mapping[str, Any]) -> Outcome:
        """Carry out an officer's action."""
        return await self._feed.act(event)

    def record_access(self, actor: str, subject: str, what: str) -> None:
        """Journal that somebody read data: an event like any other, so access rules see it too."""
        self._accesses += 1
        name = f"access-{self.now_ms()}-{self._mark}-{self._accesses}"
        self._feed.note(access_event(name, self.now_ms(), actor, subject, what))

    def health(self) -> Health:
        """Return whether the feed lives and takes events."""
        return self._feed.health()

    def metrics(self) -> bytes:
        """Return the metrics in Prometheus text format."""
        return self._feed.metrics()

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` after each commit that changed an alert."""
        return self._feed.subscribe(wake)


@dataclass(frozen=True, slots=True)
class _Texts:
    """What the rules of a configuration say about themselves."""

    configuration: Configuration
    rules: Mapping[tuple[str, str], Rule]
    titles: Mapping[str, str]


class _Alerts:
    """An `AlertReader`, every call of which is one read of the reader's."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            return self._reader.read(lambda db: getattr(SqlAlertStore(db), name)(*arguments, **more))

        return call


def access_event(event_id: str, now_ms: int, actor: str, subject: str, what: str) -> dict[str, Any]:
    """Return the event that `actor` read data.

    Examples
    --------
    >>> event = access_event("a-1", 0, "ada", "customer:C-1", "page")
    >>> event["occurred_at"], event["object"], event["customer_id"]
    ('1970-01-01T00:00:00.000Z', 'customer', 'C-1')
    """
    kind, _, name = subject.partition(":")
    return {
        "event_id": event_id,
        "event_type": "data.access",
        "source_system": "riskmon",
        "occurred_at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now_ms / 1000))
        + f".{now_ms % 1000:03d}Z",
        "employee_id": actor,
        "access_purpose": what,
        "object": kind,
        "record_count": 1,
        # The reason to look: work at the desk. Only roles that may read alerts get here.
        "ticket_id": subject,
        **_looked_at(kind, name),
    }


def _looked_at(kind: str, name: str) -> dict[str, Any]:
    if kind == "alert":
        return {"alert_id": name, "is_assigned": True}
    return {"customer_id": name} if kind == "customer" else {}
