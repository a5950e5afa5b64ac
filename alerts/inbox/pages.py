"""Pages to read: the inbox, one alert, one customer, the state of the service."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from alerts.inbox import listing, words
from alerts.inbox.access import Right, User
from alerts.inbox.context import Site, may_see
from alerts.inbox.evidence import EvidenceRow, evidence_row
from alerts.inbox.listing import Query
from alerts.inbox.rating_view import explained, profile
from alerts.inbox.service import HitRow, Part, Rating, RuleText, Service
from alerts.lifecycle import DISPOSITIONS, NEXT, Alert, Status
from alerts.ports import Filter, Order
from rules.dispositions import DISPOSITIONS as RECOMMENDED

NEWS = 20
"""Newest alerts that open pages are told of."""
SHOWN = 30
"""Other alerts and hits on a page."""

_NO_RULE = RuleText(title="", why="", source="", params={})


def router(site: Site) -> APIRouter:
    """Return the routes of the pages that change nothing."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    def inbox(request: Request) -> Response:
        user = site.admit(request, Right.READ)
        return site.page(request, "inbox.html", **inbox_values(site, user, Query.read(request.query_params)))

    @routes.get("/alerts/{alert_id}")
    def alert(request: Request, alert_id: str) -> Response:
        user = site.admit(request, Right.READ)
        shown = site.alert(user, alert_id)
        site.service.record_access(user.name, f"alert:{alert_id}", "page")
        return alert_page(site, request, user, shown)

    @routes.get("/customers")
    def find_customer(request: Request, id: str = "") -> Response:  # noqa: A002 - the name of the form's field
        site.admit(request, Right.READ)
        return RedirectResponse(f"/customers/{quote(id.strip(), safe='')}" if id.strip() else "/", 303)

    @routes.get("/customers/{customer_id:path}")
    def customer(request: Request, customer_id: str) -> Response:
        user = site.admit(request, Right.READ)
        site.service.record_access(user.name, f"customer:{customer_id}", "page")
        return site.page(request, "customer.html", **customer_values(site, user, customer_id))

    @routes.get("/status")
    def status(request: Request) -> Response:
        site.admit(request, Right.OPERATE)
        return site.page(request, "status.html", **status_values(site))

    @routes.get("/live")
    async def live(request: Request) -> Response:
        user = site.admit(request, Right.READ)
        stream = site.live.stream(confidential=user.may(Right.CONFIDENTIAL))
        # No proxy may hold a live stream back to collect more of it.
        return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

    return routes


def news(service: Service, confidential: bool) -> str:
    """Return what open pages are told of the newest alerts, as JSON."""
    reader = User(name="", roles=frozenset({"officer" if confidential else "viewer"}), token_sha256="")
    newest = [
        {"id": alert.id, "severity": alert.severity, "title": alert.title}
        for alert in _newest(service, reader)
    ]
    return json.dumps({"counts": counts(service), "newest": newest})


def counts(service: Service) -> dict[str, int]:
    """Return the number of alerts that wait for a decision, by severity; a snoozed one does not."""
    return {
        severity: service.alerts.count(Filter(statuses=(Status.OPEN, Status.TAKEN), severities=(severity,)))
        for severity in words.SEVERITIES
    }


def inbox_values(site: Site, user: User, query: Query) -> dict[str, Any]:
    """Return what the inbox shows for a query."""
    service, settings = site.service, site.settings
    now_ms = service.now_ms()
    found = service.alerts.select(query.wanted(user.name), limit=settings.list_limit)
    alerts = listing.grouped(_seen(user, found), query.dimension)
    first = (query.page - 1) * settings.page_size
    shown = alerts[first : first + settings.page_size]
    late, soon = listing.pressing(alerts, now_ms)
    return {
        "page": "inbox",
        "query": query,
        "here": query.link(),
        "link": query.link,
        "filtered": query.is_filtered,
        "states": listing.STATES,
        "severities": words.SEVERITIES,
        "dimensions": listing.DIMENSIONS,
        "dispositions": DISPOSITIONS,
        "counts": counts(service),
        "late": late,
        "soon": soon,
        "ages": listing.ages(alerts, now_ms),
        "newest": [alert.id for alert in _newest(service, user)],
        "cases": listing.cases(shown),
        "rows": len(shown),
        "first": first + 1,
        "total": len(alerts),
        "cut": len(found) == settings.list_limit,
        "page_number": query.page,
        "may_act": user.may(Right.ACT),
        "now_ms": now_ms,
    }


def alert_page(
    site: Site, request: Request, user: User, alert: Alert, status: int = 200, **sent: Any
) -> Response:
    """Render one alert; `sent` is a form that was refused, to be corrected."""
    service = site.service
    rule = service.rule(alert.rule, alert.version) or _NO_RULE
    customers = [alert.subject_id] if alert.subject == "customer" else list(alert.customers)
    saw = {name: value for name, value in alert.saw.items() if not name.startswith("param.")}
    params = {name: value for name, value in alert.saw.items() if name.startswith("param.")}
    evidence = list(evidence_rows(site, alert))
    values: dict[str, Any] = {
        "alert": alert,
        "rule": rule,
        "saw": sorted(saw.items()),
        "params": sorted((params or dict(rule["params"])).items()),
        "evidence": evidence,
        "missing": len(alert.evidence) - len(evidence),
        "profiles": [profile(customer, rating(site, user, customer)) for customer in customers[:1]],
        "others": _others(service, user, alert),
        "hits": _hits(service, user, customers[:1]),
        "hits_of": customers[0] if customers and alert.subject != "customer" else "",
        "actions": service.alerts.history(alert.id),
        "now_ms": service.now_ms(),
        "back": "/",
        "problem": "",
        "failed": "",
        "sent": {"reason": "", "disposition": ""},
        **_permissions(site, user, alert),
    }
    return site.page(request, "alert.html", status, **values | sent)


