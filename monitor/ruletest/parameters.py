"""Figures that a case sets in the place of the rule's own."""

from __future__ import annotations

from dataclasses import replace

from monitor.ruletest.case import Case
from rules.errors import ExpressionError, Mistake, RuleError, nearest
from rules.grammar import parse
from rules.model import Rule


def with_params(rule: Rule, case: Case) -> Rule:
    """Return the rule with the figures of a case, the same for every segment.

    Raises
    ------
    RuleError
        Where a figure is unknown or cannot be read.
    """
    params = dict(rule.params)
    mistakes = []
    for name, text in case.params.items():
        if name not in params:
            hint = nearest(name, params) or f"params of {rule.id}: {', '.join(params) or 'none'}"
            mistakes.append(Mistake(str(case.file), case.line, 1, f"unknown parameter {name!r}", hint))
            continue
        try:
            params[name] = replace(params[name], default=parse(text), by_segment={}, overrides=())
        except ExpressionError as error:
            mistakes.append(Mistake(str(case.file), case.line, 1, f"{name}: {error.problem}", error.hint))
    if mistakes:
        raise RuleError(mistakes)
    return replace(rule, params=params)
