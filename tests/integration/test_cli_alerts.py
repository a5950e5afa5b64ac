"""`riskmon alerts`: what officers read and do at a terminal."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from raised_alert import ALERT as RAISED
from typer.testing import CliRunner

from alerts import outbox
from alerts.lifecycle import Action, Status, act
from alerts.messages import message
from alerts.ports import Counted, Step
from alerts.stores.sql import SCHEMA, SqlAlertStore
from monitor.cli.alerts import app
from monitor.cli.failure import Failure
from monitor.cli.running import running_service

ALERT = replace(
    RAISED,
    id="1f3c9b2e" + "0" * 24,
    case_id="c" * 32,
    opened_ms=1_760_000_000_000,
    changed_ms=1_760_000_000_000,
    due_ms=1_760_014_400_000,
    last_hit_ms=1_760_000_000_000,
    say="3 deposits of 62,400",
    saw={"n": 3},
    evidence=(1, 2),
    triage=("Ask for the origin.",),
    customers=("C-1",),
)
OTHER = replace(
    ALERT, id="1f3d" + "0" * 28, subject_id="C-2\x1b[2J", severity="low", priority=16, title="Mule"
)
DONE = replace(ALERT, id="ab" * 16, status=Status.CLOSED, disposition="duplicate", reason="seen before")
SHOWS_IDS = "  hint: `riskmon alerts list --status all` shows the ids"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    connection = outbox.connect(tmp_path / "riskmon.db")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(SCHEMA)
    store = SqlAlertStore(connection)
    store.put([ALERT, OTHER, DONE])
    store.add_counted([Counted(ALERT.id, ALERT.opened_ms, "tx-1", 1, "3 deposits of 62,400")])
    store.add_steps([Step(ALERT.id, ALERT.opened_ms, "note", "ada", "called", None, None)])
    store.post([message("raised", ALERT), message("raised", OTHER)])
    connection.close()
    return tmp_path


def run(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--data", str(data)])


def refused(data: Path, *arguments: str) -> str:
    result = run(data, *arguments)
    assert isinstance(result.exception, Failure)
    assert result.exception.status == 2
    return str(result.exception)


def answer(data: Path, *arguments: str) -> Any:
    result = run(data, *arguments, "--json")
    assert result.exception is None, result.output
    return json.loads(result.stdout)


def test_the_list_shows_what_is_undecided_most_urgent_first(data: Path) -> None:
    listed = answer(data, "list")
    assert [item["short"] for item in listed["items"]] == ["1f3c-9b2e", "1f3d-0000"]
    assert listed["total"] == 2
    text = run(data, "list").stdout
    assert "1f3c-9b2e" in text
    assert "2 of 2 alerts" in text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--status", "closed"), ["abab-abab"]),
        (("--status", "all", "--limit", "1"), ["1f3c-9b2e"]),
        (("--severity", "low,critical"), ["1f3d-0000"]),
        (("--subject-id", "C-1"), ["1f3c-9b2e"]),
        (("--text", "mule"), ["1f3d-0000"]),
        (("--rule", "B-1"), []),
        (("--order", "newest", "--offset", "1"), ["1f3c-9b2e"]),
    ],
)
def test_the_list_is_narrowed_and_paged(data: Path, arguments: tuple[str, ...], expected: list[str]) -> None:
    assert [item["short"] for item in answer(data, "list", *arguments)["items"]] == expected


def test_one_alert_is_shown_with_hits_history_and_checklist(data: Path) -> None:
    shown = answer(data, "show", "1f3c")
    assert (shown["id"], shown["say"]) == (ALERT.id, ALERT.say)
    assert shown["history"][0]["reason"] == "called"
    assert shown["counted"][0]["event_id"] == "tx-1"
    text = run(data, "show", "1f3c").stdout
    for words in ("Structuring", "3 deposits of 62,400", "n = 3", "by ada called", "[ ] Ask for the origin."):
        assert words in text


@pytest.mark.parametrize("name", ["1f3c9b2e", "1F3C-9B2E", ALERT.id])
def test_an_alert_is_named_by_any_unique_beginning(data: Path, name: str) -> None:
    assert answer(data, "show", name)["id"] == ALERT.id


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("1f", "'1f' begins several alerts: 1f3c-9b2e, 1f3d-0000\n  hint: write more digits of the id"),
        ("1f3c-9b2f", "no alert has an id that begins with '1f3c-9b2f'\n  hint: did you mean 1f3c-9b2e?"),
        (
            "zz",
            "no alert has an id that begins with 'zz'\n" + SHOWS_IDS,
        ),
        (
            "",
            "no alert has an id that begins with ''\n" + SHOWS_IDS,
        ),
    ],
)
def test_a_name_that_fits_no_alert_is_answered_with_a_hint(data: Path, name: str, text: str) -> None:
    assert refused(data, "show", name) == text


def test_control_characters_of_the_outside_world_do_not_reach_the_terminal(data: Path) -> None:
    for command in (("list",), ("show", "1f3d"), ("tail", "--no-follow")):
        output = run(data, *command).stdout
        assert "\x1b[2J" not in output
        assert "C-2\N{REPLACEMENT CHARACTER}[2J" in output


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ("list", "--status", "new"),
            "--status: expected one of undecided, all, open, taken, snoozed, closed, was 'new'",
        ),
        (
            ("list", "--severity", "big"),
            "--severity: expected one of info, low, medium, high, critical, was 'big'",
        ),
        (("list", "--order", "age"), "--order: expected one of priority, newest, was 'age'"),
        (
            ("close", "1f3c", "--disposition", "fine", "--reason", "x"),
            "--disposition: expected one of true_positive",
        ),
        (
            ("snooze", "1f3c", "--until", "soon", "--reason", "x"),
            "--until: expected a span or a time with offset",
        ),
        (
            ("snooze", "1f3c", "--until", "2026-03-01T12:00:00", "--reason", "x"),
            "--until: expected a span or a time",
        ),
    ],
)
def test_bad_options_are_named(data: Path, arguments: tuple[str, ...], text: str) -> None:
    assert refused(data, *arguments).startswith(text)


def test_a_directory_without_a_database_is_named(tmp_path: Path) -> None:
    assert "riskmon.db: no database here" in refused(tmp_path, "list")


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "riskmon.db").write_bytes(b"no database at all" * 100)
    assert "riskmon.db: cannot be used: file is not a database" in refused(tmp_path, "list")


def test_tail_shows_the_last_changes_one_a_line(data: Path) -> None:
    lines = run(data, "tail", "--no-follow").stdout.splitlines()
    assert lines[0] == (
        "2025-10-09 08:53Z  1f3c-9b2e  raised  high  customer C-1  Structuring: 3 deposits of 62,400"
    )
    assert len(lines) == 2
    (last,) = run(data, "tail", "--no-follow", "--last", "1", "--json").stdout.splitlines()
    assert json.loads(last)["id"] == OTHER.id


class Service:
    """A service that answers `/healthz` and carries out actions on the database, once a key."""

    def __init__(self, data: Path, token: str = "") -> None:
        self.keys: dict[str, int] = {}
        self.posts: list[tuple[str, dict[str, Any], str | None]] = []
        self.drop = 0
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(200, {})

            def do_POST(self) -> None:
                said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                service.posts.append((self.path, said, self.headers["Authorization"]))
                if token and self.headers["Authorization"] != f"Bearer {token}":
                    return self.answer(401, {"error": "Sign in, or send a bearer token.", "hint": ""})
                status, told = service.carry_out(data, self.path, said, self.headers["Idempotency-Key"])
                if service.drop:
                    service.drop -= 1
                    self.close_connection = True
                    return self.connection.close()
                return self.answer(status, told)

            def answer(self, status: int, told: dict[str, Any]) -> None:
                body = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        told = {"port": self.server.server_port, "pid": os.getpid()}
        (data / "service.json").write_text(json.dumps(told))

    def carry_out(self, data: Path, path: str, said: dict[str, Any], key: str) -> tuple[int, dict[str, Any]]:
        self.keys[key] = self.keys.get(key, 0) + 1
        if self.keys[key] > 1:
            return 200, {"status": "duplicate"}
        _, _, _, alert_id, action = path.split("/")
        if action == "reopen":
            return 409, {
                "error": f"cannot reopen alert {alert_id}: it is open, expected closed",
                "hint": "",
                "faults": [],
            }
        connection = outbox.connect(data / "riskmon.db")
        store = SqlAlertStore(connection)
        alert = store.get(alert_id)
        assert alert is not None
        store.put([act(alert, Action(action), actor="token-user", time_ms=alert.opened_ms, **said)])
        connection.close()
        return 200, {"status": "accepted"}

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def service(data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.delenv("RISKMON_TOKEN", raising=False)
    service = Service(data)
    yield service
    service.close()


def test_a_running_service_carries_the_action_out(data: Path, service: Service) -> None:
    result = run(data, "take", "1f3c")
    assert result.stdout == "1f3c-9b2e is taken by token-user: Structuring\n"
    assert service.posts == [(f"/api/alerts/{ALERT.id}/take", {}, None)]
    assert (
        answer(data, "close", "1f3c", "--disposition", "false_positive.explained", "--reason", "payday")[
            "status"
        ]
        == "closed"
    )
    assert service.posts[1][1] == {"disposition": "false_positive.explained", "reason": "payday"}


def test_an_action_whose_answer_got_lost_is_carried_out_once(data: Path, service: Service) -> None:
    service.drop = 1
    assert run(data, "take", "1f3c").exception is None
    assert list(service.keys.values()) == [2]


def test_an_action_without_any_answer_says_that_nobody_knows(data: Path, service: Service) -> None:
    service.drop = 2
    assert "it may or may not be done" in refused(data, "take", "1f3c")


def test_what_the_service_refuses_is_told_in_its_words(data: Path, service: Service) -> None:
    text = refused(data, "reopen", "1f3c", "--reason", "why not")
    assert text == f"cannot reopen alert {ALERT.id}: it is open, expected closed"


def test_the_token_of_the_officer_is_sent(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(data, token="t0p")
    try:
        monkeypatch.delenv("RISKMON_TOKEN", raising=False)
        assert "put the token of your user into RISKMON_TOKEN" in refused(data, "take", "1f3c")
        monkeypatch.setenv("RISKMON_TOKEN", "t0p")
        assert run(data, "take", "1f3c").exception is None
    finally:
        service.close()


def test_a_service_that_is_alive_but_does_not_answer_is_not_passed_by(data: Path) -> None:
    (data / "service.json").write_text(json.dumps({"port": 1, "pid": os.getpid()}))
    assert "does not answer" in refused(data, "take", "1f3c")


def test_an_unreadable_service_file_is_named(data: Path) -> None:
    (data / "service.json").write_text("{")
    assert "service.json: expected port and pid" in refused(data, "take", "1f3c")


def test_the_file_of_a_service_that_was_killed_is_passed_by(data: Path) -> None:
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    (data / "service.json").write_text(json.dumps({"port": 1, "pid": killed.pid}))
    assert running_service(data) is None


REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    shutil.copytree(REPOSITORY / "config", folder)
    file = folder / "monitor.yaml"
    file.write_text("rules:\n  packs: [all]\n")
    return file


def test_without_a_service_the_action_is_carried_out_here(data: Path, config: Path) -> None:
    def do(*arguments: str) -> Result:
        return run(data, *arguments, "--config", str(config))

    decision = ("--disposition", "duplicate", "--reason", "seen before")
    assert do("take", "1f3c", "--as", "ada").stdout == "1f3c-9b2e is taken by ada: Structuring\n"
    again = do("take", "1f3c", "--as", "bo").exception
    assert str(again) == f"cannot take alert {ALERT.id}: it is taken by ada, expected open"
    assert do("close", "1f3c", *decision, "--as", "bo").stdout == "1f3c-9b2e is closed: Structuring\n"
    assert [step["action"] for step in answer(data, "show", "1f3c")["history"]] == [
        "note",
        "take",
        "close",
    ]
    assert do("snooze", "1f3d", "--until", "2d", "--reason", "payday", "--as", "ada").exception is None
    assert answer(data, "show", "1f3d")["status"] == "snoozed"
