"""What the pages and the API need of the monitor. Declared here, by the one who needs it.

Reads (`alerts`, `event`, `rating`, ...) are called from worker threads, several at once. `ingest`
and `act` are awaited in the event loop and return after the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, Protocol, TypedDict

from alerts.inbox.classifier_card import ClassifierFacts
from alerts.inbox.model_card import CardFacts
from alerts.inbox.rule_service import RuleService
from alerts.ports import AlertReader


class UnavailableError(Exception):
    """The monitor cannot take anything now (store full or read-only, queue full); nothing was kept."""


class Fault(TypedDict):
    """One thing that is wrong with a record."""

    path: str
    """Field, dotted: `counterparty.account`; empty for the record as a whole."""
    problem: str
    """What is wrong: expected X, was Y."""
    hint: str
    """What to write instead; may be empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one record, or of an officer's action."""

    status: str
    """`accepted`, `duplicate` (the first answer again), `rejected` (a dead letter) or `refused` (the
    alert's state does not allow the action)."""
    event_id: str = ""
    hits: tuple[str, ...] = ()
    """Ids of the live rules that hit."""
    score: float = 0.0
    """0 to 1, higher is riskier."""
    faults: tuple[Fault, ...] = ()
    """Every fault of a rejected record."""
    message: str = ""
    """Why it was refused."""

    @property
    def is_kept(self) -> bool:
        """True where the event is durably in the monitor, now or already before."""
        return self.status in {"accepted", "duplicate"}


class Part(TypedDict):
    """One summand of a rating."""

    name: str
    kind: str
    points: float
    title: NotRequired[str]
    """What a rule is called, for people; left out where the name says it."""


class RatingPoint(TypedDict):
    """A change of a rating in the past."""

    time_ms: int
    score: float
    grade: int


class RatingDetail(TypedDict):
    """What a rating rests on beside its parts, and what would change it: for those who may see it."""

    officer: Sequence[str]
    """The explanation for officers, line by line."""
    auditor: Sequence[str]
    """That for auditors: every figure and version."""


class ProposalRow(TypedDict):
    """A decision that waits for a second person."""

    kind: str
    value: int | str | None
    actor: str
    reason: str
    time_ms: int
    until_ms: int | None


class Rating(TypedDict):
    """A customer's rating at a moment."""

    customer_id: str
    time_ms: int
    """The moment it holds for, epoch milliseconds."""
    score: float
    """0 to 100."""
    grade: int
    """10 high to 14 low."""
    previous_grade: int | None
    parts: Sequence[Part]
    """They add up to `score` exactly."""
    history: Sequence[RatingPoint]
    """Earlier changes, oldest first."""
    review_ms: NotRequired[int | None]
    """When the next review is due; None where there is none."""
    customer: NotRequired[Sequence[str]]
    """What the customer may be told, sentence by sentence."""
    detail: NotRequired[RatingDetail]
    proposals: NotRequired[Sequence[ProposalRow]]


class HitRow(TypedDict):
    """A rule's hit, as the ledger keeps it."""

    time_ms: int
    rule: str
    version: str
    title: str
    say: str
    severity: str
    points: float
    status: str
    """`live` or `shadow`."""


class RuleText(TypedDict):
    """What a rule says about itself."""

    title: str
    why: str
    source: str
    params: Mapping[str, Any]
    """Names and default values of the parameters; empty where unknown."""


class DeadLetter(TypedDict):
    """A record that could not become an event."""

    id: str
    received_ms: int
    source: str
    reason: str
    faults: Sequence[Fault]


class Health(TypedDict):
    """The truth about the service."""

    alive: bool
    """The process and its engine thread run."""
    ready: bool
    """Recovery is finished and the store takes writes."""
    reasons: Sequence[str]
    """Why it is not alive or not ready; empty when all is well."""


class Service(Protocol):
    """The monitor, as the inbox sees it."""

    @property
    def alerts(self) -> AlertReader:
        """Alerts to read. Changing them goes through `act`."""

    @property
    def rules(self) -> RuleService:
        """What is in force and proposed; changing it goes through `act`."""

    def now_ms(self) -> int:
        """Return the time that ages and deadlines of alerts are measured by, epoch milliseconds."""

    async def ingest(self, records: Sequence[bytes], source: str) -> list[Outcome]:
        """Take records; return one outcome each, in order, after they are durable.

        Raises
        ------
        UnavailableError
            Nothing can be taken now; the producer repeats all of it later.
        """

    async def act(self, event: Mapping[str, Any]) -> Outcome:
        """Carry out an officer's action: an `alert.*` event as JSON values.

        The same `event_id` again gets the first answer again.

        Raises
        ------
        UnavailableError
            Nothing can be taken now.
        """

    def event(self, ref: int) -> Mapping[str, Any] | None:
        """Return an event of the journal by its reference, as JSON values; None where not kept."""

    def rule(self, rule_id: str, version: str) -> RuleText | None:
        """Return what a rule says about itself; None where this version is unknown."""

    def rating(self, customer_id: str, at_ms: int | None = None) -> Rating | None:
        """Return a rating now or as of `at_ms`; None where the customer was not rated by then."""

    def decided(self, customer_id: str, event_id: str) -> Mapping[str, Any] | None:
        """Return what became of a decision about a rating: `action`, and `problem` where it was refused."""

    def customer_hits(self, customer_id: str, limit: int = 50) -> list[HitRow]:
        """Return hits that concern a customer, newest first."""

    def dead_letters(self, limit: int = 50) -> list[DeadLetter]:
        """Return dead letters, newest first."""

    def dead_letter_counts(self) -> Mapping[str, int]:
        """Return the number of dead letters by reason."""

    def status(self) -> Mapping[str, int | float | str | None]:
        """Return figures for operators, in the order to show.

        Keys are words; one that ends in `_ms` is a time: `events`, `events_per_second`,
        `last_commit_ms`, `queue_waiting`.
        """

    def models(self) -> Sequence[CardFacts]:
        """Return every published version of a model, newest first."""

    def model(self, digest: str) -> CardFacts | None:
        """Return a published version by its hash, with what came of its scores; None where there is none."""

    def classifiers(self) -> Sequence[ClassifierFacts]:
        """Return every published version of the classifier, newest first."""

    def health(self) -> Health:
        """Return whether the service lives and is ready. Must answer at once, also during recovery."""

    def metrics(self) -> bytes:
        """Return the metrics in Prometheus text format."""

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake`, from any thread, after each commit that changed an alert; return how to end it."""

    def record_access(self, actor: str, subject: str, what: str) -> None:
        """Put into the ledger that `actor` read data: `subject` as `customer:C-1` or `alert:1f..`."""
