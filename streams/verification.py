"""Recomputing a database from its journal, and proving the tables of the runtime."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from hashlib import sha256
from itertools import groupby, starmap
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from monitor.audit.verify import Check, Finding, differences, file_findings, ledger_findings, unequal
from monitor.core.models.scale import ARTIFACT as SCALE
from monitor.database import Database, PostgresDatabase, streamed
from streams.crowd import IN_FORCE
from streams.findings import are_findings_kept
from streams.journal import GENESIS, is_at_once, row_hash, tick_of
from streams.learning import ARTIFACT
from streams.ports import JournalRow, Progress, Record, State
from streams.processor import Processor
from streams.progress import progress_of
from streams.states import Key, StateCache
from streams.step_verification import compare_steps
from streams.stores.guard import RECOMPUTED, columns, expected_seals
from streams.stores.sqlite import SqliteStore, open_database

Build = Callable[[SqliteStore, str, type[StateCache]], Processor]
"""Gives a processor on an empty store with the engine of an archived rulebook (by its hash), without
ticks of its own, with this class of state cache."""

Adopt = Callable[[Processor, str], None]
"""Makes a processor go on with the engine of an archived rulebook."""

CONFIGURATION = "configuration"
"""Kind under which configurations are archived."""

DERIVED = ("hit", "rating", "alert", "late", "model")
"""Kinds of ledger entries that follow from events; others note what was done to the service."""

_JOURNAL = ("seq", "ref", "received_ms", "hash", "facts", "answer", "body")
_OUTBOX = ("place", "key", "confidential", "body")
_STEADY = ("events", "late", "hits", "rating_changes", "alerts", "failures", "grades")
_BATCH = 2_000


def checks(
    build: Build, adopt: Adopt, progress: Callable[[int, int], None] = lambda done, total: None
) -> list[Check]:
    """Return every check of an embedded database, the cheap ones first; see `postgres_checks`.

    Parameters
    ----------
    progress
        Called while recomputing with journal rows done and in all.
    """
    return [
        Check("file", file_findings),
        Check("row_seals", seal_findings),
        Check("ledger", ledger_findings),
        Check("journal", journal_findings),
        Check("journal_index", index_findings),
        Check("versions", version_findings),
        Check("recomputation", lambda db: recomputation_findings(db, build, adopt, progress)),
    ]


def postgres_checks(
    build: Build, adopt: Adopt, progress: Callable[[int, int], None] = lambda done, total: None
) -> list[Check]:
    """Return every check of the database of a cluster; for the parameters see `checks`.

    There are no row seals in PostgreSQL: dead letters, positions of the outbox and other bookkeeping
    are not proven. Journal, ledger, alerts, the messages in the outbox, progress and archive are.
    """
    return [
        Check("ledger", ledger_findings),
        Check("journal", journal_findings),
        Check("artifacts", artifact_findings),
        Check("recomputation", lambda db: recomputation_findings(db, build, adopt, progress)),
    ]


def seal_findings(db: Database) -> Iterator[Finding]:
    """Check every row that has a seal, and that every row which should have one has it."""
    assert isinstance(db, sqlite3.Connection)
    seals = dict(db.execute("SELECT name, seal FROM row_seals"))
    for name, seal in expected_seals(db):
        stored = seals.pop(name, None)
        if stored is None:
            yield Finding(*_place(name), "has no seal: it was changed from outside, or its key was")
        elif stored != seal:
            yield Finding(*_place(name), "does not match its seal: a column was changed from outside")
    for name in seals:
        yield Finding(*_place(name), "is gone, its seal in row_seals is left, or the seal was changed")


def journal_findings(db: Database) -> Iterator[Finding]:
    """Check the chain of the journal and that it ends where the progress says."""
    previous, seq = GENESIS, 0
    for row in _journal(db):
        seq += 1
        if row.seq != seq:
            yield Finding("journal", str(seq), f"expected row {seq}, was {row.seq}")
            return
        if _hash(previous, row) != row.hash:
            yield Finding("journal", str(seq), "its hash does not follow from its columns and the row before")
            return
        previous = row.hash
    head = progress_of(db)
    if (head.head, head.head_hash) != (seq, previous.hex() if seq else head.head_hash):
        yield Finding("journal", str(seq), f"is the last row, expected row {head.head} to be the last")


def artifact_findings(db: Database) -> Iterator[Finding]:
    """Check that what is archived has the hash it is archived by, and that what was in force is there."""
    yield from _unlike(db, "SELECT kind, hash, body FROM artifacts ORDER BY kind, hash")
    there = set(db.execute("SELECT kind, hash FROM artifacts").fetchall())
    progress = progress_of(db)
    named = {(CONFIGURATION, digest) for _, digest in progress.rulebooks}
    named |= {(ARTIFACT, digest) for _, digest in progress.models}
    named |= {(IN_FORCE, digest) for _, digest in progress.populations}
    named |= {(SCALE, digest) for _, digest in progress.scales if digest}
    for kind, digest in sorted(named - there):
        yield Finding("artifacts", f"{kind} {digest[:12]}", "was in force, and is not archived")


def version_findings(db: Database) -> Iterator[Finding]:
    """Check that versions of the classifier have the hashes by which the recomputation knows them."""
    query = f"SELECT kind, hash, body FROM artifacts WHERE kind = '{ARTIFACT}' ORDER BY hash"  # noqa: S608
    yield from _unlike(db, query)


def _unlike(db: Database, query: str) -> Iterator[Finding]:
    for kind, digest, body in streamed(db, query):
        if sha256(body).hexdigest() != digest:
            yield Finding("artifacts", f"{kind} {digest[:12]}", "is not what its hash is of")


def index_findings(db: Database) -> Iterator[Finding]:
    """Check that the sealed blocks lead to the rows of the journal, each once."""
    expected = 1
    for first, last, refs, seqs in db.execute("SELECT * FROM journal_index ORDER BY first_seq"):
        block = f"{first}"
        if len(refs) % 8 or len(refs) != len(seqs):
            yield Finding("journal_index", block, "refs and seqs are not of one length")
            return
        keys, places = np.frombuffer(refs, "<i8"), np.frombuffer(seqs, "<i8")
        journal = np.array(_refs(db, expected, last), dtype=np.int64)
        whole = np.array_equal(np.sort(places), np.arange(expected, last + 1))
        if first != expected or not whole or len(journal) != len(keys):
            yield Finding("journal_index", block, f"expected the rows {expected} to {last}, each once")
        elif not np.array_equal(journal[places - expected], keys) or bool((np.diff(keys) < 0).any()):
            wrong = int(np.argmax(journal[places - expected] != keys))
            yield Finding("journal_index", block, f"entry {wrong}: is not the reference of its journal row")
        expected = last + 1


def recomputation_findings(
    db: Database, build: Build, adopt: Adopt, progress: Callable[[int, int], None]
) -> Iterator[Finding]:
    """Replay the journal into an empty database and compare everything that follows from it."""
    stored = progress_of(db)
    if not stored.rulebooks:
        if db.execute("SELECT 1 FROM journal LIMIT 1").fetchone():
            yield Finding("meta", "progress", "expected the configuration of every journal row, was none")
        return
    with TemporaryDirectory() as folder:
        fresh = open_database(Path(folder) / "fresh.db", sync="normal")
        with closing(fresh):
            fresh.execute("PRAGMA synchronous = OFF")
            watched = _watch(db, stored.floor)
            processor = build(SqliteStore(fresh), stored.rulebooks[0][1], watched)
            yield from _replay(db, processor, adopt, stored, progress)
            processor.close()
            yield from watched.findings()
            yield from _compare(db, fresh)
            if isinstance(db, sqlite3.Connection):
                yield from _compare_sequences(db, fresh)
            else:
                yield from _compare_outbox(db, fresh)
            yield from _compare_progress(stored, processor.progress)


class WatchedStates(StateCache):
    """A state cache that compares each stored snapshot with the state it was taken of, on its way.

    Attributes
    ----------
    kept
        Snapshots not met yet: position, due time and bytes.
    unwritten
        Changes before this journal position are in a snapshot.
    needed
        The last such change of each subject whose snapshot was not met since.
    """

    kept: dict[Key, tuple[int, int, bytes]]
    unwritten: int
    found: list[Finding]
    needed: dict[Key, int]

    def changed(self, key: Key, state: State, seq: int) -> None:
        """Note a change; compare where the snapshot includes exactly so much."""
        super().changed(key, state, seq)
        if seq < self.unwritten:
            self.needed[key] = seq
        row = self.kept.get(key)
        if row is not None and row[0] == seq:
            del self.kept[key]
            self.needed.pop(key, None)
            expected = {"due_ms": state.due_ms, "packed": state.pack()}
            was = {"due_ms": row[1], "packed": row[2]}
            self.found += unequal("states", f"{key[0]} {key[1]}", expected, was)

    @classmethod
    def findings(cls) -> Iterator[Finding]:
        """Give what was found, after the whole journal was replayed."""
        yield from cls.found
        for key, row in cls.kept.items():
            yield Finding(
                "states", f"{key[0]} {key[1]}", f"seq: no event of the subject is journal row {row[0]}"
            )
        for key, seq in cls.needed.items():
            yield Finding(
                "states", f"{key[0]} {key[1]}", f"expected a snapshot that includes journal row {seq}"
            )


def _watch(db: Database, floor: int) -> type[WatchedStates]:
    kept: dict[Key, tuple[int, int, bytes]] = {}
    if isinstance(db, sqlite3.Connection):
        rows = db.execute("SELECT kind, id, seq, due_ms, packed FROM states")
        kept = {(kind, subject_id): (seq, due_ms, packed) for kind, subject_id, seq, due_ms, packed in rows}
    else:
        floor = 0  # the workers of a cluster keep the snapshots
    # A class of its own, since the processor makes the cache anew when it adopts another engine.
    return type("Watched", (WatchedStates,), {"kept": kept, "unwritten": floor, "found": [], "needed": {}})


def _replay(
    db: Database,
    processor: Processor,
    adopt: Adopt,
    stored: Progress,
    progress: Callable[[int, int], None],
) -> Iterator[Finding]:
    later, is_named = list(enumerate(stored.rulebooks))[1:], isinstance(db, PostgresDatabase)
    for batch in _batches(_journal(db), [first for _, (first, _) in later]):
        while later and later[0][1][0] <= batch[0].seq:
            yield from _take_force(processor, adopt, *later.pop(0))
        event = tick_of(batch[0].body)
        if event:
            processor.tick(event.time_ms, batch[0].received_ms, at_once=is_at_once(event))
        else:
            outcomes = processor.process([Record(row.body, received_ms=row.received_ms) for row in batch])
            for row, outcome in zip(batch, outcomes, strict=True):
                if outcome.status != "accepted":
                    reason = outcome.message or outcome.rejection or "another row is the same event"
                    yield Finding("journal", str(row.seq), f"is {outcome.status} when recomputed: {reason}")
                elif is_named and row.customer_id != (outcome.customer_id or None):
                    yield Finding("journal", str(row.seq), f"customer_id: expected {outcome.customer_id!r}")
        progress(batch[-1].seq, stored.head)
    for place, rulebook in later:
        yield from _take_force(processor, adopt, place, rulebook)


def _take_force(
    processor: Processor, adopt: Adopt, place: int, rulebook: tuple[int, str]
) -> Iterator[Finding]:
    """Let a rulebook come into force, unless a person's step in the journal did that."""
    if len(processor.progress.rulebooks) > place:
        return
    if processor.needs_approval:
        first, digest = rulebook
        problem = f"configuration {digest[:12]} came into force at row {first} without an approval"
        yield Finding("meta", "progress", problem)
    adopt(processor, rulebook[1])


