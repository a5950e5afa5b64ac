"""`riskmon sizing`: how large a cluster must be for a bank, and its busiest day played through."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from monitor.cli.failure import Failure
from monitor.cli.output import show_json
from monitor.sizing import Bank, Costs, Minute, Size, busiest_day, size
from monitor.sizing_plot import plot


def sizing(
    customers: Annotated[int, typer.Option(min=1, help="customers of the bank")] = 10_000_000,
    events_a_day: Annotated[
        float, typer.Option(min=0.001, help="events a customer on the busiest day, all kinds")
    ] = 5.0,
    desk_us: Annotated[float | None, typer.Option(help="measured CPU of the desk an event, us")] = None,
    worker_us: Annotated[float | None, typer.Option(help="measured CPU of workers an event, us")] = None,
    worker_gb: Annotated[float, typer.Option(min=1, help="memory a worker may have, GB")] = 8.0,
    dies_at: Annotated[str, typer.Option(help="when a worker dies for good, HH:MM; empty: never")] = "20:30",
    svg: Annotated[Path | None, typer.Option(help="write the day as a picture")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
) -> None:
    """Say how large a cluster must be, from measured costs, and play its busiest day through."""
    measured = {name: value for name, value in (("desk_us", desk_us), ("worker_us", worker_us)) if value}
    costs, bank = Costs(**measured), Bank(customers=customers, events_a_day=events_a_day)
    found = size(bank, costs, worker_gb)
    minutes = list(busiest_day(bank, costs, found, dies_at=_minute(dies_at)))
    if svg is not None:
        svg.write_text(plot(minutes, dies_at), encoding="utf-8")
    if as_json:
        show_json({"bank": asdict(bank), "costs": asdict(costs), "size": asdict(found), "day": _day(minutes)})
        return
    _tell(bank, found, minutes, dies_at)
    if not found.is_possible:
        raise Failure(
            "one desk does not keep up with the busiest second: divide the bank, see docs/cluster.md", 1
        )


def _minute(clock: str) -> int | None:
    if not clock:
        return None
    hour, _, minute = clock.partition(":")
    if hour.isdigit() and minute.isdigit() and int(hour) < 24 and int(minute) < 60:
        return int(hour) * 60 + int(minute)
    raise Failure(f"--dies-at: expected HH:MM, was {clock!r}\n  hint: write 20:30")


def _day(minutes: list[Minute]) -> dict[str, float]:
    return {
        "most_waiting": round(max(minute.waiting for minute in minutes)),
        "longest_delay_s": round(max(minute.delay_s for minute in minutes), 1),
        "minutes_behind": sum(minute.delay_s > 1 for minute in minutes),
    }


def _tell(bank: Bank, found: Size, minutes: list[Minute], dies_at: str) -> None:
    table = Table(title=f"{bank.customers:,} customers, {bank.events_a_day:g} events each on the busiest day")
    table.add_column("what")
    table.add_column("needed", justify="right")
    day = _day(minutes)
    rows = [
        ("busiest second", f"{found.peak:,.0f} events"),
        ("desk", f"{found.desk_cores:.0%} of a core"),
        ("workers, one to spare", f"{found.workers}"),
        ("partitions of a stage", f"{found.partitions}"),
        ("memory of a worker", f"{found.memory_gb:,.1f} GB"),
        ("changelogs, compacted", f"{found.states_gb:,.0f} GB"),
        ("through Kafka", f"{found.kafka_gb_a_day:,.0f} GB a day"),
        ("into PostgreSQL", f"{found.postgres_gb_a_day:,.0f} GB a day"),
        ("a dead worker's partitions are back", f"after {found.recovery_s:,.0f} s"),
    ]
    for name, value in rows:
        table.add_row(name, value)
    if dies_at:
        table.add_section()
        table.add_row(f"a worker dies at {dies_at}: most events waiting", f"{day['most_waiting']:,.0f}")
        table.add_row("longest wait for an alert", f"{day['longest_delay_s']:,.0f} s")
        table.add_row("minutes with waits above a second", f"{day['minutes_behind']}")
    Console().print(table)
