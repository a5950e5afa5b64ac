"""Learning in a process of its own: the same to the last byte as in this one, and it may die at any time."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from random import Random

import orjson
import pytest

from monitor.app import DATABASE, open_data
from monitor.audit.ledger import Ledger
from monitor.recompute import proof
from monitor.settings import Settings
from monitor.testing import configuration, record
from streams.learners import Learners
from streams.learning_process import LearningProcess
from streams.learnt import KEEP_EVERY, Lesson, Told
from streams.ports import Record, StoreUnavailableError
from streams.stores.sqlite import read_only

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
PAYMENTS = 3_600
WAIT_S = 20


def stream() -> list[Record]:
    """Return eighteen days of payments, larger after the ninth, every eighth of them told as fraud later."""
    random, told = Random(8), []
    for number in range(PAYMENTS):
        at_ms = number * 18 * DAY_MS // PAYMENTS
        amount = random.uniform(5, 80) if number < PAYMENTS // 2 else random.uniform(500, 8_000)
        fields = {"customer_id": f"c{random.randrange(40)}", "terminal_id": f"t{random.randrange(20)}"}
        told.append(record(f"p{number}", "card.authorization", at_ms, amount=f"{amount:.2f}", **fields))
        if number % 8 == 0 and number >= 200:
            about = {"customer_id": "c1", "of_event": f"p{number - 200}"}
            told.append(record(f"b{number}", "card.chargeback", at_ms + 1, amount="1.00", **about))
    return [Record(body) for body in told]


STREAM = stream()
BATCHES = [STREAM[start : start + 100] for start in range(0, len(STREAM), 100)]


def configured():
    """Return a configuration whose populations speak after a day or two."""
    found = configuration("card_terminal")
    models = orjson.loads(orjson.dumps(found.plain["models"]))
    for population in models["populations"].values():
        population |= {"warm_up": 200}
        population["parameters"]["window"] = 100
    return replace(found, plain={**found.plain, "models": models})


def ending(folder: Path, opened) -> tuple:
    progress = opened.processor.progress
    head, epochs = opened.processor.ledger_head, (progress.models, progress.populations, progress.scales)
    opened.close()
    db = read_only(folder / DATABASE)
    learnt = db.execute("SELECT key, value FROM meta WHERE key IN ('learner', 'crowd', 'scale')").fetchall()
    db.close()
    return progress.head_hash, head, epochs, sorted(learnt)


def opened_in(folder: Path, **how):
    return open_data(folder, Settings(), configured(), sync="normal", tick_every_ms=HOUR_MS, **how)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    folder = tmp_path_factory.mktemp("here")
    opened = opened_in(folder)
    for batch in BATCHES:
        opened.processor.process(batch)
    return ending(folder, opened)


def pid_of(opened) -> int:
    return opened.learning._process.pid


def has_ended(pid: int) -> bool:
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


@pytest.fixture(autouse=True)
def _two_processors(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


def test_it_learns_what_would_be_learnt_here(expected, tmp_path):
    opened = opened_in(tmp_path, learns_aside=True)
    for batch in BATCHES:
        opened.processor.process(batch)
    pid = pid_of(opened)
    assert ending(tmp_path, opened) == expected
    assert has_ended(pid)
    assert proof(tmp_path) == []
    models, populations, scales = expected[2]
    assert models
    assert len(populations) > 5
    assert scales


def test_where_it_dies_the_batch_is_taken_again_and_nothing_is_different(expected, tmp_path):
    random, refused = Random(5), 0
    opened = opened_in(tmp_path, learns_aside=True)
    for batch in BATCHES:
        if random.random() < 0.3:
            os.kill(pid_of(opened), signal.SIGKILL)
        while True:
            try:
                opened.processor.process(batch)
            except StoreUnavailableError as error:
                assert "learning: " in str(error)  # noqa: PT017  the retry is what is tested
                refused += 1
            else:
                break
    assert refused > 3
    assert ending(tmp_path, opened) == expected


def test_a_restart_between_an_alarm_and_its_telling_tells_it_once(expected, tmp_path, monkeypatch):
    monkeypatch.setattr("streams.learners.KEEP_EVERY", 7)
    for first in range(0, len(BATCHES), 3):
        opened = opened_in(tmp_path)
        for batch in BATCHES[first : first + 3]:
            opened.processor.process(batch)
        opened.abandon()
    opened = opened_in(tmp_path)
    entries = [one for one in Ledger(opened.store.db).entries(kind="model") if "measure" in one.data]
    assert "mean" in {one.data["measure"] for one in entries}
    assert ending(tmp_path, opened)[:3] == expected[:3]


def test_it_ends_with_whoever_started_it(tmp_path):
    script = (
        "import sys, time; from streams.learning_process import LearningProcess as L;"
        "one = L(); one.recover({}); print(one._process.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(pid, number)
    time.sleep(0.1)
    assert Path(f"/proc/{pid}").exists()
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert has_ended(pid)


def test_nothing_can_be_asked_of_one_that_was_closed():
    process = LearningProcess()
    process.recover({})
    process.close()
    process.close()
    with pytest.raises(StoreUnavailableError, match="it had ended"):
        process.keep(1)
    assert process.recover({}).agenda.keep == KEEP_EVERY
    process.close()


def test_what_cannot_be_learnt_from_is_passed_over(caplog):
    learners = Learners()
    with caplog.at_level(logging.ERROR):
        learners.follow(Lesson(1, 0, 1, b"", told=Told(7, True, 0, b"\x09")))
    assert "not_learnt seq=1 by=classifier" in caplog.text
    learnt = learners.keep(1)
    assert (learnt.agenda.seq, learnt.failed) == (1, ["classifier"])
    assert learners.keep(2).failed == []