def _batches(rows: Iterable[JournalRow], cuts: Sequence[int]) -> Iterator[list[JournalRow]]:
    """Cut the journal where a rulebook begins, into ticks alone and rows of events together."""

    def group(row: JournalRow) -> tuple[Any, ...]:
        is_tick = tick_of(row.body) is not None
        return is_tick, row.seq if is_tick else row.seq // _BATCH, sum(cut <= row.seq for cut in cuts)

    for _, batch in groupby(rows, group):
        yield list(batch)


def _compare(db: Database, fresh: sqlite3.Connection) -> Iterator[Finding]:
    query = f"SELECT {', '.join(_JOURNAL)} FROM journal ORDER BY seq"  # noqa: S608 (names from above)
    yield from _compare_query("journal", _JOURNAL, query, db, fresh)
    entry = ("entry", "time_ms", "kind", "subject", "body")
    derived = ", ".join(f"'{kind}'" for kind in DERIVED)
    yield from _compare_query(
        "ledger",
        entry,
        f"SELECT ROW_NUMBER() OVER (ORDER BY seq), time_ms, kind, subject, body FROM ledger"  # noqa: S608
        f" WHERE kind IN ({derived}) ORDER BY seq",
        db,
        fresh,
    )
    yield from compare_steps(db, fresh)
    for table in RECOMPUTED:
        if not fresh.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (table,)).fetchone():
            continue
        if table == "findings" and not are_findings_kept(db):
            continue  # a database made before they were kept has none until a service opens it
        names, keys = columns(fresh, table)
        key = " || ' ' || ".join(keys) if len(keys) > 1 else keys[0]
        query = f"SELECT {key}, {', '.join(names)} FROM {table} ORDER BY 1"  # noqa: S608
        yield from _compare_query(table, ("key", *(name.strip('"') for name in names)), query, db, fresh)


