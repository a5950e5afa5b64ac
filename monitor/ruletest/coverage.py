"""Which sub-conditions a rule's cases decide: each is forced true, then false, and some case must notice.

This is masking MC/DC over whole timelines. A sub-condition was *false in a case that decides* where the
case fails once the sub-condition is true throughout: then its being false alone kept the rule from
hitting (or chose the band). It is not enough that it was evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator

from monitor.ruletest.conditions import conditions
from monitor.ruletest.variants import Subject, Variant, told
from monitor.ruletest.written import written
from rules.nodes import Literal, Name


def forced(subject: Subject) -> Iterator[Variant]:
    """Give a rule with each of its sub-conditions true throughout, and false throughout."""
    for key, expression, is_condition in subject.expressions():
        if key[0] == "predicate":
            continue
        for path, node in conditions(expression.node, is_condition=is_condition):
            if isinstance(node, Name) and node.name in subject.rule.let:
                continue
            for value in (True, False):
                missed = str(not value).lower()
                problem = f"{written(node)} is never {missed} in a case that decides"
                hint = _hint(
                    written(node), is_true=value, is_outer=key == ("when", "") and "named" not in path
                )
                constant = Literal(node.at, "bool", value)
                yield Variant(
                    subject.changed(key, path, constant),
                    told(expression, node.at, problem, hint),
                    node,
                    constant,
                )


def _hint(text: str, *, is_true: bool, is_outer: bool) -> str:
    if not is_true:
        return f"add a case whose hit depends on {text}: nothing else makes it true"
    if is_outer:
        return f"add a case that misses only because {text} is false; take one that hits and change that"
    return f"add a case like one that hits, where {text} is false for an event and the answer differs"
