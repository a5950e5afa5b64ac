"""Messages reach a real receiver: signed, in order, neither lost nor telling too much."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import sleep

import orjson
import pytest

from alerts import outbox
from alerts.notify.webhook import Webhook, WebhookSettings, is_signed
from alerts.outbox import Backoff, QueueChannel, Relay
from alerts.ports import AlertQueue, Message, QueueDownError
from alerts.stores.queue_sqlite import SqliteQueue

SECRET = "a secret of at least 32 characters"
NOW_S = 1_700_000_000


class Receiver:
    """A small HTTP server that answers with the statuses it was told, then with 204."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.requests: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append((dict(self.headers), body))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 204)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def sent(self) -> list[str]:
        return [headers["Idempotency-Key"] for headers, _ in self.requests]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = outbox.connect(tmp_path / "riskmon.db")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(outbox.SCHEMA)
    yield connection
    connection.close()


@pytest.fixture
def make_webhook(receiver: Receiver) -> Iterator[Callable[..., Webhook]]:
    made: list[Webhook] = []

    def make(**changes: object) -> Webhook:
        values = {"name": "crm", "url": receiver.url, "secret": SECRET} | changes
        made.append(Webhook(WebhookSettings(**values), clock_s=lambda: NOW_S))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for webhook in made:
        webhook.close()


def post(connection: sqlite3.Connection, *keys: str, confidential: bool = False) -> None:
    bodies = [
        orjson.dumps({"type": "alert.raised", "id": key, "time_ms": 5, "alert": {"title": "Structuring"}})
        for key in keys
    ]
    messages = [Message(key, confidential, body) for key, body in zip(keys, bodies, strict=True)]
    outbox.post(connection, messages)


def make_relay(tmp_path: Path, *channels: outbox.Channel, first_s: float = 0.0, **settings: int) -> Relay:
    return Relay(
        lambda: outbox.connect(tmp_path / "riskmon.db"),
        channels,
        poll_s=0.01,
        backoff=lambda: Backoff(first_s=first_s),
        **settings,
    )


def wait_until(done: Callable[[], bool]) -> None:
    for _ in range(1000):
        if done():
            return
        sleep(0.01)
    raise AssertionError("nothing happened within ten seconds")


def test_a_message_arrives_signed(connection, tmp_path, receiver, make_webhook) -> None:
    post(connection, "a1")
    assert make_relay(tmp_path, make_webhook()).relay(connection) == 1
    ((headers, body),) = receiver.requests
    assert orjson.loads(body)["alert"]["title"] == "Structuring"
    assert headers["Idempotency-Key"] == "a1-1"
    assert headers["X-Riskmon-Timestamp"] == str(NOW_S)
    assert is_signed(SECRET.encode(), headers, body, NOW_S)
    assert not is_signed(b"another secret", headers, body, NOW_S)
    assert not is_signed(SECRET.encode(), {}, body, NOW_S)


def test_a_receiver_that_fails_twice_gets_every_message_once_more(
    connection, tmp_path, receiver, make_webhook
) -> None:
    receiver.answers = [500, 503]
    post(connection, "a1", "a2")
    relay = make_relay(tmp_path, make_webhook())
    assert [relay.relay(connection) for _ in range(4)] == [0, 0, 2, 0]
    assert receiver.sent() == ["a1-1", "a1-1", "a1-1", "a2-2"]
    assert relay.health() == {"webhook:crm": 0}


def test_a_failing_receiver_is_left_alone_for_a_while(connection, tmp_path, receiver, make_webhook) -> None:
    receiver.answers = [500]
    post(connection, "a1")
    relay = make_relay(tmp_path, make_webhook(), first_s=3600)
    assert [relay.relay(connection) for _ in range(3)] == [0, 0, 0]
    assert len(receiver.requests) == 1
    assert relay.health() == {"webhook:crm": 1}


def test_a_message_the_receiver_refuses_is_put_aside_with_the_reason(
    connection, tmp_path, receiver, make_webhook
) -> None:
    receiver.answers = [422]
    post(connection, "a1", "a2")
    relay = make_relay(tmp_path, make_webhook())
    relay.relay(connection)
    assert receiver.sent() == ["a1-1", "a2-2"]
    assert connection.execute("SELECT * FROM outbox_refused").fetchall() == [
        ("webhook:crm", 1, "webhook:crm: expected status 2xx, was 422")
    ]


def test_a_receiver_that_is_down_delays_no_other_channel(connection, tmp_path, make_webhook) -> None:
    queue = SqliteQueue(outbox.connect(tmp_path / "riskmon.db"))
    down = make_webhook(url="http://127.0.0.1:1/hook")
    post(connection, "a1", "a2")
    relay = make_relay(tmp_path, down, QueueChannel(queue))
    assert relay.relay(connection) == 2
    assert queue.last() == 2
    assert relay.health() == {"webhook:crm": 1, "queue": 0}
    queue.close()


@pytest.mark.parametrize("allowed", [True, False])
def test_confidential_content_goes_only_where_it_may(
    connection, tmp_path, receiver, make_webhook, allowed
) -> None:
    post(connection, "a1", confidential=True)
    make_relay(tmp_path, make_webhook(confidential=allowed)).relay(connection)
    ((_, body),) = receiver.requests
    assert (b"Structuring" in body) is allowed
    assert orjson.loads(body)["id"] == "a1"


