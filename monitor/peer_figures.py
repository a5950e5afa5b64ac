"""Peer figures compiled alone: what must be remembered of a customer, and the code that asks for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from rules.compile import Rulebook, compile_rulebook
from rules.errors import Mistake, RuleError
from rules.loader import read_rule
from rules.model import Expression, ListData, Rule
from rules.nodes import Name
from rules.peers import definition, figure_of
from rules.plan import StagePlan
from rules.rendering import INDENT, Function
from rules.terms import Scope
from rules.vocabulary import Vocabulary

_RULE = {
    "title": "a figure of peers", "dimension": "compliance", "on": "every year", "points": 0,
    "severity": "info", "status": "live", "alert": False, "say": "-", "why": "-", "source": "-",
    "triage": "-", "owner": "-",
}  # fmt: skip
"""It keeps the windows of a figure; it is asked once a year and says nothing."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure, and the source of the function that asks a customer's state for it."""

    name: str
    definition: str
    type: str
    source: str


def compile_figures(
    names: Sequence[str], vocabulary: Vocabulary, lists: Mapping[str, ListData],
    predicates: Mapping[str, Expression], *, base_currency: str, grace_ms: int,
) -> tuple[Rulebook, list[Figure]]:  # fmt: skip
    """Compile named expressions so that they can be asked at any time, without an event.

    Returns
    -------
    tuple
        A rulebook that remembers what the figures need, and the figures; their functions are called
        `figure`, with the arguments of a timer.

    Raises
    ------
    RuleError
        With every mistake of every figure.
    """
    mistakes: list[Mistake] = []
    nodes = {name: expression.node for name, expression in predicates.items()}
    rules = {name: _rule(name) for name in names if name in predicates}

    def scope(rule: Rule, name: str, plans: dict[str, StagePlan]) -> Scope:
        def wrong(at: int, problem: str, hint: str) -> None:
            mistakes.append(Mistake(f"predicate {name}", 1, at + 1, problem, hint))

        return Scope(
            vocabulary=vocabulary, plans=plans, lists=lists, base_currency=base_currency, grace_ms=grace_ms,
            rule=rule, stage="customer", kind=None, wrong=wrong, predicates=nodes,
        )  # fmt: skip

    for name in names:
        figure_of(scope(rules.get(name, _rule(name)), name, {}), name, 0)
    if mistakes:
        raise RuleError(mistakes)
    book = compile_rulebook(
        list(rules.values()), vocabulary, lists,
        base_currency=base_currency, grace_ms=grace_ms, predicates=predicates,
    )  # fmt: skip
    figures = []
    for name, rule in rules.items():
        inner = scope(rule, name, dict(book.plans))
        node = inner.inline(Name(0, name))
        term = inner.check(node)
        body = Function("figure", [f"{INDENT}return {term.code}"])
        figures.append(
            Figure(name, definition(node), term.type, body.render("e, d, S, F, st, t, now, r, late"))
        )
    return book, figures


def _rule(name: str) -> Rule:
    text = yaml.safe_dump({"id": f"PEER-{name}", "when": f"not missing({name})", **_RULE})
    return read_rule(Path(f"PEER-{name}.yaml"), text, "peers")
