"""The form on a customer's page that sets a grade by hand, agrees to a proposal or ends it."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from alerts.inbox.access import Right
from alerts.inbox.context import Site, first
from alerts.inbox.pages import customer_values
from alerts.inbox.rating_actions import decide
from monitor.core.decisions import DECISIONS

DAY_MS: Final = 86_400_000


def router(site: Site) -> APIRouter:
    """Return the route the form is sent to."""
    routes = APIRouter(include_in_schema=False)

    @routes.post("/customers/{customer_id:path}/decide")
    async def decided(request: Request, customer_id: str) -> Response:
        site.admit(request, Right.CONFIDENTIAL)
        user = site.admit(request, Right.ACT)
        fields = await site.form(request)
        kind, reason, days = first(fields, "kind"), first(fields, "reason"), first(fields, "days")
        value = _value(first(fields, "value"))
        until_ms = site.service.now_ms() + int(days) * DAY_MS if days.isdigit() and len(days) < 5 else None
        told = {"action": "refused", "problem": f"kind: expected a decision, was {kind!r}"}
        if kind in DECISIONS:
            told = dict(
                await decide(
                    site,
                    user,
                    customer_id,
                    kind,
                    value,
                    first(fields, "once"),
                    reason=reason,
                    until_ms=until_ms,
                )
            )
        if told["action"] != "refused":
            return RedirectResponse(f"/customers/{quote(customer_id, safe='')}", 303)
        values = await run_in_threadpool(customer_values, site, user, customer_id)
        sent = {"grade": first(fields, "value"), "reason": reason, "days": days}
        page = values | {"problem": told["problem"], "sent": sent}
        return await run_in_threadpool(lambda: site.page(request, "customer.html", 409, **page))

    return routes


def _value(text: str) -> Any:
    """Return the grade, limit or rule of a form; None where it is empty."""
    return int(text) if text.isdigit() and len(text) < 5 else text or None
