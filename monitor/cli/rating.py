"""`riskmon rating`: what a customer's rating is made of, now or on any day."""

from __future__ import annotations

from typing import Annotated

import typer

from monitor.cli import rating_decisions, rating_register
from monitor.cli.failure import Failure
from monitor.cli.moments import At, moment, time_ms
from monitor.cli.output import configured, show_json
from monitor.cli.source import Config, Data, source
from monitor.core.explain import AUDIENCES, explain_rating
from monitor.rating_texts import plain
from monitor.ratings import Shown, customer_rating

app = typer.Typer(no_args_is_help=True)
app.command("list")(rating_register.list_ratings)
app.command()(rating_register.export)
app.command()(rating_decisions.override)
app.command()(rating_decisions.limit)
app.command()(rating_decisions.suppress)


@app.callback()
def group() -> None:
    """Ratings and their arithmetic."""


@app.command()
def show(
    customer: Annotated[str, typer.Argument(help="customer id")],
    at: At = "",
    audience: Annotated[str, typer.Option("--as", help="officer, auditor or customer")] = "officer",
    data: Data = None,
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
) -> None:
    """Show a rating with parts that add up to it exactly."""
    if audience not in AUDIENCES:
        raise Failure(f"--as: expected {', '.join(AUDIENCES)}, was {audience!r}")
    _, configuration = configured(config)
    with source(data, config).reading() as db:
        shown = customer_rating(db, configuration, customer, time_ms(at))
    if shown is None:
        raise Failure(
            f"{customer}: no rating {'by ' + at if at else 'yet'}\n  hint: is it the right customer id?", 1
        )
    if as_json:
        show_json(_plain(shown, audience))
        return
    if audience != "customer":
        typer.echo(f"{customer} at {moment(shown.rating.time_ms)}")
    typer.echo(explain_rating(shown.rating, audience))
    if audience != "customer":
        for change in shown.history[-10:]:
            before = change["previous_grade"]
            grades = f"{before or '-'} -> {change['grade']}"
            typer.echo(f"{moment(change['time_ms'])}  {grades}  {change['score']:.2f}  {change['cause']}")


def _plain(shown: Shown, audience: str) -> dict[str, object]:
    rating = shown.rating
    lines = explain_rating(rating, audience).splitlines()
    if audience == "customer":
        return {"customer": shown.customer_id, "lines": lines}
    return {
        "lines": lines,
        "customer": shown.customer_id,
        "at": moment(rating.time_ms),
        "grade": rating.grade,
        "grade_name": rating.grade_name,
        "score": rating.score,
        "parts": list(rating.parts),
        "mode": rating.mode,
        "review_due": moment(rating.review_ms) if rating.review_ms else None,
        **plain(rating),
        "history": list(shown.history),
    }
