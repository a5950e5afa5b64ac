"""What a rule needs of the events: kinds, and fields they must carry; found in its own words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rules.model import Expression, Rule
from rules.nodes import AnyOf, Call, Filtered, Literal, Name, Node, Sequence
from rules.vocabulary import Vocabulary
from rules.walking import walk

ENVELOPE = frozenset({"event_id", "event_type", "occurred_at", "source_system"})
"""Fields that every event has, or gets."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a rule reads.

    Attributes
    ----------
    looks_at
        Kinds that make the rule look; empty where it is asked by the clock.
    remembers
        Further kinds, in windows and patterns.
    fields
        Fields of events.
    """

    looks_at: frozenset[str]
    remembers: frozenset[str]
    fields: frozenset[str]


def needs(rule: Rule, vocabulary: Vocabulary, predicates: Mapping[str, Expression]) -> Needs:
    """Return what a rule reads, its subject's field included."""
    looks_at = {kind for pattern in rule.on for kind in vocabulary.match(pattern)}
    names = set(_names(rule, predicates))
    kinds = {kind for name in names for kind in vocabulary.match(name)} if names else set()
    subject = vocabulary.subjects.get(rule.subject)
    read = {name for name in names if name in vocabulary.fields} | ({subject.field} if subject else set())
    for name in names:
        head, _, tail = name.partition(".")
        known = {"profile": vocabulary.profile, "account": vocabulary.account}.get(head, {})
        if tail in known:
            read.add(known[tail].source or tail)
    return Needs(frozenset(looks_at), frozenset(kinds - looks_at), frozenset(read) - ENVELOPE)


def _names(rule: Rule, predicates: Mapping[str, Expression]) -> Iterator[str]:
    expressions = [rule.when, *rule.let.values(), *(band.when for band in rule.bands if band.when)]
    seen: set[str] = set()
    todo = [name for expression in expressions for name in names_in(expression.node)]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in predicates and name not in rule.let:
            todo += names_in(predicates[name].node)
    yield from seen


def names_in(node: Node) -> Iterator[str]:
    """Give every name in an expression, kinds of events among them.

    Examples
    --------
    >>> from rules.grammar import parse
    >>> sorted(set(names_in(parse("sum(amount, 24h, of=cash.*) > 5 CNY and seq(a.b -> c.d within 1h)"))))
    ['a.b', 'amount', 'c.d', 'cash.*']
    """
    for _, part in walk(node):
        if isinstance(part, Name):
            yield part.name
        elif isinstance(part, Filtered):
            yield part.kind
        elif isinstance(part, Call):
            yield from _implied(part)
        elif isinstance(part, Sequence | AnyOf):
            yield from part.same


def _implied(node: Call) -> Iterator[str]:
    """Give the names that a function reads without being told."""
    given = dict(node.named)
    if node.function in ("retention", "turned_over", "cycle") and not {"in", "out"} <= given.keys():
        yield "direction"
    if node.function in ("cycle", "neighbour"):
        yield "counterparty.account"
    if node.function == "cycle":
        yield "account_id"
    if node.function == "peer" and node.arguments and isinstance(node.arguments[0], Literal):
        yield from (str(node.arguments[0].value), "profile.type", "profile.industry", "profile.region")
