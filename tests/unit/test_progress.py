"""What is committed of the progress: what was in force since when only where that grew."""

from __future__ import annotations

import msgspec

from streams.ports import Counters, Progress
from streams.progress import EPOCHS, PROGRESS, put_progress, read_progress


class Kept(dict):
    def __init__(self):
        super().__init__()
        self.written = []

    def put_meta(self, key, value):
        self.written.append(key)
        self[key] = value


def filled() -> Progress:
    counters = Counters(events=9, grades={14: 3})
    return Progress(9, "ab", 4, 1_000, [(1, "c")], [(5, "m")], [(6, "p"), (8, "q")], [(7, "")], counters)


def test_what_is_written_is_read_again():
    kept = Kept()
    assert read_progress(kept.get) == Progress()
    assert put_progress(kept, filled()) == 5
    assert read_progress(kept.get) == filled()


def test_epochs_are_written_where_there_are_more_of_them():
    kept, progress = Kept(), filled()
    count = put_progress(kept, progress)
    progress.head = 10
    assert put_progress(kept, progress, count) == count
    assert kept.written == [PROGRESS, EPOCHS, PROGRESS]
    progress.models.append((11, "n"))
    assert put_progress(kept, progress, count) == count + 1
    assert kept.written[3:] == [PROGRESS, EPOCHS]
    assert read_progress(kept.get) == progress


def test_a_database_that_has_all_in_one_is_read():
    kept = {PROGRESS: msgspec.json.encode(filled())}
    assert read_progress(kept.get) == filled()
