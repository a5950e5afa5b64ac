"""What the runtime needs of its neighbours, and the plain facts that pass between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from monitor.core.assessment import Assessment, Hit
from monitor.core.events import Event
from monitor.core.models.config import ModelsConfig


class StoreUnavailableError(Exception):
    """The store cannot take a batch now (full, read-only, unreadable); nothing of it was kept."""


class DataInUseError(RuntimeError):
    """Another service has this data directory, or this database, open."""


class BusyError(Exception):
    """More is waiting than the runner accepts; come back later."""


@dataclass(slots=True)
class Record:
    """What a source delivers: one event as bytes, not yet checked."""

    body: bytes
    source: str = ""
    """Where it came from, for the dead letters: `http`, a file name, ..."""
    received_ms: int = 0
    """Wall clock at arrival, 0 for a recording; kept in the journal, seen by no rule."""
    position: Any = None
    """Where the source goes on after this record; anything JSON can hold. Opaque to the runtime."""
    rejection: Any = None
    """Set where the source itself could not make an event of it (a mapping failed)."""


@dataclass(slots=True)
class Outcome:
    """What became of one record."""

    status: str
    """`accepted`, `duplicate` (the first answer again), `rejected` (a dead letter) or `refused` (an
    officer's action that the alert's state does not allow)."""
    event_id: str = ""
    customer_id: str = ""
    """Empty where the event has no customer stage."""
    time_ms: int = 0
    score: float = 0.0
    """0 to 1, higher is riskier."""
    rules: tuple[str, ...] = ()
    """Ids of the live rules that hit, in order of the stages, each once."""
    late: bool = False
    hits: tuple[Hit, ...] = ()
    """The hits in full; empty for a duplicate, whose `rules` are kept alone."""
    rejection: Any = None
    """The codec's `Rejection`, with every fault."""
    message: str = ""
    """Why it was refused."""
    features: bytes = b""
    """What models saw of a payment (`monitor.core.seen`)."""


class JournalRow(NamedTuple):
    """An accepted event at its place."""

    seq: int
    ref: int
    received_ms: int
    hash: bytes
    facts: bytes | None
    answer: bytes | None
    body: bytes
    customer_id: str | None = None
    """Whose customer stage the event had; for look-ups in PostgreSQL, not part of the hash. SQLite has no
    such column and reads None."""


class StateRow(NamedTuple):
    """The snapshot of a subject."""

    kind: str
    id: str
    seq: int
    due_ms: int
    packed: bytes


class State(Protocol):
    """What the engine remembers of a subject; `seq` and `leisure_ms` are set by the runtime."""

    seq: int
    due_ms: int
    leisure_ms: int
    """How much later than others the subject may be looked at, where that makes no difference."""

    @property
    def due_at_once_ms(self) -> int:
        """As `due_ms`, without the leisure."""

    def pack(self) -> bytes:
        """Return the snapshot, without `seq` and `due_ms`; equal states give equal bytes."""


class Engine(Protocol):
    """The pure core."""

    rulebook_hash: str
    attaching: frozenset[str]
    """Stages that attach facts which later stages need."""
    timed: tuple[str, ...]
    """Stages in which something may fall due though no event comes: ticks go to them."""

    def subjects(self, event: Event) -> Sequence[tuple[str, str]]:
        """Return (kind, id) of every stage in order, the customer last."""

    def new_state(self, kind: str) -> Any:
        """Return the state of a subject never seen before."""

    def restore(self, kind: str, packed: bytes) -> Any:
        """Return the state of a snapshot."""

    def assess(self, event: Event, kind: str, subject_id: str, state: Any) -> Assessment:
        """Change the state by the event and say what follows."""

    def tick(self, time_ms: int, kind: str, subject_id: str, state: Any) -> list[Assessment]:
        """Fire the timers of the subject due by then."""

    models: ModelsConfig | None
    """How populations are learnt; None: not at all."""

    def scoring_with(
        self, version: bytes | None, populations: Sequence[bytes] = (), scale: bytes | None = None
    ) -> Engine:
        """Return an engine alike that scores by these versions: classifier, populations, scale."""


class Codec(Protocol):
    """Records to events."""

    def decode(self, record: bytes, now_ms: int | None = None) -> Any:
        """Return an `Event`, or a `Rejection` naming every fault; `now_ms` tells what is in the future."""