def evidence_rows(site: Site, alert: Alert) -> Iterable[EvidenceRow]:
    """Yield the events of an alert that the journal still has, newest first."""
    for ref in reversed(alert.evidence):
        event = site.service.event(ref)
        if event is not None:
            yield evidence_row(event, site.settings.zone)


def customer_values(site: Site, user: User, customer_id: str) -> dict[str, Any]:
    """Return what the page of a customer shows."""
    service = site.service
    shown = profile(customer_id, rating(site, user, customer_id))
    return {
        "profile": shown,
        "explained": explained(shown.rating),
        "proposals": shown.rating.get("proposals", ()) if shown.rating else (),
        "may_decide": bool(shown.rating) and user.may(Right.ACT) and user.may(Right.CONFIDENTIAL),
        "may_approve": user.may(Right.APPROVE),
        "problem": "",
        "decisions": words.DECISIONS,
        "sent": {"grade": "", "reason": "", "days": "90"},
        "alerts": _seen(user, service.alerts.of_customer(customer_id)),
        "hits": _hits(service, user, [customer_id]),
        "now_ms": service.now_ms(),
    }


def rating(site: Site, user: User, customer_id: str, at_ms: int | None = None) -> Rating | None:
    """Return a rating as far as this user may see it.

    The parts name rules, and with them what a confidential alert is about: who may not see such
    alerts gets the neutral grade and score, and what the customer may be told.
    """
    found = site.service.rating(customer_id, at_ms)
    if found is None or user.may(Right.CONFIDENTIAL):
        return found
    return Rating(
        customer_id=found["customer_id"],
        time_ms=found["time_ms"],
        score=found["score"],
        grade=found["grade"],
        previous_grade=found["previous_grade"],
        parts=[Part(name="rating", kind="total", points=found["score"])],
        history=found["history"],
        review_ms=found.get("review_ms"),
        customer=found.get("customer", ()),
    )


def status_values(site: Site) -> dict[str, Any]:
    """Return what operators see."""
    service, zone = site.service, site.settings.zone
    reasons = sorted(service.dead_letter_counts().items(), key=lambda item: (-item[1], item[0]))
    letters = [
        {**letter, "faults": [(f["path"], f["problem"], f["hint"]) for f in letter["faults"]]}
        for letter in service.dead_letters(SHOWN)
    ]
    return {
        "page": "status",
        "health": service.health(),
        "figures": [(_label(name), _figure(name, value, zone)) for name, value in service.status().items()],
        "by_reason": reasons,
        "letters": letters,
    }


def _permissions(site: Site, user: User, alert: Alert) -> dict[str, Any]:
    takes_two = alert.severity in site.settings.four_eyes
    allowed = {action.value for status, action in NEXT if status is alert.status}
    proposed_by_other = alert.is_open and alert.proposed_by not in {None, user.name}
    return {
        "may_act": user.may(Right.ACT),
        "may_approve": takes_two and proposed_by_other and user.may(Right.APPROVE),
        "takes_two": takes_two,
        "allowed": allowed - {"close"} if alert.proposed_by == user.name else allowed,
        "dispositions": DISPOSITIONS,
        "recommendations": RECOMMENDED,
    }


def _newest(service: Service, user: User) -> list[Alert]:
    wanted = Filter(statuses=(Status.OPEN, Status.TAKEN))
    return _seen(user, service.alerts.select(wanted, Order.NEWEST, limit=NEWS))


def _others(service: Service, user: User, alert: Alert) -> list[Alert]:
    wanted = Filter(subject=alert.subject, subject_id=alert.subject_id)
    found = service.alerts.select(wanted, Order.NEWEST, limit=SHOWN + 1)
    return [other for other in _seen(user, found) if other.id != alert.id]


def _hits(service: Service, user: User, customers: Iterable[str]) -> list[HitRow]:
    # A hit's sentence tells what a confidential alert tells: without that right it is not shown.
    if not user.may(Right.CONFIDENTIAL):
        return []
    return [hit for customer in customers for hit in service.customer_hits(customer, SHOWN)]


def _seen(user: User, alerts: Iterable[Alert]) -> list[Alert]:
    return [alert for alert in alerts if may_see(user, alert)]


def _label(name: str) -> str:
    return name.removesuffix("_ms").replace("_", " ")


def _figure(name: str, value: float | str | None, zone: Any) -> str:
    if name.endswith("_ms") and (value is None or isinstance(value, int)):
        return words.when(value, zone)
    return f"{value:,}" if isinstance(value, int | float) else str(value or "\N{EN DASH}")
