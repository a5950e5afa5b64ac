"""Processes that work beside the one that started them: their begin, their end, and messages between."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
from typing import BinaryIO

_LENGTH = struct.Struct(">I")


def is_worthwhile() -> bool:
    """Return whether there is a processor for another process."""
    return (os.cpu_count() or 1) > 1


def start(module: str) -> subprocess.Popen[bytes]:
    """Start the `serve()` of a module in a process of its own, with pipes from and to this one."""
    return subprocess.Popen(  # noqa: S603  this very program
        [sys.executable, "-c", f"from {module} import serve; serve()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        process_group=0,  # a terminal's Ctrl-C is for us alone
    )


def leave_the_end_to_the_starter() -> None:
    """Ignore signals to stop: whoever started this process ends it, by closing the pipe or by dying."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def put(pipe: BinaryIO, message: bytes) -> None:
    """Write a message, its length first; waits while the other end is behind.

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
