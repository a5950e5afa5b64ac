"""Values of periods and streaks of a rule in words."""

from __future__ import annotations

from collections.abc import Iterator

from rules.model import Rule
from rules.nodes import Binary, Call, Group, Literal, Name, Node, Unary
from rules.over_periods import is_over_periods
from rules.period_functions import PERIOD_WORDS
from rules.streaks import LONGEST_STREAK

WORDS = {"bd": "business day"}


def period_sentences(rule: Rule) -> list[str]:
    """Return a sentence for each value of periods and each streak that a rule asks for.

    Examples
    --------
    >>> from rules.grammar import parse
    >>> for one in found(parse('max(sum(amount), 10bd, per=day) >= 5 CNY and streak(bd) >= 3')):
    ...     print(one)
    max: the highest; of each day of the last 10 business days (the running one too): sum(amount)
    streak: business days in a row up to the running one, at most 30: an event in each
    """
    expressions = [*rule.let.values(), rule.when, *(band.when for band in rule.bands if band.when)]
    return list(dict.fromkeys(one for expression in expressions for one in found(expression.node)))


def found(node: Node) -> Iterator[str]:
    """Yield the sentences of an expression."""
    if isinstance(node, Call):
        if node.function == "streak":
            yield _streak(node)
            return
        if is_over_periods(node):
            yield _over_periods(node)
            return
    for part in _parts(node):
        yield from found(part)


def _parts(node: Node) -> tuple[Node, ...]:
    match node:
        case Binary():
            return node.left, node.right
        case Unary():
            return (node.operand,)
        case Group():
            return node.items
        case Call():
            return node.arguments
    return ()


def _over_periods(node: Call) -> str:
    unit, span = _window(node.arguments[-1])
    per = dict(node.named).get("per")
    each = _unit(per.name) if isinstance(per, Name) else unit
    value = node.arguments[0].text()
    return f"{node.function}: {PERIOD_WORDS[node.function]}; of each {each} of {span}: {value}"


def _window(node: Node) -> tuple[str, str]:
    """Return the unit a window counts, and the window in words."""
    is_whole = isinstance(node, Call) and node.function == "previous"
    counted = node.arguments[0] if isinstance(node, Call) and node.arguments else node
    if isinstance(counted, Name):
        unit = _unit(counted.name)
        return unit, f"the {unit} before" if is_whole else f"the running {unit}"
    assert isinstance(counted, Literal)
    unit = _unit(counted.unit or "bd")
    if is_whole:
        return unit, f"the {counted.value} whole {unit}s before the running one"
    return unit, f"the last {counted.value} {unit}s (the running one too)"


def _streak(node: Call) -> str:
    named, unit = dict(node.named), node.arguments[-1]
    name = unit.name if isinstance(unit, Name) else ""
    limit = named.get("up_to")
    most = limit.text() if limit is not None else str(LONGEST_STREAK[name])
    if len(node.arguments) == 2:
        holds = node.arguments[0].text()
    else:
        least = named.get("at_least")
        many = "an event" if least is None else f"{least.text()} events"
        where = f" with {named['where'].text()}" if "where" in named else ""
        holds = f"{many}{where} in each"
    return f"streak: {_unit(name)}s in a row up to the running one, at most {most}: {holds}"


def _unit(name: str) -> str:
    return WORDS.get(name, name)
