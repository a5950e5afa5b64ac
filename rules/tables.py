"""Tables: what is known by country, by trade or by another key, each row for the time it holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import combinations
from typing import Any

from rules.errors import ExpressionError, nearest
from rules.grammar import MEMORY, parse
from rules.model import Row, Table
from rules.nodes import Literal
from rules.reader import Node, Reader
from rules.spans import overlap
from rules.terms import SCALE

TYPES = ("text", "number", "bool", "duration", "money")
"""What a column may hold."""
_TIMES = ("from", "to")
_EXAMPLES = {"number": "12.5", "bool": "true", "duration": "30d", "money": "5000 CNY"}
Cell = str | int | float | bool | tuple[int, str]
"""A value of a cell: money is whole ten-thousandths of a currency, and the currency."""


def read_table(reader: Reader, root: Node, keys: Mapping[str, tuple[Node, Node]]) -> Table:
    """Return the table of a list file: `key`, `columns` with their types, `rows`."""
    for name in ("key", "columns", "rows"):
        if name not in keys:
            reader.wrong(root, f"{name!r} is missing in this table", f"add `{name}: ...`")
    key = reader.texts(keys["key"][1], "key") if "key" in keys else ()
    said = reader.mapping(keys["columns"][1], "columns") if "columns" in keys else {}
    columns = {name: reader.one_of(node, f"columns.{name}", TYPES) for name, (_, node) in said.items()}
    columns = {**{name: "text" for name in key if name not in columns}, **columns}
    for name in (*key, *columns):
        if name in _TIMES:
            reader.wrong(root, f"a column cannot be called {name!r}", "that is when a row holds")
    node = keys["rows"][1] if "rows" in keys else None
    items = node.value if node is not None and node.id == "sequence" else []
    if node is not None and node.id != "sequence":
        reader.wrong(node, "rows: expected a list", "write `rows:` and lines `- {...}`")
    rows = [(item, _row(reader, item, columns, key)) for item in items]
    _doubles(reader, rows, [list(columns).index(name) for name in key])
    return Table(key, tuple(columns.items()), tuple(row for _, row in rows))


def _row(reader: Reader, node: Node, columns: Mapping[str, str], key: tuple[str, ...]) -> Row:
    keys = reader.mapping(node, "a row")
    known = (*columns, *_TIMES)
    for name, (at, _) in keys.items():
        if name not in known:
            reader.wrong(
                at, f"unknown column {name!r}", nearest(name, known) or f"columns: {', '.join(known)}"
            )
    for name in key:
        if keys and name not in keys:
            reader.wrong(node, f"the key {name!r} is missing in this row", f"add `{name}: ...`")
    cells = [
        _cell(reader, keys[name][1], name, type_) if name in keys else None for name, type_ in columns.items()
    ]
    times = {name: keys[name] for name in _TIMES if name in keys}
    return Row(tuple(cells), *reader.days(times))


def _cell(reader: Reader, node: Node, name: str, type_: str) -> str | None:
    text = reader.text(node, name)
    if not text:
        return None
    if value_of(type_, text) is None:
        reader.wrong(node, f"{name}: expected {type_}, was {text!r}", f"e.g. {_EXAMPLES[type_]}")
        return None
    return text


@lru_cache(maxsize=MEMORY)
def value_of(type_: str, text: str) -> Cell | None:
    """Return the value a cell's text gives; None where it is none of the type.

    Examples
    --------
    >>> value_of("number", "0.5"), value_of("money", "20 CNY"), value_of("duration", "1d")
    (0.5, (200000, 'CNY'), 86400000)
    >>> value_of("bool", "no") is None
    True
    """
    if type_ == "text":
        return text
    if type_ == "bool":
        return {"true": True, "false": False}.get(text)
    negative = text.startswith("-")
    try:
        node = parse(text.removeprefix("-"))
    except ExpressionError:
        return None
    if not isinstance(node, Literal) or node.kind != type_ or isinstance(node.value, str):
        return None
    value: Fraction = Fraction(node.value) * (-1 if negative else 1)
    if type_ == "money":
        scaled = value * SCALE
        return (scaled.numerator, node.unit) if scaled.denominator == 1 else None
    return value.numerator if value.denominator == 1 else float(value)


def _doubles(reader: Reader, rows: Iterable[tuple[Node, Row]], places: Sequence[int]) -> None:
    by_key: dict[tuple[str | None, ...], list[tuple[Node, Row]]] = {}
    for node, row in rows:
        by_key.setdefault(tuple(row.cells[place] for place in places), []).append((node, row))
    for told, same in by_key.items():
        for (_, one), (node, other) in combinations(same, 2):
            if None not in told and overlap((one.from_ms, one.to_ms), (other.from_ms, other.to_ms)):
                shown = ", ".join(str(one) for one in told)
                reader.wrong(
                    node, f"{shown} has another row for the same time", "keep one, or part the times"
                )


def table_to_plain(table: Table) -> dict[str, Any]:
    """Return a table as plain data."""
    rows = [[list(row.cells), row.from_ms, row.to_ms] for row in table.rows]
    return {"key": list(table.key), "columns": [list(one) for one in table.columns], "rows": rows}


def table_from_plain(plain: Mapping[str, Any]) -> Table:
    """Return the table that plain data says."""
    columns = tuple((name, type_) for name, type_ in plain["columns"])
    rows = tuple(Row(tuple(cells), from_ms, to_ms) for cells, from_ms, to_ms in plain["rows"])
    return Table(tuple(plain["key"]), columns, rows)
