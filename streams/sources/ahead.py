"""Recorded files read by a process of its own, so that what is done with events does not wait for them."""

from __future__ import annotations

import fcntl
import pickle
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from streams.aside import leave_the_end_to_the_starter, put, start, take
from streams.faults import Rejection
from streams.ports import Record
from streams.sources.files import SourceError
from streams.sources.merge import MergedFiles

TOGETHER = 512
"""Records in a message: a message costs more than a record."""
_ROOM = 1 << 20
"""Bytes that wait in the pipe at most, where the system lets us say so: some messages."""


class Part(NamedTuple):
    """Some records, in order, by column; and with the last ones what is to be told at the end."""

    bodies: list[bytes]
    sources: list[str]
    positions: list[int]
    rejections: dict[int, Rejection]
    """By the place in this part; most records have none."""
    unsorted: dict[str, int] | None = None
    """See `MergedFiles`; with the last part."""
    error: SourceError | None = None
    """Why there are no more, with the last part."""


class ReadAhead:
    """The records of `MergedFiles`, read and mapped by another process a few messages ahead.

    Records, positions and errors are those of the files read here. The process ends with its last
    record, with whoever started it, and where nobody wants more.

    Parameters
    ----------
    files
        What to read; it is sent to the process.
    """

    def __init__(self, files: MergedFiles) -> None:
        self._files = files
        self.name = files.name
        """What it is: the same name goes on where it stopped, whoever reads it."""
        self.unsorted: dict[str, int] = {}
        """File name to the first row that is older than a row before it; known after the last record."""

    @property
    def total(self) -> int:
        """Rows of all files."""
        return self._files.total

    def records(self, position: Any = None) -> Iterator[Record]:
        """Give the records after a position (that of a record, or None for all).

        Raises
        ------
        SourceError
            As `MergedFiles`, after the records before; and where the process was killed.
        """
        with start(__name__) as process:
            wanted: BinaryIO = process.stdin  # type: ignore[assignment]
            told: BinaryIO = process.stdout  # type: ignore[assignment]
            _widen(told)
            with suppress(BrokenPipeError):  # it died at once: that is told below
                put(wanted, pickle.dumps((self._files, position)))
            while message := take(told):
                part: Part = pickle.loads(message)  # noqa: S301  from our own process
                rejections = part.rejections
                for number, record in enumerate(zip(part.bodies, part.sources, part.positions, strict=True)):
                    body, source, place = record
                    yield Record(body, source, 0, place, rejections.get(number) if rejections else None)
                if part.unsorted is not None:
                    self.unsorted = part.unsorted
                    if part.error is not None:
                        raise part.error
                    return
        again = "give the same command again: it goes on where it stopped"
        raise SourceError(Path(self.name), "the process that reads it has ended", again)


def serve() -> None:
    """Read what standard input says and give its records to standard output, until nobody wants more."""
    leave_the_end_to_the_starter()
    wanted = take(sys.stdin.buffer)
    if wanted is None:
        return
    files, position = pickle.loads(wanted)  # noqa: S301  from whoever started it
    with suppress(BrokenPipeError):
        for part in parts(files, position):
            put(sys.stdout.buffer, pickle.dumps(part))


def parts(files: MergedFiles, position: Any) -> Iterator[Part]:
    """Give the records of files after a position, some at a time."""
    records, error = iter(files.records(position)), None
    is_last = False
    while not is_last:
        part = Part([], [], [], {})
        try:
            for number, record in enumerate(islice(records, TOGETHER)):
                part.bodies.append(record.body)
                part.sources.append(record.source)
                part.positions.append(record.position)
                if record.rejection is not None:
                    part.rejections[number] = record.rejection
        except SourceError as found:
            error = found
        is_last = len(part.bodies) < TOGETHER
        yield part._replace(unsorted=files.unsorted, error=error) if is_last else part


def _widen(pipe: BinaryIO) -> None:
    """Have a pipe hold more than its 64 KB, less than a message, where the system knows of it."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):  # a system's limit; it works without
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _ROOM)
