"""What people decide about ratings, as the events that carry it out; and the API's way to do so."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import AwareDatetime, BaseModel, Field
from starlette.concurrency import run_in_threadpool

from alerts.inbox.access import Right, User
from alerts.inbox.context import DeniedError, MissingError, Site
from alerts.inbox.ingest import ErrorOut
from alerts.inbox.words import iso
from monitor.core.decisions import IMPOSE, LIFT, OVERRIDE, RESTORE, SUPPRESS
from monitor.core.rerating import VALUES

log = logging.getLogger(__name__)

Handler = Callable[..., Awaitable[Response]]


class DecisionIn(BaseModel):
    """Why, and until when."""

    reason: str = Field(min_length=1, max_length=2000)
    until: AwareDatetime | None = Field(
        default=None, description="RFC 3339 with offset; left out: as long as the parameters allow"
    )


class GradeIn(DecisionIn):
    """A person's grade."""

    grade: int | None = Field(description="10 high to 14 low; null ends a person's grade or a proposal")


class LimitIn(DecisionIn):
    """A floor or a ceiling, as config/rating.yaml names it."""

    name: str = Field(min_length=1, max_length=200)
    lift: bool = Field(default=False, description="true: take it away")


class RuleIn(DecisionIn):
    """A rule that is to give the customer no points."""

    rule: str = Field(min_length=1, max_length=200)
    restore: bool = Field(default=False, description="true: let it count again")


class DecisionOut(BaseModel):
    """What became of a decision."""

    status: str = Field(description="proposed (it waits for a second person), decided, or withdrawn")
    decision: dict[str, Any]


_ANSWERS: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorOut, "description": "The customer has no rating"},
    409: {"model": ErrorOut, "description": "It was refused; the sentence says why"},
    503: {"model": ErrorOut, "description": "Nothing can be taken now; see Retry-After"},
}


def router(site: Site) -> APIRouter:
    """Return the routes of decisions below `/api/ratings`."""
    routes = APIRouter(prefix="/api/ratings", tags=["ratings"])

    def add(path: str, summary: str) -> Callable[[Handler], Handler]:
        return routes.post(
            f"/{{customer}}/{path}", summary=summary, response_model=DecisionOut, responses=_ANSWERS
        )

    @add("grade", "Set a grade by hand: up by one person, down by two")
    async def grade(request: Request, customer: str, said: GradeIn) -> Response:
        return await _answer(site, request, customer, OVERRIDE, said.grade, said)

    @add("limits", "Impose or lift a floor or a ceiling")
    async def limits(request: Request, customer: str, said: LimitIn) -> Response:
        return await _answer(site, request, customer, LIFT if said.lift else IMPOSE, said.name, said)

    @add("rules", "Let a rule give a customer no points, by two persons, or let it count again")
    async def rules(request: Request, customer: str, said: RuleIn) -> Response:
        return await _answer(site, request, customer, RESTORE if said.restore else SUPPRESS, said.rule, said)

    return routes


def decision_event(
    kind: str,
    customer_id: str,
    value: Any,
    *,
    actor: str,
    time_ms: int,
    key: str,
    reason: str,
    until_ms: int | None = None,
) -> dict[str, Any]:
    """Return the event of a decision; the same key again is the same decision, sent twice.

    Examples
    --------
    >>> event = decision_event("rating.override", "C-1", 11, actor="ada", time_ms=0, key="k", reason="r")
    >>> event["event_id"], event["grade"], "until" in event
    ('rating-override-k-C-1', 11, False)
    """
    event: dict[str, Any] = {
        "event_id": f"{kind.replace('.', '-')}-{key}-{customer_id}",
        "event_type": kind,
        "source_system": "inbox",
        "occurred_at": iso(time_ms),
        "customer_id": customer_id,
        "actor": actor,
        "reason": reason,
    }
    if value is not None:
        event[VALUES[kind]] = value
    if until_ms is not None and kind not in (LIFT, RESTORE):
        event["until"] = iso(until_ms)
    return event


async def decide(
    site: Site,
    user: User,
    customer_id: str,
    kind: str,
    value: Any,
    key: str,
    *,
    reason: str,
    until_ms: int | None = None,
) -> Mapping[str, Any]:
    """Carry out a decision; return what the ledger says of it; shared by forms and API.

    Raises
    ------
    DeniedError
        Agreeing to what another person proposed takes the right to approve.
    MissingError
        The customer has no rating.
    """
    found = await run_in_threadpool(site.service.rating, customer_id)
    if found is None:
        raise MissingError(f"Customer {customer_id!r} has no rating.")
    agrees = any(
        (one["kind"], one["value"]) == (kind, value) and one["actor"] != user.name
        for one in found.get("proposals", ())
    )
    if agrees and not user.may(Right.APPROVE):
        log.warning("access_denied status=403 user=%s action=approve customer=%s", user.name, customer_id)
        raise DeniedError(403, f"Your role does not allow to {Right.APPROVE.value}.")
    event = decision_event(
        kind,
        customer_id,
        value,
        actor=user.name,
        time_ms=site.service.now_ms(),
        key=key,
        reason=reason,
        until_ms=until_ms,
    )
    outcome = await site.service.act(event)
    if not outcome.is_kept:
        faults = [f"{fault['path']}: {fault['problem']}" for fault in outcome.faults]
        return {"action": "refused", "problem": "; ".join([outcome.message, *faults]).strip("; ")}
    told = await run_in_threadpool(site.service.decided, customer_id, event["event_id"])
    return told or {"action": "refused", "problem": "it came too late to count"}


async def _answer(
    site: Site, request: Request, customer: str, kind: str, value: Any, said: DecisionIn
) -> Response:
    site.admit(request, Right.CONFIDENTIAL)
    user = site.admit(request, Right.ACT)
    key = request.headers.get("idempotency-key") or secrets.token_hex(16)
    until_ms = _ms(said.until) if said.until else None
    told = await decide(site, user, customer, kind, value, key, reason=said.reason, until_ms=until_ms)
    if told["action"] == "refused":
        return JSONResponse({"error": told.get("problem", ""), "hint": "", "faults": []}, 409)
    return JSONResponse({"status": told["action"], "decision": dict(told)})


def _ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)
