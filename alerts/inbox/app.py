"""The inbox as an application: pages, API, probes, one gate before them all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles

from alerts.inbox import api, forms, ingest, models, operations, pages, rating_actions, rating_forms, rules
from alerts.inbox.context import Site
from alerts.inbox.errors import add_errors
from alerts.inbox.headers import SecurityHeaders
from alerts.inbox.ingest import ErrorOut
from alerts.inbox.live import Live
from alerts.inbox.service import Service
from alerts.inbox.settings import WebSettings

_EVENT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["event_id", "event_type", "occurred_at"],
    "properties": {
        "event_id": {"type": "string", "description": "Unique in its source system"},
        "event_type": {"type": "string", "example": "payment.transfer"},
        "occurred_at": {"type": "string", "format": "date-time", "description": "RFC 3339 with offset"},
        "source_system": {"type": "string"},
        "customer_id": {"type": "string"},
    },
    "additionalProperties": True,
}


def build_app(service: Service, settings: WebSettings) -> FastAPI:
    """Build the inbox over a running monitor (a function, so every test gets its own).

    The application does not own the service: closing it ends the live streams and nothing else.
    Serve it with `alerts.inbox.server.build_server`, which also ends the streams on a signal.
    """
    live = Live(partial(pages.news, service), service.subscribe)
    site = Site(service, settings, live)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(live.run())
        yield
        live.close()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    app = FastAPI(
        title="riskmon",
        summary="Customer risk monitor: events in; alerts, ratings and their reasons out",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        responses={
            401: {"model": ErrorOut, "description": "Not signed in, no or no known token"},
            403: {"model": ErrorOut, "description": "The role does not allow it"},
            422: {"model": ErrorOut, "description": "Something is missing or wrong; every fault is named"},
        },
        lifespan=lifespan,
    )
    app.state.site = site
    app.add_middleware(SecurityHeaders)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    for module in (operations, ingest, api, rating_actions, rating_forms, forms, models, rules, pages):
        app.include_router(module.router(site))
    _add_documentation(app, site)
    add_errors(app, site)
    return app


def _add_documentation(app: FastAPI, site: Site) -> None:
    @cache
    def schema() -> dict[str, Any]:
        found = app.openapi()
        parts = found.setdefault("components", {})
        parts.setdefault("schemas", {})["Event"] = _EVENT_SCHEMA
        parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        return {**found, "security": [{"token": []}]}

    @app.get("/openapi.json", include_in_schema=False)
    def openapi() -> Response:
        return JSONResponse(schema())

    @app.get("/docs", include_in_schema=False)
    def documentation(request: Request) -> Response:
        operations = [
            {
                "method": method.upper(),
                "path": path,
                "summary": operation.get("summary", ""),
                "answers": [
                    (code, answer.get("description", "")) for code, answer in operation["responses"].items()
                ],
            }
            for path, item in schema()["paths"].items()
            for method, operation in item.items()
        ]
        return site.page(request, "api.html", page="api", operations=operations)
