"""Sequences of a rule in words."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.lengths import length_words
from rules.model import Rule
from rules.nodes import AnyOf, Node, Sequence
from rules.walking import walk


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


def found(node: Node) -> Iterator[str]:
    """Yield the sentences of an expression."""
    for _, part in walk(node):
        if isinstance(part, Sequence):
            yield _sequence(part)
        elif isinstance(part, AnyOf):
            listed = "; ".join(event.text() for event in part.events)
            limit = f"within less than {length_words(part.within_ms)}, in any order"
            yield f"together: {part.least} of {listed} {limit}{_same(part.same)}"


def _sequence(node: Sequence) -> str:
    told = [" or ".join(event.text() for event in step.events) for step in node.steps]
    chain = told[0] + "".join(
        f", then {text} less than {length_words(step.within_ms)} later"
        for text, step in zip(told[1:], node.steps[1:], strict=True)
    )
    without = f"; no {node.without.text()} in between" if node.without else ""
    least = f"{node.least} of these, in this order: " if node.least else ""
    head = f"left out: {told[-1]} without the steps before it" if node.is_skipped else "sequence"
    return f"{head}: {least}{chain}{without}{_same(node.same)}"


def _same(names: tuple[str, ...]) -> str:
    return f"; all of the same {' and '.join(names)}" if names else ""
