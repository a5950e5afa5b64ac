"""`riskmon rules`: check, test, list and explain rules."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from monitor.ruletest import RuleTests
    from rules.compile import Rulebook
    from rules.errors import RuleError
    from rules.model import Expression, ListData, Rule

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Check, test, list and explain rules.")

Folders = Annotated[
    list[Path] | None, typer.Argument(help="Folders of rules; without any, the shipped packs.")
]
Packs = Annotated[
    list[str] | None, typer.Option("--packs", "--rules", help="Shipped pack by name, or a folder.")
]
Lists = Annotated[
    Path | None, typer.Option("--lists", help="Folder of lists; default: that of the configuration.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def check(folders: Folders = None, packs: Packs = None, lists: Lists = None) -> None:
    """Check rules: every mistake at once, with its place and what to write instead."""
    from rules.lint import remarks

    rules, _, book = _compiled(_chosen(folders, packs), lists)
    cases = _cases(_chosen(folders, packs))
    hits = {rule.id: [len(case.hits) for case in cases if case.rule == rule.id] for rule in rules}
    said = remarks(rules, hits)
    for remark in said:
        typer.echo(str(remark))
    typer.echo(_summary(rules, book, len(cases)))
    if said:
        typer.echo(f"{len(said)} remark{'s' * (len(said) != 1)}")


@app.command("test")
def run_tests(
    paths: Annotated[list[Path] | None, typer.Argument(help="Folders, or single *.test.yaml files.")] = None,
    packs: Packs = None,
    lists: Lists = None,
    filter_: Annotated[
        str, typer.Option("--filter", help="Only cases whose rule or name holds this text.")
    ] = "",
) -> None:
    """Run the tests beside the rules, in virtual time."""
    chosen = _chosen(paths, packs)
    bench = _bench(sorted({path.parent if path.is_file() else path for path in chosen}), lists)
    cases = [case for case in _cases(chosen) if filter_.casefold() in f"{case.rule} {case.name}".casefold()]
    if not cases:
        _refuse(f"no test case holds {filter_!r}" if filter_ else "no *.test.yaml found")
    failed = 0
    for case in cases:
        problems = bench.failures(case)
        failed += bool(problems)
        for problem in problems:
            typer.echo(problem)
    rules = len({case.rule for case in cases})
    typer.echo(f"{len(cases) - failed} of {len(cases)} cases of {rules} rules passed")
    raise typer.Exit(1 if failed else 0)


@app.command("list")
def list_(packs: Packs = None, as_json: AsJson = False) -> None:
    """List rules by pack."""
    rules = sorted(_loaded(_chosen(None, packs)), key=lambda rule: (rule.pack, rule.id))
    rows = [_row(rule) for rule in rules]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for pack in dict.fromkeys(row["pack"] for row in rows):
        table = Table(title=pack, title_justify="left", box=None)
        names = (
            "id",
            "title",
            "dimension",
            "severity",
            "points",
            "status",
            "subject",
            "events",
            "verification",
        )
        for name in names:
            table.add_column(name, justify="right" if name == "points" else "left")
        for row in rows:
            if row["pack"] == pack:
                table.add_row(*(_cell(row[name]) for name in names))
        console.print(table)
    typer.echo(f"{len(rows)} rules")


@app.command()
def explain(
    rule_id: Annotated[str, typer.Argument(metavar="ID", help="The rule.")],
    packs: Packs = None,
    lists: Lists = None,
    code: Annotated[bool, typer.Option("--code", help="Show the generated code too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say in words what a rule watches, remembers and asks of the officer."""
    from monitor.ruletext import generated, told
    from rules.errors import nearest

    rules, predicates, _ = _compiled(_chosen(None, packs), lists)
    found = {rule.id.casefold(): rule for rule in rules}.get(rule_id.casefold())
    if found is None:
        _refuse(f"no rule {rule_id!r}", nearest(rule_id, [rule.id for rule in rules]))
    alone = _alone(found, predicates, lists)
    if as_json:
        slots = [slot.signature() for plan in alone.plans.values() for slot in plan.slots]
        typer.echo(
            json.dumps({**_row(found), "rule": found.plain, "keeps": slots}, ensure_ascii=False, indent=2)
        )
        return
    typer.echo(told(found, alone))
    if code:
        typer.echo("\n" + generated(alone))


def _row(rule: Rule) -> dict[str, Any]:
    return {
        "pack": rule.pack, "id": rule.id, "title": rule.title, "dimension": rule.dimension,
        "severity": [band.severity for band in rule.bands], "points": [band.points for band in rule.bands],
        "status": rule.status, "subject": rule.subject, "events": list(rule.on),
        "verification": rule.verification,
        "version": rule.version,
    }  # fmt: skip


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(f"{one:g}" if isinstance(one, float) else str(one) for one in value)
    return str(value)


