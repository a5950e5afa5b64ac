"""Messages between a process and one that it started: the length, then the bytes."""

from __future__ import annotations

import struct
from typing import BinaryIO

_LENGTH = struct.Struct(">I")


def put(pipe: BinaryIO, message: bytes) -> None:
    """Write a message; waits while the other end is behind.

    Raises
    ------
    BrokenPipeError
        The other end has gone.
    """
    pipe.write(_LENGTH.pack(len(message)) + message)
    pipe.flush()


def take(pipe: BinaryIO) -> bytes | None:
    """Return the next message; None where there is none to come."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    message = pipe.read(length)
    return message if len(message) == length else None