class Ledger(Protocol):
    """Where decisions are written down; `monitor.audit.ledger.Ledger`."""

    @property
    def head(self) -> bytes:
        """Return the hash of the last entry."""

    def append(self, time_ms: int, kind: str, subject: str, payload: Mapping[str, Any]) -> None:
        """Add an entry."""

    def entries(self, *, kind: str | None = None) -> Iterator[Any]:
        """Give the committed entries of a kind, oldest first, each with `time_ms` and `data`."""

    def flush(self) -> None:
        """Write what was added, inside the transaction."""

    def rollback(self) -> None:
        """Forget what was not committed."""


class Desk(Protocol):
    """Where alerts are raised and acted on; `alerts.desk.Desk`."""

    def consider(self, assessment: Assessment) -> Sequence[Any]:
        """Put hits, rating changes and lateness into the ledger; return the alerts raised."""

    def act(self, event_kind: str, data: Any, time_ms: int | None = None) -> Any:
        """Carry out an officer's action; raises `ActionNotAllowedError` where it is not allowed."""

    def is_case_open(self, alert: Any) -> bool:
        """Return whether an alert of the same case is not closed."""

    def tick(self, time_ms: int) -> Any:
        """Do what is due by then."""

    def flush(self) -> None:
        """Write what changed, inside the transaction."""

    def rollback(self) -> None:
        """Forget what was not committed."""


class DeadLetters(Protocol):
    """Where unreadable records are kept; `streams.deadletter.DeadLetters`."""

    def add(self, record: bytes, rejection: Any, source: str, received_ms: int) -> Any:
        """Keep a record with the reasons, inside the transaction."""


class Journal(Protocol):
    """The durable side that journal, ledger and alerts are written to, in one transaction."""

    index: Any

    def begin(self) -> None:
        """Start the transaction of a batch."""

    def commit(self) -> None:
        """Make the batch durable."""

    def rollback(self) -> None:
        """Undo the batch."""

    def reload(self) -> None:
        """Read again what is held in memory."""

    def probe(self) -> None:
        """Raise where the store cannot take a batch."""

    def unavailable(self, error: Exception) -> StoreUnavailableError | None:
        """Return the reason to retry later, if the error is one."""

    def append(self, rows: Sequence[JournalRow]) -> None:
        """Write journal rows."""

    def rows(self, first: int) -> Iterator[JournalRow]:
        """Read the journal from a position on."""

    def row(self, seq: int) -> JournalRow:
        """Return one journal row."""

    def meta(self, key: str) -> bytes | None:
        """Return a value of the bookkeeping."""

    def put_meta(self, key: str, value: bytes) -> None:
        """Write a value of the bookkeeping."""

    def put_finding(self, rule: str, seq: int, *, is_fraud: bool) -> bool:
        """Keep what a payment that a rule hit turned out to be; return whether that is new."""

    def archive(self, kind: str, digest: str, body: bytes) -> None:
        """Keep a configuration, list or model by its hash; the same again is ignored."""

    def artifact(self, kind: str, digest: str) -> bytes | None:
        """Return what was archived, or None."""


class Snapshots(Protocol):
    """Where states come from that are not in memory."""

    def state(self, kind: str, subject_id: str) -> StateRow | None:
        """Return a snapshot."""

    def timers(self) -> Iterator[tuple[int, str, str]]:
        """Give (due_ms, kind, id) of every snapshot with a timer."""


class Store(Journal, Snapshots, Protocol):
    """The durable side of the embedded monitor; `streams.stores.sqlite.SqliteStore`."""

    def guard(self) -> None:
        """Seal the rows that nothing else proves."""

    def put_states(self, rows: Iterable[StateRow]) -> None:
        """Write snapshots."""

    def footprint(self) -> Mapping[str, tuple[int, int]]:
        """Return per kind of subject the number of snapshots and their bytes."""


