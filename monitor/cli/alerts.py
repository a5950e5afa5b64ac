"""`riskmon alerts`: the desk from a terminal."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from getpass import getuser
from itertools import count
from pathlib import Path
from time import sleep, time
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from alerts.grouping import short
from alerts.lifecycle import DISPOSITIONS, SEVERITIES, Action, Alert, Status
from alerts.messages import describe
from alerts.outbox import last_posted, posted_after
from alerts.ports import Filter, Order
from alerts.stores.sql import SqlAlertStore
from monitor.cli.failure import Failure
from monitor.cli.output import show_json
from monitor.cli.source import Config, Data, Source, source
from rules.dispositions import DISPOSITIONS as RECOMMENDED

app = typer.Typer(no_args_is_help=True)

_UNDECIDED = (Status.OPEN, Status.TAKEN, Status.SNOOZED)
_STATUSES: dict[str, tuple[Status, ...]] = {
    "undecided": _UNDECIDED,
    "all": (),
    **{status.value: (status,) for status in Status},
}
_SPAN_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}
_COLOURS = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan", "info": "dim"}
_PAGE = 500
_WIDE = 200

Id = Annotated[str, typer.Argument(help="id of the alert, or its beginning")]
Json = Annotated[bool, typer.Option("--json", help="as JSON")]
Officer = Annotated[str, typer.Option("--as", help="your name, where no service runs; default: $USER")]
Why = Annotated[str, typer.Option(help="why")]


@app.callback()
def group() -> None:
    """The desk from a terminal."""


@app.command("list")
def list_alerts(
    status: Annotated[str, typer.Option(help=f"{', '.join(_STATUSES)}")] = "undecided",
    severity: Annotated[str, typer.Option(help="comma-separated, e.g. high,critical")] = "",
    subject: Annotated[str, typer.Option(help="kind of subject, e.g. customer, device")] = "",
    subject_id: Annotated[str, typer.Option(help="e.g. a customer's id")] = "",
    assignee: Annotated[str, typer.Option(help="officer who has it")] = "",
    rule: Annotated[str, typer.Option(help="rule id")] = "",
    text: Annotated[str, typer.Option(help="text in title, sentence, rule, subject or id")] = "",
    order: Annotated[str, typer.Option(help="priority or newest")] = "priority",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="how many")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="how many to pass over")] = 0,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List alerts, the most urgent first."""
    wanted = Filter(
        statuses=_STATUSES[_known("--status", status, _STATUSES)],
        severities=tuple(_known("--severity", one, SEVERITIES) for one in severity.split(",") if one),
        subject=subject or None,
        subject_id=subject_id or None,
        assignee=assignee or None,
        rule=rule or None,
        text=text or None,
    )
    with _store(source(data, config)) as store:
        alerts = store.select(wanted, Order(_known("--order", order, tuple(Order))), limit, offset)
        total = store.count(wanted)
    if as_json:
        show_json({"total": total, "items": [describe(alert) for alert in alerts]})
        return
    _console().print(_table(alerts))
    typer.echo(f"{len(alerts)} of {total} alerts")


@app.command()
def show(alert: Id, data: Data = None, config: Config = None, as_json: Json = False) -> None:
    """Show one alert: what was seen, its hits and its history."""
    with _store(source(data, config)) as store:
        found = _find(store, alert)
        history, hits = store.history(found.id), store.counted(found.id, 20)
    if as_json:
        steps = [_plain(step) for step in history]
        show_json({**describe(found), "history": steps, "counted": [_plain(hit) for hit in hits]})
        return
    _console().print(_card(found))
    for hit in hits:
        typer.echo(f"{_when(hit.time_ms)}  hit    {_clean(hit.event_id)}: {_clean(hit.say)}")
    for step in history:
        detail = " ".join(part for part in (step.disposition, step.reason) if part)
        typer.echo(_clean(f"{_when(step.time_ms)}  {step.action:<6} by {step.actor} {detail}".rstrip()))
    for code in found.recommended:
        typer.echo(f" -> {code}: {RECOMMENDED.get(code, code)}")
    for hint in found.triage:
        typer.echo(_clean(f"[ ] {hint}"))


