"""Sequences of a rule in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from rules.model import Rule
from rules.nodes import AnyOf, Sequence

LENGTHS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"), (1, "ms"))


def pattern_sentences(rule: Rule) -> list[str]:
    """Return a sentence for each sequence that a rule asks for.

    Examples
    --------
    >>> from rules.grammar import parse
    >>> print(*found(parse("seq(auth.login -> payee.added within 2h without auth.mfa, same=device)")))
    sequence: auth.login, then payee.added less than 2 h later; no auth.mfa in between; all of the same device
    >>> print(*found(parse("not skipped(loan.approved -> loan.closed within 365d)")))
    left out: loan.closed without the steps before it: loan.approved, then loan.closed less than 365 d later
    >>> print(*found(parse("any(2 of auth.failed, auth.login[method == 'pin'] within 90m)")))
    together: 2 of auth.failed; auth.login[(method == "pin")] within less than 90 min, in any order
    """
    expressions = [*rule.let.values(), rule.when, *(band.when for band in rule.bands if band.when)]
    return list(dict.fromkeys(one for expression in expressions for one in found(expression.node)))


def found(node: object) -> Iterator[str]:
    """Yield the sentences of an expression."""
    if isinstance(node, Sequence):
        yield _sequence(node)
    elif isinstance(node, AnyOf):
        listed = "; ".join(event.text() for event in node.events)
        limit = f"within less than {_length(node.within_ms)}, in any order"
        yield f"together: {node.least} of {listed} {limit}{_same(node.same)}"
    elif isinstance(node, tuple):
        for part in node:
            yield from found(part)
    elif is_dataclass(node):
        for one in fields(node):
            yield from found(getattr(node, one.name))


def _sequence(node: Sequence) -> str:
    told = [" or ".join(event.text() for event in step.events) for step in node.steps]
    chain = told[0] + "".join(
        f", then {text} less than {_length(step.within_ms)} later"
        for text, step in zip(told[1:], node.steps[1:], strict=True)
    )
    without = f"; no {node.without.text()} in between" if node.without else ""
    least = f"{node.least} of these, in this order: " if node.least else ""
    head = f"left out: {told[-1]} without the steps before it" if node.is_skipped else "sequence"
    return f"{head}: {least}{chain}{without}{_same(node.same)}"


def _same(names: tuple[str, ...]) -> str:
    return f"; all of the same {' and '.join(names)}" if names else ""


def _length(length_ms: int) -> str:
    size, name = next(one for one in LENGTHS if not length_ms % one[0])
    return f"{length_ms // size} {name}"
