"""Lists: files of texts, of beginnings or of names, each entry with the time it holds for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rules.documents import document
from rules.errors import Mistake, RuleError, nearest
from rules.model import LIST_KINDS, Entry, ListData
from rules.reader import Node, Reader
from rules.spans import overlap
from rules.tables import read_table, table_from_plain, table_to_plain

LIST_KEYS = ("version", "about", "source", "verification", "valid_from", "kind", "entries")
TABLE_KEYS = (*LIST_KEYS[:-1], "key", "columns", "rows")
ENTRY_KEYS = ("value", "aliases", "from", "to", "reason", "source")
RATES_KEY = "pivot"
"""What a file of exchange rates has, which lies among the lists and is none."""


def load_lists(folder: Path) -> dict[str, ListData]:
    """Return the lists of a folder: each `name.yaml` with `version`, `about`, `kind` and `entries`.

    Raises
    ------
    RuleError
        With every mistake of every file.
    """
    found: dict[str, ListData] = {}
    mistakes: list[Mistake] = []
    for path in sorted(folder.glob("*.yaml")) if folder.is_dir() else []:
        reader, root = document(path)
        keys = reader.mapping(root, "the list") if root is not None else {}
        if keys and RATES_KEY not in keys:
            found[path.stem] = _list(reader, path.stem, root, keys)
        mistakes.extend(reader.mistakes)
    if mistakes:
        raise RuleError(mistakes)
    return found


def _list(reader: Reader, name: str, root: Node, keys: Mapping[str, tuple[Node, Node]]) -> ListData:
    kind = reader.one_of(keys["kind"][1], "kind", LIST_KINDS) if "kind" in keys else "exact"
    known = TABLE_KEYS if kind == "table" else LIST_KEYS
    for key, (node, _) in keys.items():
        if key not in known:
            reader.wrong(node, f"unknown key {key!r}", _or_known(key, known))
    version, about = (reader.text(keys[key][1], key) if key in keys else "" for key in ("version", "about"))
    if kind == "table":
        table = read_table(reader, root, keys)
        return ListData(name, version or "0", frozenset(), about, kind, table=table)
    if "entries" not in keys:
        reader.wrong(root, "'entries' is missing", "add `entries: [...]`")
    return list_of(reader, name, kind, keys["entries"][1] if "entries" in keys else None, version, about)


def list_of(
    reader: Reader, name: str, kind: str, node: Node | None, version: str = "", about: str = ""
) -> ListData:
    """Return the list whose entries a node holds, noting what is wrong with them."""
    items = node.value if getattr(node, "id", "") == "sequence" and node is not None else []
    if node is not None and getattr(node, "id", "") != "sequence":
        reader.wrong(node, "entries: expected a list", "write `entries: [a, b]`, or [] for none")
    plain = [(item, Entry(reader.text(item, "an entry"))) for item in items if item.id == "scalar"]
    more = [(item, _entry(reader, kind, item)) for item in items if item.id != "scalar"]
    _doubles(reader, [*plain, *more])
    texts = frozenset(entry.value for _, entry in plain)
    return ListData(name, version or "0", texts, about, kind, tuple(entry for _, entry in more))


def list_of_case(reader: Reader, name: str, node: Node) -> ListData:
    """Return the list a rule's test gives: entries, or what a list file says.

    Its kind is empty where the test does not say: that of the list it stands in for.
    """
    if node.id != "mapping":
        return list_of(reader, name, "", node if node.id == "sequence" else _one(node))
    return _list(reader, name, node, reader.mapping(node, name))


def _one(node: Node) -> Node:
    """Return a single text as the list of it."""
    return SimpleNamespace(id="sequence", value=[node], start_mark=node.start_mark)


def _entry(reader: Reader, kind: str, node: Node) -> Entry:
    keys = reader.mapping(node, "an entry")
    for name, (key, _) in keys.items():
        if name not in ENTRY_KEYS:
            reader.wrong(key, f"unknown key {name!r} in an entry", _or_known(name, ENTRY_KEYS))
    if keys and "value" not in keys:
        reader.wrong(node, "'value' is missing in this entry", "write {value: x, from: 2026-01-31}")
    if "aliases" in keys and kind not in ("names", ""):
        reader.wrong(keys["aliases"][0], "aliases: only names have any", "write `kind: names`")
    texts = {name: reader.text(keys[name][1], name) for name in ("value", "reason", "source") if name in keys}
    aliases = reader.texts(keys["aliases"][1], "aliases") if "aliases" in keys else ()
    from_ms, to_ms = reader.days({name: keys[name] for name in ("from", "to") if name in keys})
    return Entry(
        texts.get("value", ""), from_ms, to_ms, aliases, texts.get("reason", ""), texts.get("source", "")
    )


def _or_known(name: str, known: tuple[str, ...]) -> str:
    return nearest(name, known) or f"known: {', '.join(known)}"


def _doubles(reader: Reader, entries: Iterable[tuple[Node, Entry]]) -> None:
    by_text: dict[str, list[tuple[Node, Entry]]] = {}
    for node, entry in entries:
        by_text.setdefault(entry.value, []).append((node, entry))
    for text, same in by_text.items():
        for (_, one), (node, other) in combinations(same, 2):
            if text and overlap((one.from_ms, one.to_ms), (other.from_ms, other.to_ms)):
                reader.wrong(node, f"{text!r} is given twice for the same time", "keep one")


def list_to_plain(data: ListData) -> dict[str, Any]:
    """Return a list as plain data; what is not said is not there."""
    plain: dict[str, Any] = {"version": data.version, "about": data.about, "entries": sorted(data.entries)}
    if data.kind != "exact":
        plain["kind"] = data.kind
    if data.table is not None:
        plain["table"] = table_to_plain(data.table)
    if data.more:
        plain["more"] = [
            [one.value, one.from_ms, one.to_ms, list(one.aliases), one.reason, one.source]
            for one in data.more
        ]
    return plain


def list_from_plain(name: str, plain: Mapping[str, Any]) -> ListData:
    """Return the list that plain data says; an archive of a day before kinds has exact texts alone.

    Examples
    --------
    >>> data = ListData("banned", "1", frozenset({"x"}), "", "exact", (Entry("y", 0, None),))
    >>> list_from_plain("banned", list_to_plain(data)) == data
    True
    """
    more = tuple(
        Entry(value, from_ms, to_ms, tuple(aliases), reason, source)
        for value, from_ms, to_ms, aliases, reason, source in plain.get("more", ())
    )
    kind = plain.get("kind", "exact")
    table = table_from_plain(plain["table"]) if "table" in plain else None
    return ListData(name, plain["version"], frozenset(plain["entries"]), plain["about"], kind, more, table)