@app.command()
def take(
    alert: Id, officer: Officer = "", data: Data = None, config: Config = None, as_json: Json = False
) -> None:
    """Take an alert: it is yours to decide."""
    _act(Action.TAKE, alert, officer, data, config, as_json)


@app.command()
def release(
    alert: Id, officer: Officer = "", reason: Why = "", data: Data = None, config: Config = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Give an alert back."""
    _act(Action.RELEASE, alert, officer, data, config, as_json, reason=reason)


@app.command()
def note(
    alert: Id, text: Annotated[str, typer.Argument(help="what to write down")], officer: Officer = "",
    data: Data = None, config: Config = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Write a note into the history of an alert."""
    _act(Action.NOTE, alert, officer, data, config, as_json, reason=text)


@app.command()
def close(
    alert: Id, disposition: Annotated[str, typer.Option(help=", ".join(DISPOSITIONS))], reason: Why,
    officer: Officer = "", data: Data = None, config: Config = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Close an alert with a disposition and a reason; where it takes two persons, propose or approve it."""
    _known("--disposition", disposition, DISPOSITIONS)
    _act(Action.CLOSE, alert, officer, data, config, as_json, reason=reason, disposition=disposition)


@app.command()
def reopen(
    alert: Id, reason: Why, officer: Officer = "", data: Data = None, config: Config = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Open a closed alert again."""
    _act(Action.REOPEN, alert, officer, data, config, as_json, reason=reason)


@app.command()
def snooze(
    alert: Id, until: Annotated[str, typer.Option(help="2d, 4h, 30m from now, or an RFC 3339 time")],
    reason: Why, officer: Officer = "", data: Data = None, config: Config = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Put an alert to sleep; hits are still counted."""
    _act(Action.SNOOZE, alert, officer, data, config, as_json, reason=reason, until_ms=_until_ms(until))


@app.command()
def wake(
    alert: Id, officer: Officer = "", data: Data = None, config: Config = None, as_json: Json = False
) -> None:
    """End the snooze of an alert."""
    _act(Action.WAKE, alert, officer, data, config, as_json)


@app.command()
def tail(
    last: Annotated[int, typer.Option(min=0, help="changes to show before new ones")] = 10,
    follow: Annotated[bool, typer.Option(help="wait for new ones until Ctrl-C")] = True,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show changes of alerts as they are committed, one a line."""
    try:
        with source(data, config).reading() as connection:
            reached = max(0, last_posted(connection) - last)
            for _ in count():
                for posted in posted_after(connection, reached, _PAGE):
                    if posted.message.topic == "alerts":
                        _show_change(posted.message.body, as_json)
                    reached = posted.sequence
                if reached < last_posted(connection):
                    continue
                if not follow:
                    return
                sleep(0.5)
    except KeyboardInterrupt:
        return


def _act(
    action: Action, prefix: str, officer: str, data: Path | None, config: Path | None, as_json: bool, *,
    reason: str = "", disposition: str = "", until_ms: int | None = None,
) -> None:  # fmt: skip
    from monitor.cli.alert_actions import Wanted, carry_out

    place = source(data, config)
    with _store(place) as store:
        alert_id = _find(store, prefix).id
    wanted = Wanted(
        action=action,
        alert_id=alert_id,
        actor=officer or os.environ.get("USER") or getuser(),
        reason=reason,
        disposition=disposition,
        until_ms=until_ms,
    )
    carry_out(place, wanted, config)
    with _store(place) as store:
        alert = _find(store, alert_id)
    if as_json:
        show_json(describe(alert))
        return
    by = f" by {alert.assignee}" if alert.assignee and alert.is_open else ""
    proposed = f", closing proposed by {alert.proposed_by}" if alert.proposed_by and alert.is_open else ""
    typer.echo(_clean(f"{short(alert.id)} is {alert.status}{by}{proposed}: {alert.title}"))


@contextmanager
def _store(place: Source) -> Iterator[SqlAlertStore]:
    with place.reading() as db:
        yield SqlAlertStore(db)


def _find(store: SqlAlertStore, prefix: str) -> Alert:
    digits = prefix.replace("-", "").lower()
    found = store.matching(digits, 6) if digits else []
    if len(found) == 1 and (alert := store.get(found[0])):
        return alert
    if found:
        more = ", ".join(short(one) for one in found[:5]) + (", ..." if len(found) > 5 else "")
        raise Failure(f"{prefix!r} begins several alerts: {more}\n  hint: write more digits of the id")
    raise Failure(f"no alert has an id that begins with {prefix!r}{_nearest(store, digits)}")


def _nearest(store: SqlAlertStore, digits: str) -> str:
    for length in range(len(digits) - 1, 1, -1):
        near = store.matching(digits[:length], 3)
        if near:
            return f"\n  hint: did you mean {' or '.join(short(one) for one in near)}?"
    return "\n  hint: `riskmon alerts list --status all` shows the ids"


def _known(option: str, value: str, known: Any) -> str:
    if value not in known:
        raise Failure(f"{option}: expected one of {', '.join(known)}, was {value!r}")
    return value


def _until_ms(text: str) -> int:
    span = re.fullmatch(r"([1-9][0-9]{0,3})([mhdw])", text)
    if span:
        return round(time() * 1000) + int(span[1]) * _SPAN_MS[span[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Failure(
            f"--until: expected a span or a time with offset, was {text!r}\n"
            "  hint: write 2d, 4h, 30m or 2026-03-01T12:00:00+08:00"
        )
    return round(moment.timestamp() * 1000)


def _console() -> Console:
    # Into a file or a pipe a line is one alert, whatever the width of a screen.
    return Console() if sys.stdout.isatty() else Console(width=_WIDE)


def _table(alerts: list[Alert]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("id", "prio", "severity", "status", "due", "subject", "alert"):
        justify: JustifyMethod = "right" if name == "prio" else "left"
        table.add_column(name, justify=justify, overflow="fold", no_wrap=name not in {"subject", "alert"})
    for alert in alerts:
        officer = f" {alert.assignee}" if alert.assignee else ""
        times = f" (x{alert.hits})" if alert.hits > 1 else ""
        table.add_row(
            short(alert.id),
            str(alert.priority),
            Text(alert.severity, style=_COLOURS[alert.severity]),
            Text(_clean(f"{alert.status}{officer}")),
            _when(alert.due_ms),
            Text(_clean(f"{alert.subject} {alert.subject_id}")),
            Text(_clean(f"{alert.title}{times}")),
        )
    return table


def _card(alert: Alert) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    rows = {
        alert.title: f"{alert.say}",
        "id": f"{alert.id} (case {short(alert.case_id)})",
        "subject": f"{alert.subject} {alert.subject_id}",
        "rule": f"{alert.rule} version {alert.version}, {alert.dimension}, {alert.disclosure}",
        "severity": f"{alert.severity}, priority {alert.priority}, grade {alert.grade or 'ordinary'}",
        "status": f"{alert.status}{', officer ' + alert.assignee if alert.assignee else ''}",
        "times": f"opened {_when(alert.opened_ms)}, due {_when(alert.due_ms)}",
        "hits": f"{alert.hits}, last {_when(alert.last_hit_ms)}",
        "saw": ", ".join(f"{name} = {value}" for name, value in sorted(alert.saw.items())),
        "closed as": f"{alert.disposition}: {alert.reason}" if alert.disposition else "",
    }
    for name, value in rows.items():
        if value:
            table.add_row(Text(_clean(name)), Text(_clean(value)))
    return table


def _show_change(body: bytes, as_json: bool) -> None:
    if as_json:
        typer.echo(body.decode())
        return
    change = orjson.loads(body)
    alert = change["alert"]
    what = change["type"].removeprefix("alert.")
    who = f" by {alert['assignee']}" if what == "taken" else ""
    line = (
        f"{_when(change['time_ms'])}  {alert['short']}  {what}{who}  {alert['severity']}  "
        f"{alert['subject']} {alert['subject_id']}  {alert['title']}: {alert['say']}"
    )
    typer.echo(_clean(line))


def _clean(text: str) -> str:
    # Names and texts come from outside; control characters would drive the officer's terminal.
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _plain(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__slots__ if name != "alert_id"}


def _when(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%MZ")
