"""Ledger, dead letters, outbox and relay keep their promises on either database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event

import pytest

from alerts import outbox
from alerts.outbox import Posted, RefusedError, Relay
from alerts.ports import Counted, Message
from alerts.stores.sql import SqlAlertStore
from monitor.audit.ledger import Ledger, verify
from monitor.database import ERRORS, Database, is_unavailable
from streams.deadletter import DeadLetters
from streams.faults import Fault, Rejection

Connect = Callable[[], Database]


def test_a_statement_of_ours_that_is_wrong_can_be_told_from_trouble(db: Database) -> None:
    with pytest.raises(ERRORS) as caught:
        db.execute("SELECT * FROM nothing")
    assert not is_unavailable(caught.value)


def test_a_connection_knows_its_transaction(db: Database) -> None:
    assert not db.in_transaction
    db.execute("BEGIN")
    assert db.in_transaction
    db.execute("ROLLBACK")
    assert not db.in_transaction


# The ledger.


def write(ledger: Ledger) -> None:
    ledger.append(10, "hit", "customer:C-\u00fc\\1", {"rule": "A-1", "points": 5.0})
    ledger.append(20, "rating", "customer:C-\u00fc\\1", {"grade": 13})
    ledger.append(20, "hit", "device:D-1", {"rule": "A-2"})
    ledger.flush()


def test_a_chain_holds_and_goes_on_after_a_restart(db: Database, connect: Connect) -> None:
    write(Ledger(db))
    write(Ledger(connect()))
    entries = list(Ledger(db).entries())
    assert [entry.seq for entry in entries] == [1, 2, 3, 4, 5, 6]
    assert entries[0].subject == "customer:C-\u00fc\\1"
    assert verify(entries) is None


def test_a_ledger_rolled_back_goes_on_from_what_is_stored(db: Database) -> None:
    ledger = Ledger(db)
    write(ledger)
    head = ledger.head
    db.execute("BEGIN")
    write(ledger)
    db.execute("ROLLBACK")
    ledger.rollback()
    assert (ledger.head, ledger.seq) == (head, 3)
    write(ledger)
    assert verify(ledger.entries()) is None


def test_entries_are_selected(db: Database) -> None:
    ledger = Ledger(db)
    write(ledger)
    assert [entry.seq for entry in ledger.entries(kind="hit")] == [1, 3]
    assert [entry.seq for entry in ledger.entries(subject="customer:C-\u00fc\\1")] == [1, 2]
    assert [entry.seq for entry in ledger.entries(start_ms=20, end_ms=21)] == [2, 3]
    assert [entry.seq for entry in ledger.entries(newest_first=True, limit=2)] == [3, 2]
    assert ledger.holds(20, "rating", "customer:C-\u00fc\\1", {"grade": 13})
    assert not ledger.holds(21, "rating", "customer:C-\u00fc\\1", {"grade": 13})
    assert ledger.entry(9) is None


# Dead letters.


def reject(letters: DeadLetters, reason: str = "malformed") -> int:
    return letters.add(b"\xff\0", Rejection(b"\xff\0", reason, (Fault("$\0", "bad"),), "e\0"), "http", 5)


def test_letters_are_kept_selected_and_marked(db: Database) -> None:
    letters = DeadLetters(db)
    assert [reject(letters), reject(letters, "bad_value"), reject(letters)] == [1, 2, 3]
    first = letters.get(1)
    assert first is not None
    assert (first.record, first.event_id, first.faults) == (b"\xff\0", "e\\0", (Fault("$\\0", "bad"),))
    assert [letter.id for letter in letters.select(limit=2)] == [3, 2]
    assert [letter.id for letter in letters.select(reason="malformed")] == [3, 1]
    assert [letter.id for letter in letters.select(ids=[1, 2, 9], reason="bad_value")] == [2]
    assert letters.select(ids=[]) == []
    assert letters.mark([1, 1, 2, 9], "redriven") == 2
    assert letters.mark([1, 3], "discarded") == 1
    assert [letter.status for letter in letters.select(status=None)] == ["discarded", "redriven", "redriven"]
    assert letters.counts("redriven") == {"bad_value": 1, "malformed": 1}


def test_more_letters_than_a_statement_takes_are_selected_and_marked(db: Database) -> None:
    letters = DeadLetters(db)
    db.execute("BEGIN")
    ids = [reject(letters) for _ in range(1_100)]
    db.execute("COMMIT")
    assert [letter.id for letter in letters.select(ids=ids, limit=2_000)] == ids[::-1]
    assert letters.mark(ids, "discarded") == 1_100
    assert letters.counts() == {}


def test_numbers_have_no_gaps_after_a_rollback(db: Database) -> None:
    letters, alerts = DeadLetters(db), SqlAlertStore(db)
    hit = Counted("a", 1, "tx-1", 7, "say")
    for end in ("COMMIT", "ROLLBACK", "COMMIT"):
        db.execute("BEGIN")
        reject(letters)
        alerts.add_counted([hit, hit])
        db.execute(end)
    assert [letter.id for letter in letters.select()] == [2, 1]
    assert db.execute("SELECT seq FROM alert_hits ORDER BY seq").fetchall() == [(1,), (2,), (3,), (4,)]


# The outbox and its relay.


@dataclass
class Collecting:
    """A channel that keeps what it gets."""

    name: str = "collecting"
    topics: frozenset[str] = frozenset({"alerts"})
    got: list[bytes] = field(default_factory=list)
    refused: frozenset[bytes] = frozenset()
    enough: Event = field(default_factory=Event)
    wanted: int = 0

    def deliver(self, posted: Posted) -> None:
        if posted.message.body in self.refused:
            raise RefusedError("never")
        self.got.append(posted.message.body)
        if len(self.got) >= self.wanted:
            self.enough.set()


def post(db: Database, *bodies: bytes) -> None:
    outbox.post(db, [Message(body.decode(), body == b"c", body) for body in bodies])


def test_committed_messages_are_relayed_once_and_in_order(db: Database, connect: Connect) -> None:
    channel, reader = Collecting(), connect()
    db.execute("BEGIN")
    post(db, b"a", b"b", b"c")
    relay = Relay(connect, [channel], batch=2)
    assert relay.relay(reader) == 0
    db.execute("COMMIT")
    db.execute("BEGIN")
    post(db, b"never")
    db.execute("ROLLBACK")
    while relay.relay(reader):
        pass
    assert channel.got == [b"a", b"b", b"c"]
    assert [posted.message.confidential for posted in outbox.posted_after(db, 0, 9)] == [False, False, True]
    post(db, b"d")
    again = Relay(connect, [channel])
    assert again.relay(reader) == 1
    assert channel.got == [b"a", b"b", b"c", b"d"]


def test_what_every_channel_has_is_trimmed_and_numbers_ascend_all_the_same(
    db: Database, connect: Connect
) -> None:
    channel = Collecting()
    relay = Relay(connect, [channel], keep=0)
    post(db, b"a", b"b")
    last = outbox.last_posted(db)
    relay.relay(db)
    assert outbox.last_posted(db) == 0
    post(db, b"c")
    assert outbox.last_posted(db) > last
    relay.relay(db)
    assert channel.got == [b"a", b"b", b"c"]


def test_a_refused_message_is_put_aside_with_the_reason(db: Database, connect: Connect) -> None:
    channel = Collecting(refused=frozenset({b"b"}))
    post(db, b"a", b"b", b"c")
    Relay(connect, [channel]).relay(db)
    db.execute("DELETE FROM outbox_positions")
    Relay(connect, [channel]).relay(db)
    assert channel.got == [b"a", b"c"] * 2
    assert db.execute("SELECT channel, reason FROM outbox_refused").fetchall() == [("collecting", "never")]


def test_the_thread_relays_beside_the_writer(db: Database, connect: Connect) -> None:
    channel = Collecting(wanted=50)
    relay = Relay(connect, [channel], poll_s=0.01)
    relay.start()
    for number in range(50):
        post(db, b"%d" % number)
    assert channel.enough.wait(60)
    relay.stop()
    assert channel.got == [b"%d" % number for number in range(50)]
