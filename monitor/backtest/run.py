"""One run of a back-test: the journal replayed by a configuration, with its desk and its ratings.

Event by event it does what the processor did: the same engine, the same desk with grouping,
cooldown, snooze and four eyes, in the order of the journal, ticks included. Every event is scored by the
versions of models that scored it then, so that rules alone make a difference. Everything goes into a
scratch database; the journal is only read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from alerts.desk import ACTIONS, Desk
from alerts.ports import Message
from alerts.stores.sql import SqlAlertStore
from monitor.app import SCHEMAS, desk_settings
from monitor.audit.ledger import Ledger
from monitor.backtest.actions import Actions
from monitor.backtest.distil import distil
from monitor.backtest.job import Job, Period
from monitor.backtest.past import Past
from monitor.configuration import Configuration, build_codec, build_engine
from monitor.core.assessment import Assessment
from monitor.core.decisions import DECISIONS
from monitor.core.engine import Engine
from monitor.core.events import Event
from monitor.core.known import setters
from monitor.core.rating_config import DAY_MS
from rules.vocabulary import load_vocabulary
from streams.journal import facts_of, is_at_once, tick_of
from streams.memory import prepare_memory
from streams.ports import JournalRow
from streams.recall import earlier, note_passed
from streams.states import StateCache
from streams.stores.sqlite import SqliteStore, open_database

BATCH = 2_000
"""Journal rows a transaction of the scratch database."""
DEFAULT_MS = 30 * DAY_MS
"""How long the period is where its beginning is not said."""

Progress = Callable[[int, int], None]
"""Called with journal rows done and in all."""


@dataclass(slots=True)
class Told:
    """What a run tells of itself; the rest is in its scratch database."""

    events: int = 0
    """Events of the period that were assessed."""
    before: int = 0
    """Events before it, replayed to fill windows and ratings."""
    passed_over: int = 0
    """Events before the warm-up that were not replayed."""
    actions: int = 0
    """Officers' actions of the period that were carried out."""
    void: int = 0
    """Officers' actions of the period whose alert this run has not, or has in another status."""
    failures: dict[str, int] = field(default_factory=dict)
    """Rule to how often it failed."""
    kinds: dict[str, int] = field(default_factory=dict)
    """Kind to how many of the events of the period it had."""


def run(job: Job, progress: Progress = lambda done, total: None) -> Told:
    """Replay a journal by a configuration into the scratch database; return what it tells.

    The same job gives the same content, whenever and wherever it runs.
    """
    prepare_memory()
    with (
        closing(job.origin.connect()) as db,
        closing(open_database(job.scratch, sync="normal")) as scratch,
    ):
        scratch.execute("PRAGMA synchronous = OFF")
        for schema in SCHEMAS:
            scratch.executescript(schema)
        store = SqliteStore(scratch)
        replay = _Replay(job, Past(db), store)
        rows = replay.past.rows(job.period.last_seq)
        done = 0
        while batch := list(islice(rows, BATCH)):
            store.begin()
            is_over = replay.take(batch)
            store.commit()
            done += len(batch)
            progress(done, job.period.last_seq)
            if is_over:
                break
        distil(scratch, job.period)
        progress(job.period.last_seq, job.period.last_seq)
        return replay.told


class _Quiet(SqlAlertStore):
    """Alerts of which nobody is told."""

    def post(self, messages: Iterable[Message]) -> None:
        """Send nothing."""


