"""A flipped byte anywhere in the database is found, and told where."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from monitor.audit.verify import Finding, reading, verify
from streams import verification
from streams.processor import Limits, Processor
from streams.states import StateCache
from streams.stores import index
from streams.stores.sqlite import SqliteStore, open_database, read_only
from streams.testing import assemble, records, stream

LIMITS = Limits(cache_subjects=6, tail_events=20, snapshots_per_batch=1)


def build(store: SqliteStore, rulebook: str, states: type[StateCache]) -> Processor:
    return assemble(store, tick_every_ms=0, states=states)


def adopt(processor: Processor, rulebook: str) -> None:
    raise AssertionError("there is one rulebook only")


def findings(path: Path) -> list[Finding]:
    try:
        with closing(reading(read_only(path))) as db:
            return verify(db, verification.checks(build, adopt))
    except sqlite3.DatabaseError as error:
        return [Finding("file", "", str(error))]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A database with rows in every table, killed in the middle: states behind their journal."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "BLOCK", 32)
        path = tmp_path_factory.mktemp("original") / "riskmon.db"
        db = open_database(path, sync="normal")
        store = SqliteStore(db)
        store.archive("rulebook", "c0", b"rules")
        processor = assemble(store, limits=LIMITS)
        events = records(stream(seed=5, length=120))
        for start in range(0, len(events), 9):
            processor.process(events[start : start + 9])
        db.close()
        yield path


def tables(path: Path) -> list[tuple[str, str]]:
    with closing(read_only(path)) as db:
        names = [
            n for (n,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        ]
        filled = [name for name in names if db.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone()]
        return [(name, row[1]) for name in filled for row in db.execute(f"PRAGMA table_info({name})")]


def flipped(value: Any, random: Random) -> Any:
    if isinstance(value, int):
        return value ^ (1 << random.randrange(24))
    if isinstance(value, float):
        return value + 1
    if value is None:
        return 0
    if len(value) == 0:
        return "x" if isinstance(value, str) else b"x"
    raw = bytearray(value.encode() if isinstance(value, str) else value)
    raw[random.randrange(len(raw))] ^= 1 << random.randrange(7)
    return raw.decode("utf-8", "replace") if isinstance(value, str) else bytes(raw)


@contextmanager
def untriggered(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection whose writes leave the seals alone, as a failing disk would."""
    with closing(sqlite3.connect(path)) as db:
        triggers = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        db.execute("PRAGMA ignore_check_constraints = ON")
        for name, _ in triggers:
            db.execute(f"DROP TRIGGER {name}")
        yield db
        for _, sql in triggers:
            db.execute(sql)
        db.commit()


def flip(path: Path, table: str, column: str, random: Random) -> None:
    with untriggered(path) as db:
        (count,) = db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()
        place = random.randrange(count)
        keys = [row[1] for row in db.execute(f"PRAGMA table_info({table})") if row[5]] or ["rowid"]
        row = db.execute(f"SELECT {', '.join(keys)} FROM {table} LIMIT 1 OFFSET {place}").fetchone()
        where = " AND ".join(f"{key} = ?" for key in keys)
        (value,) = db.execute(f"SELECT {column} FROM {table} WHERE {where}", row).fetchone()
        while True:
            try:
                changed = db.execute(
                    f"UPDATE {table} SET {column} = ? WHERE {where}", (flipped(value, random), *row)
                )
            except sqlite3.IntegrityError:
                continue  # the key of another row
            assert changed.rowcount == 1
            return


def copied(original: Path, folder: Path) -> Path:
    path = folder / "riskmon.db"
    path.write_bytes(original.read_bytes())
    return path


def test_an_untouched_database_is_proven(original: Path) -> None:
    assert findings(original) == []


def test_the_database_of_these_tests_has_rows_everywhere(original: Path) -> None:
    filled = {table for table, _ in tables(original)}
    assert filled >= {
        "journal", "journal_index", "states", "meta", "artifacts", "row_seals", "ledger", "alerts",
        "alert_hits", "outbox", "dead_letters", "sqlite_sequence",
    }  # fmt: skip
    with closing(read_only(original)) as db:
        assert db.execute("SELECT MIN(seq) < (SELECT MAX(seq) FROM journal) FROM states").fetchone() == (1,)


def test_a_flipped_byte_in_any_column_of_any_table_is_found_and_named(original: Path, tmp_path: Path) -> None:
    unnoticed, unnamed = [], []
    random = Random(6)
    for table, column in tables(original):
        path = copied(original, tmp_path)
        flip(path, table, column, random)
        found = findings(path)
        if not found:
            unnoticed.append((table, column))
        # A seal that does not match its row names the row, not the seal.
        elif table not in {"row_seals"} and not any(finding.table == table for finding in found):
            unnamed.append((table, column, found))
    assert (unnoticed, unnamed) == ([], [])


def content(path: Path) -> Any:
    try:
        with closing(reading(sqlite3.connect(path))) as db:
            return [
                db.execute(f"SELECT * FROM {table}").fetchall()
                for table in sorted({t for t, _ in tables(path)})
            ]
    except (sqlite3.Error, UnicodeError, OverflowError) as error:
        return error


@pytest.mark.parametrize("seed", range(2))
def test_a_flipped_byte_of_the_file_is_found_or_is_in_no_row(
    seed: int, original: Path, tmp_path: Path
) -> None:
    random = Random(seed)
    path = tmp_path / "riskmon.db"
    whole = original.read_bytes()
    before = content(original)
    for _ in range(40):
        raw = bytearray(whole)
        raw[random.randrange(len(raw))] ^= 1 << random.randrange(8)
        path.write_bytes(raw)
        if content(path) != before:
            assert findings(path) != []


@pytest.mark.parametrize(
    "table", ["journal", "ledger", "states", "alerts", "outbox", "dead_letters", "row_seals"]
)
def test_a_row_taken_out_is_found(table: str, original: Path, tmp_path: Path) -> None:
    path = copied(original, tmp_path)
    with untriggered(path) as db:
        (last,) = db.execute(f"SELECT COUNT(*) - 1 FROM {table}").fetchone()
        keys = [row[1] for row in db.execute(f"PRAGMA table_info({table})") if row[5]] or ["rowid"]
        row = db.execute(f"SELECT {', '.join(keys)} FROM {table} LIMIT 1 OFFSET {last}").fetchone()
        db.execute(f"DELETE FROM {table} WHERE {' AND '.join(f'{key} = ?' for key in keys)}", row)
    assert findings(path) != []
