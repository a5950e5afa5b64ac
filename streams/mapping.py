"""Any row to events without code: compiled mapping files."""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Mapping as Row
from datetime import date, datetime
from pathlib import Path
from typing import Any

import orjson

from rules.errors import Mistake, RuleError
from rules.vocabulary import Vocabulary
from streams.faults import Fault
from streams.mapping_file import read_mapping
from streams.mapping_shapes import Condition, EventSpec, MappingFile, Shape, Spec
from streams.mapping_values import (
    CONVERTERS,
    Unmappable,
    cents,
    looked_up,
    money,
    number,
    reach,
    to_date,
    to_time,
)

_WRITTEN_AS_TEXT = frozenset({"money", "id", "text", "enum", "currency", "country"})
Timed = list[tuple[int, dict[str, Any]]]
"""Event time (epoch ms) and record of each event of a row."""


class Mapping:
    """A mapping file, checked: rows of its shapes become records of the vocabulary.

    Examples
    --------
    >>> from rules.vocabulary import load_vocabulary
    >>> text = '''
    ... mapping: tellers
    ... columns: [no, day, who, sum]
    ... shapes:
    ...   - name: deposits
    ...     event_type: cash.deposit
    ...     fields:
    ...       event_id: {template: "d-{no}"}
    ...       occurred_at: {from: day, time: {format: "%d.%m.%Y"}}
    ...       customer_id: who
    ...       amount: {from: sum, cents: true}
    ...       currency: {const: EUR}
    ... '''
    >>> convert = Mapping.from_text(text, load_vocabulary()).compile()
    >>> convert({"no": 7, "day": "02.03.2026", "who": "c1", "sum": 1250})
    [{'event_id': 'd-7', 'event_type': 'cash.deposit', 'occurred_at': '2026-03-02T00:00:00+00:00',
      'customer_id': 'c1', 'amount': '12.50', 'currency': 'EUR'}]
    >>> print(convert({"no": 7, "day": "tomorrow", "who": "c1", "sum": 1}))
    occurred_at: 'tomorrow' is no time of the form '%d.%m.%Y'
    """

    def __init__(self, content: MappingFile, vocabulary: Vocabulary) -> None:
        self.name = content.name
        self.content = content
        """What the file says."""
        self._vocabulary = vocabulary

    @classmethod
    def load(cls, path: Path, vocabulary: Vocabulary) -> Mapping:
        """Read and check a file.

        Raises
        ------
        RuleError
            With every mistake, `file:line:column` and a hint; also where the file cannot be read.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            mistake = Mistake(str(path), 1, 1, f"cannot be read: {reason}", "give the path of a mapping file")
            raise RuleError([mistake]) from error
        return cls(read_mapping(path, text, vocabulary), vocabulary)

    @classmethod
    def from_text(cls, text: str, vocabulary: Vocabulary, path: Path = Path("mapping.yaml")) -> Mapping:
        """Read and check the text of a mapping file; see `load`."""
        return cls(read_mapping(path, text, vocabulary), vocabulary)

    def compile(self) -> Callable[[Row[str, Any]], list[dict[str, Any]] | Fault]:
        """Return the function from a row to its records; a Fault where it fits nowhere."""
        timed = self.compile_timed()

        def convert(row: Row[str, Any]) -> list[dict[str, Any]] | Fault:
            found = timed(row)
            return found if isinstance(found, Fault) else [record for _, record in found]

        return convert

    def compile_timed(self) -> Callable[[Row[str, Any]], Timed | Fault]:
        """Return the function from a row to (event time, record) pairs; what `merge` sorts by."""
        writer = _Writer(self.content, self._vocabulary)
        convert: Callable[[Row[str, Any]], Timed] = writer.function()

        def checked(row: Row[str, Any]) -> Timed | Fault:
            try:
                return convert(row)
            except Unmappable as error:
                return error.fault
            except (ValueError, TypeError, ArithmeticError, LookupError, AttributeError) as error:
                return Fault("$", f"cannot be mapped: {error}", "check the columns and types of the row")

        return checked


def row_bytes(row: Row[str, Any]) -> bytes:
    """Return a row as JSON: what a dead letter keeps of it. Bytes that are no UTF-8 are kept as escapes."""
    try:
        return orjson.dumps(dict(row), default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        return json.dumps({str(name): value for name, value in row.items()}, default=str).encode()


class _Writer:
    """Writes the Python of one mapping: straight code, because it runs for every row of a replay."""

    def __init__(self, content: MappingFile, vocabulary: Vocabulary) -> None:
        self.content = content
        self.vocabulary = vocabulary
        self.lines: list[str] = []
        self.scope: dict[str, Any] = {
            "Unmappable": Unmappable,
            "Fault": Fault,
            "cents": cents,
            "looked_up": looked_up,
            "reach": reach,
            "no_shape": _no_shape([shape.name for shape in content.shapes]),
        }
        self.columns = {name: f"c{place}" for place, name in enumerate(content.columns)}

    def function(self) -> Any:
        """Return the compiled function."""
        self.put(0, "def convert(row):")
        for shape in self.content.shapes:
            self.shape(shape)
        self.put(1, "no_shape(row)")
        exec("\n".join(self.lines), self.scope)  # noqa: S102 - written from a checked file
        return self.scope["convert"]

    def put(self, depth: int, line: str) -> None:
        self.lines.append(" " * depth + line)

    def keep(self, value: Any) -> str:
        """Give a value a name in the scope of the generated code."""
        name = f"k{len(self.scope)}"
        self.scope[name] = value
        return name

    def fetch(self, depth: int, columns: list[str], have: set[str]) -> None:
        for column in columns:
            if column in have:
                continue
            have.add(column)
            path = self.content.columns[column]
            value = f"row.get({path[0]!r})" if len(path) == 1 else f"reach(row, {path!r})"
            self.put(depth, f"{self.columns[column]} = {value}")

    def shape(self, shape: Shape) -> None:
        have: set[str] = set()
        self.fetch(1, _asked(shape.when), have)
        self.put(1, f"if {self.condition(shape.when)}:")
        self.fetch(2, _asked(shape.skip_if), have)
        if shape.skip_if:
            self.put(2, f"if {self.condition(shape.skip_if)}: return []")
        self.put(2, "out = []")
        for event in shape.events:
            self.event(event, have)
        self.put(2, "return out")

    def event(self, event: EventSpec, have: set[str]) -> None:
        used = _asked(event.when) + [column for spec in event.fields for column in _used(spec)]
        self.fetch(2, used, have)
        depth = 2
        if event.when:
            self.put(2, f"if {self.condition(event.when)}:")
            depth = 3
        self.put(depth, f"d = {self.fixed(event)!r}")
        for spec in event.fields:
            if _is_fixed(spec) and spec.field == "occurred_at":
                self.put(depth, f"ms = {round(datetime.fromisoformat(str(spec.const)).timestamp() * 1000)}")
            elif not _is_fixed(spec):
                self.field(depth, spec, event)
        self.put(depth, "out.append((ms, d))")

    def fixed(self, event: EventSpec) -> dict[str, Any]:
        """Return the part of a record that is the same for every row, with places for the rest in order."""
        record: dict[str, Any] = {}
        ordered = sorted(event.fields, key=lambda spec: spec.field != "event_id")
        for spec in ordered:
            outer, dot, inner = spec.field.partition(".")
            if _is_fixed(spec):
                (record.setdefault(outer, {}) if dot else record)[inner or outer] = self.constant(
                    spec.field, spec.const
                )
            elif spec.field in event.kind.required and not dot:
                record[outer] = None
            if spec.field == "event_id":
                record["event_type"] = event.kind.name
                if self.content.source_system is not None:
                    record["source_system"] = self.content.source_system
        return record

    def constant(self, name: str, value: Any) -> Any:
        """Return a fixed value as the field's type wants it in a record."""
        if isinstance(value, date):
            return value.isoformat()
        if value is not None and self.vocabulary.fields[name].type in _WRITTEN_AS_TEXT:
            return str(value)
        return value

    def field(self, depth: int, spec: Spec, event: EventSpec) -> None:
        if spec.field == "occurred_at":
            self.put(depth, f"v, ms = {self.value(spec)}")
        else:
            self.put(depth, f"v = {self.value(spec)}")
        outer, dot, inner = spec.field.partition(".")
        target = f"d[{outer!r}]"
        if dot:
            target = f"d.setdefault({outer!r}, {{}})[{inner!r}]"
        if spec.field in event.kind.required:
            source = spec.column or "".join(f"{{{c}}}" for _, c in spec.template if c)
            fault = self.keep(
                Fault(spec.field, f"column {source} is empty", "required; give a default or skip_if")
            )
            self.put(depth, f"if v is None: raise Unmappable({fault})")
            self.put(depth, f"{target} = v")
        else:
            self.put(depth, f"if v is not None: {target} = v")

    def value(self, spec: Spec) -> str:
        """Return the expression of a field's value; None where there is nothing to send."""
        if spec.template:
            return self.template(spec)
        column = self.columns[spec.column or ""]
        default = self.constant(spec.field, spec.default)
        if spec.lookup is not None:
            answers = {key: self.constant(spec.field, value) for key, value in spec.lookup.items()}
            return f"looked_up({spec.field!r}, {self.keep(answers)}, {column}, {default!r})"
        converted = self.converted(spec, column)
        if spec.field == "occurred_at":
            default = (None, None)
        return f"{default!r} if {column} is None else {converted}"

    def converted(self, spec: Spec, column: str) -> str:
        kind = self.vocabulary.fields[spec.field].type
        if kind == "money":
            return (
                f"cents({column})"
                if spec.scale == "0.01"
                else f"{self.keep(money(spec.field, spec.scale))}({column})"
            )
        if kind == "number":
            return f"{self.keep(number(spec.field, spec.scale))}({column})"
        if kind == "time":
            assert spec.moment is not None
            function = f"{self.keep(to_time(spec.field, spec.moment))}({column})"
            return function if spec.field == "occurred_at" else f"{function}[0]"
        if kind == "date":
            assert spec.moment is not None
            return f"{self.keep(to_date(spec.field, spec.moment))}({column})"
        convert = CONVERTERS.get(kind)
        if convert is None:
            return f"({column} if type({column}) is str else str({column}))"
        return f"{self.keep(convert(spec.field))}({column})"

    def template(self, spec: Spec) -> str:
        columns = [self.columns[column] for _, column in spec.template if column]
        empty = " or ".join(f"{column} is None" for column in columns) or "False"
        text = "".join(
            _braced(before) + (f"{{{self.columns[column]}}}" if column else "")
            for before, column in spec.template
        )
        return f"{self.constant(spec.field, spec.default)!r} if {empty} else f{text!r}"

    def condition(self, condition: Condition) -> str:
        """Return the expression of a condition; all of it must hold, nothing asked always holds."""
        parts = [f"{self.columns[name]} is not None" for name in condition.has]
        parts += [f"{self.columns[name]} is None" for name in condition.missing]
        parts += [f"{self.columns[name]} in {values!r}" for name, values in condition.equals]
        return " and ".join(parts) or "True"


def _is_fixed(spec: Spec) -> bool:
    return spec.column is None and not spec.template


def _asked(condition: Condition) -> list[str]:
    return [*condition.has, *condition.missing, *(name for name, _ in condition.equals)]


def _used(spec: Spec) -> list[str]:
    return ([spec.column] if spec.column else []) + [column for _, column in spec.template if column]


def _braced(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _no_shape(names: list[str]) -> Callable[[Row[str, Any]], None]:
    def refuse(row: Row[str, Any]) -> None:
        columns = ", ".join(sorted(str(name) for name, value in row.items() if value is not None))
        problem = f"no shape fits a row with {columns or 'nothing'}"
        raise Unmappable(Fault("$", problem, f"shapes are {', '.join(names)}"))

    return refuse
