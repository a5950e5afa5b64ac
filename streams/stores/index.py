"""Which journal row holds which event: sealed blocks of sorted references, no B-tree.

Rows beyond the last sealed block are few (`BLOCK`): the writer keeps them in a dictionary, readers
scan them. Four neighbouring blocks of a size are merged into one, up to `LARGEST` rows, so a
look-up touches few blocks and every row is rewritten at most three times.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import cast

import numpy as np
import numpy.typing as npt

BLOCK = 16_384
"""Rows in a fresh block."""
LARGEST = BLOCK * 64
"""A block is not merged beyond this; bounds the pause of one merge to tenths of a second."""

REMEMBERED = 8
"""Blocks whose positions stay in memory: labels and reversals name events of the last weeks."""

Int64s = npt.NDArray[np.int64]
Offsets = npt.NDArray[np.uint32]


class JournalIndex:
    """Finds the journal position of events; 8 bytes of memory a row, and 4 of rows asked of late.

    Built from the database; `add` every accepted event, `seal_full_blocks` inside the transaction.
    After a rollback build a new one.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        blocks = db.execute("SELECT first_seq, last_seq, refs FROM journal_index ORDER BY first_seq")
        self._blocks = [(first, last, _numbers(refs)) for first, last, refs in blocks]
        self._offsets: dict[int, Offsets] = {}
        """Positions of blocks that were asked of late, counted from the block's first."""
        self._sealed = self._blocks[-1][1] if self._blocks else 0
        rows = db.execute("SELECT ref, seq FROM journal WHERE seq > ?", (self._sealed,))
        self._tail: dict[int, int] = dict(rows)

    def find(self, refs: Sequence[int]) -> dict[int, int]:
        """Return the journal position of each of these references that is known."""
        tail = self._tail
        found = {ref: tail[ref] for ref in refs if ref in tail}
        if self._blocks:
            # In order: each search begins where the one before ended, on memory that is at hand.
            wanted = np.sort(np.array(refs, dtype=np.int64))
            for first, _, block in self._blocks:
                place = np.searchsorted(block, wanted)
                same = block[np.minimum(place, len(block) - 1)] == wanted
                if same.any():
                    found.update(self._positions(first, block, wanted[same]))
        return found

    def add(self, ref: int, seq: int) -> None:
        """Remember an event of the running batch."""
        self._tail[ref] = seq

    def get_unsealed(self, ref: int) -> int | None:
        """Return the position of a recent event; sees those of the running batch."""
        return self._tail.get(ref)

    def seal_full_blocks(self) -> None:
        """Write the recent rows as a block once there are `BLOCK` of them, and merge blocks of a size."""
        if len(self._tail) < BLOCK:
            return
        refs = np.fromiter(self._tail.keys(), dtype=np.int64, count=len(self._tail))
        seqs = np.fromiter(self._tail.values(), dtype=np.int64, count=len(self._tail))
        self._write(refs, seqs)
        self._tail = {}
        while self._merge_due():
            self._merge()

    def _positions(self, first: int, block: Int64s, refs: Int64s) -> dict[int, int]:
        offsets = self._offsets.get(first)
        if offsets is None:
            offsets = self._offsets[first] = self._read_offsets(first)
        return {int(ref): first + int(offsets[np.searchsorted(block, ref)]) for ref in refs}

    def _read_offsets(self, first: int) -> Offsets:
        while len(self._offsets) >= REMEMBERED:
            del self._offsets[next(iter(self._offsets))]
        (stored,) = self.db.execute("SELECT seqs FROM journal_index WHERE first_seq = ?", (first,)).fetchone()
        return (_numbers(stored) - first).astype(np.uint32)

    def _write(self, refs: Int64s, seqs: Int64s) -> None:
        order = np.argsort(refs, kind="stable")
        first, last = int(seqs.min()), int(seqs.max())
        self.db.execute(
            "INSERT INTO journal_index(first_seq, last_seq, refs, seqs) VALUES(?, ?, ?, ?)",
            (first, last, refs[order].astype("<i8").tobytes(), seqs[order].astype("<i8").tobytes()),
        )
        self._blocks.append((first, last, refs[order]))
        self._sealed = last

    def _merge_due(self) -> bool:
        sizes = [len(block) for _, _, block in self._blocks[-4:]]
        return len(sizes) == 4 and 4 * sizes[-1] <= LARGEST and all(size < 2 * sizes[-1] for size in sizes)

    def _merge(self) -> None:
        merged, self._blocks = self._blocks[-4:], self._blocks[:-4]
        firsts = [first for first, _, _ in merged]
        for first in firsts:
            self._offsets.pop(first, None)
        stored = [
            self.db.execute("SELECT seqs FROM journal_index WHERE first_seq = ?", (first,)).fetchone()[0]
            for first in firsts
        ]
        self.db.executemany("DELETE FROM journal_index WHERE first_seq = ?", [(first,) for first in firsts])
        self._write(
            np.concatenate([refs for _, _, refs in merged]), np.concatenate([_numbers(s) for s in stored])
        )


def find(db: sqlite3.Connection, ref: int) -> int | None:
    """Return the journal position of an event, or None; reads a few pages, on any connection."""
    sealed = 0
    for first, last, count in db.execute(
        "SELECT first_seq, last_seq, LENGTH(refs) / 8 FROM journal_index"
    ).fetchall():
        sealed = max(sealed, last)
        with db.blobopen("journal_index", "refs", first, readonly=True) as refs:
            place = _bisect(refs, count, ref)
        if place is not None:
            with db.blobopen("journal_index", "seqs", first, readonly=True) as seqs:
                return _number(seqs, place)
    row = db.execute("SELECT seq FROM journal WHERE seq > ? AND ref = ?", (sealed, ref)).fetchone()
    return cast(int, row[0]) if row else None


def _bisect(refs: sqlite3.Blob, count: int, ref: int) -> int | None:
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if _number(refs, middle) < ref:
            low = middle + 1
        else:
            high = middle
    return low if low < count and _number(refs, low) == ref else None


def _number(blob: sqlite3.Blob, place: int) -> int:
    blob.seek(8 * place)
    return int.from_bytes(blob.read(8), "little", signed=True)


def _numbers(stored: bytes) -> Int64s:
    return np.frombuffer(stored, dtype="<i8").astype(np.int64, copy=False)
