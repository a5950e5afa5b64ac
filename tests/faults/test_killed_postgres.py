"""PostgreSQL killed, or its connection lost, in the middle of commits: nothing is lost, nothing doubled."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from random import Random
from threading import Thread
from typing import Any

import psycopg
import pytest
from postgres_monitor import WithStates, open_counting
from servers import PostgresServer

from alerts import outbox
from alerts.outbox import Posted, Relay
from alerts.ports import Message
from monitor.database import ERRORS, Database, connect_postgres, is_unavailable
from monitor.migrations import migrate
from streams.ports import Record, StoreUnavailableError
from streams.processor import Processor
from streams.testing import counting_processor, records, stream

pytestmark = pytest.mark.postgres

KILLS = 6
QUERIES = {
    "journal": "SELECT seq, ref, hash, facts, answer, body FROM journal ORDER BY seq",
    "ledger": "SELECT * FROM ledger ORDER BY seq",
    "alerts": "SELECT * FROM alerts ORDER BY id",
    "hits": "SELECT * FROM alert_hits ORDER BY seq",
    "states": "SELECT kind, id, seq, due_ms, packed FROM states ORDER BY kind, id",
    "letters": "SELECT id, record FROM dead_letters ORDER BY id",
    "outbox": "SELECT key, body FROM outbox ORDER BY seq",
}


def contents(db: Database) -> dict[str, list[Any]]:
    return {name: db.execute(query).fetchall() for name, query in QUERIES.items()}


def undisturbed(events: Sequence[Record], step: int) -> dict[str, list[Any]]:
    with closing(counting_processor(":memory:")) as processor:
        for start in range(0, len(events), step):
            processor.process(events[start : start + step])
        processor.close()
        return contents(processor.store.db)


def process(processor: Processor, events: Sequence[Record], step: int) -> int:
    """Process every batch until it is kept, and return how often the store was away.

    After trouble the place says whether the batch was kept all the same, as `PostgresStore` wants it.
    """
    failures = 0
    for start in range(0, len(events), step):
        place, is_kept = b"%d" % start, False
        while not is_kept:
            try:
                if failures:
                    processor.store.probe()
                    is_kept = processor.store.meta("place") == place
                if not is_kept:
                    processor.process(events[start : start + step], lambda *_, place=place: {"place": place})
                    is_kept = True
            except (StoreUnavailableError, *ERRORS) as error:
                if not (isinstance(error, StoreUnavailableError) or is_unavailable(error)):
                    raise
                failures += 1
                time.sleep(0.02)
    while True:
        try:
            processor.close()
            return failures
        except StoreUnavailableError:
            time.sleep(0.02)


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server of the test's own, to be killed."""
    server = PostgresServer()
    server.start()
    server.create("riskmon")
    migrate(server.database("riskmon"))
    yield server
    server.stop()
    server.remove()


def kill_often(server: PostgresServer, random: Random) -> None:
    for _ in range(KILLS):
        time.sleep(random.uniform(0.05, 0.3))
        server.restart()


def test_a_server_killed_in_the_middle_of_commits_loses_nothing_and_doubles_nothing(
    server: PostgresServer,
) -> None:
    events = records(stream(seed=11, length=1_500))
    processor = open_counting(server.database("riskmon"))
    killer = Thread(target=kill_often, args=(server, Random(4)))
    killer.start()
    failures = process(processor, events, 2)
    killer.join()
    assert failures >= KILLS // 2
    with closing(connect_postgres(server.database("riskmon"))) as db:
        found = contents(db)
    processor.store.db.close()
    for name, rows in undisturbed(events, 2).items():
        assert found[name] == rows, name


class LosingStore(WithStates):
    """A store whose connection is lost at some commits, before or after they were carried out."""

    def __init__(self, db: Any, url: str, random: Random) -> None:
        super().__init__(db)
        self._url, self._random = url, random
        self.lost = {"before": 0, "after": 0}

    def commit(self) -> None:
        when = self._random.choice(("before", "after", "", ""))
        if when == "after":
            super().commit()
        if when:
            self.lost[when] += 1
            self._lose()
        super().commit()

    def _lose(self) -> None:
        (process,) = self.db.execute("SELECT pg_backend_pid()").fetchone() or (0,)
        with psycopg.connect(self._url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", (process,))
        self.db.execute("SELECT 1")  # raises


def test_a_commit_whose_answer_is_lost_is_neither_lost_nor_doubled(migrated_url: str) -> None:
    events = records(stream(seed=12, length=150))
    processor = open_counting(migrated_url)
    store = LosingStore(processor.store.db, migrated_url, Random(5))
    processor.store = processor._committer.store = store
    process(processor, events, 5)
    assert min(store.lost.values()) > 3
    found = contents(store.db)
    store.db.close()
    for name, rows in undisturbed(events, 5).items():
        assert found[name] == rows, name


class Collecting:
    """A channel that keeps what it gets."""

    name = "collecting"
    topics = frozenset({"alerts"})

    def __init__(self) -> None:
        self.got: dict[int, bytes] = {}
        self.order: list[int] = []

    def deliver(self, posted: Posted) -> None:
        assert self.got.setdefault(posted.sequence, posted.message.body) == posted.message.body
        self.order.append(posted.sequence)


def test_the_relay_comes_back_after_the_server_was_killed(server: PostgresServer) -> None:
    url, channel = server.database("riskmon"), Collecting()
    relay = Relay(lambda: connect_postgres(url), [channel], poll_s=0.01, batch=3)
    relay.start()
    posted = 0
    for _ in range(3):
        with closing(connect_postgres(url)) as db:
            outbox.post(db, [Message(str(n), False, b"%d" % n) for n in range(posted, posted + 20)])
        posted += 20
        server.restart()
    deadline = time.monotonic() + 60
    while len(channel.got) < posted and time.monotonic() < deadline:
        time.sleep(0.02)
    relay.stop()
    assert [channel.got[seq] for seq in sorted(channel.got)] == [b"%d" % n for n in range(posted)]
    assert list(dict.fromkeys(channel.order)) == sorted(channel.got)
