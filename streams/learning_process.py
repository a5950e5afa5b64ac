"""Learning in a process of its own, so that what scores does not wait for what learns."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any, BinaryIO

import msgspec

from monitor.core.models.config import ModelsConfig
from streams.aside import leave_the_end_to_the_starter, put, start, take
from streams.learners import Learners
from streams.learnt import Learnt, Lesson
from streams.memory import prepare_memory
from streams.ports import StoreUnavailableError

TOGETHER = 128
"""Lessons in a message: a message costs more than a lesson."""
PATIENCE_S = 10.0
"""How long a process that was told to end is waited for."""
_FOLLOW, _TURN, _KEEP, _ADOPT, _RECOVER = range(5)
_encode = msgspec.msgpack.encode


class LearningProcess:
    """Learners in a process of their own; the same versions as from `Learners`, at the same events.

    Lessons are sent and not waited for; only what brings versions into force, or is to be kept, is. The
    process learns nothing by itself and ends with whoever started it, however that ended.

    Raises
    ------
    StoreUnavailableError
        By every method: the process has ended. Nothing of the batch may be committed; `recover` starts
        another one.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lessons: list[Lesson] = []

    def recover(self, kept: Mapping[str, bytes]) -> Learnt:
        """See `Learning`."""
        self._lessons.clear()
        if self._process is not None and self._process.poll() is None:
            try:
                return self._ask(_RECOVER, kept)
            except StoreUnavailableError:
                pass  # it died under our hands: another one is started
        self.close()
        self._process = start(__name__)
        return self._ask(_RECOVER, kept)

    def adopt(self, config: ModelsConfig | None, head: int) -> Learnt:
        """See `Learning`."""
        return self._ask(_ADOPT, (msgspec.to_builtins(config), head))

    def follow(self, lesson: Lesson) -> None:
        """See `Learning`."""
        self._lessons.append(lesson)
        if len(self._lessons) >= TOGETHER:
            self._flush()

    def turn(self, lesson: Lesson) -> Learnt:
        """See `Learning`."""
        return self._ask(_TURN, lesson)

    def keep(self, seq: int) -> Learnt:
        """See `Learning`."""
        return self._ask(_KEEP, seq)

    def close(self) -> None:
        """See `Learning`."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except BrokenPipeError:
                pass  # what was under way is lost with it
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _flush(self) -> None:
        if self._lessons:
            self._send(_FOLLOW, self._lessons)
            self._lessons.clear()

    def _ask(self, verb: int, content: Any) -> Learnt:
        self._flush()
        self._send(verb, content)
        process = self._process
        answer = None if process is None else take(process.stdout)  # type: ignore[arg-type]
        if answer is None:
            raise StoreUnavailableError("learning: expected an answer, but the process had ended")
        return msgspec.msgpack.decode(answer, type=Learnt)

    def _send(self, verb: int, content: Any) -> None:
        try:
            if self._process is None:
                raise BrokenPipeError
            pipe: BinaryIO = self._process.stdin  # type: ignore[assignment]
            put(pipe, bytes((verb,)) + _encode(content))
        except BrokenPipeError:
            raise StoreUnavailableError("learning: expected a process, but it had ended") from None


def serve() -> None:
    """Learn what standard input says, and answer on standard output, until there is no more input."""
    leave_the_end_to_the_starter()
    prepare_memory()
    learners = Learners()
    while (message := take(sys.stdin.buffer)) is not None:
        answer = _carry_out(learners, message[0], memoryview(message)[1:])
        if answer is not None:
            try:
                put(sys.stdout.buffer, _encode(answer))
            except BrokenPipeError:
                return


def _carry_out(learners: Learners, verb: int, content: memoryview) -> Learnt | None:
    decode = msgspec.msgpack.decode
    if verb == _FOLLOW:
        for lesson in decode(content, type=list[Lesson]):
            learners.follow(lesson)
        return None
    if verb == _TURN:
        return learners.turn(decode(content, type=Lesson))
    if verb == _KEEP:
        return learners.keep(decode(content, type=int))
    if verb == _ADOPT:
        config, head = decode(content)
        return learners.adopt(msgspec.convert(config, ModelsConfig | None), head)
    return learners.recover(decode(content, type=dict[str, bytes]))
