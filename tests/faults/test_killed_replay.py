"""A replay killed by the kernel (SIGKILL) at random moments ends with the results of an undisturbed one."""

import os
import signal
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from streams.processor import Limits
from streams.runners.replay import Replay
from streams.stores.sqlite import SqliteStore
from streams.testing import Recording, counting_processor, results, stream

EVENTS = stream(seed=4, length=1500)
LIMITS = Limits(cache_subjects=6, tail_events=40, snapshots_per_batch=1)
KILLS = 10
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


def replay(folder: Path) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    processor = counting_processor(folder / "riskmon.db", limits=LIMITS)
    assert isinstance(processor.store, SqliteStore)
    report = Replay(processor, Recording(EVENTS), folder / "scores.csv", batch_events=5).run()
    found = results(processor.store.db)
    processor.store.db.close()
    return {key: report[key] for key in STEADY}, found


def kill_while_replaying(folder: Path, after_s: float) -> bool:
    """Return whether the process was still at work when it was killed."""
    child = os.fork()
    if child == 0:
        try:
            replay(folder)
        finally:
            os._exit(0)
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, bytes, float]:
    folder = tmp_path_factory.mktemp("undisturbed")
    started = time.monotonic()
    report, found = replay(folder)
    return report, found, (folder / "scores.csv").read_bytes(), time.monotonic() - started


@pytest.mark.parametrize("seed", range(4))
def test_killed_replays_end_like_an_undisturbed_one(
    seed: int, tmp_path: Path, undisturbed: tuple[Any, Any, bytes, float]
) -> None:
    report, found, scores, seconds = undisturbed
    random = Random(seed)
    kills = 0
    for _ in range(10 * KILLS):
        # Starting again costs time too: kills this close together leave a few batches each.
        kills += kill_while_replaying(tmp_path, random.uniform(0.01, seconds / 3))
        if kills == KILLS:
            break
    assert kills == KILLS
    assert replay(tmp_path) == (report, found)
    assert (tmp_path / "scores.csv").read_bytes() == scores


def test_a_finished_replay_changes_nothing_when_started_again(tmp_path: Path) -> None:
    first = replay(tmp_path)
    scores = (tmp_path / "scores.csv").read_bytes()
    assert replay(tmp_path) == first
    assert (tmp_path / "scores.csv").read_bytes() == scores


def test_another_scores_file_is_refused(tmp_path: Path) -> None:
    replay(tmp_path)
    (tmp_path / "scores.csv").unlink()
    with pytest.raises(ValueError, match="hint: give --scores the file it wrote to"):
        replay(tmp_path)
