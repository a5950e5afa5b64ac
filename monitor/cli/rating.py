"""`riskmon rating`: what a customer's rating is made of, now or on any day."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from monitor.cli.output import Failure, configured, show_json
from monitor.cli.source import Config, Data, source
from monitor.core.explain import AUDIENCES, explain_rating
from monitor.ratings import Shown, customer_rating

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """Ratings and their arithmetic."""


@app.command()
def show(
    customer: Annotated[str, typer.Argument(help="customer id")],
    at: Annotated[str, typer.Option(help="RFC 3339 time, e.g. 2026-03-01T12:00:00+08:00; default: now")] = "",
    audience: Annotated[str, typer.Option(help="officer, auditor or customer")] = "officer",
    data: Data = None,
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
) -> None:
    """Show a rating with parts that add up to it exactly."""
    if audience not in AUDIENCES:
        raise Failure(f"--audience: expected {', '.join(AUDIENCES)}, was {audience!r}")
    _, configuration = configured(config)
    with source(data, config).reading() as db:
        shown = customer_rating(db, configuration, customer, _time_ms(at))
    if shown is None:
        raise Failure(
            f"{customer}: no rating {'by ' + at if at else 'yet'}\n  hint: is it the right customer id?", 1
        )
    if as_json:
        show_json(_plain(shown))
        return
    typer.echo(f"{customer} at {_moment(shown.rating.time_ms)}")
    typer.echo(explain_rating(shown.rating, audience))
    if audience != "customer":
        for change in shown.history[-10:]:
            before = change["previous_grade"]
            grades = f"{before or '-'} -> {change['grade']}"
            typer.echo(f"{_moment(change['time_ms'])}  {grades}  {change['score']:.2f}  {change['cause']}")


def _time_ms(text: str) -> int | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Failure(
            f"--at: expected a time, was {text!r}\n  hint: write 2026-03-01T12:00:00+08:00"
        ) from None
    if moment.tzinfo is None:
        raise Failure(f"--at: {text!r} has no offset\n  hint: add one, e.g. {text}+08:00 or {text}Z")
    return int(moment.timestamp() * 1000)


def _moment(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="seconds")


def _plain(shown: Shown) -> dict[str, object]:
    rating = shown.rating
    return {
        "customer": shown.customer_id,
        "at": _moment(rating.time_ms),
        "grade": rating.grade,
        "grade_name": rating.grade_name,
        "score": rating.score,
        "parts": list(rating.parts),
        "limits": [limit.name for limit in rating.limits],
        "mode": rating.mode,
        "review_due": _moment(rating.review_ms) if rating.review_ms else None,
        "history": list(shown.history),
    }
