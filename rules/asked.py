"""What an aggregate asks for, taken apart: which events, of whom, under which options."""

from __future__ import annotations

from dataclasses import dataclass

from rules.errors import nearest
from rules.nodes import Call, Group, Literal, Name, Node
from rules.terms import WORDS, Scope, allowed

OPTIONS = ("where", "of", "key", "lag", "prior", "min_n")


FEW_OPTIONS = ("where", "of")


OPTIONS_OF = {
    "known": FEW_OPTIONS,
    "seen_for": FEW_OPTIONS,
    "quiet_for": FEW_OPTIONS,
    "retention": (*OPTIONS, "in", "out"),
    "turned_over": (*OPTIONS, "in", "out", "within"),
    "cycle": (*FEW_OPTIONS, "in", "out", "within", "length"),
    "neighbour": (*FEW_OPTIONS, "at_least", "among"),
    "rarity": ("where", "of", "key", "lag", "min_n"),
}
"""Options of aggregates that take others."""


@dataclass(slots=True)
class Asked:
    """One aggregate of one rule, taken apart."""

    node: Call
    kinds: tuple[str, ...]
    where: Node | None
    key: tuple[str, ...]
    stage: str
    lag_ms: int
    prior: bool
    min_n: int


def taken_apart(scope: Scope, node: Call) -> Asked | None:
    """Return what an aggregate asks for, or tell what is wrong with it."""
    named = dict(node.named)
    options = OPTIONS_OF.get(node.function, OPTIONS)
    for name, value in node.named:
        if name not in options:
            hint = nearest(name, options) or f"options: {', '.join(options)}"
            scope.fail(value.at, f"{node.function} has no option {name!r}", hint)
            return None
    kinds = _kinds(scope, node.at, named.get("of"))
    key, stage = _key(scope, named.get("key"))
    if not kinds or stage is None:
        return None
    where = named.get("where")
    if where is not None and not all([scope.inside(kind).check(where, "bool") for kind in kinds]):  # noqa: C419
        return None
    if where is not None:
        where = scope.inline(where)
    lag, prior, least = named.get("lag"), named.get("prior"), named.get("min_n")
    lag_ms = _whole(scope, lag, "duration", "lag=10d") if lag else 0
    min_n = _whole(scope, least, "number", "min_n=20") if least else 0
    is_prior = isinstance(prior, Literal) and prior.value is True
    if prior is not None and not (isinstance(prior, Literal) and prior.kind == "bool"):
        scope.fail(prior.at, "expected true or false", "e.g. prior=true")
        return None
    return Asked(node, kinds, where, key, stage, lag_ms, is_prior, min_n)


def _whole(scope: Scope, node: Node, kind: str, example: str) -> int:
    if isinstance(node, Literal) and node.kind == kind and not isinstance(node.value, str):
        return int(node.value)
    scope.fail(node.at, f"expected {WORDS[kind]} written out", f"e.g. {example}")
    return 0


def _kinds(scope: Scope, at: int, node: Node | None) -> tuple[str, ...]:
    if node is None:
        if not all(kind in scope.vocabulary.kinds for kind in scope.rule.on):
            scope.fail(
                at, "no event asks this rule, so say which kinds", "e.g. count(30d, of=payment.transfer)"
            )
            return ()
        return scope.rule.on
    found: list[str] = []
    for item in node.items if isinstance(node, Group) else (node,):
        names = scope.vocabulary.match(item.name) if isinstance(item, Name) else ()
        if not names:
            shown = item.name if isinstance(item, Name) else item.text()
            scope.fail(item.at, f"unknown event kind {shown!r}", nearest(shown, scope.vocabulary.kinds))
            return ()
        found.extend(names)
    return tuple(sorted(set(found)))


def _key(scope: Scope, node: Node | None) -> tuple[tuple[str, ...], str | None]:
    """Return the fields that part the series, and the stage whose state holds it."""
    if node is None:
        return (), scope.stage
    fields: list[str] = []
    named: set[str] = set()
    for item in node.items if isinstance(node, Group) else (node,):
        name = item.name if isinstance(item, Name) else ""
        subject = scope.vocabulary.subjects.get(name)
        named |= {name} if subject else set()
        name = subject.field if subject else name
        if name not in scope.vocabulary.fields:
            known = [*scope.vocabulary.subjects, *scope.vocabulary.fields]
            scope.fail(item.at, f"unknown key {name or item.text()!r}", nearest(name, known))
            return (), None
        if not allowed(scope, item.at, name):
            return (), None
        fields.append(name)
    owners = {
        subject.field: subject.name
        for subject in scope.vocabulary.subjects.values()
        if subject.within is None and (not subject.rare or subject.name in named)
    }
    own = scope.vocabulary.subjects[scope.stage].field
    if own in fields or not any(field in owners for field in fields):
        return tuple(field for field in fields if field != own), scope.stage
    if scope.stage != "customer":
        scope.fail(
            node.at,
            f"a rule about a {scope.stage} cannot use a key of another subject",
            f"write key=({own}, ...) to stay with the {scope.stage}, or set `subject: customer`",
        )
        return (), None
    owner = next(field for field in fields if field in owners)
    return tuple(field for field in fields if field != owner), owners[owner]
