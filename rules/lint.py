"""Remarks on rules that would run but should not be left so: habits of good rules, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rules.errors import Mistake
from rules.model import Rule

USUAL_POINTS = {"info": (0, 5), "low": (0, 15), "medium": (0, 20), "high": (0, 50), "critical": (20, 100)}
"""Points a severity usually carries; zero where a person decides before anything counts."""
ADMITS = ("propos", "calibrat", "not verified", "memory", "not confirmed")
"""Words by which a reason says that its figures are not law."""


def remarks(rules: Sequence[Rule], hits: Mapping[str, Sequence[int]]) -> list[Mistake]:
    """Return what a reviewer would say about some rules, in the order of their files.

    Parameters
    ----------
    hits
        Rule id to the number of expected hits of each of its test cases.
    """
    found = [remark for rule in rules for remark in _of_rule(rule, hits.get(rule.id, ()))]
    titles: dict[str, Rule] = {}
    for rule in rules:
        other = titles.setdefault(rule.title.casefold(), rule)
        if other is not rule:
            found.append(
                _at(rule, "title", f"the title is also that of {other.id}", "say what tells them apart")
            )
    return sorted(found)


def _of_rule(rule: Rule, hits: Sequence[int]) -> list[Mistake]:
    found = [_at(rule, "bands" if rule.bands[0].when else "points", *said) for said in _points(rule)]
    if not any(step.strip() for step in rule.triage):
        found.append(_at(rule, "triage", "no step of triage", "say what the officer does first"))
    if not any(hits):
        found.append(_at(rule, "id", "no test case that hits", f"add one to {rule.id}.test.yaml"))
    if all(hits):
        found.append(_at(rule, "id", "no test case that misses", f"add one to {rule.id}.test.yaml"))
    if "{" not in rule.say and rule.let:
        found.append(
            _at(rule, "say", "the sentence shows no number", "write {name} where the officer needs it")
        )
    return found + _figures(rule)


def _points(rule: Rule) -> list[tuple[str, str]]:
    found = []
    for band in rule.bands:
        low, high = USUAL_POINTS[band.severity]
        if not low <= band.points <= high:
            problem = f"{band.points:g} points for {band.severity}, usual are {low} to {high}"
            found.append((problem, "change the points or the severity"))
    return found


def _figures(rule: Rule) -> list[Mistake]:
    reason = rule.why.casefold()
    is_said = any(word in reason for word in ADMITS)
    if rule.verification == "M" and rule.status == "live":
        problem = "live, though its figures are cited from memory (M)"
        return [_at(rule, "verification", problem, "check the text and mark it V1, or set status: shadow")]
    if rule.verification in ("D", "M") and not is_said:
        problem = f"marked {rule.verification}, but `why` does not say that the figures are no law"
        return [_at(rule, "why", problem, "say that they are a proposal to be calibrated")]
    if rule.pack.startswith("statutory") and rule.verification in ("D", "P"):
        return [
            _at(
                rule,
                "source",
                "a statutory rule without the law it comes from",
                "cite article and mark V1 or V2",
            )
        ]
    return []


def _at(rule: Rule, key: str, problem: str, hint: str) -> Mistake:
    line, column = rule.places.get(key, (1, 1))
    return Mistake(rule.file, line, column, problem, hint)
