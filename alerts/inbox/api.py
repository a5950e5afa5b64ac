"""The API of the desk: alerts, ratings and dead letters for programs."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, Literal

import fastapi
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import AwareDatetime, BaseModel, Field
from starlette.concurrency import run_in_threadpool

from alerts.inbox.access import Right, User
from alerts.inbox.context import DeniedError, MissingError, Site, may_see
from alerts.inbox.forms import carry_out, close_all
from alerts.inbox.ingest import ErrorOut
from alerts.inbox.listing import Query, grouped
from alerts.inbox.pages import rating as visible_rating
from alerts.inbox.rating_view import explained
from alerts.inbox.service import Outcome
from alerts.lifecycle import DISPOSITIONS, Action, Alert
from alerts.messages import describe

Handler = Callable[..., Awaitable[Response]]
Limit = Annotated[int, fastapi.Query(ge=1, le=1000)]
Offset = Annotated[int, fastapi.Query(ge=0)]
Audience = Literal["officer", "customer", "auditor"]
State = Literal["undecided", "open", "taken", "snoozed", "closed", "all"]

_REFUSED: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorOut, "description": "No such alert"},
    409: {"model": ErrorOut, "description": "The alert's state does not allow it"},
    422: {"model": ErrorOut, "description": "Something is missing or wrong; every fault is named"},
    503: {"model": ErrorOut, "description": "Nothing can be taken now; see Retry-After"},
}


class Reason(BaseModel):
    """Why."""

    reason: str = Field(min_length=1, max_length=2000)


class MaybeReason(BaseModel):
    """Why, where there is something to say."""

    reason: str = Field(default="", max_length=2000)


class Snooze(Reason):
    """Until when, and why."""

    until: AwareDatetime = Field(description="RFC 3339 with offset; later than now")


class Close(Reason):
    """How it ended, and why."""

    disposition: str = Field(description="One of: " + ", ".join(DISPOSITIONS))


class BulkClose(Close):
    """Which alerts, how they ended, and one reason for all."""

    alerts: list[str] = Field(min_length=1, max_length=2000)


class ActionOut(BaseModel):
    """What became of an action, and the alert after it."""

    status: str = Field(description="accepted, or duplicate for the same Idempotency-Key again")
    alert: dict[str, Any]


class AlertsOut(BaseModel):
    """Alerts, grouped by case, the most urgent first."""

    total: int
    items: list[dict[str, Any]]


class BulkOut(BaseModel):
    """What became of each alert."""

    closed: int
    items: list[dict[str, Any]]


def router(site: Site) -> APIRouter:
    """Return the routes below `/api`."""
    routes = APIRouter(prefix="/api")
    _add_reads(site, routes)
    _add_records(site, routes)
    _add_bulk(site, routes)
    _add_actions(site, routes)
    return routes


def _add_reads(site: Site, routes: APIRouter) -> None:
    @routes.get("/alerts", tags=["alerts"], summary="List alerts", response_model=AlertsOut)
    def list_alerts(
        request: Request,
        status: State = "undecided",
        severity: str = "",
        dimension: str = "",
        rule: str = "",
        text: str = "",
        mine: bool = False,
        limit: Limit = 100,
        offset: Offset = 0,
    ) -> Response:
        user = site.admit(request, Right.READ)
        query = Query(status=status, severity=severity, dimension=dimension, rule=rule, text=text, mine=mine)
        found = site.service.alerts.select(query.wanted(user.name), limit=site.settings.list_limit)
        alerts = grouped((alert for alert in found if may_see(user, alert)), dimension)
        items = [alert_out(alert) for alert in alerts[offset : offset + limit]]
        return JSONResponse({"total": len(alerts), "items": items})

    @routes.get("/alerts/{alert_id}", tags=["alerts"], summary="One alert with its evidence and history")
    def one_alert(request: Request, alert_id: str) -> Response:
        user = site.admit(request, Right.READ)
        alert = site.alert(user, alert_id)
        site.service.record_access(user.name, f"alert:{alert_id}", "api")
        events = [site.service.event(ref) for ref in alert.evidence]
        history = [
            {"time_ms": step.time_ms, "action": step.action, "actor": step.actor, "reason": step.reason,
             "disposition": step.disposition, "until_ms": step.until_ms}
            for step in site.service.alerts.history(alert_id)
        ]  # fmt: skip
        found = [event for event in events if event is not None]
        return JSONResponse({**alert_out(alert), "events": found, "history": history})


def _add_records(site: Site, routes: APIRouter) -> None:
    @routes.get("/ratings/{customer}", tags=["ratings"], summary="A customer's rating, now or at a time")
    def rating(
        request: Request,
        customer: str,
        at: AwareDatetime | None = None,
        audience: Annotated[Audience | None, fastapi.Query(alias="as")] = None,
    ) -> Response:
        user = site.admit(request, Right.READ)
        site.service.record_access(user.name, f"customer:{customer}", "api")
        found = visible_rating(site, user, customer, _ms(at) if at else None)
        if found is None:
            raise MissingError(f"Customer {customer!r} has no rating{' at that time' if at else ''}.")
        if audience is None:
            return JSONResponse(found)
        texts = dict(explained(found))
        if audience not in texts:
            raise DeniedError(403, f"Your role does not allow the {audience}'s explanation.")
        return JSONResponse({"customer_id": customer, "as": audience, "lines": list(texts[audience])})

    @routes.get("/dead-letters", tags=["service"], summary="Records that could not become events")
    def dead_letters(request: Request, limit: Limit = 100) -> Response:
        site.admit(request, Right.OPERATE)
        counts = dict(site.service.dead_letter_counts())
        return JSONResponse({"by_reason": counts, "items": site.service.dead_letters(limit)})


def _add_bulk(site: Site, routes: APIRouter) -> None:
    @routes.post(
        "/alerts/bulk-close",
        tags=["alerts"],
        summary="Close several alerts with one reason",
        response_model=BulkOut,
        responses={409: {"model": BulkOut, "description": "Some were not closed; the others are"}},
    )
    async def bulk_close(request: Request, wanted: BulkClose) -> Response:
        user = site.admit(request, Right.ACT)
        outcomes = await close_all(
            site, user, wanted.alerts, _key(request), reason=wanted.reason, disposition=wanted.disposition
        )
        items = [
            {"id": alert_id, "status": outcome.status, "message": outcome.message}
            for alert_id, outcome in outcomes.items()
        ]
        closed = sum(outcome.is_kept for outcome in outcomes.values())
        return JSONResponse({"closed": closed, "items": items}, 200 if closed == len(items) else 409)


def _add_actions(site: Site, routes: APIRouter) -> None:
    async def answer(request: Request, alert_id: str, action: Action, **said: Any) -> Response:
        user = site.admit(request, Right.ACT)
        alert = await run_in_threadpool(site.alert, user, alert_id)
        outcome = await carry_out(site, user, alert, action, _key(request), **said)
        return await run_in_threadpool(_acted, site, user, alert_id, outcome)

    def post(path: str, summary: str) -> Callable[[Handler], Handler]:
        return routes.post(
            f"/alerts/{{alert_id}}/{path}",
            tags=["alerts"],
            summary=summary,
            response_model=ActionOut,
            responses=_REFUSED,
        )

    @post("take", "Take an alert")
    async def take(request: Request, alert_id: str) -> Response:
        return await answer(request, alert_id, Action.TAKE)

    @post("release", "Give an alert back")
    async def release(request: Request, alert_id: str, said: MaybeReason | None = None) -> Response:
        return await answer(request, alert_id, Action.RELEASE, reason=said.reason if said else "")

    @post("note", "Write a note")
    async def note(request: Request, alert_id: str, said: Reason) -> Response:
        return await answer(request, alert_id, Action.NOTE, reason=said.reason)

    @post("snooze", "Put an alert to sleep; hits are still counted")
    async def snooze(request: Request, alert_id: str, said: Snooze) -> Response:
        return await answer(request, alert_id, Action.SNOOZE, reason=said.reason, until_ms=_ms(said.until))

    @post("wake", "End a snooze")
    async def wake(request: Request, alert_id: str) -> Response:
        return await answer(request, alert_id, Action.WAKE)

    @post("close", "Close an alert, or propose to where it takes two persons, or approve")
    async def close(request: Request, alert_id: str, said: Close) -> Response:
        return await answer(request, alert_id, Action.CLOSE, reason=said.reason, disposition=said.disposition)

    @post("reopen", "Open a closed alert again")
    async def reopen(request: Request, alert_id: str, said: Reason) -> Response:
        return await answer(request, alert_id, Action.REOPEN, reason=said.reason)


def alert_out(alert: Alert) -> dict[str, Any]:
    """Return an alert for programs; references are text, because JavaScript rounds 64-bit numbers."""
    return {**describe(alert), "evidence": [str(ref) for ref in alert.evidence]}


def _acted(site: Site, user: User, alert_id: str, outcome: Outcome) -> Response:
    if outcome.is_kept:
        alert = alert_out(site.alert(user, alert_id))
        return JSONResponse({"status": outcome.status, "alert": alert})
    status = 409 if outcome.status == "refused" else 422
    return JSONResponse({"error": outcome.message, "hint": "", "faults": list(outcome.faults)}, status)


def _key(request: Request) -> str:
    """Return what makes a repeated request the same action: its own key, or a new one."""
    return request.headers.get("idempotency-key") or secrets.token_hex(16)


def _ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)