def _compare_query(
    table: str, names: Sequence[str], query: str, db: Database, fresh: sqlite3.Connection
) -> Iterator[Finding]:
    yield from differences(table, names, streamed(db, query), fresh.execute(query))


def _compare_outbox(db: Database, fresh: sqlite3.Connection) -> Iterator[Finding]:
    # Counted from the newest message: old ones are taken out, and numbers have gaps after a rollback.
    query = (
        "SELECT ROW_NUMBER() OVER (ORDER BY seq DESC), key, confidential, body FROM outbox"
        " ORDER BY seq DESC LIMIT ?"
    )
    (count,) = db.execute("SELECT COUNT(*) FROM outbox").fetchone()
    yield from differences("outbox", _OUTBOX, streamed(db, query, (count,)), fresh.execute(query, (count,)))


def _compare_sequences(db: sqlite3.Connection, fresh: sqlite3.Connection) -> Iterator[Finding]:
    # The outbox numbers its messages here, and loses old ones; dead letters are never taken out.
    query = (
        "SELECT name, seq FROM sqlite_sequence"
        " WHERE name = 'outbox' OR name NOT IN (SELECT name FROM sqlite_schema) ORDER BY name"
    )
    if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'").fetchone():
        return
    yield from _compare_query("sqlite_sequence", ("name", "seq"), query, db, fresh)
    row = db.execute(
        "SELECT seq, (SELECT MAX(id) FROM dead_letters) FROM sqlite_sequence WHERE name = 'dead_letters'"
    )
    for seq, last in row:
        yield from unequal("sqlite_sequence", "dead_letters", {"seq": last}, {"seq": seq})


