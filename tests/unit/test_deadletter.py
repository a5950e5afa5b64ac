"""Dead letters: kept with the batch they came with, whatever bytes they hold."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from rules.vocabulary import load_vocabulary
from streams.codec import Codec, Rejection
from streams.deadletter import SCHEMA, DeadLetters
from streams.faults import Fault

CODEC = Codec(load_vocabulary(), "EUR")
NASTY = sorted((Path(__file__).parent / "nasty_json").glob("*.json"))


@pytest.fixture
def db() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.executescript(SCHEMA)
    return db


def test_every_nasty_record_is_kept_byte_for_byte_with_its_faults(db: sqlite3.Connection) -> None:
    letters = DeadLetters(db)
    rejections = [found for path in NASTY if isinstance(found := CODEC.decode(path.read_bytes()), Rejection)]
    for rejection in rejections:
        letters.add(rejection.record, rejection, "http", 5)
    kept = letters.select(limit=1000)[::-1]
    assert [letter.record for letter in kept] == [rejection.record for rejection in rejections]
    assert [len(letter.faults) for letter in kept] == [len(rejection.faults) for rejection in rejections]


def test_a_letter_of_a_batch_that_was_undone_is_gone(db: sqlite3.Connection) -> None:
    db.execute("BEGIN")
    DeadLetters(db).add(b"x", Rejection(b"x", "malformed", (Fault("$", "bad"),)), "http", 5)
    db.execute("ROLLBACK")
    assert DeadLetters(db).counts() == {}


def test_only_waiting_letters_are_marked(db: sqlite3.Connection) -> None:
    letters = DeadLetters(db)
    for _ in range(3):
        letters.add(b"x", Rejection(b"x", "malformed", (Fault("$", "bad"),)), "http", 5)
    assert letters.mark([1, 2], "discarded") == 2
    assert letters.mark([1, 3], "redriven") == 1
    assert [letter.status for letter in letters.select(status=None)] == ["redriven", "discarded", "discarded"]


def test_half_a_character_in_a_fault_is_kept_as_an_escape(db: sqlite3.Connection) -> None:
    letters = DeadLetters(db)
    letters.add(b"x", Rejection(b"x", "malformed", (Fault("a\0b", "\ud800"),), "e\ud800"), "f\0", 5)
    (letter,) = letters.select()
    assert (letter.faults, letter.event_id) == ((Fault("a\\0b", "\\ud800"),), "e\\ud800")
