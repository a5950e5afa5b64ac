"""How what a person does at the terminal is carried out, never twice.

Of a cluster by its desk, through the topic of events; of a data directory by the service that runs
on it, else here.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from alerts.inbox.service import UnavailableError
from alerts.lifecycle import ActionNotAllowedError, UnknownAlertError
from monitor.app import perform_action
from monitor.cli.failure import Failure
from monitor.cli.output import configured
from monitor.cli.running import running_service
from monitor.cli.source import Source
from monitor.settings import Settings

TOKEN = "RISKMON_TOKEN"  # noqa: S105  the name of the variable, not a token
_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something a person does, both as the event that carries it out and as a request of the API."""

    event: Mapping[str, Any]
    path: str
    """Of the API, `/api/...`."""
    said: Mapping[str, Any]
    """Body of the request."""
    key: str
    """Makes a repeated request the same act."""
    look: str
    """The command that shows whether it was done."""


def carry_out(place: Source, act: Act, config: Path | None) -> None:
    """Carry out an act; it is durable when this returns.

    Where the data directory's service runs, the service does it, as the person the token in
    RISKMON_TOKEN stands for. Every way knows the act by its key, so a request that is repeated
    because its answer got lost is carried out once.

    Raises
    ------
    Failure
        It is not allowed, or nobody can say whether the service did it.
    """
    if place.settings is not None:
        _by_desk(place.settings, act.event)
        return
    url = running_service(place.folder)
    if url is None:
        _here(place.folder, act.event, config)
    else:
        _there(url, act)


def _there(url: str, act: Act) -> None:
    headers = {"Idempotency-Key": act.key}
    if os.environ.get(TOKEN):
        headers["Authorization"] = f"Bearer {os.environ[TOKEN]}"
    for is_last in (False, True):
        try:
            answer = httpx.post(f"{url}{act.path}", json=dict(act.said), headers=headers, timeout=_TIMEOUT_S)
        except httpx.HTTPError as error:
            if is_last:
                raise Failure(
                    f"{url}: no answer ({type(error).__name__}); it may or may not be done\n"
                    f"  hint: look with `{act.look}`"
                ) from None
        else:
            return _judge(answer)
    return None


def _judge(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    try:
        told = answer.json()
    except ValueError:
        told = {}
    text = (
        _sentence(told if isinstance(told, Mapping) else {}) or f"the service answered {answer.status_code}"
    )
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        text += f"\n  hint: put the token of your user into {TOKEN}"
    if answer.status_code == httpx.codes.FORBIDDEN:
        text += f"\n  hint: {TOKEN} is of a user without that role; docs/settings.md says what each may"
    raise Failure(text)


def _sentence(told: Mapping[str, Any]) -> str:
    faults = told.get("faults") or ()
    parts = [str(told.get("error") or told.get("detail") or "")]
    parts += [f"{fault.get('path', '')}: {fault.get('problem', '')}" for fault in faults]
    hint = f"\n  hint: {told['hint']}" if told.get("hint") else ""
    return "; ".join(part for part in parts if part) + hint


def _here(data: Path, event: Mapping[str, Any], config: Path | None) -> None:
    try:
        outcome = perform_action(data, event, *configured(config))
    except (ActionNotAllowedError, UnknownAlertError) as error:
        raise Failure(str(error)) from None
    if outcome.status not in {"accepted", "duplicate"}:
        raise Failure(outcome.message or str(outcome.rejection) or f"the action was {outcome.status}")


def _by_desk(settings: Settings, event: Mapping[str, Any]) -> None:
    from monitor.web import open_feed

    try:
        with open_feed(settings) as feed:
            outcome = asyncio.run(feed.act(event))
    except UnavailableError as error:
        raise Failure(str(error)) from None
    if not outcome.is_kept:
        faults = [f"{fault['path']}: {fault['problem']}" for fault in outcome.faults]
        raise Failure(outcome.message or "; ".join(faults) or f"the action was {outcome.status}")
