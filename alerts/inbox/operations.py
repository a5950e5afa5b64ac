"""Probes and metrics: what machines ask about the service. Open to all, without any id in them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from alerts.inbox.context import Site

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Prometheus text format."""


_NOT: dict[int | str, dict[str, Any]] = {503: {"description": "No; the body says why"}}


def router(site: Site) -> APIRouter:
    """Return the routes of probes and metrics."""
    routes = APIRouter(tags=["service"])

    @routes.get("/healthz", summary="Does the process and its engine run?", responses=_NOT)
    async def healthz() -> Response:
        # In the event loop: a probe is answered while every worker thread waits for the store.
        health = site.service.health()
        body = {"alive": health["alive"], "reasons": list(health["reasons"])}
        return JSONResponse(body, 200 if health["alive"] else 503)

    @routes.get("/readyz", summary="Does it take events?", responses=_NOT)
    async def readyz() -> Response:
        health = site.service.health()
        is_ready = health["alive"] and health["ready"]
        body = {"ready": is_ready, "reasons": list(health["reasons"])}
        headers = {} if is_ready else {"Retry-After": str(site.settings.retry_after_s)}
        return JSONResponse(body, 200 if is_ready else 503, headers)

    @routes.get("/metrics", summary="Metrics for Prometheus")
    def metrics() -> Response:
        return Response(site.service.metrics(), media_type=METRICS_TYPE)

    return routes
