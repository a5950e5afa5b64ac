"""Files read by another process: the same records as read here, whatever becomes of it."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import orjson
import pytest

from rules.vocabulary import load_vocabulary
from streams.ports import Record
from streams.sources.ahead import TOGETHER, ReadAhead
from streams.sources.files import SourceError
from streams.sources.merge import MergedFiles

VOCABULARY = load_vocabulary()
CHILDREN = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")


def row(random: Random, name: str, second: int) -> bytes:
    """Return an event, or now and then none."""
    if random.random() < 0.02:
        return b'{"event_id": 1'
    moment = f"2026-03-02T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}Z"
    return orjson.dumps({"event_id": name, "event_type": "auth.login", "occurred_at": moment})


@pytest.fixture
def files(tmp_path: Path) -> MergedFiles:
    """Files of several messages, with broken rows; one goes back in time once."""
    random, paths = Random(3), []
    for file, count in (("one.jsonl", TOGETHER), ("two.jsonl", 2 * TOGETHER)):
        lines = [row(random, f"{file}-{n}", 9 * n if n != 700 else 5) for n in range(count)]
        paths.append(tmp_path / file)
        paths[-1].write_bytes(b"\n".join(lines) + b"\n")
    paths.append(tmp_path / "three.csv")
    table = "event_id,occurred_at\na,2026-03-02T00:00:01Z,one too many\nb,2026-03-02T00:00:02Z\n"
    paths[-1].write_text(table)
    return MergedFiles(paths, VOCABULARY)


def read(records: Iterator[Record]) -> tuple[list[Record], str]:
    """Return the records and what ended them."""
    found: list[Record] = []
    try:
        found.extend(records)
    except SourceError as error:
        return found, str(error)
    return found, ""


def grow(files: MergedFiles) -> None:
    """Make the files larger than what fits into a pipe, so that their reader has to wait for us."""
    for path in files._paths:
        path.write_bytes(path.read_bytes() * 20)


def children() -> list[int]:
    return [int(word) for word in CHILDREN.read_text().split()]


# From the beginning, inside a message, at the end of one, at the end of all, beyond it.
@pytest.mark.parametrize("position", [None, 1, TOGETHER - 1, TOGETHER, 3 * TOGETHER + 2, 4 * TOGETHER])
def test_records_positions_and_what_is_unsorted_are_the_same(files, position):
    ahead = ReadAhead(files)
    found, ended = read(ahead.records(position))
    here = MergedFiles([*files._paths], VOCABULARY)
    expected = list(here.records(position))
    assert found == expected
    assert ahead.unsorted == here.unsorted == {"two.jsonl": 701}
    assert any(record.rejection for record in expected) == (position is None)
    assert (ended, ahead.name, ahead.total) == ("", here.name, here.total)


def test_a_file_that_breaks_off_is_told_after_the_records_before(files, tmp_path):
    whole = gzip.compress(files._paths[1].read_bytes())
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    cut = MergedFiles([tmp_path / "cut.jsonl.gz"], VOCABULARY)
    expected = read(cut.records())
    assert len(expected[0]) > 100
    assert "cut.jsonl.gz" in expected[1]
    assert read(ReadAhead(cut).records()) == expected


@pytest.mark.skipif(not CHILDREN.exists(), reason="this system does not tell a process its children")
@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGSEGV])
def test_a_killed_process_is_told_and_the_next_one_goes_on(files, by):
    grow(files)
    others, records = children(), ReadAhead(files).records()
    first = next(records)
    (process,) = set(children()) - set(others)
    os.kill(process, by)
    before, ended = read(records)
    assert ended == (
        f"{files.name}: the process that reads it has ended\n"
        "  hint: give the same command again: it goes on where it stopped"
    )
    assert children() == others
    done = [first, *before]
    after, _ = read(ReadAhead(files).records(done[-1].position))
    assert done + after == list(files.records())


@pytest.mark.skipif(not CHILDREN.exists(), reason="this system does not tell a process its children")
def test_the_process_ends_where_nobody_wants_more(files):
    others, records = children(), ReadAhead(files).records()
    next(records)
    assert len(children()) == len(others) + 1
    records.close()
    assert children() == others


PROGRAM = """
import os, signal, sys
from pathlib import Path
from rules.vocabulary import load_vocabulary
from streams.sources.ahead import ReadAhead
from streams.sources.merge import MergedFiles
records = ReadAhead(MergedFiles([Path(sys.argv[1])], load_vocabulary())).records()
next(records)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_process_ends_with_whoever_started_it(files):
    """It has our standard error: that is closed once nobody is left who could write to it."""
    grow(files)
    command = [sys.executable, "-c", PROGRAM, str(files._paths[1])]
    told = subprocess.run(command, check=False, stderr=subprocess.PIPE, timeout=60)
    assert told.returncode == -signal.SIGKILL
    assert b"Traceback" not in told.stderr
