"""An officer's action at the terminal: what it is as an event, and as a request of the API."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from time import time
from typing import Any

from alerts.inbox.actions import action_event
from alerts.lifecycle import Action
from monitor.cli import acting
from monitor.cli.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An action to carry out, whole and checked as far as a terminal can."""

    action: Action
    alert_id: str
    actor: str
    reason: str = ""
    disposition: str = ""
    until_ms: int | None = None


def carry_out(place: Source, wanted: Wanted, config: Path | None) -> None:
    """Carry out an action; it is durable when this returns.

    Raises
    ------
    Failure
        The action is not allowed, or nobody can say whether the service did it.
    """
    key = token_hex(16)
    act = acting.Act(
        event=_event(wanted, key),
        path=f"/api/alerts/{wanted.alert_id}/{wanted.action.value}",
        said=_said(wanted),
        key=key,
        look="riskmon alerts show",
    )
    acting.carry_out(place, act, config)


def _said(wanted: Wanted) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if wanted.reason:
        said["reason"] = wanted.reason
    if wanted.disposition:
        said["disposition"] = wanted.disposition
    if wanted.until_ms is not None:
        said["until"] = datetime.fromtimestamp(wanted.until_ms / 1000, UTC).isoformat()
    return said


def _event(wanted: Wanted, key: str) -> dict[str, Any]:
    return action_event(
        wanted.action,
        wanted.alert_id,
        actor=wanted.actor,
        time_ms=round(time() * 1000),
        key=key,
        reason=wanted.reason,
        disposition=wanted.disposition,
        until_ms=wanted.until_ms,
    )
