"""What is done with assessments: journal, ledger, alerts and counts, one transaction a batch.

Shared by the embedded processor, which assesses events itself, and the desk of a cluster, to which
workers answer: given the same events and assessments in the same order they write the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from time import perf_counter
from typing import Any, TypeVar

from alerts.desk import ACTIONS
from alerts.facts import decision_fact
from alerts.lifecycle import ActionNotAllowedError, UnknownAlertError
from monitor.core.assessment import Assessment
from monitor.core.events import Event
from monitor.core.rule_life import STEPS, StepRefusedError
from streams.findings import tell_findings
from streams.journal import GENESIS, answer_of, journal_row
from streams.ports import DeadLetters, Desk, Journal, JournalRow, Ledger, Outcome, Progress, Record, Sensor
from streams.progress import put_progress, read_progress
from streams.rulebooks import Rulebooks, RuleSteps, Turn

Result = TypeVar("Result")


class Committer:
    """Writes what follows from events, in the order of the calls, inside `transact`.

    Parameters
    ----------
    store
        Journal and bookkeeping; owns the transaction.
    desk, ledger, dead_letters
        Write through the store's connection.
    sensor
        Measuring hooks.
    rulebooks
        The archive of configurations; None where people's steps with them are refused.
    """

    def __init__(
        self,
        store: Journal,
        desk: Desk,
        ledger: Ledger,
        dead_letters: DeadLetters,
        sensor: Sensor,
        rulebooks: Rulebooks | None = None,
    ) -> None:
        self.store = store
        self.sensor = sensor
        self.desk = desk
        self.ledger = ledger
        self._dead_letters = dead_letters
        self._rulebooks = rulebooks
        self._steps = RuleSteps(ledger, rulebooks) if rulebooks else None
        self._pending: list[JournalRow] = []
        self.progress = Progress()
        """How far it is; what is committed, between batches."""
        self._head_hash = GENESIS
        self._epochs = -1

    @property
    def ledger_head(self) -> str:
        """The hash of the last ledger entry, hex digits."""
        return self.ledger.head.hex()

    def reload(self) -> None:
        """Come back to what is committed, forgetting everything else.

        Raises
        ------
        StoreUnavailableError
            It cannot be read now; to be called again later.
        """
        try:
            self._reload()
        except Exception as error:
            raise self.store.unavailable(error) or error from error

    def _reload(self) -> None:
        self.store.rollback()
        self.store.reload()
        self.ledger.rollback()
        self.desk.rollback()
        self._pending = []
        self.progress, self._epochs = read_progress(self.store.meta), -1
        self._head_hash = bytes.fromhex(self.progress.head_hash) or GENESIS
        if self._steps:
            self._steps.reload(self.progress)

    def transact(self, work: Callable[[], Result]) -> Result:
        """Carry out `work` and commit it with everything it led to.

        Raises
        ------
        StoreUnavailableError
            Nothing was kept. After this, and after any other error, `reload` comes first.
        """
        try:
            self.store.begin()
            result = work()
            self._write()
            return result
        except BaseException as error:
            self.store.rollback()
            if isinstance(error, Exception) and (reason := self.store.unavailable(error)):
                self.sensor.on_store_unavailable()
                raise reason from error
            raise

    def act(self, event: Event) -> Outcome | None:
        """Carry out what a person did with an alert, or with the rules; it may become the event's facts.

        Returns the refusal where things do not allow it now; None for everything else.
        """
        if event.kind not in ACTIONS and event.kind not in STEPS:
            return None
        try:
            if event.kind in ACTIONS:
                alert = self.desk.act(event.kind, event.data, event.time_ms)
                event.facts = decision_fact(alert, is_case_open=self.desk.is_case_open(alert))
            elif self._steps:
                self._steps.act(event)
            else:
                raise StepRefusedError(f"{event.kind}: expected a service with an archive, was none")
        except (ActionNotAllowedError, UnknownAlertError, StepRefusedError) as error:
            self.progress.counters.refused += 1
            return Outcome("refused", event.id, time_ms=event.time_ms, message=str(error))
        return None

    def reject(self, record: Record, rejection: Any) -> Outcome:
        """Keep an unusable record as a dead letter."""
        self.progress.counters.rejected += 1
        self.sensor.on_reject(rejection)
        self._dead_letters.add(record.body, rejection, record.source, record.received_ms)
        return Outcome("rejected", rejection.event_id or "", rejection=rejection)

    def answer_again(self, event: Event, seq: int) -> Outcome:
        """Return the first answer to an event that came before, at journal position `seq`."""
        self.progress.counters.duplicates += 1
        self.sensor.on_duplicate()
        score, late, rules = answer_of(self.row(seq))
        return Outcome("duplicate", event.id, time_ms=event.time_ms, score=score, rules=rules, late=late)

    def accept(self, event: Event, assessments: Iterable[Assessment], received_ms: int) -> Outcome:
        """Journal an event and follow what its stages answered, in their order."""
        outcome = Outcome("accepted", event.id, time_ms=event.time_ms)
        hits = []
        for assessment in assessments:
            if assessment.subject == "customer":
                outcome.customer_id, outcome.score = assessment.subject_id, assessment.score
                outcome.features = assessment.features
            if assessment.late or assessment.too_late:
                outcome.late = True
                self.sensor.on_late(assessment.too_late)
            hits += assessment.hits
            self.follow(assessment)
        if hits:
            outcome.hits = tuple(hits)
            outcome.rules = tuple(dict.fromkeys(hit.rule for hit in hits if hit.status == "live"))
        self.progress.counters.events += 1
        self.progress.counters.late += outcome.late
        self.sensor.on_event(event.kind)
        tell_findings(event, self)
        answer = (outcome.score, outcome.late, outcome.rules)
        self.journal(event, answer, received_ms, outcome.customer_id, outcome.features)
        return outcome

    def pass_time(self, event: Event, assessments: Iterable[Assessment], received_ms: int) -> None:
        """Journal a tick and follow what fell due, in the order of (due time, kind, id)."""
        for assessment in assessments:
            self.follow(assessment)
        self.desk.tick(event.time_ms)
        self.journal(event, (0.0, False, ()), received_ms)

    def follow(self, assessment: Assessment) -> None:
        """Count an assessment, write it into the ledger and raise its alerts."""
        counters = self.progress.counters
        if assessment.failures:
            counters.failures += len(assessment.failures)
            for rule, _ in assessment.failures:
                self.sensor.on_failure(rule)
        if not (assessment.hits or assessment.rating or assessment.notices or assessment.too_late):
            return
        counters.hits += len(assessment.hits)
        counters.rating_changes += len(assessment.rating)
        for hit in assessment.hits:
            self.sensor.on_hit(hit)
        for change in assessment.rating:
            counters.regrade(change.previous_grade, change.grade)
            self.sensor.on_rating(change.grade, change.previous_grade)
        for alert in self.desk.consider(assessment):
            counters.alerts += 1
            self.sensor.on_alert(alert)

    def journal(
        self,
        event: Event,
        answer: tuple[float, bool, tuple[str, ...]],
        received_ms: int,
        customer_id: str = "",
        features: bytes = b"",
    ) -> None:
        """Add the row of an event to the chain."""
        seq = self.progress.head = self.progress.head + 1
        row = journal_row(self._head_hash, seq, event, answer, received_ms, customer_id or None, features)
        self._head_hash = row.hash
        self._pending.append(row)
        self.store.index.add(event.ref, seq)

    def row(self, seq: int) -> JournalRow:
        """Return a journal row, those of the running batch included."""
        committed = seq <= self.progress.head - len(self._pending)
        return self.store.row(seq) if committed else self._pending[seq - self.progress.head - 1]

    def rows(self, first: int) -> Iterator[JournalRow]:
        """Read the journal from a position on, the rows of the running batch included."""
        yield from self.store.rows(first)
        yield from (row for row in list(self._pending) if row.seq >= first)

    def would_turn(self, event: Event) -> bool:
        """Tell whether a person's step would put another configuration into force, changing nothing."""
        return self._steps is not None and self._steps.would_turn(event)

    @property
    def turn(self) -> Turn | None:
        """What the event just journaled puts into force; `adopt` is to follow before the next one."""
        return self._steps.turn if self._steps else None

    def adopt(self, digest: str, windows: Mapping[str, Any] | None = None) -> None:
        """Note that from the next event on another configuration is in force.

        Parameters
        ----------
        windows
            How those were filled that the former did not have.
        """
        self.progress.rulebooks.append((self.progress.head + 1, digest))
        if self._steps:
            self._steps.took_force(digest, self.progress.stream_time_ms, windows or {})

    def adopt_unfilled(self, digest: str) -> None:
        """Note it as `adopt`, where windows that the former configuration did not have begin empty."""
        progress, windows = self.progress, dict[str, Any]()
        if self._rulebooks and progress.rulebooks:
            refill = self._rulebooks.refill(progress.rulebooks[-1][1], digest)
            windows = refill.told(
                0, progress.stream_time_ms if progress.head else None, progress.stream_time_ms
            )
        self.adopt(digest, windows)

    def _write(self) -> None:
        started = perf_counter()
        if self._pending:
            self.store.append(self._pending)
            self._pending = []
        self.ledger.flush()
        self.desk.flush()
        self.progress.head_hash = self._head_hash.hex()
        self._epochs = put_progress(self.store, self.progress, self._epochs)
        self.store.commit()
        self.sensor.on_commit(perf_counter() - started)
