"""Test files of rules: `ID.test.yaml` read into cases, every mistake told with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from rules.errors import Mistake, RuleError, nearest
from rules.grammar import MILLISECONDS
from rules.vocabulary import Vocabulary

CASE_KEYS = ("name", "profile", "account", "lists", "events", "expect")
EXPECT_KEYS = ("hits", "points", "severity", "say", "late", "subject")
FILE_KEYS = ("rule", "start", "defaults", "profile", "account", "lists", "cases")
OFFSET = re.compile(r"([+-])((?:\d+(?:ms|s|m|h|d|w|y))+)")
PART = re.compile(r"(\d+)(ms|s|m|h|d|w|y)")
START = "2026-03-02T10:00:00"
"""Where `+0m` lies unless the file says `start`: a Monday, local time."""
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of a timeline: an event, an event again, or time passing."""

    line: int
    at_ms: int
    """Relative to the start."""
    kind: str = ""
    """Empty where only time passes."""
    id: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    """Dotted fields to texts."""
    again: str = ""
    """The id of the event delivered once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedHit:
    """One expected hit: when, and what else the file says about it."""

    at_ms: int
    more: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One timeline and what the rule must say to it."""

    file: Path
    line: int
    name: str
    rule: str
    start: datetime
    """Local time of `+0m`."""
    profile: Mapping[str, str]
    account: Mapping[str, str]
    lists: Mapping[str, frozenset[str]]
    steps: tuple[Step, ...]
    hits: tuple[ExpectedHit, ...]
    last: Mapping[str, str]
    """What must hold for the last hit: points, severity, say, late, subject."""
    expect_line: int

    @property
    def place(self) -> str:
        """Return `file:line` of the case."""
        return f"{self.file}:{self.line}"


def offset_ms(text: str) -> int | None:
    """Return an offset in milliseconds, or None where it is none.

    Examples
    --------
    >>> offset_ms("+1h30m"), offset_ms("-3d"), offset_ms("20m")
    (5400000, -259200000, None)
    """
    match = OFFSET.fullmatch(text)
    if match is None:
        return None
    length = sum(int(count) * MILLISECONDS[unit] for count, unit in PART.findall(match[2]))
    return length if match[1] == "+" else -length


def read_cases(path: Path, vocabulary: Vocabulary) -> list[Case]:
    """Return the cases of a test file.

    Raises
    ------
    RuleError
        With every mistake of the file.
    """
    reader = _Reader(path, vocabulary)
    cases = reader.cases()
    if reader.mistakes:
        raise RuleError(reader.mistakes)
    return cases


