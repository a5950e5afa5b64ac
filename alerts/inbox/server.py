"""The web server of the inbox."""

from __future__ import annotations

from types import FrameType

import uvicorn
from fastapi import FastAPI

from alerts.inbox.context import Site
from alerts.inbox.settings import check_binding


class InboxServer(uvicorn.Server):
    """Ends the live streams of open pages on a signal: they would keep it from stopping."""

    def __init__(self, config: uvicorn.Config, site: Site) -> None:
        super().__init__(config)
        self._site = site

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop taking requests; a second signal stops at once."""
        self._site.live.close()
        super().handle_exit(sig, frame)


def build_server(app: FastAPI, host: str, port: int) -> InboxServer:
    """Return a server for an application of `build_app`; `run()` or `await serve()` it.

    Raises
    ------
    UnsafeBindingError
        The address is open to other machines and no users are configured.
    """
    site: Site = app.state.site
    check_binding(host, site.settings)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    return InboxServer(config, site)