class _Replay:
    """Does with each journal row what the processor did, under another configuration."""

    def __init__(self, job: Job, past: Past, store: SqliteStore) -> None:
        configuration = Configuration.of_archive(job.archive)
        vocabulary = load_vocabulary()
        self.past = past
        self.told = Told()
        self._period, self._store = job.period, store
        self._codec = build_codec(configuration)
        self._engine: Engine = build_engine(configuration)
        self._states = StateCache(self._engine, store, job.cache_subjects)
        self._ledger = Ledger(store.db)
        alerts = _Quiet(store.db)
        self._desk = Desk(alerts, self._ledger, desk_settings(configuration))
        self._actions = Actions(self._desk, alerts, job.aliases)
        self._scoring = ""
        self._stream_time_ms = 0
        self._lasting = {*setters(vocabulary.profile), *setters(vocabulary.account), *DECISIONS}
        self._failures: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()

    def take(self, rows: Iterable[JournalRow]) -> bool:
        """Carry out rows; return whether nothing after them can matter any more."""
        is_over = False
        for row in rows:
            self._take(row)
            is_over = self._stream_time_ms > self._period.to_ms + self._engine.grace_ms
            if is_over:
                break
        self._ledger.flush()
        self._desk.flush()
        self._store.put_states(self._states.snapshots(0, 0))
        self.told.failures = dict(sorted(self._failures.items()))
        self.told.kinds = dict(sorted(self._kinds.items()))
        return is_over

    def _take(self, row: JournalRow) -> None:
        event = tick_of(row.body) or self._codec.decode(row.body)
        if type(event) is not Event:
            raise ValueError(f"journal row {row.seq}: expected an event, was {event}")
        self._stream_time_ms = max(self._stream_time_ms, event.time_ms)
        if event.time_ms >= self._period.to_ms:
            return
        if not self._is_needed(event):
            self.told.passed_over += 1
            return
        self._score_with(row.seq)
        if event.kind == "tick":
            self._pass_time(event, row.seq)
        elif event.kind not in ACTIONS or self._act(event, row):
            self._assess(event, row.seq)

    def _is_needed(self, event: Event) -> bool:
        period = self._period
        if period.warm_up_ms is None or event.time_ms >= period.from_ms - period.warm_up_ms:
            return True
        return event.kind in self._lasting

    def _assess(self, event: Event, seq: int) -> None:
        if event.time_ms >= self._period.from_ms:
            self.told.events += 1
            self._kinds[event.kind] += 1
        else:
            self.told.before += 1
        if (target := earlier(event)) is not None and (body := self.past.body(target, seq)) is not None:
            old = self._codec.decode(body)
            if type(old) is Event:
                note_passed(self._engine, event, old)
        for key in self._engine.subjects(event):
            state = self._states.get(key)
            assessment = self._engine.assess(event, key[0], key[1], state)
            self._states.changed(key, state, seq)
            self._follow(assessment)

    def _act(self, event: Event, row: JournalRow) -> bool:
        """Have the desk carry out an officer's action; tell whether it had an alert for it."""
        facts = self._actions.carry_out(event, facts_of(row))
        if event.time_ms >= self._period.from_ms:
            self.told.actions += facts is not None
            self.told.void += facts is None
        event.facts = facts or {}
        return facts is not None

    def _pass_time(self, event: Event, seq: int) -> None:
        for assessment in self._fire(event, seq):
            self._follow(assessment)
        self._desk.tick(event.time_ms)

    def _fire(self, event: Event, seq: int) -> Iterator[Assessment]:
        for key, state in self._states.due(event.time_ms, seq, at_once=is_at_once(event)):
            assessments = self._engine.tick(event.time_ms, *key, state)
            self._states.changed(key, state, seq)
            yield from assessments

    def _follow(self, assessment: Assessment) -> None:
        self._failures.update(rule for rule, _ in assessment.failures)
        self._desk.consider(assessment)

    def _score_with(self, seq: int) -> None:
        name = self.past.scoring(seq)
        if name != self._scoring:
            self._scoring = name
            parts: Any = self.past.parts(name)
            self._engine = self._engine.scoring_with(*parts)


def period_of(past: Past, from_ms: int | None, to_ms: int | None, warm_up_ms: int | None) -> Period:
    """Return the period that is meant; where it is not said, the last 30 days of the journal."""
    first, last = past.span()
    begin = max(first, last + 1 - DEFAULT_MS)
    return Period(
        from_ms=begin if from_ms is None else from_ms,
        to_ms=last + 1 if to_ms is None else to_ms,
        last_seq=past.progress.head,
        warm_up_ms=warm_up_ms,
    )
