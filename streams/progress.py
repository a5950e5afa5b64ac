"""How far a service is, as it is committed: what every batch changes, and apart from it what few do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from monitor.database import Database
from streams.ports import Progress

PROGRESS, EPOCHS = "progress", "epochs"
"""Keys of the bookkeeping. What was in force since when grows from day to day, by a few lines: years of it
are not to be written with every batch."""
_SERIES = ("rulebooks", "models", "populations", "scales")
_Series = dict[str, list[tuple[int, str]]]
_OFTEN = ("head", "head_hash", "floor", "stream_time_ms", "counters")
_encode, _decode = msgspec.json.encode, msgspec.json.decode


class Bookkeeping(Protocol):
    """Where it is kept."""

    def put_meta(self, key: str, value: bytes) -> None:
        """Write a value of the bookkeeping."""


def read_progress(meta: Callable[[str], bytes | None]) -> Progress:
    """Return what is committed; the beginning, where nothing is.

    Parameters
    ----------
    meta
        Gives a value of the bookkeeping by its key.
    """
    stored, epochs = meta(PROGRESS), meta(EPOCHS)
    # A database of before they were kept apart has all of it in the first.
    progress = _decode(stored, type=Progress) if stored else Progress()
    for name, series in (_decode(epochs, type=_Series) if epochs else {}).items():
        setattr(progress, name, series)
    return progress


def progress_of(db: Database) -> Progress:
    """Return what is committed in a database, on any connection."""

    def meta(key: str) -> bytes | None:
        row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return bytes(row[0]) if row else None

    return read_progress(meta)


def put_progress(store: Bookkeeping, progress: Progress, epochs: int = -1) -> int:
    """Write it, and what was in force since when only where that grew; return how many epochs there are.

    Parameters
    ----------
    epochs
        How many are written; negative: nobody knows.
    """
    often = {name: getattr(progress, name) for name in _OFTEN}
    store.put_meta(PROGRESS, _encode(often))
    series = {name: getattr(progress, name) for name in _SERIES}
    count = sum(map(len, series.values()))
    if count != epochs:
        store.put_meta(EPOCHS, _encode(series))
    return count