class Sensor:
    """Measuring hooks of the runtime; these do nothing. Hooks must not raise."""

    def on_event(self, kind: str) -> None:
        """Note that an event was accepted."""

    def on_hit(self, hit: Hit) -> None:
        """Note that a rule hit."""

    def on_rating(self, grade: int, previous_grade: int | None = None) -> None:
        """Note that a customer's grade changed to this; from None where it is the first."""

    def on_late(self, too_late: bool) -> None:
        """Note that an event came after newer ones of its subject."""

    def on_duplicate(self) -> None:
        """Note that an event came again."""

    def on_reject(self, rejection: Any) -> None:
        """Note that a record became a dead letter."""

    def on_failure(self, rule: str) -> None:
        """Note that a rule failed on an event."""

    def on_alert(self, alert: Any) -> None:
        """Note that the desk raised an alert (`alerts.lifecycle.Alert`)."""

    def on_batch(self, events: int, seconds: float) -> None:
        """Note a committed batch and how long it took in all."""

    def on_outcomes(self, records: Sequence[Record], outcomes: Sequence[Outcome]) -> None:
        """Note what became of the records of a committed batch, one outcome each."""

    def on_latency(self, seconds: float, events: int = 1) -> None:
        """Note how long events waited from being accepted to being committed with their alerts."""

    def on_commit(self, seconds: float) -> None:
        """Note how long writing and committing a batch took."""

    def on_store_unavailable(self) -> None:
        """Note that a batch could not be committed and will be retried."""

    def on_finding(self, rule: str, is_fraud: bool) -> None:
        """Note what a payment that a rule hit turned out to be."""

    def on_drift(self, model: str, feature: str, measure: str) -> None:
        """Note that a feature (or `score`) moved away from a model's training, by `psi` or `mean`."""

    def on_lesson_failure(self, learner: str) -> None:
        """Note that a learner could not learn from an event."""

    def on_queue(self, waiting: int) -> None:
        """Note how many records wait for the engine."""

    def on_in_flight(self, count: int) -> None:
        """Note how many orders the desk sent to workers and did not commit yet."""

    def on_delivery(self, channel: str, messages: int) -> None:
        """Note that messages of the outbox were delivered; 0 says that there is such a channel."""

    def on_delivery_failure(self, channel: str) -> None:
        """Note that a delivery failed; it is tried again unless the receiver refused the message."""

    def on_items(self, stage: str, count: int, seconds: float) -> None:
        """Note that a worker carried out so many items of a stage, and how long that took."""

    def on_lag(self, topic: str, partition: int, messages: int) -> None:
        """Note how many messages of a partition a worker has not carried out yet."""

    def on_recovery(self, seconds: float) -> None:
        """Note that the states are there again after a start, fault or rebalance, and how long it took."""

    def on_rebalance(self) -> None:
        """Note that partitions are given to workers anew."""


@dataclass(slots=True)
class Counters:
    """What was counted since the database exists; committed with every batch."""

    events: int = 0
    """Accepted, without ticks."""
    rejected: int = 0
    duplicates: int = 0
    refused: int = 0
    late: int = 0
    """Events late for any of their subjects, too late ones included."""
    hits: int = 0
    rating_changes: int = 0
    alerts: int = 0
    failures: int = 0
    """Rules that failed on an event."""
    grades: dict[int, int] = field(default_factory=dict)
    """Customers by the grade they have now."""

    def regrade(self, previous: int | None, grade: int) -> None:
        """Count a customer under another grade; None where it had none.

        Examples
        --------
        >>> counters = Counters()
        >>> counters.regrade(None, 14); counters.regrade(None, 14); counters.regrade(14, 10)
        >>> counters.grades
        {14: 1, 10: 1}
        """
        if previous is not None:
            self.grades[previous] = self.grades.get(previous, 0) - 1
        self.grades[grade] = self.grades.get(grade, 0) + 1


@dataclass(slots=True)
class Progress:
    """How far the processor is; one row of the database, written with every batch."""

    head: int = 0
    """Last journal position."""
    head_hash: str = ""
    floor: int = 1
    """Recovery replays the journal from here."""
    stream_time_ms: int = 0
    """Largest event time of all."""
    rulebooks: list[tuple[int, str]] = field(default_factory=list)
    """(first journal position, rulebook hash) of each rulebook that was in force."""
    models: list[tuple[int, str]] = field(default_factory=list)
    """(first journal position, hash) of each version of the classifier that was in force."""
    populations: list[tuple[int, str]] = field(default_factory=list)
    """(first journal position, hash) of what versions of populations were in force together."""
    scales: list[tuple[int, str]] = field(default_factory=list)
    """(first journal position, hash) of each scale that was in force; empty: none."""
    counters: Counters = field(default_factory=Counters)
