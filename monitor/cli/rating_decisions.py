"""`riskmon rating override`, `limit` and `suppress`: what people decide about a rating, at the terminal."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from getpass import getuser
from pathlib import Path
from secrets import token_hex
from time import time
from typing import Annotated, Any
from urllib.parse import quote

import typer

from alerts.inbox.rating_actions import decision_event
from monitor.cli.acting import Act, carry_out
from monitor.cli.failure import Failure
from monitor.cli.moments import moment, time_ms
from monitor.cli.source import Config, Data, source
from monitor.core.decisions import IMPOSE, LIFT, OVERRIDE, RESTORE, SUPPRESS
from monitor.rating_notices import decided

Customer = Annotated[str, typer.Argument(help="customer id")]
Who = Annotated[str, typer.Option("--as", help="your name, where no service runs; default: $USER")]
Why = Annotated[str, typer.Option(help="why")]
Until = Annotated[str, typer.Option(help="RFC 3339 time; default: as long as the parameters allow")]


def override(
    customer: Customer,
    reason: Why,
    grade: Annotated[int | None, typer.Option(help="10 high to 14 low; left out: end it")] = None,
    until: Until = "",
    person: Who = "",
    data: Data = None,
    config: Config = None,
) -> None:
    """Set a grade by hand: a riskier one holds at once, a safer one when a second person says the same."""
    said = {"grade": grade, "reason": reason}
    _decide(customer, OVERRIDE, grade, reason, until, person, data, config, "grade", said)


def limit(
    customer: Customer,
    name: Annotated[str, typer.Argument(help="floor or ceiling, as config/rating.yaml names it")],
    reason: Why,
    lift: Annotated[bool, typer.Option(help="take it away")] = False,
    until: Until = "",
    person: Who = "",
    data: Data = None,
    config: Config = None,
) -> None:
    """Impose or lift a floor or a ceiling; what makes the customer look safer takes a second person."""
    said = {"name": name, "lift": lift, "reason": reason}
    kind = LIFT if lift else IMPOSE
    _decide(customer, kind, name, reason, until, person, data, config, "limits", said)


def suppress(
    customer: Customer,
    rule: Annotated[str, typer.Argument(help="rule id")],
    reason: Why,
    restore: Annotated[bool, typer.Option(help="let the rule count again")] = False,
    until: Until = "",
    person: Who = "",
    data: Data = None,
    config: Config = None,
) -> None:
    """Let a rule give a customer no points for a while (two persons), or let it count again."""
    said = {"rule": rule, "restore": restore, "reason": reason}
    kind = RESTORE if restore else SUPPRESS
    _decide(customer, kind, rule, reason, until, person, data, config, "rules", said)


def _decide(
    customer: str,
    kind: str,
    value: Any,
    reason: str,
    until: str,
    person: str,
    data: Path | None,
    config: Path | None,
    path: str,
    said: dict[str, Any],
) -> None:
    place, key, until_ms = source(data, config), token_hex(16), time_ms(until, "--until")
    event = decision_event(
        kind,
        customer,
        value,
        actor=person or os.environ.get("USER") or getuser(),
        time_ms=round(time() * 1000),
        key=key,
        reason=reason,
        until_ms=until_ms,
    )
    if until_ms is not None:
        said["until"] = datetime.fromtimestamp(until_ms / 1000, UTC).isoformat()
    act = Act(
        event=event,
        path=f"/api/ratings/{quote(customer, safe='')}/{path}",
        said=said,
        key=key,
        look="riskmon rating show",
    )
    carry_out(place, act, config)
    with place.reading() as db:
        told = decided(db, customer, event["event_id"])
    if told is None or told["action"] == "refused":
        raise Failure(
            told["problem"] if told else f"{customer}: no rating yet, or the decision came too late", 1
        )
    until_told = f" until {moment(told['until_ms'])}" if told.get("until_ms") else ""
    waits = "; it waits for a second person" if told["action"] == "proposed" else ""
    typer.echo(f"{told['action']}{until_told}{waits}")