def _compare_progress(stored: Progress, fresh: Progress) -> Iterator[Finding]:
    names = ("head", "head_hash", "stream_time_ms", "rulebooks", "models", "populations", "scales")
    expected, was = asdict(fresh), asdict(stored)
    yield from unequal("meta", "progress", {name: expected[name] for name in names}, was)
    # A database made before grades were counted has none until a service opens it.
    steady = [name for name in _STEADY if name != "grades" or stored.counters.grades]
    counted = {name: expected["counters"][name] for name in steady}
    yield from unequal("meta", "progress", counted, was["counters"])


def _journal(db: Database) -> Iterator[JournalRow]:
    names = (*_JOURNAL, "customer_id") if isinstance(db, PostgresDatabase) else _JOURNAL
    return starmap(JournalRow, streamed(db, f"SELECT {', '.join(names)} FROM journal ORDER BY seq"))  # noqa: S608


def _refs(db: Database, first: int, last: int) -> list[int]:
    rows = db.execute("SELECT ref FROM journal WHERE seq BETWEEN ? AND ? ORDER BY seq", (first, last))
    return [ref for (ref,) in rows]


def _hash(previous: bytes, row: JournalRow) -> bytes | None:
    try:
        return row_hash(previous, row.seq, row.ref, row.received_ms, row.facts, row.answer, row.body)
    except Exception:
        return None


def _place(name: str) -> tuple[str, str]:
    table, _, row = name.partition(" ")
    return table, row
