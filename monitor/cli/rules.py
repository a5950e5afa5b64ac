"""`riskmon rules`: check, test, list and explain rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.rulebooks import (
    AsJson,
    Lists,
    Packs,
    chosen,
    compiled,
    lists_in,
    mistakes_told,
    refuse,
)
from monitor.cli.rules_backtest import backtest
from monitor.cli.rules_catalogue import catalogue
from monitor.cli.rules_check import check
from monitor.cli.rules_costs import costs
from monitor.cli.rules_diff import diff
from monitor.cli.rules_life import register
from monitor.cli.rules_list import list_, rule_row
from monitor.cli.rules_peers import peers
from monitor.cli.rules_sample import sample
from monitor.cli.rules_schema import schema
from monitor.cli.rules_shadow import shadow
from monitor.cli.rules_test import run_tests

if TYPE_CHECKING:
    from rules.compile import Rulebook
    from rules.model import Expression, Rule

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Check, test, list and explain rules.")
app.command()(backtest)
app.command()(catalogue)
app.command()(check)
app.command()(costs)
app.command("list")(list_)
app.command("test")(run_tests)
app.command()(sample)
app.command()(schema)
app.command()(shadow)
app.command()(peers)
app.command()(diff)
register(app)


@app.command()
@mistakes_told()
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

    rules, predicates, _ = compiled(chosen(None, packs), lists)
    found = {rule.id.casefold(): rule for rule in rules}.get(rule_id.casefold())
    if found is None:
        refuse(f"no rule {rule_id!r}", nearest(rule_id, [rule.id for rule in rules]))
    alone = _alone(found, predicates, lists)
    if as_json:
        slots = [slot.signature() for plan in alone.plans.values() for slot in plan.slots]
        typer.echo(
            json.dumps({**rule_row(found), "rule": found.plain, "keeps": slots}, ensure_ascii=False, indent=2)
        )
        return
    typer.echo(told(found, alone))
    if code:
        typer.echo("\n" + generated(alone))


def _alone(rule: Rule, predicates: dict[str, Expression], lists: Path | None) -> Rulebook:
    from dataclasses import replace

    from rules.compile import compile_rulebook
    from rules.vocabulary import load_vocabulary

    awake = replace(rule, status="live")
    return compile_rulebook([awake], load_vocabulary(), lists_in(lists), predicates=predicates)
