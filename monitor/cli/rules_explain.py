"""`riskmon rules explain`: a rule in words and, of a monitor's data, since when its windows are complete."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.rulebooks import AsJson, Lists, Packs, chosen, compiled, lists_in, mistakes_told, refuse
from monitor.cli.rules_list import rule_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.completeness import Remembered
    from rules.compile import Rulebook
    from rules.model import Expression, Rule

Data = Annotated[Path | None, typer.Option(help="Data directory: say since when the windows are complete.")]
Config = Annotated[
    Path | None, typer.Option(help="Settings file: the same, of the database that the settings name.")
]


@mistakes_told()
def explain(
    rule_id: Annotated[str, typer.Argument(metavar="ID", help="The rule.")],
    packs: Packs = None,
    lists: Lists = None,
    code: Annotated[bool, typer.Option("--code", help="Show the generated code too.")] = False,
    data: Data = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Say in words what a rule watches, remembers and asks of the officer."""
    from monitor.ruletext import generated, told
    from rules.errors import nearest

    rules, predicates, _ = compiled(chosen(None, packs), lists)
    found = {rule.id.casefold(): rule for rule in rules}.get(rule_id.casefold())
    if found is None:
        refuse(f"no rule {rule_id!r}", nearest(rule_id, [rule.id for rule in rules]))
    alone = _alone(found, predicates, lists)
    is_asked = data is not None or config is not None
    remembered = _remembered(found.id, data, config) if is_asked else None
    if as_json:
        slots = [slot.signature() for plan in alone.plans.values() for slot in plan.slots]
        plain = {**rule_row(found), "rule": found.plain, "keeps": slots}
        if is_asked:
            plain["in_force"] = _plain(remembered)
        typer.echo(json.dumps(plain, ensure_ascii=False, indent=2))
        return
    typer.echo(told(found, alone))
    for line in _lines(found, remembered) if is_asked else ():
        typer.echo(line)
    if code:
        typer.echo("\n" + generated(alone))


def _remembered(rule: str, data: Path | None, config: Path | None) -> Remembered | None:
    from monitor.cli.source import source
    from monitor.completeness import windows_of

    with source(data, config).reading() as db:
        return windows_of(db, rule)


def _plain(found: Remembered | None) -> dict[str, Any] | None:
    from dataclasses import asdict

    return asdict(found) if found is not None and found.version else None


def _lines(rule: Rule, found: Remembered | None) -> Iterator[str]:
    """Give what is in force in the data that were named, and its windows."""
    from monitor.cli.moments import moment
    from monitor.ruletext import paragraphs

    if found is None or not found.version:
        yield from paragraphs("in force", ["not in these data"])
        return
    since = moment(found.since_ms) if found.since_ms else "the beginning"
    which = "this version" if found.version == rule.version else f"version {found.version}, not this one"
    yield from paragraphs("in force", [f"{which}; the configuration since {since}"])
    yield from paragraphs(
        "windows", [f"of each {one.subject}: {one.what}: {one.told(moment)}" for one in found.windows]
    )


def _alone(rule: Rule, predicates: dict[str, Expression], lists: Path | None) -> Rulebook:
    from dataclasses import replace

    from rules.compile import compile_rulebook
    from rules.vocabulary import load_vocabulary

    awake = replace(rule, status="live")
    return compile_rulebook([awake], load_vocabulary(), lists_in(lists), predicates=predicates)
