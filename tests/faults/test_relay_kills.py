"""A relay that is killed at any moment neither loses a message nor queues one twice."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path
from random import Random
from time import sleep

from alerts import outbox
from alerts.outbox import QueueChannel, Relay
from alerts.ports import Message
from alerts.stores.queue_sqlite import SqliteQueue

MESSAGES = 1500
KILLS = 12

RELAY = """
import sys
from pathlib import Path
from alerts import outbox
from alerts.outbox import QueueChannel, Relay
from alerts.stores.queue_sqlite import SqliteQueue

database = Path(sys.argv[1])
queue = SqliteQueue(outbox.connect(database))
relay = Relay(lambda: outbox.connect(database), [QueueChannel(queue)], batch=7, keep=0)
connection = outbox.connect(database)
print("ready", flush=True)
while True:
    relay.relay(connection)
"""


def test_every_message_is_queued_once_and_in_order_after_many_kills(tmp_path: Path) -> None:
    database = tmp_path / "riskmon.db"
    connection = outbox.connect(database)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(outbox.SCHEMA)
    chance, posted = Random(7), 0
    for _ in range(KILLS):
        relay = subprocess.Popen([sys.executable, "-c", RELAY, str(database)], stdout=subprocess.PIPE)
        assert relay.stdout is not None
        relay.stdout.readline()
        post(connection, posted, posted + MESSAGES // KILLS)
        posted += MESSAGES // KILLS
        sleep(chance.uniform(0, 0.03))
        relay.kill()
        relay.wait()
        relay.stdout.close()
    queue = SqliteQueue(outbox.connect(database))
    last = Relay(lambda: outbox.connect(database), [QueueChannel(queue)])
    while last.relay(connection):
        pass
    got = queue.read("desk", "ada", 2 * MESSAGES)
    assert [one.message for one in got] == [b"%d" % number for number in range(posted)]
    queue.close()
    connection.close()


def post(connection: sqlite3.Connection, start: int, stop: int) -> None:
    for number in range(start, stop):
        outbox.post(connection, [Message(str(number), False, b"%d" % number)])