class _Reader:
    """One test file; collects mistakes instead of stopping."""

    def __init__(self, path: Path, vocabulary: Vocabulary) -> None:
        self.path = path
        self.vocabulary = vocabulary
        self.mistakes: list[Mistake] = []

    def wrong(self, node: yaml.Node | None, problem: str, hint: str = "") -> None:
        line, column = (node.start_mark.line + 1, node.start_mark.column + 1) if node is not None else (1, 1)
        self.mistakes.append(Mistake(str(self.path), line, column, problem, hint))

    def cases(self) -> list[Case]:
        try:
            root = yaml.compose(self.path.read_text(encoding="utf-8"), Loader=_LOADER)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            self.mistakes.append(
                Mistake(str(self.path), *place, f"not YAML: {error.problem}", "check indentation")
            )
            return []
        keys = self.known(root, FILE_KEYS, "the file")
        listed = keys.get("cases")
        if not isinstance(listed, yaml.SequenceNode) or not listed.value:
            self.wrong(listed or root, "expected cases", "write `cases:` and a list of cases")
            return []
        rule = self.text(keys["rule"]) if "rule" in keys else self.path.name.removesuffix(".test.yaml")
        start = self.start(keys.get("start"))
        return [self.case(node, keys, rule, start) for node in listed.value]

    def known(self, node: yaml.Node | None, names: Sequence[str], what: str) -> dict[str, yaml.Node]:
        """Return key -> node of a mapping that may have these keys only."""
        found = {}
        for key, value in self.pairs(node, what):
            if key.value not in names:
                hint = nearest(key.value, names) or f"known keys: {', '.join(names)}"
                self.wrong(key, f"unknown key {key.value!r} in {what}", hint)
            found[str(key.value)] = value
        return found

    def pairs(self, node: yaml.Node | None, what: str) -> Iterator[tuple[Any, yaml.Node]]:
        if isinstance(node, yaml.MappingNode):
            yield from node.value
        elif node is not None and getattr(node, "value", None):
            self.wrong(node, f"{what}: expected `key: value`", "")

    def text(self, node: yaml.Node) -> str:
        if isinstance(node, yaml.ScalarNode):
            return str(node.value)
        self.wrong(node, "expected a text")
        return ""

    def start(self, node: yaml.Node | None) -> datetime:
        text = self.text(node) if node is not None else START
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            self.wrong(node, f"start: expected a local time, was {text!r}", f"write {START}")
            return datetime.fromisoformat(START)

    def case(self, node: yaml.Node, outer: Mapping[str, yaml.Node], rule: str, start: datetime) -> Case:
        keys = self.known(node, (*CASE_KEYS, "start"), "a case")
        for name in ("name", "events", "expect"):
            if name not in keys:
                self.wrong(node, f"{name!r} is missing in this case", f"add `{name}: ...`")
        defaults = self.values(outer.get("defaults"))
        events = keys.get("events")
        listed = events.value if isinstance(events, yaml.SequenceNode) else []
        expect = self.known(keys.get("expect"), EXPECT_KEYS, "expect")
        hits = expect.get("hits")
        if "expect" in keys and not isinstance(hits, yaml.SequenceNode):
            self.wrong(
                keys["expect"], "expected the hits as a list", "write hits: [+20m], or hits: [] for none"
            )
        given = hits.value if isinstance(hits, yaml.SequenceNode) else []
        more = {name: self.text(value) for name, value in expect.items() if name != "hits"}
        return Case(
            file=self.path, line=node.start_mark.line + 1, rule=rule,
            name=self.text(keys["name"]) if "name" in keys else "",
            start=self.start(keys["start"]) if "start" in keys else start,
            profile=self.values(outer.get("profile")) | self.values(keys.get("profile")),
            account=self.values(outer.get("account")) | self.values(keys.get("account")),
            lists=self.lists(outer.get("lists")) | self.lists(keys.get("lists")),
            steps=tuple(self.step(item, number, defaults) for number, item in enumerate(listed, start=1)),
            hits=tuple(self.hit(item) for item in given), last=more,
            expect_line=keys.get("expect", node).start_mark.line + 1,
        )  # fmt: skip

    def values(self, node: yaml.Node | None) -> dict[str, Any]:
        """Return names to texts; nested mappings become dotted names."""
        found: dict[str, Any] = {}
        for key, value in self.pairs(node, "values"):
            if isinstance(value, yaml.MappingNode):
                found |= {f"{key.value}.{name}": text for name, text in self.values(value).items()}
            elif isinstance(value, yaml.SequenceNode):
                found[str(key.value)] = [self.text(item) for item in value.value]
            else:
                found[str(key.value)] = self.text(value)
        return found

    def lists(self, node: yaml.Node | None) -> dict[str, frozenset[str]]:
        found = {}
        for key, value in self.pairs(node, "lists"):
            items = value.value if isinstance(value, yaml.SequenceNode) else [value]
            found[str(key.value)] = frozenset(self.text(item) for item in items)
        return found

    def hit(self, node: yaml.Node) -> ExpectedHit:
        if isinstance(node, yaml.ScalarNode):
            return ExpectedHit(at_ms=self.offset(node))
        keys = self.known(node, ("at", *EXPECT_KEYS[1:]), "a hit")
        if "at" not in keys:
            self.wrong(node, "'at' is missing in this hit", "write {at: +20m, points: 15}")
            return ExpectedHit(at_ms=0)
        more = {name: self.text(value) for name, value in keys.items() if name != "at"}
        return ExpectedHit(at_ms=self.offset(keys["at"]), more=more)

    def offset(self, node: yaml.Node) -> int:
        found = offset_ms(self.text(node))
        if found is None:
            self.wrong(node, f"expected a time, was {self.text(node)!r}", "write +20m, +1h30m or -3d")
        return found or 0

    def step(self, node: yaml.Node, number: int, defaults: Mapping[str, Any]) -> Step:
        line = node.start_mark.line + 1
        nodes = {str(key.value): value for key, value in self.pairs(node, "an event")}
        if "again" in nodes:
            return Step(line=line, at_ms=0, again=self.text(nodes["again"]))
        if "tick" in nodes:
            return Step(line=line, at_ms=self.offset(nodes["tick"]))
        own = self.values(node)
        values = {**defaults, **own} if own.get("kind", defaults.get("kind")) == defaults.get("kind") else own
        kind = str(values.pop("kind", ""))
        if kind not in self.vocabulary.kinds:
            self.wrong(
                node,
                f"unknown event kind {kind!r}",
                nearest(kind, self.vocabulary.kinds) or "write kind: payment.transfer",
            )
            kind = ""
        values.pop("at", None)
        identity = str(values.pop("id", f"e{number}"))
        if "at" not in nodes:
            self.wrong(node, "'at' is missing in this event", "write at: +20m")
        self.check_fields(node, kind, values)
        at_ms = self.offset(nodes["at"]) if "at" in nodes else 0
        return Step(line=line, at_ms=at_ms, kind=kind, id=identity, values=values)

    def check_fields(self, node: yaml.Node, kind: str, values: Mapping[str, Any]) -> None:
        if not kind:
            return
        carried = self.vocabulary.kinds[kind].fields
        for name in values:
            if name not in carried:
                self.wrong(node, f"{kind} has no field {name!r}", nearest(name, carried))
