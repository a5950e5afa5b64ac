"""A rule with one thing changed, to see whether its tests notice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from monitor.ruletest.conditions import conditions, names
from rules.errors import Mistake
from rules.model import Expression, Rule
from rules.nodes import Name
from rules.walking import Path, replaced

Key = tuple[str, str | int]
"""Which expression of a rule: `("when", "")`, `("let", name)`, `("band", 0)`, `("predicate", name)`."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A rule with the predicates it may name: what variants are made of."""

    rule: Rule
    predicates: Mapping[str, Expression]

    def expressions(self) -> Iterator[tuple[Key, Expression, bool]]:
        """Give the expressions that decide about a hit, with whether each is a condition.

        Lets and predicates that no condition reads, directly or through others, are not among them.
        """
        waiting: list[tuple[Key, Expression, bool]] = [(("when", ""), self.rule.when, True)]
        waiting += [(("band", n), b.when, True) for n, b in enumerate(self.rule.bands) if b.when is not None]
        found: dict[Key, tuple[Key, Expression, bool]] = {}
        while waiting:
            one = waiting.pop(0)
            found.setdefault(one[0], one)
            waiting += [more for more in self._read(one[1], one[2]) if more[0] not in found]
        yield from found.values()

    def _read(self, expression: Expression, is_condition: bool) -> Iterator[tuple[Key, Expression, bool]]:
        found = conditions(expression.node, is_condition=is_condition)
        asked = {node.name for _, node in found if isinstance(node, Name)}
        for name in sorted(names(expression.node)):
            if name in self.rule.let:
                yield ("let", name), self.rule.let[name], name in asked
            elif name in self.predicates:
                yield ("predicate", name), self.predicates[name], True

    def parameters(self) -> Iterator[tuple[str, str]]:
        """Give (name, segment) of the figures that decide about a hit; "" is the default."""
        read = {name for _, expression, _ in self.expressions() for name in names(expression.node)}
        for name, parameter in self.rule.params.items():
            if f"param.{name}" in read:
                yield name, ""
                yield from ((name, segment) for segment in sorted(parameter.by_segment))

    def changed(self, key: Key, path: Path, new: Any) -> Subject:
        """Return it with the node at a path of an expression replaced."""
        kind, name = key
        rule = self.rule
        if kind == "when":
            return replace(self, rule=replace(rule, when=_with(rule.when, path, new)))
        if kind == "let":
            lets = {**rule.let, str(name): _with(rule.let[str(name)], path, new)}
            return replace(self, rule=replace(rule, let=lets))
        if kind == "predicate":
            known = {**self.predicates, str(name): _with(self.predicates[str(name)], path, new)}
            return replace(self, predicates=known)
        bands = list(rule.bands)
        condition = bands[int(name)].when
        assert condition is not None
        bands[int(name)] = replace(bands[int(name)], when=_with(condition, path, new))
        return replace(self, rule=replace(rule, bands=tuple(bands)))

    def with_figure(self, name: str, segment: str, new: Any) -> Subject:
        """Return it with another figure; `segment` "" is the default."""
        parameter = self.rule.params[name]
        if segment:
            other = replace(parameter, by_segment={**parameter.by_segment, segment: new})
        else:
            other = replace(parameter, default=new)
        return replace(self, rule=replace(self.rule, params={**self.rule.params, name: other}))


@dataclass(frozen=True, slots=True)
class Variant:
    """One change and what to tell where no case notices it."""

    subject: Subject
    told: Mistake
    """Place, what went unnoticed, which case to write."""
    before: Any
    """The node as it was."""
    after: Any


def _with(expression: Expression, path: Path, new: Any) -> Expression:
    return replace(expression, node=replaced(expression.node, path, new))


def told(expression: Expression, at: int, problem: str, hint: str) -> Mistake:
    """Return a message at an offset of an expression."""
    return Mistake(expression.file, *expression.place(at), problem, hint)
