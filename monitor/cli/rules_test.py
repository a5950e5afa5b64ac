"""`riskmon rules test`: the tests beside the rules, and what these tests would not notice."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.rulebooks import (
    AsJson,
    Lists,
    Packs,
    calm,
    cases_in,
    chosen,
    configured_folder,
    lists_in,
    loaded,
    mistakes_told,
    refuse,
)

if TYPE_CHECKING:
    from monitor.ruletest import Case, RuleTests
    from monitor.ruletest.noticing import Noticed

Coverage = Annotated[
    bool,
    typer.Option(
        "--coverage", help="Say which sub-conditions and which edges of thresholds no case decides."
    ),
]
AtLeast = Annotated[
    float | None,
    typer.Option("--at-least", min=0, max=100, help="With --coverage: fail below this share, in percent."),
]
Propose = Annotated[
    bool,
    typer.Option("--propose", help="With --coverage: print cases that would notice, to be read and kept."),
]
Jobs = Annotated[int | None, typer.Option("--jobs", min=1, help="Processes; default: one a core.")]

COLOURS = {"  - ": "red", "  + ": "green", "  = ": "dim"}
"""Beginnings of the lines of a difference."""


@mistakes_told()
def run_tests(
    paths: Annotated[list[Path] | None, typer.Argument(help="Folders, or single *.test.yaml files.")] = None,
    packs: Packs = None,
    lists: Lists = None,
    filter_: Annotated[
        str, typer.Option("--filter", help="Only cases whose rule or name holds this text.")
    ] = "",
    coverage: Coverage = False,
    at_least: AtLeast = None,
    propose: Propose = False,
    jobs: Jobs = None,
    as_json: AsJson = False,
) -> None:
    """Run the tests beside the rules, in virtual time."""
    calm()
    meant = chosen(paths, packs)
    bench = bench_of(sorted({path.parent if path.is_file() else path for path in meant}), lists)
    wanted = filter_.casefold()
    cases = [case for case in cases_in(meant) if wanted in f"{case.rule} {case.name}".casefold()]
    if not cases:
        bench.compile()
        refuse(f"no test case holds {filter_!r}" if filter_ else "no *.test.yaml found")
    jobs = jobs or os.cpu_count() or 1
    if not _pass(bench, cases, jobs, as_json=as_json, quiet=as_json and coverage):
        raise typer.Exit(1)
    if coverage:
        results = _cover(bench, cases, jobs, as_json=as_json)
        if propose:
            _propose(bench, cases, [one.rule for one in results if any(one.missed.values())])
        _demand(results, at_least)


def bench_of(folders: Sequence[Path], lists: Path | None) -> RuleTests:
    """Return the rules of some folders, with the figures of the configuration, ready to be tested."""
    import yaml

    from monitor.core.rating_config import RatingConfig
    from monitor.ruletest import RuleTests
    from rules.loader import load_predicates
    from rules.parameters import load_parameters
    from rules.vocabulary import load_vocabulary
    from streams.rates import Rates

    config = configured_folder()
    plain = yaml.safe_load((config / "rating.yaml").read_text(encoding="utf-8"))
    return RuleTests(
        loaded(folders), load_vocabulary(), lists_in(lists), load_predicates(folders),
        RatingConfig.from_plain(plain), Rates.load(config / "lists" / "fx_rates.yaml"),
        overrides=load_parameters((lists.parent if lists else config) / "parameters.yaml"),
    )  # fmt: skip


def _pass(bench: RuleTests, cases: Sequence[Case], jobs: int, *, as_json: bool, quiet: bool) -> bool:
    """Run cases, tell what failed unless `quiet` and nothing did; return whether all passed."""
    from monitor.ruletest.workers import all_failures

    found = [problems for problems in all_failures(bench, cases, jobs) if problems]
    if found or not quiet:
        _tell_failures(cases, found, as_json=as_json)
    return not found


def _tell_failures(cases: Sequence[Case], failed: Sequence[Sequence[str]], *, as_json: bool) -> None:
    problems = [problem for several in failed for problem in several]
    rules, passed = len({case.rule for case in cases}), len(cases) - len(failed)
    if as_json:
        told = {"rules": rules, "cases": len(cases), "passed": passed, "failures": problems}
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    for problem in problems:
        _tell(problem)
    typer.echo(f"{passed} of {len(cases)} cases of {rules} rules passed")


def _tell(problem: str) -> None:
    """Print a problem; on a terminal what was expected is red, what came instead green."""
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False, markup=False)
    for line in problem.split("\n"):
        console.print(line, style=COLOURS.get(line[:4]))


def _cover(bench: RuleTests, cases: Sequence[Case], jobs: int, *, as_json: bool) -> list[Noticed]:
    from monitor.ruletest.reporting import as_plain, unnoticed_lines

    results = _noticed(bench, cases, jobs)
    if as_json:
        typer.echo(json.dumps(as_plain(results), ensure_ascii=False, indent=2))
    else:
        for one in unnoticed_lines(results):
            typer.echo(str(one))
        _table(results)
    return results


def _demand(results: Sequence[Noticed], at_least: float | None) -> None:
    """End with status 1 where less is noticed than was asked for."""
    from monitor.ruletest.noticing import KINDS
    from monitor.ruletest.reporting import share

    total = share("all", results)
    for kind in KINDS:
        if at_least is not None and total.percent(kind) < at_least:
            typer.echo(
                f"{kind}: noticed {total.percent(kind):.1f} %, expected at least {at_least:g} %", err=True
            )
    if at_least is not None and min(total.percent(kind) for kind in KINDS) < at_least:
        raise typer.Exit(1)


def _propose(bench: RuleTests, cases: Sequence[Case], rules: Sequence[str]) -> None:
    """Print, by test file, cases that would notice what the cases there are do not."""
    from monitor.ruletest.proposing import MOST_TRIED, proposals
    from monitor.ruletest.writing import case_text, said_in

    for number, rule in enumerate(rules, 1):
        own = [case for case in cases if case.rule == rule]
        with progress_bar(f"proposing for {rule}, rule {number} of {len(rules)}", MOST_TRIED) as show:
            found = list(proposals(bench, rule, own, show))
        said = "read what each expects before you keep it" if found else "no single change of a case shows it"
        typer.echo(f"# {own[0].file}: {said}")
        outer, by_line = said_in(own[0].file)
        for proposal in found:
            typer.echo(case_text(proposal, outer, by_line.get(proposal.case.line)), nl=False)
            for one in proposal.notices:
                typer.echo(f"    # {one.line}:{one.column}: {one.problem}")


def _noticed(bench: RuleTests, cases: Sequence[Case], jobs: int) -> list[Noticed]:
    from itertools import count

    from monitor.ruletest.noticing import everything_noticed

    by_rule: dict[str, list[Case]] = {}
    for case in cases:
        by_rule.setdefault(case.rule, []).append(case)
    finished = count(1)
    with progress_bar("rules", len(by_rule)) as show:
        few = min(jobs, len(by_rule))
        return everything_noticed(bench, by_rule, few, lambda rule: show(next(finished)))


@contextmanager
def progress_bar(text: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error, if that is a terminal; give what is called with how much is done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(text, total=total)
        yield lambda done: bar.update(task, completed=done)


def _table(results: Sequence[Noticed]) -> None:
    from rich.console import Console
    from rich.table import Table

    from monitor.ruletest.noticing import KINDS
    from monitor.ruletest.reporting import share, shares

    table = Table(box=None)
    table.add_column("pack")
    table.add_column("rules", justify="right")
    for kind in KINDS:
        table.add_column(f"{kind} noticed", justify="right")
        table.add_column("%", justify="right")
    for one in (*shares(results), share("all", results)):
        cells = [
            text
            for kind in KINDS
            for text in (
                f"{one.asked[kind] - one.missed[kind]}/{one.asked[kind]}",
                f"{one.percent(kind):.1f}",
            )
        ]
        table.add_row(one.pack, str(one.rules), *cells)
    Console().print(table)
