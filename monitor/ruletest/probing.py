"""Why a rule did not hit: each sub-condition, computed apart by the rule's own generated code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from monitor.ruletest.conditions import conditions
from monitor.ruletest.parameters import with_params
from monitor.ruletest.playing import play
from monitor.ruletest.variants import Subject
from monitor.ruletest.written import written
from rules.errors import RuleError
from rules.model import Band, Expression, Rule
from rules.nodes import Binary, Group, Literal, Name

if TYPE_CHECKING:
    from monitor.ruletest.running import RuleTests
    from monitor.ruletest.timeline import Timeline

COMPARISONS = (">=", ">", "<=", "<", "==", "!=")
BETWEEN = "\x1f"


def why_not(bench: RuleTests, timeline: Timeline) -> dict[str, list[str]]:
    """Return, by event that the rule looks at, the sub-conditions that were false then, with their values.

    Nothing for rules that wait or look by the clock: no event is at hand when they are asked.

    Examples
    --------
    A line reads `money_in was 49,990.00 CNY, needed >= 50,000.00 CNY`.
    """
    case = timeline.case
    rule = with_params(bench.rules[case.rule], case)
    atoms = list(_atoms(Subject(rule, bench.predicates)))
    try:
        engine = bench.alone([_probing(rule, atoms), *bench.beside(case)], case.lists)
    except RuleError:
        return {}
    return {hit.event_id: list(_false(atoms, hit.say.split(BETWEEN))) for hit in play(engine, timeline).hits}


def _atoms(subject: Subject) -> Iterator[Any]:
    """Give the sub-conditions that are asked of the event at hand: those inside windows are not."""
    for key, expression, is_condition in subject.expressions():
        if is_condition and key[0] in ("when", "let"):
            for path, node in conditions(expression.node, is_condition=True):
                is_inner = any(
                    step in ("arguments", "named", "condition", "steps", "events") for step in path
                )
                if not is_inner and not (isinstance(node, Name) and node.name in subject.rule.let):
                    yield node


def _probing(rule: Rule, atoms: list[Any]) -> Rule:
    """Return a rule that always hits and says what each sub-condition and its sides are."""
    lets = dict(rule.let)
    for number, atom in enumerate(atoms):
        lets[f"probe_{number}"] = _expression(rule, atom)
        for side in ("left", "right"):
            node = getattr(atom, side, atom) if isinstance(atom, Binary) else atom
            is_shown = side == "left" or not isinstance(node, Group)
            is_shown = is_shown and not (isinstance(node, Name) and node.name.startswith("list."))
            lets[f"probe_{number}_{side}"] = _expression(rule, node if is_shown else atom)
    names = [f"{{probe_{n}{side}}}" for n in range(len(atoms)) for side in ("", "_left", "_right")]
    always = _expression(rule, Literal(0, "bool", True))
    return replace(
        rule, let=lets, when=always, bands=(Band(None, 0.0, "info"),), say=BETWEEN.join(names),
        say_place=always, valid_from_ms=None, valid_to_ms=None,
    )  # fmt: skip


def _expression(rule: Rule, node: Any) -> Expression:
    return Expression(written(node), node, rule.file, ((1, 1),))


def _false(atoms: list[Any], said: list[str]) -> Iterator[str]:
    for number, atom in enumerate(atoms):
        holds, left, right = said[3 * number : 3 * number + 3]
        if holds == "True":
            continue
        if isinstance(atom, Binary) and atom.operator in COMPARISONS:
            yield f"{written(atom.left)} was {left}, needed {atom.operator} {right}"
        elif isinstance(atom, Binary):
            yield f"{written(atom.left)} was {left}, needed {atom.operator} {written(atom.right)}"
        else:
            yield f"{written(atom)} was false"
