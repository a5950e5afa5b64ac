"""What the alert room needs of others: a place for alerts, and a queue to officers and systems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from alerts.lifecycle import Alert, Status


@dataclass(slots=True)
class Standing:
    """What the desk remembers of an alert between events; the rest stays in the store."""

    alert_id: str
    case_id: str
    rule: str
    subject: str
    subject_id: str
    status: Status
    severity: str
    opened_ms: int
    cooldown_ms: int
    snoozed_until_ms: int | None
    hits: int
    last_hit_ms: int

    @property
    def fingerprint(self) -> tuple[str, str, str]:
        """Rule, kind of subject, subject."""
        return self.rule, self.subject, self.subject_id


def standing_of(alert: Alert) -> Standing:
    """Return what the desk remembers of an alert."""
    return Standing(
        alert.id,
        alert.case_id,
        alert.rule,
        alert.subject,
        alert.subject_id,
        alert.status,
        alert.severity,
        alert.opened_ms,
        alert.cooldown_ms,
        alert.snoozed_until_ms,
        alert.hits,
        alert.last_hit_ms,
    )


@dataclass(frozen=True, slots=True)
class Counted:
    """A hit that an alert counted, the first one included."""

    alert_id: str
    time_ms: int
    """Event time of the hit, epoch milliseconds."""
    event_id: str
    ref: int
    say: str


@dataclass(frozen=True, slots=True)
class Step:
    """Something done to an alert: its history, notes included."""

    alert_id: str
    time_ms: int
    """When, epoch milliseconds (event time)."""
    action: str
    """An `alerts.lifecycle.Action`; two of `close` where closing takes two persons."""
    actor: str
    """The officer; `timer` where a snooze ran out."""
    reason: str
    disposition: str | None
    until_ms: int | None


TOPICS: Final = ("alerts", "ratings")
"""What messages are about; whoever is told may ask for one of them or for both."""
RATING_KEY: Final = "rating-"
"""Keys of messages about ratings begin so; those about alerts are hexadecimal."""


@dataclass(frozen=True, slots=True)
class Message:
    """Something to tell others about an alert or a rating, waiting in the outbox."""

    key: str
    """The alert it is about, or the rating change; the same thing has the same key in every run."""
    confidential: bool
    """Its content is only for those who may see alerts of class `aml_confidential`."""
    body: bytes
    """Canonical JSON."""

    @property
    def topic(self) -> str:
        """What it is about: one of `TOPICS`.

        Examples
        --------
        >>> Message("rating-1f3c", False, b"{}").topic, Message("1f3c", False, b"{}").topic
        ('ratings', 'alerts')
        """
        return "ratings" if self.key.startswith(RATING_KEY) else "alerts"


class Order(StrEnum):
    """In which order alerts are listed."""

    PRIORITY = "priority"
    """Most urgent first, then the one that is due first."""
    NEWEST = "newest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which alerts to list; a field left empty does not restrict."""

    statuses: tuple[Status, ...] = ()
    severities: tuple[str, ...] = ()
    subject: str | None = None
    """Kind of subject."""
    subject_id: str | None = None
    assignee: str | None = None
    rule: str | None = None
    case_id: str | None = None
    text: str | None = None
    """Words that title, sentence, rule, subject or id contain (letter case is ignored for ASCII)."""


class AlertReader(Protocol):
    """The reading half of an alert store: what pages, API and command line use."""

    def get(self, alert_id: str) -> Alert | None:
        """Return an alert by its whole id, or None."""

    def matching(self, prefix: str, limit: int = 10) -> list[str]:
        """Return ids that begin with `prefix`, sorted."""

    def select(
        self,
        wanted: Filter = ...,
        order: Order = Order.PRIORITY,
        limit: int = 50,
        offset: int = 0,
    ) -> list[Alert]:
        """Return one page of alerts."""

    def count(self, wanted: Filter = ...) -> int:
        """Return how many alerts match."""

    def open_by_severity(self) -> dict[str, int]:
        """Return the number of alerts not closed, every severity named, gravest first."""

    def history(self, alert_id: str) -> list[Step]:
        """Return what officers did, oldest first."""

    def counted(self, alert_id: str, limit: int = 50) -> list[Counted]:
        """Return the hits of an alert, newest first."""

    def of_customer(self, customer_id: str, limit: int = 50) -> list[Alert]:
        """Return alerts that concern a customer, newest first."""


class AlertStore(AlertReader, Protocol):
    """Keeps alerts. Writes happen inside the caller's transaction; it commits."""

    def standing(self) -> Iterable[Standing]:
        """Yield every alert that is not closed."""

    def latest(self, rule: str, subject: str, subject_id: str) -> Standing | None:
        """Return the alert of a fingerprint that was opened last, or None."""

    def put(self, alerts: Iterable[Alert]) -> None:
        """Insert or replace alerts."""

    def bump(self, standings: Iterable[Standing]) -> None:
        """Write the number of hits and the last one of alerts that exist."""

    def add_counted(self, hits: Iterable[Counted]) -> None:
        """Add hits that alerts counted."""

    def add_steps(self, steps: Iterable[Step]) -> None:
        """Add to the histories."""

    def grades(self, customers: Sequence[str]) -> dict[str, int]:
        """Return the grades of those of the customers that have 12 or worse (10, 11, 12)."""

    def put_grades(self, grades: Mapping[str, int | None]) -> None:
        """Set grades; None takes one out."""

    def post(self, messages: Iterable[Message]) -> None:
        """Add messages to the outbox, in order."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that a consumer got from the queue."""

    sequence: int
    message: bytes
    deliveries: int
    """1 for the first time; more after it was claimed from a consumer that did not finish."""


class QueueDownError(Exception):
    """The queue cannot be reached or written now; nothing is lost, try again later."""


class AlertQueue(Protocol):
    """A queue of alert messages with consumer groups: each group gets each message once.

    A message belongs to the consumer that read it until it is acknowledged; one that was not
    finished can be claimed by another. At least once, therefore; consumers know alert ids.
    A group begins with the oldest message kept, whenever it is first named. Every method may raise
    `QueueDownError`.
    """

    def publish(self, sequence: int, message: bytes) -> bool:
        """Add a message; return False, changing nothing, where `sequence` was already published.

        Sequences are positive and ascend: one at or below the last published is a repeat.
        """

    def last(self) -> int:
        """Return the highest sequence published, 0 where there is none."""

    def read(self, group: str, consumer: str, count: int = 10) -> list[Delivery]:
        """Return up to `count` messages that nobody of the group has read yet, oldest first."""

    def ack(self, group: str, sequence: int) -> bool:
        """Mark a message as done by the group; return False where it was not pending."""

    def pending(self, group: str) -> dict[int, str]:
        """Return the messages read and not acknowledged: sequence to consumer, ascending."""

    def claim(self, group: str, consumer: str, idle_ms: int, count: int = 10) -> list[Delivery]:
        """Take over messages pending for at least `idle_ms` (wall clock) and return them."""

    def close(self) -> None:
        """Let go of connections; closing twice is harmless."""
