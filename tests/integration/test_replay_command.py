"""`riskmon replay`: recorded events in, a report and scores out; bad input is one clear sentence."""

from __future__ import annotations

import csv
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from monitor.cli import build_app
from monitor.cli.failure import Failure

RISKMON = Path(sys.executable).parent / "riskmon"
APP = build_app()
RULES = ("--rules", "card_terminal", "--rules", "fraud")
KEYS = (
    "events", "rejected", "duplicates", "late", "hits", "rating_changes", "alerts", "customers", "seconds",
    "events_per_second", "peak_rss_mb", "state_bytes_per_customer", "ledger_head",
)  # fmt: skip
STEADY = (
    "events",
    "rejected",
    "duplicates",
    "late",
    "hits",
    "rating_changes",
    "alerts",
    "customers",
    "ledger_head",
)


def riskmon(*arguments: str | Path) -> str:
    """Run a command; return what it told."""
    result = CliRunner().invoke(APP, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def refusal(*arguments: str | Path) -> str:
    """Run a command that cannot be carried out; return what the person reads."""
    with pytest.raises(Failure) as failure:
        riskmon(*arguments)
    assert failure.value.status == 2
    lines = str(failure.value).splitlines()
    assert len(lines) == 1 or lines[1].startswith("  hint: "), lines
    return str(failure.value)


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("simulated") / "events.jsonl"
    riskmon("simulate", "--customers", "40", "--days", "20", "--seed", "3", "--out", file)
    return file


@pytest.fixture(scope="module")
def replayed(events: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replayed")
    replay(events, folder)
    return folder


def replay(file: Path, folder: Path) -> None:
    out = ("--report", folder / "report.json", "--scores", folder / "scores.csv")
    riskmon("replay", file, "--data", folder, *out, *RULES)


def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return found


def test_the_report_has_every_promised_figure(events, replayed):
    found = report(replayed)
    assert set(KEYS) <= set(found)
    sent = len(events.read_bytes().splitlines())
    assert found["events"] + found["duplicates"] + found["rejected"] == sent
    assert (found["rejected"], found["hits"] > 0) == (0, True)
    assert found["customers"] == 40
    assert len(found["ledger_head"]) == 64


def test_scores_have_one_row_an_event_of_a_customer(replayed):
    with (replayed / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["event_id", "customer_id", "time", "score", "rules"]
    assert len({row["event_id"] for row in rows}) == len(rows)
    assert all(0 <= float(row["score"]) <= 1 for row in rows)
    assert any(row["rules"] for row in rows)


def test_the_same_command_again_changes_nothing(events, replayed):
    before, scores = report(replayed), (replayed / "scores.csv").read_bytes()
    replay(events, replayed)
    after = report(replayed)
    assert {key: after[key] for key in STEADY} == {key: before[key] for key in STEADY}
    assert (replayed / "scores.csv").read_bytes() == scores


def test_packed_events_replay_to_the_same_ledger(events, replayed, tmp_path):
    packed = tmp_path / "events.jsonl.gz"
    packed.write_bytes(gzip.compress(events.read_bytes(), 1))
    replay(packed, tmp_path)
    assert report(tmp_path)["ledger_head"] == report(replayed)["ledger_head"]


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT])
def test_a_replay_that_was_stopped_goes_on_where_it_was(events, replayed, tmp_path, by):
    out = ["--report", tmp_path / "report.json", "--scores", tmp_path / "scores.csv", *RULES]
    process = subprocess.Popen(
        [RISKMON, "replay", events, "--data", tmp_path, *out], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    scores = tmp_path / "scores.csv"
    while process.poll() is None and not (scores.exists() and scores.stat().st_size):
        time.sleep(0.005)
    process.send_signal(by)
    _, told = process.communicate()
    assert b"Traceback" not in told
    replay(events, tmp_path)
    whole, found = report(replayed), report(tmp_path)
    assert {key: found[key] for key in STEADY} == {key: whole[key] for key in STEADY}
    assert scores.read_bytes() == (replayed / "scores.csv").read_bytes()


def test_a_bad_record_is_counted_and_its_neighbours_go_on(events, tmp_path):
    lines = events.read_bytes().splitlines(keepends=True)[:30]
    (tmp_path / "few.jsonl").write_bytes(b"".join([*lines[:10], b'{"event_id": 1\n', *lines[10:]]))
    replay(tmp_path / "few.jsonl", tmp_path)
    assert (report(tmp_path)["rejected"], report(tmp_path)["events"]) == (1, 30)


BAD = {
    "missing.jsonl": None,
    "other.txt": b"{}\n",
    "broken.jsonl.gz": b"no gzip",
    "cut.jsonl.gz": gzip.compress(os.urandom(4000))[:2000],
    "broken.parquet": b"PAR1 nothing",
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_sentence(tmp_path, name):
    file, content = tmp_path / name, BAD[name]
    if content is not None:
        file.write_bytes(content)
    assert name in refusal("replay", file, "--data", tmp_path / "data", *RULES)


def test_a_folder_is_no_file_of_events(tmp_path):
    (tmp_path / "events.jsonl").mkdir()
    assert "events.jsonl" in refusal("replay", tmp_path / "events.jsonl", "--data", tmp_path / "data", *RULES)


@pytest.mark.parametrize(
    "content", [None, b"", b"- a list", b"kind: payment.transfer\nwhat: is this", b"\xff\xfe", b"a: [b"]
)
def test_a_wrong_mapping_is_told(events, tmp_path, content):
    mapping = tmp_path / "mapping.yaml"
    if content is not None:
        mapping.write_bytes(content)
    with pytest.raises(Failure, match="mapping.yaml"):
        riskmon("replay", events, "--map", mapping, "--data", tmp_path / "data", *RULES)


def test_a_table_without_a_mapping_is_rejected_row_by_row(tmp_path):
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    replay(tmp_path / "table.csv", tmp_path)
    assert (report(tmp_path)["rejected"], report(tmp_path)["events"]) == (1, 0)


@pytest.mark.parametrize("option", ["--report", "--scores"])
@pytest.mark.parametrize("where", ["nowhere/out", "."])
def test_an_output_that_cannot_be_written_is_told_before_anything_is_done(events, tmp_path, option, where):
    said = refusal("replay", events, option, tmp_path / where, "--data", tmp_path / "data", *RULES)
    assert "cannot be written" in said
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("what", ["file", "garbage"])
def test_a_data_directory_that_cannot_be_used_is_one_sentence(events, tmp_path, what):
    data = tmp_path / "data"
    if what == "file":
        data.write_text("")
    else:
        data.mkdir()
        (data / "riskmon.db").write_bytes(b"no database at all, but quite some text" * 300)
    assert str(data) in refusal("replay", events, "--data", data, *RULES)


def test_an_unknown_pack_is_one_sentence(events, tmp_path):
    said = refusal("replay", events, "--rules", "structurring", "--data", tmp_path / "data")
    assert said.startswith("rules: no pack 'structurring'")
    assert "structuring" in said


def test_scores_of_another_replay_are_refused(events, replayed, tmp_path):
    other = tmp_path / "scores.csv"
    other.write_text("short\n")
    said = refusal("replay", events, "--data", replayed, "--scores", other, *RULES)
    assert said.startswith(f"{other}: expected the ")


MAPPING = """
mapping: accounts
about: accounts alone
source_system: core
columns: [number, opened]
shapes:
  - name: accounts
    when: {has: [number]}
    events:
      - event_type: account.opened
        fields:
          event_id: {template: "a-{number}"}
          occurred_at: opened
          customer_id: {template: "C{number}"}
          account_id: {template: "A{number}"}
          currency: {const: CNY}
"""


def test_a_rule_that_alerts_for_want_of_events_is_named(tmp_path: Path) -> None:
    rows = [f"{number},2026-03-02T10:00:00Z" for number in range(5)]
    (tmp_path / "accounts.csv").write_text("number,opened\n" + "\n".join(rows) + "\n")
    (tmp_path / "accounts.yaml").write_text(MAPPING)
    arguments = ("--map", tmp_path / "accounts.yaml", "--rules", "operational", "--data", tmp_path / "data")
    told = riskmon("replay", tmp_path / "accounts.csv", *arguments)
    assert (
        "O-709B (Account opened before the customer was identified): 5 alerts; "
        "the source never tells kyc.identity_updated, kyc.review_completed\n" in told
    )
    assert "riskmon rules catalogue --map" in told
