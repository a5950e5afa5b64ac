"""What a failed request is answered: JSON for programs, a page in the usual clothes for people."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from alerts.inbox.context import BodyTooLargeError, DeniedError, MissingError, Site
from alerts.inbox.headers import HEADERS
from alerts.inbox.service import UnavailableError

log = logging.getLogger(__name__)

_MACHINES = ("/api/", "/events", "/healthz", "/readyz", "/metrics", "/live", "/openapi.json")

_TITLES: Mapping[int, str] = {
    403: "Not allowed",
    404: "Not found",
    405: "Not possible here",
    413: "Too large",
    422: "Something is missing",
    500: "Something went wrong",
    503: "Not now",
}

_STATUSES: Mapping[type[Exception], int] = {
    MissingError: 404,
    BodyTooLargeError: 413,
    UnavailableError: 503,
}


def add_errors(app: FastAPI, site: Site) -> None:
    """Give the application an answer for everything that can go wrong with a request."""

    async def known(request: Request, error: Exception) -> Response:
        return _answer(site, request, _STATUSES[type(error)], str(error))

    async def denied(request: Request, error: Exception) -> Response:
        assert isinstance(error, DeniedError)
        if error.status == 401 and not _is_machine(request):
            target = request.url.path if request.method == "GET" else "/"
            return RedirectResponse(f"/login?next={quote(target)}", 303)
        return _answer(site, request, error.status, error.detail)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        faults = [
            {"path": ".".join(map(str, item["loc"][1:])), "problem": item["msg"], "hint": ""}
            for item in error.errors()
        ]
        text = "; ".join(f"{fault['path']}: {fault['problem']}" for fault in faults)
        return _answer(site, request, 422, text, faults)

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _answer(site, request, error.status_code, str(error.detail))

    async def failed(request: Request, error: Exception) -> Response:
        log.error("request_failed path=%r", request.url.path, exc_info=error)
        response = _answer(site, request, 500, "The request failed; the log says why.")
        # This answer is made outside the middleware that puts them on all others.
        response.headers.update(HEADERS)
        return response

    for kind in _STATUSES:
        app.add_exception_handler(kind, known)
    app.add_exception_handler(DeniedError, denied)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(Exception, failed)


def _answer(
    site: Site, request: Request, status: int, detail: str, faults: list[dict[str, str]] | None = None
) -> Response:
    headers = _headers(site, status)
    if _is_machine(request):
        body: dict[str, Any] = {"error": detail, "hint": "", "faults": faults or []}
        return JSONResponse(body, status, headers)
    title = _TITLES.get(status, "Not possible")
    page = site.page(request, "problem.html", status, code=status, title=title, detail=detail)
    page.headers.update(headers)
    return page


def _headers(site: Site, status: int) -> dict[str, str]:
    if status == 503:
        return {"Retry-After": str(site.settings.retry_after_s)}
    return {"WWW-Authenticate": "Bearer"} if status == 401 else {}


def _is_machine(request: Request) -> bool:
    return request.url.path.startswith(_MACHINES)