def test_a_relay_goes_on_where_the_one_before_stopped(connection, tmp_path, receiver, make_webhook) -> None:
    post(connection, "a1", "a2")
    make_relay(tmp_path, make_webhook()).relay(connection)
    post(connection, "a3")
    make_relay(tmp_path, make_webhook()).relay(connection)
    assert receiver.sent() == ["a1-1", "a2-2", "a3-3"]


def test_what_was_delivered_but_not_remembered_comes_again_under_the_same_key(
    connection, tmp_path, receiver, make_webhook
) -> None:
    queue = SqliteQueue(outbox.connect(tmp_path / "riskmon.db"))
    post(connection, "a1", "a2")
    make_relay(tmp_path, QueueChannel(queue), make_webhook()).relay(connection)
    connection.execute("DELETE FROM outbox_positions")
    make_relay(tmp_path, QueueChannel(queue), make_webhook()).relay(connection)
    assert receiver.sent() == ["a1-1", "a2-2", "a1-1", "a2-2"]
    assert [one.sequence for one in queue.read("desk", "ada")] == [1, 2]
    queue.close()


def test_messages_of_a_transaction_rolled_back_are_never_sent(
    connection, tmp_path, receiver, make_webhook
) -> None:
    connection.execute("BEGIN")
    post(connection, "lost")
    connection.execute("ROLLBACK")
    post(connection, "a1")
    make_relay(tmp_path, make_webhook()).relay(connection)
    assert [key.partition("-")[0] for key in receiver.sent()] == ["a1"]


def test_a_queue_that_lost_everything_is_filled_again(connection, tmp_path) -> None:
    queue = SqliteQueue(outbox.connect(tmp_path / "queue.db"))
    post(connection, "a1", "a2")
    relay = make_relay(tmp_path, QueueChannel(queue))
    relay.relay(connection)
    queue.close()
    (tmp_path / "queue.db").unlink()
    empty = SqliteQueue(outbox.connect(tmp_path / "queue.db"))
    assert make_relay(tmp_path, QueueChannel(empty)).relay(connection) == 2
    assert empty.last() == 2
    empty.close()


def test_the_outbox_is_bounded(connection, tmp_path, receiver, make_webhook) -> None:
    relay = make_relay(tmp_path, make_webhook(), keep=2, batch=3)
    post(connection, *(f"a{n}" for n in range(5)))
    assert [relay.relay(connection), relay.relay(connection)] == [3, 2]
    assert connection.execute("SELECT seq FROM outbox ORDER BY seq").fetchall() == [(4,), (5,)]
    post(connection, "b")
    assert relay.relay(connection) == 1
    assert receiver.sent()[-1] == "b-6"


def test_nothing_is_trimmed_that_a_channel_still_waits_for(connection, tmp_path, make_webhook) -> None:
    queue = SqliteQueue(outbox.connect(tmp_path / "queue.db"))
    down = make_webhook(url="http://127.0.0.1:1/hook")
    relay = make_relay(tmp_path, QueueChannel(queue), down, keep=0)
    post(connection, "a1", "a2")
    relay.relay(connection)
    assert connection.execute("SELECT count(*) FROM outbox").fetchone() == (2,)
    queue.close()


class BrokenQueue:
    """A queue that cannot be reached."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        def down(*_: object) -> None:
            raise QueueDownError("redis: connection refused")

        return down


def test_a_queue_that_is_down_is_tried_again(connection, tmp_path) -> None:
    told: list[tuple[str, str]] = []
    channel = QueueChannel(BrokenQueue())  # type: ignore[arg-type]
    relay = Relay(
        lambda: outbox.connect(tmp_path / "riskmon.db"),
        [channel],
        backoff=lambda: Backoff(first_s=0),
        failed=lambda name, reason: told.append((name, reason)),
    )
    post(connection, "a1")
    relay.relay(connection)
    working: AlertQueue = SqliteQueue(outbox.connect(tmp_path / "queue.db"))
    channel.queue = working
    relay.relay(connection)
    assert told == [("queue", "redis: connection refused")]
    assert working.last() == 1
    working.close()


def test_the_thread_relays_what_is_committed_and_stops_cleanly(
    connection, tmp_path, receiver, make_webhook
) -> None:
    receiver.answers = [500, 500]
    relay = make_relay(tmp_path, make_webhook())
    relay.start()
    post(connection, "a1")
    wait_until(lambda: len(receiver.requests) == 3)
    post(connection, "a2")
    wait_until(lambda: len(receiver.requests) == 4)
    relay.stop()
    relay.stop()
    post(connection, "a3")
    assert receiver.sent() == ["a1-1", "a1-1", "a1-1", "a2-2"]
    assert connection.execute("SELECT seq FROM outbox_positions").fetchall() == [(2,)]


def test_a_secret_is_read_from_its_file(tmp_path, connection, receiver, make_webhook) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    post(connection, "a1")
    webhook = make_webhook(secret=None, secret_file=tmp_path / "secret")
    make_relay(tmp_path, webhook).relay(connection)
    ((headers, body),) = receiver.requests
    assert is_signed(SECRET.encode(), headers, body, NOW_S)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"secret": None}, "webhook 'crm': expected either secret or secret_file"),
        ({"secret_file": Path("x")}, "webhook 'crm': expected either secret or secret_file"),
        ({"secret": ""}, "webhook 'crm': the secret is empty"),
        ({"url": "ftp://there"}, "webhook 'crm': expected an address, was 'ftp://there'"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_once(make_webhook, changes, text) -> None:
    with pytest.raises(ValueError, match=text):
        make_webhook(**changes)
