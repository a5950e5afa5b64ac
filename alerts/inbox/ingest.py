"""`POST /events`: producers send events, and learn of every one what became of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import orjson
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from alerts.inbox.access import Right
from alerts.inbox.context import Site, read_body
from alerts.inbox.records import split
from alerts.inbox.service import Fault, Outcome

RESERVED = ("alert.", "rules.", "rating.override", "rating.limit_", "rating.rule_", "tick")
"""Kinds that only officers cause: a producer that could send them could act in an officer's name."""

STATUSES = ("accepted", "duplicate", "rejected", "refused")

LINE_TYPES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})


class FaultOut(BaseModel):
    """One thing that is wrong with an item."""

    path: str = Field(description="Field, dotted; empty for the item as a whole")
    problem: str = Field(description="expected X, was Y")
    hint: str = ""


class ItemOut(BaseModel):
    """What became of one item."""

    index: int = Field(description="Place in the body, from 0; of lines, empty ones not counted")
    status: str = Field(description="accepted, duplicate, rejected or refused")
    event_id: str = ""
    hits: list[str] = Field(default_factory=list, description="Ids of the rules that hit")
    score: float = Field(default=0.0, description="0 to 1, higher is riskier")
    faults: list[FaultOut] = Field(default_factory=list)
    message: str = ""


class EventsOut(BaseModel):
    """What became of a body, item by item."""

    accepted: int
    duplicate: int
    rejected: int
    refused: int
    items: list[ItemOut]


class ErrorOut(BaseModel):
    """Why a request was not carried out."""

    error: str
    hint: str = ""
    faults: list[FaultOut] = Field(default_factory=list)


_DESCRIPTION = """
One JSON object, a JSON array, or one JSON object a line (`application/x-ndjson`). An event may have
1 MiB, a body 16 MiB by default. The answer comes after the events are durable. Good items are kept
whatever their neighbours are; a JSON array that is not well-formed is one bad item. Sending the
same again is harmless: an event that is already there is a `duplicate` with its first answer.
"""

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "oneOf": [
                        {"$ref": "#/components/schemas/Event"},
                        {"type": "array", "items": {"$ref": "#/components/schemas/Event"}},
                    ]
                }
            },
            "application/x-ndjson": {"schema": {"type": "string"}},
        },
    }
}


def router(site: Site) -> APIRouter:
    """Return the route of producers."""
    routes = APIRouter(tags=["events"])

    @routes.post(
        "/events",
        summary="Send events",
        description=_DESCRIPTION,
        response_model=EventsOut,
        response_description="All items are accepted or were there already",
        responses={
            413: {"model": ErrorOut, "description": "The body is too large; nothing was read"},
            415: {"model": ErrorOut, "description": "The body is compressed"},
            422: {"model": EventsOut, "description": "Some items are bad; the good ones are kept"},
            503: {"model": ErrorOut, "description": "Nothing can be taken now; see Retry-After"},
        },
        openapi_extra=_BODY,
    )
    async def send_events(request: Request) -> Response:
        user = site.admit(request, Right.INGEST)
        coding = request.headers.get("content-encoding", "identity")
        if coding != "identity":
            return error(415, f"content-encoding: expected identity, was {coding!r}", "send it as it is")
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        body = await read_body(request, site.settings.body_limit)
        outcomes = await _take(site, split(body, lines=kind in LINE_TYPES), user.name)
        if not outcomes:
            return error(422, "body: expected an event, was empty", "send a JSON object")
        all_kept = all(outcome.is_kept for outcome in outcomes)
        return Response(_answer(outcomes), 200 if all_kept else 422, media_type="application/json")

    return routes


def error(status: int, problem: str, hint: str) -> JSONResponse:
    """Return an error as programs get it."""
    return JSONResponse(ErrorOut(error=problem, hint=hint).model_dump(), status)


async def _take(site: Site, records: list[bytes], source: str) -> list[Outcome]:
    """Give records to the monitor, but for those that only officers may cause."""
    refused = {n: kind for n, record in enumerate(records) if (kind := _kind(record)).startswith(RESERVED)}
    others = [record for n, record in enumerate(records) if n not in refused]
    taken = iter(await site.service.ingest(others, source) if others else [])
    return [_refusal(refused[n]) if n in refused else next(taken) for n in range(len(records))]


class _Kind(msgspec.Struct):
    event_type: Any = ""
    event_id: Any = ""


_KIND = msgspec.json.Decoder(_Kind)


def _kind(record: bytes) -> str:
    try:
        return str(_KIND.decode(record).event_type)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return ""


def _refusal(kind: str) -> Outcome:
    problem = f"expected an event of a customer, was the officer's action {kind!r}"
    return Outcome(
        status="refused",
        faults=(
            Fault(
                path="event_type", problem=problem, hint="act through /api/alerts, /api/ratings or /api/rules"
            ),
        ),
        message=f"event_type: {problem}",
    )


def _answer(outcomes: list[Outcome]) -> bytes:
    """Return an `EventsOut` as JSON; without building the models, which would cost more than the events."""
    counts = Counter(outcome.status for outcome in outcomes)
    items = [
        {
            "index": index,
            "status": outcome.status,
            "event_id": outcome.event_id,
            "hits": outcome.hits,
            "score": outcome.score,
            "faults": outcome.faults,
            "message": outcome.message,
        }
        for index, outcome in enumerate(outcomes)
    ]
    return orjson.dumps({**{status: counts[status] for status in STATUSES}, "items": items})
