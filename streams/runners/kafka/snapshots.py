"""Snapshots of one partition, as the records of its topic: the highest position of a key counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from streams.ports import StateRow

_Head = tuple[int, int, msgspec.Raw]
_Whole = tuple[int, int, bytes]
_head = msgspec.msgpack.Decoder(_Head).decode
_whole = msgspec.msgpack.Decoder(_Whole).decode
_encode = msgspec.msgpack.Encoder().encode


class SnapshotRows:
    """The latest snapshot of every subject of a partition, encoded; about the bytes of the records.

    A worker that was thought dead may have written an old snapshot behind a newer one. Whatever
    the order of the records, the newer one counts; and it is to be written again, because a
    compacted topic keeps the last record.

    Examples
    --------
    >>> rows = SnapshotRows("customer")
    >>> rows.apply(*record_of(StateRow("customer", "C-1", 7, 0, b"new")))
    >>> rows.apply(*record_of(StateRow("customer", "C-1", 5, 0, b"old")))
    >>> rows.state("customer", "C-1").packed, [row.seq for row in rows.overwritten()]
    (b'new', [7])
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._records: dict[bytes, bytes] = {}
        self._overwritten: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._records)

    def apply(self, key: bytes, value: bytes) -> None:
        """Take a record of the topic, unless a newer one of the key is known."""
        known = self._records.get(key)
        if known is not None and _head(value)[0] < _head(known)[0]:
            self._overwritten.add(key)
            return
        self._records[key] = value
        self._overwritten.discard(key)

    def overwritten(self) -> list[StateRow]:
        """Return the rows behind which the topic has older ones; once."""
        keys, self._overwritten = sorted(self._overwritten), set()
        return [self._row(key.decode(), self._records[key]) for key in keys]

    def state(self, kind: str, subject_id: str) -> StateRow | None:
        """Return a snapshot."""
        value = self._records.get(subject_id.encode())
        return None if value is None else self._row(subject_id, value)

    def timers(self) -> Iterator[tuple[int, str, str]]:
        """Give (due_ms, kind, id) of every snapshot with a timer."""
        for key, value in self._records.items():
            due_ms = _head(value)[1]
            if due_ms:
                yield due_ms, self._kind, key.decode()

    def put_states(self, rows: Iterable[StateRow]) -> None:
        """Take snapshots: read again from here on."""
        for row in rows:
            key, self._records[key] = record_of(row)

    def _row(self, subject_id: str, value: bytes) -> StateRow:
        return StateRow(self._kind, subject_id, *_whole(value))


class ChangelogRows:
    """The snapshots of the partitions a worker has, as they come back from a changelog.

    Parameters
    ----------
    kind
        Of the subjects.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._rows: dict[int, SnapshotRows] = {}
        self._offsets: dict[int, int] = {}
        self._seen: dict[int, int] = {}
        self._recovering: set[int] = set()
        self.generation = 0
        """Of the last assignment."""

    def rows(self, partition: int) -> SnapshotRows:
        """Return the snapshots of a partition; of one that has none yet: empty ones, to be filled."""
        return self._rows.setdefault(partition, SnapshotRows(self._kind))

    def reached(self, partition: int) -> int:
        """Return the offset up to which records are in memory; -1 for none."""
        return self._offsets.get(partition, -1)

    def written(self, partition: int, offset: int) -> None:
        """Note that this worker wrote the record at an offset: it need not be read again."""
        if offset == self.reached(partition) + 1:
            self._offsets[partition] = offset

    def forget(self) -> None:
        """Read every partition anew after the next assignment."""
        self._rows.clear()
        self._offsets.clear()

    def assigned(self, partitions: set[int], generation: int) -> None:
        """Drop partitions that are not ours any more, and those that were not read to their end."""
        for number in (self._rows.keys() | self._offsets.keys()) - (partitions - self._recovering):
            self._rows.pop(number, None)
            self._offsets.pop(number, None)
        self._seen = {number: self.reached(number) for number in partitions}
        self._recovering, self.generation = set(partitions), generation

    def completed(self) -> None:
        """Note that every partition is read to its end."""
        self._recovering = set()

    def seen(self, partition: int, offset: int, generation: int) -> int:
        """Note the offset of a record that was read; return the last one that counts.

        That is another one where the record was read before the last assignment and came late:
        whoever goes on behind it would leave out what is between.
        """
        if generation == self.generation and partition in self._seen:
            self._seen[partition] = offset
        return self._seen.get(partition, -1)

    def apply(
        self, partition: int, offset: int, generation: int, key: bytes = b"", value: bytes | None = None
    ) -> None:
        """Take a record that was read since the last assignment; without a value, its offset alone."""
        if generation != self.generation or partition not in self._seen:
            return
        if value is not None:
            self.rows(partition).apply(key, value)
        self._offsets[partition] = offset


def record_of(row: StateRow) -> tuple[bytes, bytes]:
    """Return key and value of a snapshot's record.

    Examples
    --------
    >>> record_of(StateRow("customer", "C-1", 7, 0, b"packed"))[0]
    b'C-1'
    """
    return row.id.encode(), _encode((row.seq, row.due_ms, row.packed))
