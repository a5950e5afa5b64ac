"""What every route shares: the service, who is asking, and how a page is rendered."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from datetime import tzinfo
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from alerts.grouping import short
from alerts.inbox import words
from alerts.inbox.access import LOCAL, Gate, Right, User
from alerts.inbox.live import Live
from alerts.inbox.service import Service
from alerts.inbox.settings import LOOPBACK, WebSettings
from alerts.lifecycle import CONFIDENTIAL, Alert

log = logging.getLogger(__name__)

SESSION = "riskmon_session"
VISITOR = "riskmon_visitor"
FORM_LIMIT = 512 * 1024
"""Largest form, bytes: some thousand picked alerts."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class DeniedError(Exception):
    """The visitor may not do this: status 401 (not known) or 403 (known, or known well enough)."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class MissingError(Exception):
    """What was asked for is not there, or not for this user."""


class BodyTooLargeError(Exception):
    """The request has more bytes than the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"body: expected at most {limit:,} bytes, was more")


class Site:
    """The service with its gate and its pages; one an application."""

    def __init__(self, service: Service, settings: WebSettings, live: Live) -> None:
        self.service = service
        self.settings = settings
        self.live = live
        self.gate = Gate(settings.users, settings.session_hours)
        self._pages = environment(settings.zone)

    # --- who is asking ---

    def user(self, request: Request) -> User | None:
        """Return who is asking: by bearer token, by session, or everybody as the local officer."""
        if self.gate.is_open:
            return LOCAL
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self.gate.by_token(token.strip())
        return self.gate.by_session(request.cookies.get(SESSION, ""), int(time.time()))

    def admit(self, request: Request, right: Right) -> User:
        """Return the user where they may do this.

        Raises
        ------
        DeniedError
            401 where nobody is signed in, 403 where the role does not allow it or where the request
            comes from another site's page. Both are logged.
        """
        self.check_origin(request)
        user = self.user(request)
        if user is None:
            raise self._denied(request, 401, "anonymous", "Sign in, or send a bearer token.")
        if not user.may(right):
            raise self._denied(request, 403, user.name, f"Your role does not allow to {right.value}.")
        return user

    def check_origin(self, request: Request) -> None:
        """Refuse what another site's page makes a browser send.

        A browser names the page's site in `Origin`. While no users are configured the name we are
        called by must be this machine's, or a foreign name that resolves here would open the door.
        """
        host = request.headers.get("host", "")
        if self.gate.is_open and (request.url.hostname or "") not in LOOPBACK:
            raise self._denied(request, 403, "anonymous", f"{host!r} is not a name of this machine.")
        origin = request.headers.get("origin")
        if request.method not in SAFE and origin and origin.partition("://")[2] != host:
            raise self._denied(request, 403, "anonymous", f"The request comes from {origin!r}.")

    def _denied(self, request: Request, status: int, name: str, detail: str) -> DeniedError:
        log.warning(
            "access_denied status=%d user=%s method=%s path=%r",
            status,
            name,
            request.method,
            request.url.path,
        )
        return DeniedError(status, detail)

    # --- what they may see ---

    def alert(self, user: User, alert_id: str) -> Alert:
        """Return an alert that this user may see.

        Raises
        ------
        MissingError
            There is none, or it is confidential and the user's role is not let into such alerts:
            whether it exists is part of the secret.
        """
        alert = self.service.alerts.get(alert_id)
        if alert is None or not may_see(user, alert):
            raise MissingError(f"No alert has the id {alert_id!r}.")
        return alert

    # --- forms and pages ---

    async def form(self, request: Request) -> dict[str, list[str]]:
        """Return the fields of a form that one of our pages sent.

        Raises
        ------
        DeniedError
            403 where the form's token does not belong to this visitor.
        BodyTooLargeError
            Above `FORM_LIMIT`.
        """
        self.check_origin(request)
        body = await read_body(request, FORM_LIMIT)
        fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
        token, visitor = first(fields, "csrf"), request.cookies.get(VISITOR, "")
        if not self.gate.is_form_token(token, visitor, self.user(request)):
            raise self._denied(request, 403, "anonymous", "The form is out of date. Load the page again.")
        return fields

    def page(self, request: Request, name: str, status: int = 200, **values: Any) -> Response:
        """Render a page; gives the visitor a cookie for forms where they have none."""
        visitor = request.cookies.get(VISITOR) or secrets.token_urlsafe(24)
        user = self.user(request)
        text = self._pages.get_template(name).render(
            user=user,
            open_gate=self.gate.is_open,
            csrf=self.gate.form_token(visitor, user),
            once=partial(secrets.token_hex, 16),
            **values,
        )
        response = HTMLResponse(text, status)
        if visitor != request.cookies.get(VISITOR):
            self.set_cookie(request, response, VISITOR, visitor, None)
        return response

    def set_cookie(
        self, request: Request, response: Response, name: str, value: str, seconds: int | None
    ) -> None:
        """Set a cookie that scripts and other sites' forms do not get."""
        response.set_cookie(
            name, value, max_age=seconds, httponly=True, samesite="lax", secure=request.url.scheme == "https"
        )


def may_see(user: User, alert: Alert) -> bool:
    """Return whether the user's role is let into an alert of this disclosure class."""
    return alert.disclosure != CONFIDENTIAL or user.may(Right.CONFIDENTIAL)


async def read_body(request: Request, limit: int) -> bytes:
    """Return the body, reading no further than the limit.

    Raises
    ------
    BodyTooLargeError
        The body has more bytes.
    """
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise BodyTooLargeError(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def first(fields: dict[str, list[str]], name: str) -> str:
    """Return the first value of a field of a form, stripped; empty where it was not sent."""
    return fields.get(name, [""])[0].strip()


def inside(path: str) -> str:
    r"""Return a path of this site to go back to; the inbox where it leads elsewhere.

    Examples
    --------
    >>> inside("/?page=2"), inside("//evil.example"), inside("https://evil.example"), inside("/\\evil")
    ('/?page=2', '/', '/', '/')
    """
    is_inside = path.startswith("/") and not path.startswith("//") and "\\" not in path
    return path if is_inside and path.isprintable() else "/"


def environment(zone: tzinfo) -> Environment:
    """Return the templates with everything they call: escaping on, unknown names an error."""
    pages = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Every text of a template stands in _(); another language is a catalogue installed here.
    pages.install_null_translations(newstyle=False)  # type: ignore[attr-defined]
    when: Callable[[int | None], str] = partial(words.when, zone=zone)
    pages.globals |= {
        "when": when,
        "span": words.span,
        "short": short,
        "grades": words.GRADES,
        "right": Right,
        "page": "",
    }
    pages.filters |= {"plain": words.plain}
    return pages
