"""`riskmon simulate`: writes whole files, says what is wrong with its arguments."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from monitor.cli.failure import Failure
from monitor.cli.simulate import simulate

app = typer.Typer()
app.command()(simulate)


def run(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


def refusal(*arguments: str) -> str:
    failure = run(*arguments).exception
    assert isinstance(failure, Failure), failure
    assert failure.status == 2
    return str(failure)


def test_writes_one_event_a_line(tmp_path):
    out = tmp_path / "bank.jsonl"
    assert run("--customers", "20", "--days", "2", "--out", str(out)).exit_code == 0
    events = [json.loads(line) for line in out.read_text().splitlines()]
    assert {"event_id", "event_type", "occurred_at"} <= events[-1].keys()


def test_compressed_and_plain_files_hold_the_same(tmp_path):
    plain, packed = tmp_path / "bank.jsonl", tmp_path / "bank.jsonl.gz"
    run("--customers", "20", "--days", "2", "--out", str(plain))
    run("--customers", "20", "--days", "2", "--out", str(packed))
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()


def test_compressed_files_are_the_same_whatever_their_name(tmp_path):
    one, two = tmp_path / "one.jsonl.gz", tmp_path / "two.jsonl.gz"
    run("--customers", "20", "--days", "2", "--out", str(one))
    run("--customers", "20", "--days", "2", "--out", str(two))
    assert one.read_bytes() == two.read_bytes()


def test_labels_are_written_beside(tmp_path):
    out, labels = tmp_path / "bank.jsonl", tmp_path / "labels.csv"
    run("--customers", "200", "--days", "6", "--out", str(out), "--labels", str(labels))
    rows = list(csv.DictReader(labels.read_text().splitlines()))
    ids = {json.loads(line)["event_id"] for line in out.read_text().splitlines()}
    assert rows
    assert {row["event_id"] for row in rows} <= ids
    assert set(rows[0]) == {"event_id", "customer_id", "story", "role", "episode"}


def test_all_mistakes_are_told_at_once(tmp_path):
    said = refusal(
        "--customers", "-3", "--days", "0", "--start", "yesterday", "--zone", "Mars/Base",
        "--stories", "structring", "--out", str(tmp_path / "bank.csv"),
    )  # fmt: skip
    assert "--customers: expected 1 to 5000000, was -3" in said
    assert "--days: expected at least 1, was 0" in said
    assert "--start: expected a date YYYY-MM-DD, was 'yesterday'" in said
    assert "--zone: unknown zone 'Mars/Base'" in said
    assert "did you mean 'structuring'?" in said
    assert "--out: expected a name ending in .jsonl or .jsonl.gz, was 'bank.csv'" in said


def test_a_missing_folder_is_named_before_anything_is_simulated(tmp_path):
    said = refusal("--out", str(tmp_path / "nowhere" / "bank.jsonl"))
    assert f"--out: {tmp_path / 'nowhere'} is no directory" in said


def test_a_folder_in_place_of_the_labels_is_named(tmp_path):
    said = refusal("--out", str(tmp_path / "bank.jsonl"), "--labels", str(tmp_path))
    assert f"--labels: {tmp_path} is a directory" in said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_leaves_no_half_file(tmp_path):
    (tmp_path / "bank.jsonl.part").symlink_to("/dev/full")
    said = refusal("--customers", "20", "--days", "2", "--out", str(tmp_path / "bank.jsonl"))
    assert "cannot be written: No space left on device" in said
    assert not any(tmp_path.iterdir())
