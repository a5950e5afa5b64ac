"""One batch of events from records to committed effects; shared by every runner.

Everything a batch does is one transaction: journal, ledger, alerts, dead letters, a few snapshots
and the progress. States live in memory. After a crash, and after a commit that failed, the same
path leads back: load snapshots, replay the journal tail, discard its effects, which were
committed with the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, TypeVar

from monitor.core.assessment import Assessment
from monitor.core.events import Event
from monitor.core.rule_life import TURNS
from streams.adoption import Past, fill
from streams.commit import Committer
from streams.faults import Fault, Rejection
from streams.journal import due_ticks, facts_of, is_at_once, position, tick, tick_of
from streams.learners import Learning
from streams.ports import (
    Codec,
    DeadLetters,
    Desk,
    Engine,
    JournalRow,
    Ledger,
    Outcome,
    Progress,
    Record,
    Sensor,
    Store,
    StoreUnavailableError,
)
from streams.recall import earlier, note_passed
from streams.rulebooks import Rulebooks
from streams.scoring import Versions
from streams.states import StateCache

Result = TypeVar("Result")
Reader = Callable[[Record], Any]
Notes = Callable[[Sequence[Record], Sequence[Outcome]], Mapping[str, bytes]]
"""Called before a batch is committed; what it returns is committed with it, by key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is kept in memory and how much a recovery may have to repeat."""

    cache_subjects: int = 200_000
    """States in memory."""
    tail_events: int = 50_000
    """Recovery replays about this many events at most."""
    snapshots_per_batch: int = 8
    """Snapshots written with every batch at least, so that a quiet service has none unwritten for long."""


class Processor:
    """Carries events through engine, desk and ledger, a batch and a transaction at a time.

    An event is journaled once: a record that comes again gets the first answer and changes
    nothing. A record the engine cannot survive becomes a dead letter; its neighbours go on.

    Parameters
    ----------
    engine, codec, store, desk, ledger, dead_letters
        The parts; desk, ledger and dead letters write through the store's connection.
    sensor
        Measuring hooks.
    limits
        Bounds of memory and recovery.
    tick_every_ms
        Ticks by event time: whenever the stream passes a multiple of this; 0 for none.
    rulebooks
        The archive of configurations: by it people change the one in force while this runs, and a
        service that was killed and then started with other rules recovers under those of then.
    states
        What keeps the states in memory.
    learning
        What learns; by default in this process.
    """

    def __init__(
        self,
        engine: Engine,
        codec: Codec,
        store: Store,
        desk: Desk,
        ledger: Ledger,
        dead_letters: DeadLetters,
        sensor: Sensor | None = None,
        *,
        limits: Limits | None = None,
        tick_every_ms: int = 0,
        rulebooks: Rulebooks | None = None,
        states: type[StateCache] = StateCache,
        learning: Learning | None = None,
    ) -> None:
        self.store = store
        self.sensor = sensor or Sensor()
        self._engine = engine
        self._codec = codec
        self._rulebooks = rulebooks
        self._committer = Committer(store, desk, ledger, dead_letters, self.sensor, rulebooks)
        self._limits = limits or Limits()
        self._tick_every_ms = tick_every_ms
        self._is_stale, self._cache = False, states
        store.guard()
        self._versions = Versions(self._committer, self._decoded, learning)
        self._scoring = ""
        self._open()

    @property
    def progress(self) -> Progress:
        """How far the processor is; what is committed, between batches."""
        return self._committer.progress

    @property
    def ledger_head(self) -> str:
        """The hash of the last ledger entry, hex digits."""
        return self._committer.ledger_head

    def process(self, batch: Sequence[Record], notes: Notes | None = None) -> list[Outcome]:
        """Carry out a batch and commit it; one outcome a record, in order.

        Parameters
        ----------
        notes
            See `Notes`. Where a record makes the engine fail, the batch is repeated record by
            record and this is called for each.

        Raises
        ------
        StoreUnavailableError
            Nothing of the batch was kept; the same call may be repeated later.
        """
        self._heal()
        try:
            return self._commit(batch, self._read, notes)
        except StoreUnavailableError:
            raise
        except Exception as error:
            self._heal()
            # With nothing unwritten, healing again after the next such record costs next to nothing.
            self._transact(self._write_every_state)
            if len(batch) > 1:
                return [outcome for record in batch for outcome in self.process([record], notes)]
            rejection = self._failed(batch[0], error)
            self._pass_with(batch[0])
            return self._commit(batch, lambda _: rejection, notes)

    def tick(self, time_ms: int, received_ms: int = 0, *, at_once: bool = False) -> None:
        """Let time pass: fire every timer due by then, and commit. The same moment again does nothing.

        Parameters
        ----------
        at_once
            Everybody's schedules are asked, not one after another's.

        Raises
        ------
        StoreUnavailableError
            Nothing was kept; the same call may be repeated later.
        """
        self._heal()
        self._commit([Record(b"", received_ms=received_ms)], lambda _: tick(time_ms, at_once=at_once), None)

    def close(self) -> None:
        """Write every unwritten snapshot, so that the next start has nothing to replay."""
        self._heal()
        self._transact(self._write_every_state)

    def recover(self) -> None:
        """Come back to what is committed: reload everything and replay the journal tail."""
        started = perf_counter()
        self._committer.reload()
        self._go_back()
        self._versions.recover()
        self._states = self._cache(self._engine, self.store, self._limits.cache_subjects)
        for row in self.store.rows(min(self.progress.floor, self._versions.seq + 1)):
            self._repeat(row)
        self._score_with(self.progress.head + 1)
        self._is_stale = False
        self.sensor.on_recovery(perf_counter() - started)

    def adopt(self, engine: Engine, codec: Codec | None = None) -> None:
        """Go on with another engine (and codec) from the next event on; windows and ratings are kept.

        Every state is written and restored by the new engine, and the journal position is noted
        with its rulebook, so that each part is recomputed under the rules of its day.
        """
        self._heal()
        self._transact(lambda: self._adopt(engine, codec or self._codec))

    @property
    def needs_approval(self) -> bool:
        """Whether what is in force lets another configuration follow only after a person's approval."""
        rulebooks = self.progress.rulebooks
        return bool(self._rulebooks and rulebooks and self._rulebooks.needs_approval(rulebooks[-1][1]))

    def _open(self) -> None:
        current = self._engine, self._codec
        self.recover()
        rulebooks = self.progress.rulebooks
        if not rulebooks or rulebooks[-1][1] != current[0].rulebook_hash:
            self.adopt(*current)

    def _go_back(self) -> None:
        """Go on by the configuration that is committed as in force, where it is another one."""
        rulebooks = self.progress.rulebooks
        if self._rulebooks and rulebooks and rulebooks[-1][1] != self._engine.rulebook_hash:
            self._engine, self._codec = self._rulebooks.parts(rulebooks[-1][1])
            self._scoring = ""
            self._rulebooks.take_force(rulebooks[-1][1])

    def _adopt(self, engine: Engine, codec: Codec) -> None:
        """Go on by another engine and codec, after everything that fell due by the former."""
        if time_ms := self.progress.stream_time_ms:
            self._pass_time(tick(time_ms, at_once=True), 0)
        self._change(engine, codec, 0)

    def _change(self, engine: Engine, codec: Codec, rows: int) -> None:
        """Go on by another engine and codec from the next event on, inside the transaction."""
        former, progress = self._engine.rulebook_hash, self.progress
        self._versions.adopt(engine.models)
        self._write_every_state()
        self._engine, self._codec, self._scoring = engine, codec, ""
        self._states = self._cache(engine, self.store, self._limits.cache_subjects)
        windows: Mapping[str, Any] = {}
        if self._rulebooks and progress.rulebooks:
            windows = fill(
                self._rulebooks.refill(former, engine.rulebook_hash),
                Past(self._committer.rows, self._find, engine, codec),
                self._states,
                progress.head,
                rows,
                self._write_every_state,
                progress.stream_time_ms,
            )
            self._write_every_state()
        self._committer.adopt(engine.rulebook_hash, windows)
        self._score_with(progress.head + 1)

    def _heal(self) -> None:
        if self._is_stale:
            try:
                self.store.probe()
                self.recover()
            except Exception as error:
                self.store.rollback()
                raise self.store.unavailable(error) or error from error

    def _commit(self, batch: Sequence[Record], read: Reader, notes: Notes | None) -> list[Outcome]:
        started = perf_counter()
        outcomes = self._transact(lambda: self._carry_out(batch, read, notes))
        self.sensor.on_batch(len(batch), perf_counter() - started)
        self.sensor.on_outcomes(batch, outcomes)
        return outcomes

    def _transact(self, work: Callable[[], Result]) -> Result:
        try:
            return self._committer.transact(work)
        except BaseException:
            # States in memory went ahead of the store: recovery brings them back before the next batch.
            self._is_stale = True
            raise

    def _carry_out(self, batch: Sequence[Record], read: Reader, notes: Notes | None) -> list[Outcome]:
        outcomes: list[Outcome] = []
        while len(outcomes) < len(batch):
            outcomes += self._take_run(batch[len(outcomes) :], read)
        for key, value in (notes(batch, outcomes) if notes else {}).items():
            self.store.put_meta(key, value)
        limits = self._limits
        self._write_states(self.progress.head - limits.tail_events, limits.snapshots_per_batch)
        return outcomes

    def _take_run(self, batch: Sequence[Record], read: Reader) -> list[Outcome]:
        """Take records up to the first that puts another configuration into force, that one included."""
        events = [read(record) for record in batch]
        known = self.store.index.find([event.ref for event in events if type(event) is Event])
        outcomes: list[Outcome] = []
        for record, event in zip(batch, events, strict=True):
            outcomes.append(self._take(record, event, known))
            if (turn := self._committer.turn) is not None and self._rulebooks:
                self._change(*self._rulebooks.parts(turn.hash), turn.rows)
                break
        return outcomes

    def _read(self, record: Record) -> Any:
        return record.rejection or self._codec.decode(record.body, record.received_ms or None)

    def _take(self, record: Record, event: Any, known: Mapping[int, int]) -> Outcome:
        if type(event) is not Event:
            return self._committer.reject(record, event)
        seq = known.get(event.ref) or self.store.index.get_unsealed(event.ref)
        if seq is not None:
            return self._committer.answer_again(event, seq)
        is_turn = event.kind in TURNS and self._committer.would_turn(event)
        for passed in due_ticks(
            self.progress.stream_time_ms, event.time_ms, self._tick_every_ms, is_turn=is_turn
        ):
            # Also where the event is then refused: when time passes must not depend on alerts.
            self._pass_time(passed, record.received_ms)
        return self._committer.act(event) or self._accept(event, record.received_ms)

    def _decoded(self, body: bytes) -> Any:
        return self._codec.decode(body)

    def _find(self, ref: int, before: int | None = None) -> Event | None:
        seq = position(self.store, ref)
        if seq is None or (before is not None and seq >= before):
            return None
        found = self._codec.decode(self._committer.row(seq).body)
        return found if type(found) is Event else None

    def _accept(self, event: Event, received_ms: int) -> Outcome:
        progress = self.progress
        progress.stream_time_ms = max(progress.stream_time_ms, event.time_ms)
        if event.kind == "tick":
            self._pass_time(event, received_ms)
            return Outcome("accepted", event.id, time_ms=event.time_ms)
        if (target := earlier(event)) is not None and (old := self._find(target)) is not None:
            note_passed(self._engine, event, old)
        outcome = self._committer.accept(event, self._assess(event, progress.head + 1), received_ms)
        self._versions.follow(event, progress.head, outcome.features)
        return outcome

    def _score_with(self, seq: int) -> None:
        """Have the event at a journal position scored by the versions in force there."""
        name = self._versions.at(seq)
        if name != self._scoring:
            self._scoring = name
            self._engine = self._engine.scoring_with(*self._versions.parts(name))

    def _assess(self, event: Event, seq: int) -> Iterator[Assessment]:
        states = self._states
        for key in self._engine.subjects(event):
            state = states.get(key)
            assessment = self._engine.assess(event, key[0], key[1], state)
            states.changed(key, state, seq)
            yield assessment

    def _pass_time(self, event: Event, received_ms: int) -> None:
        self.progress.stream_time_ms = max(self.progress.stream_time_ms, event.time_ms)
        if not self.store.index.find([event.ref]):
            fired = self._fire(event, self.progress.head + 1)
            self._committer.pass_time(event, fired, received_ms)
            self._versions.follow(event, self.progress.head, b"")
            self._score_with(self.progress.head + 1)

    def _fire(self, event: Event, seq: int) -> Iterator[Assessment]:
        for key, state in self._states.due(event.time_ms, seq, at_once=is_at_once(event)):
            assessments = self._engine.tick(event.time_ms, *key, state)
            self._states.changed(key, state, seq)
            yield from assessments

    def _write_states(self, oldest: int, few: int) -> None:
        self.store.put_states(self._states.snapshots(oldest, few))
        self.progress.floor = self._states.floor(self.progress.head)

    def _write_every_state(self) -> None:
        self._write_states(self.progress.head + 1, 0)

    def _repeat(self, row: JournalRow) -> None:
        event = tick_of(row.body) or self._codec.decode(row.body)
        if type(event) is not Event:
            raise RuntimeError(f"journal row {row.seq}: expected an event, was {event}")
        self._versions.follow_row(event, row)
        if row.seq < self.progress.floor:
            return
        self._score_with(row.seq)
        if event.kind == "tick":
            list(self._fire(event, row.seq))
            return
        event.facts = facts_of(row)
        for key in self._engine.subjects(event):
            state = self._states.get(key)
            if state.seq < row.seq:
                self._engine.assess(event, key[0], key[1], state)
                self._states.changed(key, state, row.seq)

    def _pass_with(self, record: Record) -> None:
        """Let time pass as it does with an event, though the engine fails on this one."""
        event = self._read(record)
        if type(event) is Event:
            for passed in due_ticks(self.progress.stream_time_ms, event.time_ms, self._tick_every_ms):
                self.tick(passed.time_ms, record.received_ms)

    def _failed(self, record: Record, error: Exception) -> Rejection:
        event = self._read(record)
        fault = Fault(
            "$", f"the engine failed: {type(error).__name__}: {error}", "redrive it after the repair"
        )
        return Rejection(record.body, "engine_failed", (fault,), event.id if type(event) is Event else None)
