"""The report of a back-test on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from monitor.backtest.report import AFTER, BEFORE

Report = Mapping[str, Any]


def show(report: Report, console: Console) -> None:
    """Print a report."""
    for line in _head(report):
        console.print(line, highlight=False, markup=False)
    console.print(_totals(report))
    console.print(_rules(report))
    if same := len(report["rules"]) - len(_told(report)):
        console.print(f"{same} other rules with hits are as before: --json and --html tell them")
    for one in report["grades"]["moved"]:
        console.print(f"{one['customer']}: grade {one['before']} > {one['after']}", highlight=False)
    for table in (_examples(report), _grades(report), _overlap(report)):
        if table is not None and table.row_count:
            console.print(table)
    for line in (*_silent(report), *_noisy(report), *_failed(report)):
        console.print(line, highlight=False, markup=False)


def percent(value: float | None) -> str:
    """Return a share as percent, or a dash where there is none.

    Examples
    --------
    >>> percent(0.125), percent(None)
    ('12.5 %', '-')
    """
    return "-" if value is None else f"{value * 100:.1f} %"


def _head(report: Report) -> Iterator[str]:
    period, known = report["period"], report["verdicts"]
    warm_up = period["warm_up_days"]
    before = "everything before" if warm_up is None else f"{warm_up:g} days before"
    yield f"{period['from']} to {period['to']} ({period['days']:,.1f} days), warmed up by {before}"
    yield (
        f"known: {known['cases']} confirmed customers, {known['refuted_customers']} refuted, by verdicts on "
        f"{known['events']} events and {known['alerts']} closed alerts"
    )
    if "differences" in report:
        yield from report["differences"]
    yield ""


_FIGURES = (
    ("hits", "hits", "{:,}"),
    ("alerts", "alerts", "{:,}"),
    ("alerts_a_day", "alerts a day", "{:,.2f}"),
    ("alerts_per_officer_a_day", "alerts an officer and day", "{:,.2f}"),
    ("customers", "customers alerted", "{:,}"),
    ("confirmed", "confirmed alerts", "{:,}"),
    ("refuted", "refuted alerts", "{:,}"),
    ("undecided", "undecided alerts", "{:,}"),
    ("cases_found", "confirmed customers found", "{:,}"),
)


def _totals(report: Report) -> Table:
    table = Table(title="In all", title_justify="left", box=None)
    table.add_column("")
    sides = report["sides"]
    for name in sides:
        table.add_column(name, justify="right")
    for key, label, form in _FIGURES:
        table.add_row(label, *(form.format(side[key]) for side in sides.values()))
    for key in ("precision", "recall", "f1"):
        table.add_row(key, *(percent(side[key]) for side in sides.values()))
    return table


def _rules(report: Report) -> Table:
    table = Table(title="Rule by rule", title_justify="left", box=None)
    both = AFTER in report["sides"]
    names = ["rule", "title", "status", "hits"]
    names += ["gained", "lost"] if both else []
    names += ["alerts", "a day", "/officer", "precision", "recall", "F1", "unique", "if removed"]
    for name in names:
        is_text = name in ("rule", "title", "status", "if removed")
        table.add_column(name, justify="left" if is_text else "right", max_width=36)
    for row in _told(report):
        table.add_row(*_row(row, both=both))
    return table


def _told(report: Report) -> list[Report]:
    """Return the rules that differ; all where there is nothing to compare with."""
    if AFTER not in report["sides"]:
        return list(report["rules"])
    return [row for row in report["rules"] if row["gained"] or row["lost"] or row[BEFORE] != row[AFTER]]


def _row(row: Report, *, both: bool) -> list[str]:
    sides = [row[name] for name in (BEFORE, AFTER) if name in row]

    def two(key: str, form: str = "{:,}") -> str:
        return _two([form.format(side[key]) for side in sides])

    removed = row["if_removed"]
    lost = f"-{removed['alerts']} alerts, -{len(removed['cases'])} cases" if removed["alerts"] else ""
    return [
        row["rule"],
        row["title"],
        _two([side["status"] or "-" for side in sides]),
        two("hits"),
        *([f"+{row['gained']:,}", f"-{row['lost']:,}"] if both else []),
        two("alerts"),
        two("alerts_a_day", "{:,.2f}"),
        two("alerts_per_officer_a_day", "{:,.2f}"),
        *(_two([percent(side[key]) for side in sides]) for key in ("precision", "recall", "f1")),
        two("only_this_rule"),
        lost,
    ]


def _two(values: Sequence[str]) -> str:
    return " > ".join(dict.fromkeys(values))


def _examples(report: Report) -> Table | None:
    if AFTER not in report["sides"]:
        return None
    table = Table(title="Hits gained and lost: the first ones", title_justify="left", box=None)
    for name in ("rule", "", "who", "when", "says"):
        table.add_column(name)
    for row in report["rules"]:
        for what in ("gained", "lost"):
            for one in row[f"{what}_examples"]:
                table.add_row(row["rule"], what, one["subject"], one["time"], one["say"])
    return table


def _grades(report: Report) -> Table | None:
    grades = report["grades"]
    if AFTER not in report["sides"]:
        return None
    moved = grades["end_riskier"] + grades["end_safer"] + grades["peak_riskier"] + grades["peak_safer"]
    if not moved:
        return None
    title = (
        f"Customers by grade, before (down) and after (across): {grades['end_riskier']} riskier and "
        f"{grades['end_safer']} safer at the end; peak: {grades['peak_riskier']} and {grades['peak_safer']}"
    )
    table = Table(title=title, title_justify="left", box=None)
    table.add_column("")
    for grade in grades["grades"]:
        table.add_column(str(grade), justify="right")
    for grade, counts in zip(grades["grades"], grades["end"], strict=True):
        table.add_row(str(grade), *(f"{count:,}" if count else "." for count in counts))
    return table


def _overlap(report: Report) -> Table:
    table = Table(title="Rules that alert the same customers", title_justify="left", box=None)
    for name in ("rules", "both", "either", "Jaccard"):
        table.add_column(name, justify="left" if name == "rules" else "right")
    for pair in report["overlap"]:
        names, share = " and ".join(pair["rules"]), f"{pair['jaccard']:.2f}"
        table.add_row(names, str(pair["both"]), str(pair["either"]), share)
    return table


def _silent(report: Report) -> Iterator[str]:
    fed = [row["rule"] for row in report["silent"] if row["events"]]
    unfed = [row["rule"] for row in report["silent"] if not row["events"]]
    if fed:
        yield f"silent, though their events came: {', '.join(fed)}"
    if unfed:
        yield f"silent, none of their events came: {', '.join(unfed)}"


def _noisy(report: Report) -> Iterator[str]:
    for row in report["noisy"]:
        yield (
            f"noisy: {row['rule']} raises {percent(row['share'])} of all alerts, "
            f"precision {percent(row['precision'])}"
        )


def _failed(report: Report) -> Iterator[str]:
    for name, side in report["sides"].items():
        for rule, count in side["replayed"]["failures"].items():
            yield f"{name}: {rule} failed on {count:,} events"
