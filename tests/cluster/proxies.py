"""A TCP proxy of the test's own: the network between two parts of a cluster, to be cut and silenced."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

from servers import steady_port


class Proxy:
    """Passes connections on to a server, until told otherwise.

    Parameters
    ----------
    target
        Port of the server.
    """

    def __init__(self, target: int) -> None:
        self.port = steady_port()
        self.target = target
        self._loop = asyncio.new_event_loop()
        self._connections: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._flowing = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        self.heal()

    def stop(self) -> None:
        """End it with everything that goes through it."""
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """Reset every connection and refuse new ones."""
        self._do(self._cut())

    def silence(self) -> None:
        """Let nothing through, and nobody know."""
        self._do(self._silence())

    def heal(self) -> None:
        """Let everything through again; what was held back by a silence arrives now."""
        self._do(self._heal())

    def _do(self, work) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._connections:
            writer.transport.abort()
        self._flowing.set()
        # Until they have seen it.
        while self._connections:
            await asyncio.sleep(0.01)

    async def _silence(self) -> None:
        self._flowing.clear()

    async def _heal(self) -> None:
        self._flowing.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._flowing.wait()
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._connections |= {writer, far_writer}
        try:
            await asyncio.gather(self._pass_on(reader, far_writer), self._pass_on(far_reader, writer))
        finally:
            self._connections -= {writer, far_writer}

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        # One side ended: the other one is told.
        with suppress(OSError):
            writer.close()
