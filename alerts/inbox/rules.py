"""The page and the API of rules: what is in force, what is proposed, and the steps from one to the other."""

from __future__ import annotations

import logging
import secrets
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from alerts.inbox.access import Right, User
from alerts.inbox.context import MissingError, Site, first
from alerts.inbox.forms import problem
from alerts.inbox.ingest import ErrorOut
from alerts.inbox.rule_steps import KINDS, RIGHTS, step_event
from alerts.inbox.service import Outcome

log = logging.getLogger(__name__)
SHOWN = 30
"""Steps on the page."""


class StepIn(BaseModel):
    """Why."""

    reason: str = Field(default="", max_length=2000)
    note: str = Field(default="", max_length=2000, description="of a proposal: what came of its tests")


class StepOut(BaseModel):
    """A step that was taken."""

    status: str
    standing: dict[str, Any]


_ANSWERS: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorOut, "description": "There is no such step, or no such configuration"},
    409: {"model": ErrorOut, "description": "It was refused; the sentence says why"},
    503: {"model": ErrorOut, "description": "Nothing can be taken now; see Retry-After"},
}


def router(site: Site) -> APIRouter:
    """Return the routes of rules: `/api/rules` for programs, `/rules` for people."""
    routes = APIRouter()
    routes.include_router(_programs(site))
    routes.include_router(_people(site))
    return routes


def _programs(site: Site) -> APIRouter:
    routes = APIRouter(prefix="/api/rules", tags=["rules"])

    @routes.get("", summary="What is in force, and what is proposed")
    def standing(request: Request) -> Response:
        site.admit(request, Right.READ)
        return JSONResponse(dict(site.service.rules.standing()))

    @routes.get("/steps", summary="Every step, newest first")
    def steps(request: Request, limit: int = SHOWN) -> Response:
        site.admit(request, Right.READ)
        return JSONResponse([dict(one) for one in site.service.rules.steps(max(1, min(limit, 1_000)))])

    @routes.get("/precision", summary="What payments that each rule hit turned out to be")
    def precision(request: Request) -> Response:
        site.admit(request, Right.READ)
        return JSONResponse([dict(one) for one in site.service.rules.precision()])

    @routes.get("/{digest}/differences", summary="What it would change", responses={404: _ANSWERS[404]})
    def differences(request: Request, digest: str) -> Response:
        site.admit(request, Right.READ)
        return JSONResponse({"lines": _differences(site, digest).splitlines()})

    @routes.post(
        "/{digest}/{verb}",
        summary="Propose, approve, reject, activate or roll back to a configuration, by its hash",
        response_model=StepOut,
        responses=_ANSWERS,
    )
    async def act(request: Request, digest: str, verb: str, said: StepIn) -> Response:
        if verb not in KINDS:
            raise MissingError(f"No step is called {verb!r}: expected {', '.join(KINDS)}.")
        user = site.admit(request, RIGHTS[verb])
        key = request.headers.get("idempotency-key") or secrets.token_hex(16)
        outcome = await take_step(site, user, verb, digest, key, reason=said.reason, note=said.note)
        if not outcome.is_kept:
            return JSONResponse({"error": problem(outcome), "hint": "", "faults": []}, 409)
        found = await run_in_threadpool(site.service.rules.standing)
        return JSONResponse({"status": outcome.status, "standing": dict(found)})

    return routes


def _people(site: Site) -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    @routes.get("/rules")
    def page(request: Request) -> Response:
        user = site.admit(request, Right.READ)
        return site.page(request, "rules.html", **_values(site, user))

    @routes.post("/rules/{digest}/{verb}")
    async def send(request: Request, digest: str, verb: str) -> Response:
        if verb not in KINDS:
            raise MissingError(f"No step is called {verb!r}.")
        user = site.admit(request, RIGHTS[verb])
        fields = await site.form(request)
        key, reason = first(fields, "once"), first(fields, "reason")
        outcome = await take_step(site, user, verb, digest, key, reason=reason)
        if outcome.is_kept:
            return RedirectResponse("/rules", 303)
        values = await run_in_threadpool(_values, site, user) | {"problem": problem(outcome)}
        return await run_in_threadpool(lambda: site.page(request, "rules.html", 409, **values))

    return routes


async def take_step(
    site: Site, user: User, verb: str, digest: str, key: str, *, reason: str = "", note: str = ""
) -> Outcome:
    """Take a step; shared by page and API."""
    service = site.service
    await run_in_threadpool(service.rules.prepare, digest)
    event = step_event(
        verb,
        digest,
        actor=user.name,
        time_ms=service.now_ms(),
        key=key,
        reason=reason,
        note=note,
        backfill=service.rules.fills,
    )
    outcome = await service.act(event)
    log.info("rules_step step=%s hash=%s user=%s status=%s", verb, digest[:12], user.name, outcome.status)
    return outcome


def _values(site: Site, user: User) -> dict[str, Any]:
    rules = site.service.rules
    standing = rules.standing()
    return {
        "page": "rules",
        "problem": "",
        "standing": standing,
        "proposals": [
            {**one, "lines": _differences(site, one["hash"]).splitlines(), **_allowed(user, one, standing)}
            for one in standing["proposals"]
        ],
        "precision": rules.precision(),
        "steps": rules.steps(SHOWN),
        "may_change": user.may(Right.CHANGE),
    }


def _allowed(user: User, proposal: Any, standing: Any) -> dict[str, bool]:
    is_open = not proposal["approver"]
    return {
        "may_approve": user.may(Right.APPROVE) and is_open and proposal["author"] != user.name,
        "may_activate": user.may(Right.CHANGE) and (not is_open or not standing["needs_approval"]),
        "may_reject": user.may(Right.CHANGE),
    }


def _differences(site: Site, digest: str) -> str:
    try:
        return site.service.rules.differences(digest)
    except LookupError as error:
        raise MissingError(str(error)) from None
