"""Test files of rules: `ID.test.yaml` read into cases, every mistake told with its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from monitor.ruletest.actions import ACTIONS, action
from monitor.ruletest.case import Case, Expected, Step, offset_ms
from rules.documents import NULL, Loader
from rules.errors import Mistake, RuleError, nearest
from rules.lists import list_of_case
from rules.model import ListData
from rules.reader import Reader
from rules.unreadable import yaml_hint
from rules.vocabulary import Vocabulary

CASE_KEYS = ("name", "profile", "account", "lists", "params", "with", "four_eyes", "events", "expect")
HIT_KEYS = ("points", "severity", "say", "late", "subject", "saw")
EXPECT_KEYS = ("hits", *HIT_KEYS, "alerts", "rating")
ALERT_KEYS = (
    "at", "rule", "severity", "priority", "status", "hits", "disposition", "assignee", "proposed_by", "title",
    "say", "subject", "grade",
)  # fmt: skip
RATING_KEYS = ("at", "grade", "score", "customer")
FILE_KEYS = (
    "rule",
    "start",
    "defaults",
    "profile",
    "account",
    "lists",
    "params",
    "with",
    "four_eyes",
    "cases",
)
START = "2026-03-02T10:00:00"
"""Where `+0m` lies unless the file says `start`: a Monday, local time."""


def find_tests(folders: Iterable[Path]) -> list[Path]:
    """Return the test files of some folders; a path of a file is taken as it is."""
    found: list[Path] = []
    for folder in folders:
        found += [folder] if folder.is_file() else sorted(folder.rglob("*.test.yaml"))
    return found


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


def said(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values without those that `~` leaves out."""
    return {name: value for name, value in values.items() if value is not None}


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
            text = self.path.read_text(encoding="utf-8")
            root = yaml.compose(text, Loader=Loader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            hint = yaml_hint(text.splitlines(), place[0])
            self.mistakes.append(Mistake(str(self.path), *place, f"not YAML: {error.problem}", hint))
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
            self.wrong(
                node, f"{what}: expected `key: value`", "e.g. expect: {hits: [+20m]}" * (what == "expect")
            )

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
        defaults = said(self.values(outer.get("defaults")))
        events = keys.get("events")
        listed = events.value if isinstance(events, yaml.SequenceNode) else []
        if events is not None and not listed:
            self.wrong(events, "expected events, each a line of its own", "write - {at: +0m, amount: 100}")
        expect = self.known(keys.get("expect"), EXPECT_KEYS, "expect")
        more = self.texts({name: value for name, value in expect.items() if name in HIT_KEYS})
        return Case(
            file=self.path, line=node.start_mark.line + 1, rule=rule,
            name=self.text(keys["name"]) if "name" in keys else "",
            start=self.start(keys["start"]) if "start" in keys else start,
            profile=self.remembered("profile", outer, keys), account=self.remembered("account", outer, keys),
            lists=self.lists(outer.get("lists")) | self.lists(keys.get("lists")),
            params=said(self.values(outer.get("params")) | self.values(keys.get("params"))),
            others=self.names(keys.get("with", outer.get("with"))),
            four_eyes=frozenset(self.names(keys.get("four_eyes", outer.get("four_eyes")))),
            steps=tuple(self.step(item, n, rule, defaults) for n, item in enumerate(listed, start=1)),
            hits=self.hits(keys.get("expect"), expect.get("hits")), last=more,
            alerts=self.alerts(expect["alerts"]) if "alerts" in expect else None,
            ratings=self.ratings(expect["rating"]) if "rating" in expect else (),
            expect_line=keys.get("expect", node).start_mark.line + 1,
        )  # fmt: skip

    def values(self, node: yaml.Node | None) -> dict[str, Any]:
        """Return names to texts, None where `~` stands; nested mappings become dotted names."""
        found: dict[str, Any] = {}
        for key, value in self.pairs(node, "values"):
            if isinstance(value, yaml.MappingNode):
                found |= {f"{key.value}.{name}": text for name, text in self.values(value).items()}
            elif isinstance(value, yaml.SequenceNode):
                found[str(key.value)] = [self.text(item) for item in value.value]
            else:
                found[str(key.value)] = None if value.tag == NULL else self.text(value)
        return found

    def remembered(self, what: str, *levels: Mapping[str, yaml.Node]) -> dict[str, Any]:
        """Return what a case says of the customer or the account; the later level stands."""
        known = self.vocabulary.profile if what == "profile" else self.vocabulary.account
        found: dict[str, Any] = {}
        for node in (level[what] for level in levels if what in level):
            values = self.values(node)
            for name in values:
                if name not in known:
                    hint = nearest(name, known) or f"{what}.x as docs/rule-language.md lists them"
                    self.wrong(node, f"unknown {what}.{name}", hint)
            found |= {name: value for name, value in values.items() if name in known}
        return said(found)

    def lists(self, node: yaml.Node | None) -> dict[str, ListData]:
        reader = Reader(str(self.path), "")
        pairs = [(str(key.value), value) for key, value in self.pairs(node, "lists")]
        found = {name: list_of_case(reader, name, value) for name, value in pairs}
        self.mistakes += reader.mistakes
        return found

    def names(self, node: yaml.Node | None) -> tuple[str, ...]:
        items = node.value if isinstance(node, yaml.SequenceNode) else [node] if node is not None else []
        return tuple(self.text(item) for item in items)

    def texts(self, nodes: Mapping[str, yaml.Node]) -> dict[str, str]:
        """Return names to texts; what a hit `saw` becomes `saw.name`."""
        found = {name: self.text(node) for name, node in nodes.items() if name != "saw"}
        seen = said(self.values(nodes["saw"])) if "saw" in nodes else {}
        return found | {f"saw.{name}": str(text) for name, text in seen.items()}

    def hits(self, expect: yaml.Node | None, node: yaml.Node | None) -> tuple[Expected, ...]:
        if isinstance(node, yaml.SequenceNode):
            return tuple(self.moment(item, ("at", *HIT_KEYS), "a hit") for item in node.value)
        if expect is not None:
            self.wrong(expect, "expected the hits as a list", "write hits: [+20m], or hits: [] for none")
        return ()

    def alerts(self, node: yaml.Node) -> tuple[Expected, ...]:
        if isinstance(node, yaml.SequenceNode):
            return tuple(self.moment(item, ALERT_KEYS, "an alert") for item in node.value)
        self.wrong(node, "expected the alerts as a list", "write alerts: [{at: +20m, severity: high}], or []")
        return ()

    def ratings(self, node: yaml.Node) -> tuple[Expected, ...]:
        items = node.value if isinstance(node, yaml.SequenceNode) else [node]
        return tuple(self.moment(item, RATING_KEYS, "a rating", needs_time=False) for item in items)

    def moment(
        self, node: yaml.Node, names: Sequence[str], what: str, *, needs_time: bool = True
    ) -> Expected:
        line = node.start_mark.line + 1
        if isinstance(node, yaml.ScalarNode):
            return Expected(at_ms=self.offset(node), line=line)
        keys = self.known(node, names, what)
        if "at" not in keys and needs_time:
            self.wrong(node, f"'at' is missing in {what.replace('a ', 'this ').replace('an ', 'this ')}",
                       "write {at: +20m, points: 15}")  # fmt: skip
        at_ms = self.offset(keys.pop("at")) if "at" in keys else 0 if needs_time else None
        return Expected(at_ms=at_ms, more=self.texts(keys), line=line)

    def offset(self, node: yaml.Node) -> int:
        found = offset_ms(self.text(node))
        if found is None:
            self.wrong(node, f"expected a time, was {self.text(node)!r}", "write +20m, +1h30m or -3d")
        return found or 0

    def step(self, node: yaml.Node, number: int, rule: str, defaults: Mapping[str, Any]) -> Step:
        line = node.start_mark.line + 1
        nodes = {str(key.value): value for key, value in self.pairs(node, "an event")}
        if "again" in nodes:
            return Step(line=line, at_ms=0, again=self.text(nodes["again"]))
        if "tick" in nodes:
            return Step(line=line, at_ms=self.offset(nodes["tick"]))
        if "action" in nodes:
            return self.action(node, number, rule)
        own = self.values(node)
        is_usual = own.get("kind", defaults.get("kind")) == defaults.get("kind")
        values = said({**defaults, **own} if is_usual else own)
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
        # A field whose name the line itself uses is written `field.kind`.
        values = {name.removeprefix("field."): value for name, value in values.items()}
        self.check_fields(node, kind, values)
        at_ms = self.offset(nodes["at"]) if "at" in nodes else 0
        return Step(line=line, at_ms=at_ms, kind=kind, id=identity, values=values)

    def action(self, node: yaml.Node, number: int, rule: str) -> Step:
        given = said(self.values(node))
        if given.get("action") not in ACTIONS:
            name = str(given.get("action", "~"))
            hint = nearest(name, ACTIONS) or f"one of {', '.join(ACTIONS)}"
            self.wrong(node, f"unknown action {name!r}", hint)
            return Step(line=node.start_mark.line + 1, at_ms=0)
        at_ms = offset_ms(str(given.get("at", "")))
        if at_ms is None:
            self.wrong(node, "'at' is missing in this action", "write at: +30m")
        step, unknown = action(node.start_mark.line + 1, at_ms or 0, f"a{number}", rule, given)
        for name in unknown:
            self.wrong(
                node, f"{given['action']} takes no {name!r}", nearest(name, ACTIONS[given["action"]].keys)
            )
        self.check_fields(node, step.kind, step.values)
        return step

    def check_fields(self, node: yaml.Node, kind: str, values: Mapping[str, Any]) -> None:
        if not kind:
            return
        carried = self.vocabulary.kinds[kind].fields
        for name in values:
            if name not in carried:
                self.wrong(node, f"{kind} has no field {name!r}", nearest(name, carried))
