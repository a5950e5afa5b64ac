"""`riskmon deadletter`: look, repair, send again, throw away."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree
from time import monotonic, sleep
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from monitor.app import DATABASE, ingest
from monitor.cli.deadletter import app
from monitor.cli.failure import Failure
from monitor.cli.output import configured
from monitor.cli.running import running_service
from streams.deadletter import SCHEMA, DeadLetters
from streams.faults import Fault, Rejection
from streams.stores.sqlite import open_database, read_only

GOOD = {
    "event_id": "d1",
    "event_type": "cash.deposit",
    "occurred_at": "2026-03-02T09:15:27Z",
    "customer_id": "c1",
    "amount": "12.50",
    "currency": "EUR",
}
MAPPING = """
mapping: tellers
columns: [no, day]
shapes:
  - name: deposits
    event_type: cash.deposit
    fields:
      event_id: {template: "d-{no}-{_row}"}
      occurred_at: {from: day, time: {format: "%d.%m.%Y"}}
      customer_id: {const: c1}
      amount: {const: "1"}
      currency: {const: EUR}
"""


def bad(**changes: Any) -> bytes:
    return orjson.dumps({**GOOD, **changes})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with three dead letters: a number as amount, no JSON, a row nobody could map."""
    folder = tmp_path_factory.mktemp("data")
    settings = folder / "monitor.yaml"
    settings.write_text("rules: {packs: [structuring]}\n")
    ingest(folder, [bad(amount=12.5), b"\xff{", bad(event_id="ok")], *configured(settings))
    db = open_database(folder / DATABASE)
    db.executescript(SCHEMA)
    row = b'{"no": 7, "day": "02.03.2026", "_row": 3}'
    DeadLetters(db).add(row, Rejection(row, "unmappable", (Fault("$", "no shape"),)), "tellers.csv:3", 0)
    db.close()
    return folder


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(copytree(made, tmp_path / "data"))


def run(data: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--data", str(data), "--config", str(data / "monitor.yaml")])


def statuses(data: Path) -> list[str]:
    db = read_only(data / DATABASE)
    found = [letter.status for letter in DeadLetters(db).select(status=None)]
    db.close()
    return found[::-1]


def journaled(data: Path) -> list[str]:
    db = read_only(data / DATABASE)
    found = [
        orjson.loads(body)["event_id"] for (body,) in db.execute("SELECT body FROM journal ORDER BY seq")
    ]
    db.close()
    return found


def test_list_counts_what_waits_by_reason(data: Path) -> None:
    told = json.loads(run(data, "list", "--json").stdout)
    assert told["waiting"] == {"malformed": 1, "unmappable": 1, "wrong_type": 1}
    assert [item["id"] for item in told["items"]] == [3, 2, 1]


def test_list_can_be_read_by_people(data: Path) -> None:
    said = run(data, "list").stdout
    assert "wrong_type: amount: expected a quoted decimal" in said
    assert said.endswith("waiting: malformed 1, unmappable 1, wrong_type 1\n")


def test_show_gives_the_record_and_every_fault(data: Path) -> None:
    told = json.loads(run(data, "show", "1", "--json").stdout)
    assert (told["record"]["amount"], told["faults"][0]["hint"]) == (12.5, 'write "12.5"')
    assert "\\xff{" in run(data, "show", "2").stdout


def test_what_is_still_bad_stays_and_is_told(data: Path) -> None:
    result = run(data, "redrive")
    assert result.exit_code == 1
    assert result.stdout.startswith("redriven 0, still waiting 3\n")
    assert statuses(data) == ["waiting"] * 3
    assert journaled(data) == ["ok"]


def test_a_repaired_record_is_sent_and_its_letter_closed(data: Path, tmp_path: Path) -> None:
    fix = tmp_path / "fix.jsonl"
    fix.write_bytes(orjson.dumps({"id": 1, "record": GOOD}) + b"\n")
    result = run(data, "redrive", "--fix", str(fix), "--json")
    assert (result.exit_code, json.loads(result.stdout)["redriven"]) == (0, 1)
    assert statuses(data) == ["redriven", "waiting", "waiting"]
    assert journaled(data) == ["ok", "d1"]


def test_a_row_is_mapped_again_with_the_repaired_mapping(data: Path, tmp_path: Path) -> None:
    mapping = tmp_path / "tellers.yaml"
    mapping.write_text(MAPPING)
    assert run(data, "redrive", "3", "--map", str(mapping)).exit_code == 0
    assert journaled(data) == ["ok", "d-7-3"]
    assert statuses(data)[2] == "redriven"


def test_discarded_letters_are_kept_and_marked(data: Path) -> None:
    assert run(data, "discard", "2").stdout == "discarded 1\n"
    assert statuses(data) == ["waiting", "discarded", "waiting"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["show", "99"], "99: no such dead letter"),
        (["discard", "99"], "99: not waiting"),
        (["redrive", "99"], "99: not waiting"),
        (["redrive", "--fix", "gone.jsonl"], "gone.jsonl: cannot be read"),
        (["redrive", "--map", "gone.yaml"], "gone.yaml:1:1: cannot be read"),
        (["list", "--status", "lost"], "--status: expected waiting, redriven, discarded or all"),
    ],
)
def test_bad_input_is_one_clear_sentence(data: Path, words: list[str], expected: str) -> None:
    failure = run(data, *words).exception
    assert isinstance(failure, Failure)
    assert str(failure).startswith(expected)


def test_every_bad_line_of_a_fix_is_told(data: Path, tmp_path: Path) -> None:
    fix = tmp_path / "fix.jsonl"
    fix.write_text('{"id": 1}\n\n{"id": 1, "record": {}}\nx\n')
    failure = run(data, "redrive", "--fix", str(fix)).exception
    assert f"{fix}:1:1: expected" in str(failure)
    assert f"{fix}:4:1: expected" in str(failure)


def is_up(data: Path) -> bool:
    try:
        return running_service(data) is not None
    except Failure:  # it has told where it will be, and does not answer yet
        return False


@pytest.fixture
def served(data: Path) -> Iterator[Path]:
    """The data directory with its service running."""
    command = "import typer; from monitor.cli.run import run; typer.run(run)"
    words = ["--config", str(data / "monitor.yaml"), "--data", str(data), "--port", "0"]
    with subprocess.Popen([sys.executable, "-c", command, *words], stderr=subprocess.PIPE) as service:
        deadline = monotonic() + 90
        while not is_up(data) and service.poll() is None and monotonic() < deadline:
            sleep(0.05)
        yield data
        service.send_signal(signal.SIGINT)
        _, said = service.communicate(timeout=90)
        assert b"Traceback" not in said, said.decode()


def test_a_running_service_is_given_the_records(served: Path, tmp_path: Path) -> None:
    fix = tmp_path / "fix.jsonl"
    fix.write_bytes(orjson.dumps({"id": 1, "record": GOOD}) + b"\n")
    result = run(served, "redrive", "--fix", str(fix), "--json")
    assert json.loads(result.stdout) == {"redriven": 1, "accepted": 1, "still_waiting": {}}
    assert statuses(served) == ["redriven", "waiting", "waiting"]
    assert "d1" in journaled(served)


def test_a_folder_without_a_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "monitor.yaml").write_text("{}\n")
    failure = run(tmp_path, "list").exception
    assert isinstance(failure, Failure)
    assert "no database here" in str(failure)
