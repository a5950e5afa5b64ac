"""One YAML file of the configuration, read with the place of everything in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import BaseConstructor

from rules.errors import Mistake
from rules.reader import Node, Reader
from rules.unreadable import yaml_hint

_FAST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same, ten times as fast where it is built


TEXT, NULL = "tag:yaml.org,2002:str", "tag:yaml.org,2002:null"
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


class Loader(_FAST):  # type: ignore[misc]
    """Composes nodes whose scalars are texts or nothing: nobody here asks for other types."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        """Return the tag of a node that has none: `NULL` where a plain scalar says nothing, else `TEXT`."""
        return NULL if value in _NULLS and implicit[0] else TEXT


def compose(reader: Reader) -> Node | None:
    """Return the file's root node, or None where it is no YAML or empty; what is wrong is noted."""
    try:
        root = yaml.compose("\n".join(reader.lines), Loader=Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        problem = f"not YAML: {error.problem}"
        reader.mistakes.append(Mistake(reader.file, *place, problem, yaml_hint(reader.lines, place[0])))
        return None
    except yaml.reader.ReaderError as error:
        reader.wrong(None, f"not YAML: {error.reason}", "take the control character out")
        return None
    if root is None:
        reader.wrong(None, "the file is empty", "docs/rule-language.md shows a first rule")
    return root


def document(path: Path) -> tuple[Reader, Node | None]:
    """Return a reader of a file and the file's root node, None where it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reader = Reader(str(path), "")
        reader.wrong(None, f"cannot be read: {error}", "save it as UTF-8")
        return reader, None
    reader = Reader(str(path), text)
    return reader, compose(reader)


def plain_of(root: Node) -> Any:
    """Return a file's content as plain data, every scalar a text: YAML 1.1 would read NO as false."""
    return BaseConstructor().construct_document(root)
