"""Mapping files: read with the place of everything, checked against the vocabulary, every mistake at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from string import Formatter
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

from rules.errors import Mistake, RuleError, nearest
from rules.vocabulary import Kind, Vocabulary
from streams.mapping_shapes import Condition, EventSpec, MappingFile, Moment, Shape, Spec

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
CONDITION_KEYS = ("has", "missing", "equals")
SPEC_KEYS = ("from", "const", "template", "lookup", "default", "scale", "cents", "time")
TIME_KEYS = ("format", "days_from", "seconds_from", "zone")
SIMPLE_TIMES = ("iso", "epoch_s", "epoch_ms", "epoch_us")


def read_mapping(path: Path, text: str, vocabulary: Vocabulary) -> MappingFile:
    """Read a mapping file.

    Raises
    ------
    RuleError
        With every mistake of the file, `file:line:column` and a hint.
    """
    try:
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        problem = f"is no YAML: {getattr(error, 'problem', None) or error}"
        mistake = Mistake(str(path), line, column, problem, "check indentation and quotes")
        raise RuleError([mistake]) from error
    reader = _Reader(str(path), vocabulary)
    reader.read(root)
    if reader.mistakes:
        raise RuleError(reader.mistakes)
    return reader.found


Keys = dict[str, tuple[yaml.Node, yaml.Node]]


class _Reader:
    """Reads one file, collecting mistakes instead of stopping."""

    def __init__(self, file: str, vocabulary: Vocabulary) -> None:
        self.file = file
        self.vocabulary = vocabulary
        self.mistakes: list[Mistake] = []
        self.found = MappingFile()
        self.tables: dict[str, dict[str, Any]] = {}
        self.zone = "UTC"

    def wrong(self, node: yaml.Node | None, problem: str, hint: str = "") -> None:
        line, column = (node.start_mark.line, node.start_mark.column) if node is not None else (0, 0)
        self.mistakes.append(Mistake(self.file, line + 1, column + 1, problem, hint))

    def keys(
        self, node: yaml.Node | None, what: str, known: Iterable[str], needed: Iterable[str] = ()
    ) -> Keys:
        """Return key -> (key node, value node), telling of unknown, double and absent keys."""
        entries = self.entries(node, what)
        known = tuple(known)
        for key, (key_node, _) in entries.items():
            if key not in known:
                hint = nearest(key, known) or f"keys here are {', '.join(known)}"
                self.wrong(key_node, f"{what}: unknown key {key!r}", hint)
        for key in needed:
            if key not in entries and isinstance(node, yaml.MappingNode):
                self.wrong(node, f"{what}: {key!r} is missing", f"add {key}: ...")
        return entries

    def entries(self, node: yaml.Node | None, what: str) -> Keys:
        if not isinstance(node, yaml.MappingNode):
            self.wrong(node, f"{what}: expected `key: value` lines")
            return {}
        found: Keys = {}
        for key, value in node.value:
            if str(key.value) in found:
                self.wrong(key, f"{what}: {key.value!r} is given twice", "keep one")
            found[str(key.value)] = (key, value)
        return found

    def items(self, node: yaml.Node) -> list[yaml.Node]:
        """Return the items of a list; a single value counts as a list of one."""
        return list(node.value) if isinstance(node, yaml.SequenceNode) else [node]

    def plain(self, node: yaml.Node) -> Any:
        """Return a node as Python data, tags and types as YAML reads them."""
        loader = yaml.SafeLoader("")
        try:
            return loader.construct_object(node, deep=True)
        except yaml.YAMLError:
            self.wrong(node, "expected a plain value")
            return None
        finally:
            loader.dispose()

    def text(self, node: yaml.Node, what: str) -> str:
        value = self.plain(node) if isinstance(node, yaml.ScalarNode) else None
        if isinstance(value, str) and value:
            return value
        self.wrong(node, f"{what}: expected a text", "quote it")
        return ""

    # ------------------------------------------------------------------------------------ the file

    def read(self, root: yaml.Node | None) -> None:
        known = ("mapping", "about", "source_system", "zone", "columns", "tables", "shapes")
        keys = self.keys(root, "mapping file", known, ("mapping", "columns", "shapes"))
        if "mapping" in keys:
            self.found.name = self.text(keys["mapping"][1], "mapping")
        if "source_system" in keys:
            self.found.source_system = self.text(keys["source_system"][1], "source_system")
        if "zone" in keys:
            self.zone = self.read_zone(keys["zone"][1])
        if "columns" in keys:
            self.read_columns(keys["columns"][1])
        for name, (_, node) in (
            self.entries(keys["tables"][1], "tables") if "tables" in keys else {}
        ).items():
            self.tables[name] = self.read_table(node)
        if "shapes" in keys:
            for node in self.items(keys["shapes"][1]):
                self.read_shape(node)

    def read_columns(self, node: yaml.Node) -> None:
        for item in self.items(node):
            if isinstance(item, yaml.MappingNode):
                for name, (_, path) in self.entries(item, "columns").items():
                    self.found.columns[name] = tuple(self.text(path, f"column {name}").split("."))
            else:
                name = str(getattr(item, "value", ""))
                self.found.columns[name] = (name,)

    def read_zone(self, node: yaml.Node) -> str:
        name = self.text(node, "zone")
        try:
            ZoneInfo(name or "UTC")
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.wrong(node, f"unknown zone {name!r}", "write an IANA name such as Europe/Prague")
        return name

    def read_table(self, node: yaml.Node) -> dict[str, Any]:
        return {key: self.plain(value) for key, (_, value) in self.entries(node, "lookup").items()}

    def column(self, node: yaml.Node) -> str:
        name = str(node.value) if isinstance(node, yaml.ScalarNode) else ""
        if name not in self.found.columns:
            hint = nearest(name, self.found.columns) or "add it to `columns`"
            self.wrong(node, f"unknown column {name!r}", hint)
        return name

    def condition(self, node: yaml.Node, what: str) -> Condition:
        keys = self.keys(node, what, CONDITION_KEYS)
        listed = {
            key: tuple(self.column(item) for item in self.items(keys[key][1]))
            for key in ("has", "missing")
            if key in keys
        }
        pairs = self.entries(keys["equals"][1], f"{what}: equals") if "equals" in keys else {}
        equals = tuple(
            (self.column(key), tuple(self.plain(item) for item in self.items(value)))
            for key, value in pairs.values()
        )
        return Condition(listed.get("has", ()), listed.get("missing", ()), equals)

    # --------------------------------------------------------------------------------------- shapes

    def read_shape(self, node: yaml.Node) -> None:
        known = ("name", "when", "skip_if", "events", "event_type", "fields")
        keys = self.keys(node, "shape", known, ("name",))
        name = self.text(keys["name"][1], "name") if "name" in keys else ""
        if "events" in keys:
            if "fields" in keys or "event_type" in keys:
                self.wrong(keys["events"][0], f"shape {name}: has both events and fields", "keep one")
            events = [self.read_event(item) for item in self.items(keys["events"][1])]
        else:
            events = [self.event(node, keys, Condition())]
        when = self.condition(keys["when"][1], "when") if "when" in keys else Condition()
        skip = self.condition(keys["skip_if"][1], "skip_if") if "skip_if" in keys else Condition()
        self.found.shapes.append(Shape(name, when, skip, tuple(event for event in events if event)))

    def read_event(self, node: yaml.Node) -> EventSpec | None:
        keys = self.keys(node, "event", ("when", "event_type", "fields"))
        return self.event(
            node, keys, self.condition(keys["when"][1], "when") if "when" in keys else Condition()
        )

    def event(self, node: yaml.Node, keys: Keys, when: Condition) -> EventSpec | None:
        if "event_type" not in keys or "fields" not in keys:
            self.wrong(node, "expected event_type and fields", "write event_type: payment.transfer")
            return None
        name = self.text(keys["event_type"][1], "event_type")
        kind = self.vocabulary.kinds.get(name)
        if kind is None:
            self.wrong(keys["event_type"][1], f"unknown kind {name!r}", nearest(name, self.vocabulary.kinds))
            return None
        entries = self.entries(keys["fields"][1], "fields")
        specs = [self.spec(key, value, kind) for key, value in entries.values()]
        given = {*entries, "event_type"} | ({"source_system"} if self.found.source_system else set())
        for missing in sorted(kind.required - given):
            hint = self.vocabulary.fields[missing].about
            self.wrong(keys["fields"][0], f"{name} requires {missing!r}", hint)
        return EventSpec(kind, tuple(spec for spec in specs if spec), when)

    def spec(self, key: yaml.Node, node: yaml.Node, kind: Kind) -> Spec | None:
        name = str(key.value)
        if name not in kind.fields or name == "event_type":
            self.wrong(key, f"{kind.name} has no field {name!r}", nearest(name, kind.fields))
            return None
        if isinstance(node, yaml.ScalarNode):
            return self.checked(Spec(name, column=self.column(node), moment=self.usual_moment(name)), node)
        keys = self.keys(node, name, SPEC_KEYS)
        origins = [origin for origin in ("from", "const", "template") if origin in keys]
        if len(origins) != 1:
            self.wrong(node, f"{name}: expected one of from, const, template", "write from: COLUMN")
            return None
        return self.checked(
            Spec(
                name,
                column=self.column(keys["from"][1]) if "from" in keys else None,
                const=self.plain(keys["const"][1]) if "const" in keys else None,
                template=self.template(keys["template"][1]) if "template" in keys else (),
                lookup=self.lookup(keys["lookup"][1]) if "lookup" in keys else None,
                default=self.plain(keys["default"][1]) if "default" in keys else None,
                scale=self.scale(keys),
                moment=self.moment(keys["time"][1]) if "time" in keys else self.usual_moment(name),
            ),
            node,
        )

    def checked(self, spec: Spec, node: yaml.Node) -> Spec:
        """Tell of fixed values the vocabulary does not allow, and of options that do not fit the type."""
        if spec.field == "occurred_at" and not self.is_moment(spec):
            hint = 'write {from: COLUMN, time: iso} or {const: "2026-01-01T00:00:00Z"}'
            self.wrong(node, "occurred_at: expected a column or a fixed time with its offset", hint)
        vocabulary_field = self.vocabulary.fields[spec.field]
        fixed: Sequence[Any] = [spec.const, spec.default, *(spec.lookup or {}).values()]
        if vocabulary_field.type == "enum":
            for value in fixed:
                if value is not None and value not in vocabulary_field.values:
                    allowed = ", ".join(vocabulary_field.values)
                    self.wrong(node, f"{spec.field}: expected one of {allowed}, was {value!r}")
        if spec.scale != "1" and vocabulary_field.type not in ("money", "number"):
            self.wrong(
                node, f"{spec.field}: only money and numbers are scaled, this is {vocabulary_field.type}"
            )
        return spec

    def is_moment(self, spec: Spec) -> bool:
        if spec.column is not None:
            return spec.lookup is None
        try:
            return datetime.fromisoformat(str(spec.const)).tzinfo is not None
        except ValueError:
            return False

    def usual_moment(self, name: str) -> Moment | None:
        return (
            Moment("iso", zone=self.zone) if self.vocabulary.fields[name].type in ("time", "date") else None
        )

    def template(self, node: yaml.Node) -> tuple[tuple[str, str | None], ...]:
        text = self.text(node, "template")
        pieces: list[tuple[str, str | None]] = []
        try:
            for before, column, form, conversion in Formatter().parse(text):
                if column is not None and (column not in self.found.columns or form or conversion):
                    hint = nearest(column, self.found.columns) or "write {column}, a name of `columns`"
                    self.wrong(node, f"template: unknown column {column!r}", hint)
                pieces.append((before, column))
        except ValueError as error:
            self.wrong(
                node, f"template {text!r}: {error}", "write {column}; double braces stand for themselves"
            )
        return tuple(pieces)

    def lookup(self, node: yaml.Node) -> dict[str, Any]:
        if isinstance(node, yaml.MappingNode):
            return self.read_table(node)
        name = str(getattr(node, "value", ""))
        if name not in self.tables:
            self.wrong(node, f"unknown table {name!r}", nearest(name, self.tables) or "add it to `tables`")
        return self.tables.get(name, {})

    def scale(self, keys: Keys) -> str:
        if "cents" in keys and "scale" in keys:
            self.wrong(keys["cents"][0], "has both cents and scale", "keep one")
        if "cents" in keys:
            return "0.01" if self.plain(keys["cents"][1]) is True else "1"
        if "scale" not in keys:
            return "1"
        text = str(getattr(keys["scale"][1], "value", ""))
        whole, _, decimals = text.partition(".")
        if not (whole + decimals).isdigit() or not (whole + decimals).isascii():
            self.wrong(keys["scale"][1], f"scale: expected a decimal, was {text!r}", "write scale: 0.01")
            return "1"
        return text

    def moment(self, node: yaml.Node) -> Moment:
        if isinstance(node, yaml.ScalarNode):
            if node.value not in SIMPLE_TIMES:
                hint = nearest(str(node.value), SIMPLE_TIMES) or f"write one of {', '.join(SIMPLE_TIMES)}"
                self.wrong(node, f"time: unknown way {node.value!r}", hint)
            return Moment(str(node.value), zone=self.zone)
        keys = self.keys(node, "time", TIME_KEYS)
        zone = self.read_zone(keys["zone"][1]) if "zone" in keys else self.zone
        ways = [key for key in keys if key in TIME_KEYS and key != "zone"]
        if len(ways) != 1:
            self.wrong(
                node, "time: expected one of format, days_from, seconds_from", "write format: '%y%m%d'"
            )
            return Moment("iso", zone=zone)
        detail = str(getattr(keys[ways[0]][1], "value", ""))
        if ways[0].endswith("_from") and not _is_date(detail):
            self.wrong(keys[ways[0]][1], f"{ways[0]}: {detail!r} is no date", "write YYYY-MM-DD")
        return Moment(ways[0], detail, zone)


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
