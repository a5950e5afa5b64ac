"""Forms of the pages: sign in and out, and officers' actions. Every form leads to a page again."""

from __future__ import annotations

import asyncio
import logging
import time
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from alerts.inbox.access import Right, User
from alerts.inbox.actions import action_event
from alerts.inbox.context import SESSION, DeniedError, Site, first, inside, may_see
from alerts.inbox.listing import HOUR_MS, grouped
from alerts.inbox.pages import alert_page
from alerts.inbox.service import Outcome
from alerts.lifecycle import Action, Alert, Status
from alerts.ports import Filter

log = logging.getLogger(__name__)

TRIES = 10
"""Alerts tried by take-next: colleagues may take some of them at the same moment."""


def router(site: Site) -> APIRouter:
    """Return the routes that forms are sent to."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/login")
    def sign_in(request: Request, next: str = "/") -> Response:  # noqa: A002 - the name in the address
        if site.gate.is_open:
            return RedirectResponse("/", 303)
        return site.page(request, "login.html", problem="", next=inside(next))

    @routes.post("/login")
    async def signed_in(request: Request) -> Response:
        return await _sign_in(site, request)

    @routes.post("/logout")
    async def sign_out(request: Request) -> Response:
        await site.form(request)
        response = RedirectResponse("/login", 303)
        response.delete_cookie(SESSION)
        return response

    @routes.post("/take-next")
    async def take_next(request: Request) -> Response:
        user = site.admit(request, Right.ACT)
        fields = await site.form(request)
        return RedirectResponse(await _take_next(site, user, first(fields, "once")), 303)

    @routes.post("/bulk-close")
    async def bulk_close(request: Request) -> Response:
        user = site.admit(request, Right.ACT)
        return await _bulk_close(site, request, user, await site.form(request))

    @routes.post("/alerts/{alert_id}/{action}")
    async def act(request: Request, alert_id: str, action: Action) -> Response:
        user = site.admit(request, Right.ACT)
        fields = await site.form(request)
        return await _act(site, request, user, alert_id, action, fields)

    return routes


async def carry_out(
    site: Site,
    user: User,
    alert: Alert,
    action: Action,
    key: str,
    *,
    reason: str = "",
    disposition: str = "",
    until_ms: int | None = None,
) -> Outcome:
    """Carry out one action of an officer; shared by forms and API.

    Raises
    ------
    DeniedError
        Closing what another officer proposed to close takes the right to approve.
    """
    confirms = action is Action.CLOSE and alert.proposed_by not in {None, user.name}
    if confirms and disposition == alert.disposition and not user.may(Right.APPROVE):
        log.warning("access_denied status=403 user=%s action=approve alert=%s", user.name, alert.id)
        raise DeniedError(403, f"Your role does not allow to {Right.APPROVE.value}.")
    event = action_event(
        action,
        alert.id,
        actor=user.name,
        time_ms=site.service.now_ms(),
        key=key,
        reason=reason,
        disposition=disposition,
        until_ms=until_ms,
    )
    return await site.service.act(event)


async def _sign_in(site: Site, request: Request) -> Response:
    fields = await site.form(request)
    target = inside(first(fields, "next") or "/")
    user = site.gate.by_token(first(fields, "token"))
    if user is None:
        log.warning("sign_in_failed client=%s", request.client.host if request.client else "unknown")
        problem = "No user has this token. Check that it was copied whole."
        return site.page(request, "login.html", 401, problem=problem, next=target)
    log.info("signed_in user=%s", user.name)
    response = RedirectResponse(target, 303)
    session = site.gate.session(user, int(time.time()))
    site.set_cookie(request, response, SESSION, session, site.gate.session_seconds)
    return response


async def _act(
    site: Site, request: Request, user: User, alert_id: str, action: Action, fields: dict[str, list[str]]
) -> Response:
    alert = await run_in_threadpool(site.alert, user, alert_id)
    reason, disposition = first(fields, "reason"), first(fields, "disposition")
    until_ms = _until(site, first(fields, "hours")) if action is Action.SNOOZE else None
    key = first(fields, "once")
    outcome = await carry_out(
        site, user, alert, action, key, reason=reason, disposition=disposition, until_ms=until_ms
    )
    if outcome.is_kept:
        if first(fields, "then") == "next":
            return RedirectResponse(await _take_next(site, user, key), 303)
        return RedirectResponse(f"/alerts/{quote(alert_id)}", 303)
    alert = await run_in_threadpool(site.alert, user, alert_id)
    return await run_in_threadpool(
        alert_page,
        site,
        request,
        user,
        alert,
        409 if outcome.status == "refused" else 422,
        problem=problem(outcome),
        failed=action.value,
        sent={"reason": reason, "disposition": disposition},
    )


async def _take_next(site: Site, user: User, key: str) -> str:
    wanted = Filter(statuses=(Status.OPEN,))
    found = await run_in_threadpool(site.service.alerts.select, wanted, limit=site.settings.list_limit)
    for alert in grouped(alert for alert in found if may_see(user, alert))[:TRIES]:
        if (await carry_out(site, user, alert, Action.TAKE, key)).is_kept:
            return f"/alerts/{quote(alert.id)}"
    return "/"


async def _bulk_close(site: Site, request: Request, user: User, fields: dict[str, list[str]]) -> Response:
    outcomes = await close_all(
        site,
        user,
        fields.get("alert", []),
        first(fields, "once"),
        reason=first(fields, "reason"),
        disposition=first(fields, "disposition"),
    )
    refused = {alert_id: problem(outcome) for alert_id, outcome in outcomes.items() if not outcome.is_kept}
    if not refused:
        return RedirectResponse(inside(first(fields, "back") or "/"), 303)
    detail = f"{len(outcomes) - len(refused)} of {len(outcomes)} were closed. " + " ".join(
        sorted(set(refused.values()))
    )
    return site.page(request, "problem.html", 409, code=409, title="Not all were closed", detail=detail)


async def close_all(
    site: Site, user: User, alert_ids: list[str], key: str, *, reason: str, disposition: str
) -> dict[str, Outcome]:
    """Close several alerts with one reason; what is refused does not hinder the others."""

    async def close(alert_id: str) -> Outcome:
        alert = await run_in_threadpool(site.service.alerts.get, alert_id)
        if alert is None or not may_see(user, alert):
            return Outcome(status="refused", message=f"No alert has the id {alert_id!r}.")
        try:
            return await carry_out(
                site, user, alert, Action.CLOSE, key, reason=reason, disposition=disposition
            )
        except DeniedError as denied:
            return Outcome(status="refused", message=denied.detail)

    # All at once: the monitor commits them as one batch.
    chosen = list(dict.fromkeys(alert_ids))
    return dict(zip(chosen, await asyncio.gather(*map(close, chosen)), strict=True))


def problem(outcome: Outcome) -> str:
    """Return why an action was not carried out, as one text."""
    faults = [f"{fault['path']}: {fault['problem']}" for fault in outcome.faults]
    return "; ".join([outcome.message, *faults] if outcome.message else faults)


def _until(site: Site, hours: str) -> int:
    # Nonsense becomes a time in the past, which the desk refuses with its own words.
    whole = int(hours) if hours.isascii() and hours.isdigit() and len(hours) < 6 else 0
    return site.service.now_ms() + whole * HOUR_MS
