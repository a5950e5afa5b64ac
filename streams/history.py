"""One customer's past, recomputed from the journal: the state as it was at any moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

from monitor.core.events import Event
from monitor.core.refill import Refill
from monitor.core.rule_life import TURNS
from monitor.core.schedules import is_due, leisure_ms
from monitor.database import Database, PostgresDatabase
from streams.journal import facts_of, is_at_once, tick_of
from streams.ports import Codec, Engine, JournalRow, Progress
from streams.progress import progress_of
from streams.scoring import name_at

EngineFor = Callable[[str, str], Engine]
"""Gives the engine of an archived configuration by its hash, scoring by the versions of a name."""
CUSTOMER = "customer"
_COLUMNS = "seq, ref, received_ms, hash, facts, answer, body"


def customer_state(
    db: Database, codec: Codec, engine_for: EngineFor, customer_id: str, at_ms: int | None = None
) -> tuple[Any, Engine] | None:
    """Return a customer's state now, or as of `at_ms`, with the engine of that day.

    Events that happened after `at_ms` are left out, whenever they arrived. Every event is assessed
    by the configuration that was in force when it was journaled, so the state is the one that was
    decided upon, not what today's rules would make of it. None where the customer is unknown.

    Parameters
    ----------
    db
        A read-only connection. Now starts from the stored snapshot, which SQLite has, and reads the
        journal after it; the past reads the journal from its beginning.
    """
    progress = progress_of(db)
    if not progress.rulebooks:
        return None
    snapshot = _snapshot(db, customer_id) if at_ms is None else None
    first = snapshot[0] + 1 if snapshot else 1
    past = _Past(codec, engine_for, progress, customer_id, lambda seq: _filled(db, codec, seq))
    if snapshot:
        past.begin(snapshot[0], snapshot[1])
    rows = _named_rows if isinstance(db, PostgresDatabase) else _rows
    for row in rows(db, first, customer_id):
        past.follow(row, at_ms)
    return None if past.state is None or past.engine is None else (past.state, past.engine)


class _Past:
    """Follows one customer through the journal, under the configuration of each part of it."""

    def __init__(
        self,
        codec: Codec,
        engine_for: EngineFor,
        progress: Progress,
        customer_id: str,
        filled: Callable[[int], int],
    ) -> None:
        self.codec, self.engine_for, self.customer_id = codec, engine_for, customer_id
        self._filled = filled
        # What may be needed again, where a person put other rules into force.
        self._seen: list[tuple[int, Event]] = []
        self.progress, self.epochs = progress, progress.rulebooks
        self.state: Any = None
        self.engine: Engine | None = None
        self._hash = self._scoring = ""

    def begin(self, seq: int, packed: bytes) -> None:
        """Start from a snapshot, which has the windows of the rules that the next event meets."""
        self.use(seq + 1)
        assert self.engine is not None
        self.state = self.engine.restore(CUSTOMER, packed)
        self.state.leisure_ms = leisure_ms(CUSTOMER, self.customer_id)
        self.state.set_due()

    def use(self, seq: int) -> None:
        """Take the engine in force at a journal position."""
        begin, digest = next((epoch for epoch in reversed(self.epochs) if epoch[0] <= seq), self.epochs[0])
        scoring = name_at(self.progress, seq)
        if (digest, scoring) == (self._hash, self._scoring):
            return
        former, self.engine, self._scoring = self.engine, self.engine_for(digest, scoring), scoring
        if digest != self._hash and self.state is not None:
            former_state = self.state
            self.state = self.engine.restore(CUSTOMER, former_state.pack())
            self.state.due_ms, self.state.leisure_ms = former_state.due_ms, former_state.leisure_ms
            self._fill(former, begin - 1)
        self._hash = digest

    def _fill(self, former: Any, head: int) -> None:
        """Fill the windows that other rules began with, from what of the customer came until then."""
        rows, key = self._filled(head), (CUSTOMER, self.customer_id)
        if not rows:
            return
        refill = Refill(former, cast(Any, self.engine))
        for seq, event in self._seen:
            if seq <= head - rows:
                continue
            if event.kind == "tick":
                refill.elapse(event.time_ms, at_once=is_at_once(event))
            else:
                refill.feed(event)
        if key in set(refill.keys()):
            refill.hand_over(key, self.state, is_whole=head <= rows)

    def follow(self, row: JournalRow, at_ms: int | None) -> None:
        """Let one row change the state, if it concerns the customer and had happened."""
        self.use(row.seq)
        assert self.engine is not None
        event = tick_of(row.body) or self.codec.decode(row.body)
        if type(event) is not Event or (at_ms is not None and event.time_ms > at_ms):
            return
        event.facts = facts_of(row)  # first: they say whom an officer's action is about
        self._seen.append((row.seq, event))
        if event.kind == "tick":
            if self.state is not None and is_due(self.state, event.time_ms, at_once=is_at_once(event)):
                self.engine.tick(event.time_ms, CUSTOMER, self.customer_id, self.state)
        elif (CUSTOMER, self.customer_id) in self.engine.subjects(event):
            if self.state is None:
                self.state = self.engine.new_state(CUSTOMER)
                self.state.leisure_ms = leisure_ms(CUSTOMER, self.customer_id)
            self.engine.assess(event, CUSTOMER, self.customer_id, self.state)


def _filled(db: Database, codec: Codec, seq: int) -> int:
    """Return from how many rows the step at a journal position filled windows; mostly there is none."""
    row = db.execute("SELECT body FROM journal WHERE seq = ?", (seq,)).fetchone()
    event = codec.decode(bytes(row[0])) if row else None
    return int(event.data.backfill or 0) if type(event) is Event and event.kind in TURNS else 0


def _snapshot(db: Database, customer_id: str) -> tuple[int, bytes] | None:
    if isinstance(db, PostgresDatabase):
        return None  # the workers of the cluster have it
    query = "SELECT seq, packed FROM states WHERE kind = ? AND id = ?"
    row: tuple[int, bytes] | None = db.execute(query, (CUSTOMER, customer_id)).fetchone()
    return row


def _named_rows(db: Database, first: int, customer_id: str) -> Iterator[JournalRow]:
    """Give the rows of a customer, by its own index, and the ticks after the first of them."""
    # The condition on the body is that of the index `journal_ticks`.
    found = db.execute(
        f"SELECT {_COLUMNS} FROM journal WHERE seq >= ? AND customer_id = ? UNION ALL"  # noqa: S608 (constants)
        f" SELECT {_COLUMNS} FROM journal WHERE seq > (SELECT MIN(seq) FROM journal WHERE customer_id = ?)"
        """ AND customer_id IS NULL AND substring(body FROM 1 FOR 18) = '{"event_id":"tick-'::bytea"""
        " ORDER BY seq",
        (first, customer_id, customer_id),
    )
    return (JournalRow(*row) for row in found)


def _rows(db: Database, first: int, customer_id: str) -> Iterator[JournalRow]:
    """Give the rows that may concern a customer: those that name it, and ticks.

    An officer's action names the customer in its facts alone. A body with a backslash may name
    anybody: the same text has many spellings in JSON.
    """
    name = customer_id.encode()
    found = db.execute(
        f"SELECT {_COLUMNS} FROM journal WHERE seq >= ?"  # noqa: S608 (constants)
        " AND (instr(body, ?) OR instr(facts, ?) OR instr(body, ?) OR instr(body, ?)) ORDER BY seq",
        (first, b'"%b"' % name, name, b'"event_type":"tick"', b"\\"),
    )
    return (JournalRow(*row) for row in found)
