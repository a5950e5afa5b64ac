"""`riskmon rules check`: every mistake and every remark, for people and for CI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from monitor.cli.rulebooks import Folders, Lists, Packs, calm, cases_in, chosen, compiled, mistakes_told, tell

if TYPE_CHECKING:
    from rules.compile import Rulebook
    from rules.model import Rule

Format = Annotated[
    Literal["text", "github", "json"],
    typer.Option("--format", help="For people, as annotations of GitHub Actions, or as JSON lines."),
]


def check(
    folders: Folders = None,
    packs: Packs = None,
    lists: Lists = None,
    form: Format = "text",
    strict: Annotated[bool, typer.Option("--strict", help="Let a remark fail the check too.")] = False,
) -> None:
    """Check rules: every mistake at once, with its place and what to write instead."""
    from rules.lint import remarks
    from rules.reach import unreachable
    from rules.vocabulary import load_vocabulary

    calm()
    folders_meant = chosen(folders, packs)
    with mistakes_told(form):
        rules, predicates, book = compiled(folders_meant, lists)
        cases = cases_in(folders_meant)
    hits: dict[str, list[int]] = {rule.id: [] for rule in rules}
    for case in cases:
        hits.setdefault(case.rule, []).append(len(case.hits))
    said = sorted([*remarks(rules, hits), *unreachable(rules, load_vocabulary(), predicates)])
    tell(said, form, "warning")
    if form == "text":
        typer.echo(_summary(rules, book, len(cases)))
        if said:
            typer.echo(f"{len(said)} remark{'s' * (len(said) != 1)}")
    raise typer.Exit(1 if said and strict else 0)


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
