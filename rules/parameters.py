"""Parameters: the figures of rules, and what an institution sets instead of them.

Of the values that fit, the most specific counts: customer, then industry, segment, jurisdiction, then
the default; several selectors together are more specific than fewer of the same beginning. At the
same rank the institution's value stands before the rule's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

from rules.documents import compose, document, plain_of
from rules.errors import Mistake, RuleError, nearest
from rules.model import SEGMENTS, SELECTORS, Override, Parameter, Rule
from rules.nodes import Literal, Unary
from rules.nodes import Node as Value
from rules.reader import Node, Reader
from rules.spans import overlap

OVERRIDE_KEYS = ("value", *SELECTORS, "from", "to", "reason", "author")
FILE_KEYS = ("version", "about")
"""Keys of `parameters.yaml` beside the ids of rules."""


def read_params(reader: Reader, keys: Mapping[str, tuple[Node, Node]]) -> dict[str, Parameter]:
    """Return the parameters of a rule file: each with a default and values for segments."""
    if "params" not in keys:
        return {}
    found = {}
    for name, (key, node) in reader.mapping(keys["params"][1], "params").items():
        choices = reader.mapping(node, name) if node.id == "mapping" else {"default": (key, node)}
        values = {
            choice: reader.expression(value, f"params.{name}") for choice, (_, value) in choices.items()
        }
        for choice, (choice_key, _) in choices.items():
            if choice != "default" and choice not in SEGMENTS:
                hint = nearest(choice, SEGMENTS) or f"segments: {', '.join(SEGMENTS)}"
                reader.wrong(choice_key, f"params.{name}: unknown segment {choice!r}", hint)
        default = values.pop("default", None)
        if default is None:
            reader.wrong(
                key, f"params.{name}: the default is missing or cannot be read", "write `default: 50000 CNY`"
            )
            continue
        by_segment = {choice: value.node for choice, value in values.items() if value is not None}
        for choice, value in by_segment.items():
            own, usual = _kind(value), _kind(default.node)
            if own and usual and own != usual:
                problem = f"params.{name}: {choice} is written as {own}, the default as {usual}"
                reader.wrong(choices[choice][1], problem, "give all the same unit, e.g. 20000 CNY")
        found[name] = Parameter(name, default.node, by_segment, default)
    return found


def load_parameters(path: Path) -> tuple[Override, ...]:
    """Return what an institution sets: `RULE: {parameter: [{value: ..., segment: ..., from: ...}]}`.

    Nothing where there is no such file.

    Raises
    ------
    RuleError
        With every mistake of the file.
    """
    if not path.is_file():
        return ()
    reader, root = document(path)
    return _overrides(reader, root)


def parameters_of(text: str, file: str) -> tuple[Override, ...]:
    """Return what the text of a file of parameters sets.

    Raises
    ------
    RuleError
        With every mistake of the text.
    """
    reader = Reader(file, text)
    return _overrides(reader, compose(reader))


def parameters_plain(path: Path) -> dict[str, Any]:
    """Return the values a file of parameters sets as plain data, every scalar a text: for the archive."""
    root = document(path)[1]
    plain = {} if root is None else plain_of(root) or {}
    return {rule: values for rule, values in plain.items() if rule not in FILE_KEYS}


def _overrides(reader: Reader, root: Node | None) -> tuple[Override, ...]:
    found: list[Override] = []
    for rule, (_, node) in (reader.mapping(root, "the file") if root is not None else {}).items():
        if rule in FILE_KEYS:
            continue
        for name, (_, values) in reader.mapping(node, rule).items():
            items = values.value if values.id == "sequence" else [values]
            found += [one for item in items if (one := _override(reader, rule, name, item)) is not None]
    for one, other in combinations(found, 2):
        same = (one.rule, one.parameter, one.whom) == (other.rule, other.parameter, other.whom)
        if same and overlap((one.from_ms, one.to_ms), (other.from_ms, other.to_ms)):
            problem = f"{other.rule}.{other.parameter}: another value for {_whom(other)} at the same time"
            place = (other.line, other.column)
            reader.mistakes.append(Mistake(reader.file, *place, problem, "keep one, or part the times"))
    if reader.mistakes:
        raise RuleError(reader.mistakes)
    return tuple(found)


def _override(reader: Reader, rule: str, name: str, node: Node) -> Override | None:
    what = f"{rule}.{name}"
    keys = reader.mapping(node, what) if node.id == "mapping" else {"value": (node, node)}
    for key, (at, _) in keys.items():
        if key not in OVERRIDE_KEYS:
            hint = nearest(key, OVERRIDE_KEYS) or f"known: {', '.join(OVERRIDE_KEYS)}"
            reader.wrong(at, f"{what}: unknown key {key!r}", hint)
    if "value" not in keys:
        reader.wrong(node, f"{what}: 'value' is missing", "write {value: 5000 CNY, segment: vip}")
        return None
    value = reader.expression(keys["value"][1], what)
    texts = {key: reader.text(keys[key][1], key) for key in (*SELECTORS, "reason", "author") if key in keys}
    if texts.get("segment", SEGMENTS[0]) not in SEGMENTS:
        hint = nearest(texts["segment"], SEGMENTS) or f"segments: {', '.join(SEGMENTS)}"
        reader.wrong(keys["segment"][1], f"{what}: unknown segment {texts['segment']!r}", hint)
    days = reader.days({key: keys[key] for key in ("from", "to") if key in keys})
    if value is None:
        return None
    whom = tuple((key, texts[key]) for key in SELECTORS if key in texts)
    reason, author = texts.get("reason", ""), texts.get("author", "")
    mark = node.start_mark
    return Override(rule, name, value, whom, *days, reason, author, mark.line + 1, mark.column + 1)


def _whom(override: Override) -> str:
    return " and ".join(f"{name} {value}" for name, value in override.whom) or "everybody"


def overridden(rules: Sequence[Rule], overrides: Iterable[Override], *, are_all: bool = True) -> list[Rule]:
    """Return the rules with what the institution sets for their parameters.

    Parameters
    ----------
    are_all
        The rules are all there are, so that an override of another one is a mistake.

    Raises
    ------
    RuleError
        With every override that fits no rule, no parameter, or not its type.
    """
    by_rule: dict[str, list[Override]] = {}
    for one in overrides:
        by_rule.setdefault(one.rule, []).append(one)
    mistakes = [
        Mistake(one.value.file, one.line, one.column, problem, hint)
        for one in (one for several in by_rule.values() for one in several)
        for problem, hint in _problems(one, {rule.id: rule for rule in rules}, are_all=are_all)
    ]
    if mistakes:
        raise RuleError(mistakes)
    return [_set(rule, by_rule[rule.id]) if rule.id in by_rule else rule for rule in rules]


def _problems(one: Override, rules: Mapping[str, Rule], *, are_all: bool) -> Iterator[tuple[str, str]]:
    rule = rules.get(one.rule)
    if rule is None:
        if are_all:
            yield f"no rule {one.rule!r}", nearest(one.rule, rules) or "`riskmon rules list` names them"
        return
    parameter = rule.params.get(one.parameter)
    if parameter is None:
        names = ", ".join(rule.params) or "none"
        hint = nearest(one.parameter, rule.params) or f"its parameters: {names}"
        yield f"rule {one.rule} has no parameter {one.parameter!r}", hint
        return
    wanted, was = _kind(parameter.default), _kind(one.value.node)
    if was is None or wanted not in (was, None):
        hint = f"write it as the rule does: {parameter.default.text()}"
        yield f"{one.rule}.{one.parameter}: expected {wanted or 'a value'}, was {one.value.text!r}", hint
    if one.whom and rule.subject != "customer":
        problem = f"{one.rule} is about a {rule.subject}, which has no {one.whom[0][0]}"
        yield problem, "set one value for everybody"


def _kind(node: Value) -> str | None:
    inner = node.operand if isinstance(node, Unary) and node.operator == "-" else node
    return inner.kind if isinstance(inner, Literal) else None


def _set(rule: Rule, overrides: Sequence[Override]) -> Rule:
    return replace(
        rule,
        params={
            name: _with(parameter, [one for one in overrides if one.parameter == name])
            for name, parameter in rule.params.items()
        },
    )


def _with(parameter: Parameter, overrides: Sequence[Override]) -> Parameter:
    rest = [one for one in overrides if one.whom or one.from_ms is not None or one.to_ms is not None]
    ordered = sorted(
        rest, key=lambda one: (tuple(not there for there in one.rank), one.whom, one.from_ms or 0)
    )
    changed = replace(parameter, overrides=tuple(ordered))
    for one in overrides:
        if one not in rest:
            changed = replace(changed, default=one.value.node, place=one.value, default_from=one.told())
    return changed


def choices(parameter: Parameter) -> list[tuple[Override | None, str, Value]]:
    """Return the values of a parameter, the most specific first, the default last.

    Each is the override or None, the segment of the rule's own value or nothing, and the value.
    """
    own = [(None, segment, value) for segment, value in sorted(parameter.by_segment.items())]
    set_ = [(one, "", one.value.node) for one in parameter.overrides]
    rank_of_segment = tuple(name == "segment" for name in SELECTORS)
    before = [one for one in set_ if one[0].rank >= rank_of_segment]
    after = [one for one in set_ if one[0].rank < rank_of_segment]
    return [*before, *own, *after, (None, "", parameter.default)]


def overrides_text(rule: Rule) -> str:
    """Return what the institution set for a rule, for the rulebook's hash; empty where nothing."""
    found = [
        (name, parameter.default_from, parameter.default.text())
        for name, parameter in rule.params.items()
        if parameter.default_from != "rule"
    ]
    more = [
        (one.parameter, one.value.text, one.whom, one.from_ms, one.to_ms, one.reason, one.author)
        for parameter in rule.params.values()
        for one in parameter.overrides
    ]
    return f" {found!r} {more!r}" if found or more else ""
