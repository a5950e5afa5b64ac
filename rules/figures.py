"""A parameter at work: the code that chooses its value, and that says where the value comes from."""

from __future__ import annotations

from collections.abc import Callable

from rules.errors import nearest
from rules.model import Override, Parameter
from rules.nodes import Name
from rules.parameters import choices
from rules.terms import WRONG, Scope, Term, shared


def figure(scope: Scope, node: Name, name: str) -> Term:
    """Return the term of `param.name`: the default, or a choice by whom it is about and when."""
    parameter = scope.rule.params.get(name)
    if parameter is None:
        hint = nearest(name, scope.rule.params) or "add it to `params`"
        return scope.fail(node.at, f"unknown parameter {node.name!r}", hint)
    default = scope.check(parameter.default)
    if not default or not parameter.differs:
        return scope.seen.setdefault(node.name, default)
    if scope.is_where:
        what = "whom it is about or the time" if parameter.overrides else "the segment"
        return scope.fail(
            node.at, f"a window's condition cannot depend on {what}", "compare outside the window"
        )
    values: dict[str, str] = {}
    for override, segment, value in choices(parameter):
        term = scope.check(value, default.type)
        if not term or not _is_told(scope, node, override):
            return WRONG
        # Of two for the same, ours comes first and counts.
        values.setdefault(_when(override, segment), term.code)
    return scope.seen.setdefault(node.name, Term(default.type, _chosen(values), cost=0.5))


def origin(scope: Scope, name: str) -> Term | None:
    """Return the term that says where the value of a parameter comes from; None where nothing else could."""
    parameter = scope.rule.params[name]
    if not parameter.differs and parameter.default_from == "rule":
        return None
    told: dict[str, str] = {}
    for one, segment, _ in choices(parameter):
        told.setdefault(_when(one, segment), repr(_told(parameter, one, segment)))
    return Term("text", _chosen(told))


def _told(parameter: Parameter, override: Override | None, segment: str) -> str:
    if override is not None:
        return override.told()
    return f"segment {segment}" if segment else parameter.default_from


def _is_told(scope: Scope, node: Name, override: Override | None) -> bool:
    """Return whether it can be known whom an override is for; without an event nobody names a customer."""
    if override is None or scope.kind is not None or "customer" not in dict(override.whom):
        return True
    problem = f"no event is at hand when a time runs out, so {node.name!r} cannot differ by customer"
    scope.fail(node.at, problem, "set it by segment, industry or jurisdiction")
    return False


def _chosen(values: dict[str, str]) -> str:
    """Return code for the value of the first condition that holds; the empty condition is the last."""
    code = values[""]
    for condition, value in reversed([pair for pair in values.items() if pair[0]]):
        code = f"{value} if {condition} else {code}"
    return f"({code})"


_READ: dict[str, Callable[[], str]] = {
    "customer": lambda: "d.customer_id",
    "industry": lambda: shared("st.profile.get('industry')"),
    "segment": lambda: shared("st.profile.get('segment')"),
    "jurisdiction": lambda: shared("st.profile.get('jurisdiction')"),
}


def _when(override: Override | None, segment: str) -> str:
    if override is None:
        return f"{_READ['segment']()} == {segment!r}" if segment else ""
    parts = [f"{_READ[name]()} == {value!r}" for name, value in override.whom]
    parts += [f"t >= {override.from_ms}"] if override.from_ms is not None else []
    parts += [f"t < {override.to_ms}"] if override.to_ms is not None else []
    return " and ".join(parts)