def _chosen(folders: Sequence[Path] | None, packs: Sequence[str] | None) -> list[Path]:
    from monitor.configuration import ConfigurationError, pack_folders
    from rules.loader import PACKS

    for folder in folders or ():
        if not folder.exists():
            _refuse(f"{folder}: no such file or folder", "name a folder of rules")
    try:
        named = pack_folders(packs or ())
    except ConfigurationError as error:
        _refuse(str(error))
    return [*(folders or ()), *named] or [_near(PACKS)]


def _near(folder: Path) -> Path:
    """Return a path as short as it can be said from here."""
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


def _loaded(
    folders: Sequence[Path],
    lists: dict[str, ListData] | None = None,
    predicates: dict[str, Expression] | None = None,
) -> list[Rule]:
    from rules.compile import every_mistake
    from rules.errors import RuleError
    from rules.loader import load_packs
    from rules.vocabulary import load_vocabulary

    try:
        return load_packs(folders)
    except RuleError as error:
        _mistaken(every_mistake(error, load_vocabulary(), lists or {}, predicates) if lists else error)


def _compiled(
    folders: Sequence[Path], lists: Path | None
) -> tuple[list[Rule], dict[str, Expression], Rulebook]:
    from rules.compile import compile_rulebook
    from rules.errors import RuleError
    from rules.loader import load_predicates
    from rules.vocabulary import load_vocabulary

    try:
        predicates = load_predicates(folders)
    except RuleError as error:
        _mistaken(error)
    rules = _loaded(folders, _lists(lists), predicates)
    try:
        book = compile_rulebook(rules, load_vocabulary(), _lists(lists), predicates=predicates)
    except RuleError as error:
        _mistaken(error)
    return rules, predicates, book


def _alone(rule: Rule, predicates: dict[str, Expression], lists: Path | None) -> Rulebook:
    from dataclasses import replace

    from rules.compile import compile_rulebook
    from rules.vocabulary import load_vocabulary

    awake = replace(rule, status="live")
    return compile_rulebook([awake], load_vocabulary(), _lists(lists), predicates=predicates)


def _lists(folder: Path | None) -> dict[str, ListData]:
    from rules.loader import load_lists

    return load_lists(folder or _config() / "lists")


def _config() -> Path:
    from monitor.configuration import ConfigurationError, config_folder

    try:
        return config_folder(None)
    except ConfigurationError as error:
        _refuse(str(error))


def _bench(folders: Sequence[Path], lists: Path | None) -> RuleTests:
    import yaml

    from monitor.core.rating_config import RatingConfig
    from monitor.ruletest import RuleTests
    from rules.errors import RuleError
    from rules.loader import load_predicates
    from rules.vocabulary import load_vocabulary
    from streams.rates import Rates

    rules = _loaded(folders)
    config = _config()
    plain = yaml.safe_load((config / "rating.yaml").read_text(encoding="utf-8"))
    rating = RatingConfig.from_plain(plain)
    rates = Rates.load(config / "lists" / "fx_rates.yaml")
    try:
        return RuleTests(rules, load_vocabulary(), _lists(lists), load_predicates(folders), rating, rates)
    except RuleError as error:
        _mistaken(error)


def _cases(paths: Sequence[Path]) -> list[Any]:
    from monitor.ruletest import find_tests, read_cases
    from rules.errors import Mistake, RuleError
    from rules.vocabulary import load_vocabulary

    cases: list[Any] = []
    mistakes: list[Mistake] = []
    for path in find_tests(paths):
        try:
            cases += read_cases(path, load_vocabulary())
        except RuleError as error:
            mistakes += error.mistakes
    if mistakes:
        _mistaken(RuleError(mistakes))
    return cases


def _summary(rules: Sequence[Rule], book: Rulebook, cases: int) -> str:
    from monitor.ruletext import heaviest

    statuses = [
        f"{sum(rule.status == status for rule in rules)} {status}" for status in ("live", "shadow", "draft")
    ]
    slots = sum(len(plan.slots) for plan in book.plans.values())
    kind, size, windows = heaviest(book)
    packs = len({rule.pack for rule in rules})
    return (
        f"{len(rules)} rules in {packs} packs ({', '.join(statuses)}), {cases} test cases\n"
        f"{slots} things remembered for {len(book.stages)} kinds of subjects; "
        f"one {kind} takes at most {size:,} bytes in {windows} windows"
    )


def _mistaken(error: RuleError) -> NoReturn:
    """Print every mistake and end with status 1."""
    for mistake in error.mistakes:
        typer.echo(str(mistake))
    count = len(error.mistakes)
    typer.echo(f"{count} mistake{'s' * (count != 1)}: nothing of this is used")
    raise typer.Exit(1)


def _refuse(problem: str, hint: str = "") -> NoReturn:
    """Say on standard error what is wrong and end with status 2."""
    print(problem + (f"\n  hint: {hint}" if hint else ""), file=sys.stderr)  # noqa: T201
    raise typer.Exit(2)
