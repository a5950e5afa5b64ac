"""Live updates for open pages: server-sent events, at most one a second, however many alerts come."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

log = logging.getLogger(__name__)

BEAT_SECONDS = 15.0
"""A silent stream says something this often, so that a proxy keeps it open."""

PAUSE_SECONDS = 1.0
"""After an update, the next one waits this long: a burst of alerts is one update."""

LOOK_SECONDS = 0.25
"""A waiting stream looks up this often, to notice that the service stops."""


class Live:
    """Tells every open page what the newest alerts are, whenever something changed.

    Pages read the newest state, not a queue of changes: a slow reader misses nothing that matters
    and holds nothing up. What a page may see depends on its user's right to confidential alerts,
    so there are two states.

    Parameters
    ----------
    snapshot
        Returns the state as JSON text, for users with (True) or without (False) that right. Runs in
        a worker thread.
    subscribe
        Takes a function to call, from any thread, after alerts have changed; returns a function
        that ends the subscription.
    """

    def __init__(
        self,
        snapshot: Callable[[bool], str],
        subscribe: Callable[[Callable[[], None]], Callable[[], None]],
    ) -> None:
        self._snapshot = snapshot
        self._subscribe = subscribe
        self._wake = asyncio.Event()
        self._changed = asyncio.Condition()
        self._state: dict[bool, str] = {}
        self._version = 0
        self._closed = False

    async def run(self) -> None:
        """Serve until cancelled; one task an application."""
        loop = asyncio.get_running_loop()

        def wake() -> None:
            # The loop may already be closed while the engine commits its last batch.
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._wake.set)

        unsubscribe = self._subscribe(wake)
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                await self._refresh()
                await asyncio.sleep(PAUSE_SECONDS)
        finally:
            unsubscribe()

    def close(self) -> None:
        """End all streams, so that the server can stop. Call it in the loop's thread."""
        self._closed = True

    async def stream(self, *, confidential: bool) -> AsyncIterator[str]:
        """Yield the events of one page, until the page goes away or the service stops."""
        yield "retry: 2000\n\n"
        seen = self._version
        silent = 0.0
        while not self._closed:
            if self._version != seen:
                seen, silent = self._version, 0.0
                yield f"event: alerts\ndata: {self._state[confidential]}\n\n"
            elif silent >= BEAT_SECONDS:
                silent = 0.0
                yield ": still here\n\n"
            else:
                silent += await self._wait(LOOK_SECONDS)

    async def _wait(self, seconds: float) -> float:
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait()
        except TimeoutError:
            return seconds
        return 0.0

    async def _refresh(self) -> None:
        try:
            state = {right: await asyncio.to_thread(self._snapshot, right) for right in (True, False)}
        except Exception:
            # A store that cannot be read now is tried again at the next change; pages stay open.
            log.exception("live_update_failed")
            return
        async with self._changed:
            self._state = state
            self._version += 1
            self._changed.notify_all()
