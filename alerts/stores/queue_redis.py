"""The alert queue on Redis Streams, with the outbox's sequence numbers as ids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import redis

from alerts.ports import Delivery, QueueDownError

_FIELD: Final = b"message"
_Answer = TypeVar("_Answer")


class RedisQueue:
    """An `AlertQueue` in one Redis stream; safe between threads.

    The id of a message is `<sequence>-0`, and Redis refuses ids that do not ascend: publishing
    the same sequence again is a no-op without any bookkeeping.

    Parameters
    ----------
    url
        `redis://[[user]:password@]host:port/db`, `rediss://` for TLS.
    stream
        Its key.
    keep
        How many messages to keep, approximately; the oldest go.
    """

    def __init__(self, url: str, stream: str = "riskmon:alerts", *, keep: int = 100_000) -> None:
        self._redis: redis.Redis = redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)
        self._stream = stream
        self._keep = keep

    def publish(self, sequence: int, message: bytes) -> bool:
        """Add a message; return False where `sequence` was already published."""
        return self._ask(lambda: self._add(sequence, message))

    def last(self) -> int:
        """Return the highest sequence published, 0 where there is none."""
        return self._ask(self._last)

    def read(self, group: str, consumer: str, count: int = 10) -> list[Delivery]:
        """Return up to `count` messages that nobody of the group has read yet, oldest first."""
        found = self._of_group(
            group, lambda: self._redis.xreadgroup(group, consumer, {self._stream: ">"}, count=count)
        )
        messages = [one for _, several in _streams(found) for one in several]
        return [Delivery(_sequence(key), fields[_FIELD], 1) for key, fields in messages]

    def ack(self, group: str, sequence: int) -> bool:
        """Mark a message as done by the group; return False where it was not pending."""
        return bool(self._ask(lambda: self._redis.xack(self._stream, group, f"{sequence}-0")))

    def pending(self, group: str) -> dict[int, str]:
        """Return the messages read and not acknowledged: sequence to consumer, ascending."""
        found = self._of_group(
            group, lambda: self._redis.xpending_range(self._stream, group, "-", "+", self._keep)
        )
        return {_sequence(one["message_id"]): one["consumer"].decode() for one in found}

    def claim(self, group: str, consumer: str, idle_ms: int, count: int = 10) -> list[Delivery]:
        """Take over messages pending for at least `idle_ms` (wall clock) and return them."""
        answer = self._of_group(
            group, lambda: self._redis.xautoclaim(self._stream, group, consumer, idle_ms, count=count)
        )
        messages = {_sequence(key): fields[_FIELD] for key, fields in answer[1] if fields}
        if not messages:
            return []
        first, last = min(messages), max(messages)
        times = self._ask(
            lambda: self._redis.xpending_range(
                self._stream, group, f"{first}-0", f"{last}-0", self._keep, consumername=consumer
            )
        )
        deliveries = {_sequence(one["message_id"]): one["times_delivered"] for one in cast("Any", times)}
        return [Delivery(key, messages[key], deliveries.get(key, 2)) for key in sorted(messages)]

    def close(self) -> None:
        """Close the connections; closing twice is harmless."""
        self._redis.close()

    def _add(self, sequence: int, message: bytes) -> bool:
        try:
            self._redis.xadd(
                self._stream, {_FIELD: message}, id=f"{sequence}-0", maxlen=self._keep, approximate=True
            )
        except redis.ResponseError as error:
            if "equal or smaller" in str(error):
                return False
            raise
        return True

    def _last(self) -> int:
        try:
            info = self._redis.xinfo_stream(self._stream)
        except redis.ResponseError as error:
            if "no such key" in str(error):
                return 0
            raise
        return _sequence(info["last-generated-id"])

    def _of_group(self, group: str, command: Callable[[], Any]) -> Any:
        # A group is made when it is first asked for; also again after Redis lost everything.
        try:
            return self._ask(command)
        except _NoGroupError:
            self._ask(lambda: self._redis.xgroup_create(self._stream, group, id="0", mkstream=True))
            return self._ask(command)

    def _ask(self, command: Callable[[], _Answer]) -> _Answer:
        try:
            return command()
        except redis.ResponseError as error:
            if str(error).startswith("NOGROUP"):
                raise _NoGroupError from error
            raise QueueDownError(f"redis: {error}") from error
        except redis.RedisError as error:
            raise QueueDownError(f"redis: {error}") from error


class _NoGroupError(Exception):
    """The group, or the whole stream, does not exist yet."""


def _streams(found: Any) -> list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]]:
    return list(found.items()) if isinstance(found, dict) else list(found or [])


def _sequence(key: bytes) -> int:
    return int(key.partition(b"-")[0])
