"""From files to rules. Beside it `rules.lists`, `rules.tables` and `rules.parameters` read theirs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from rules.dispositions import DISPOSITIONS
from rules.documents import compose, document, plain_of
from rules.errors import Mistake, RuleError, nearest
from rules.model import (
    DIMENSIONS,
    DISCLOSURES,
    MARKS,
    SEVERITIES,
    STATUSES,
    Band,
    Expression,
    Rule,
)
from rules.needs import names_in
from rules.nodes import Literal
from rules.parameters import read_params
from rules.reader import Reader
from rules.vocabulary import load_vocabulary

Keys = dict[str, tuple[yaml.Node, yaml.Node]]
"""The keys of a mapping by their names: key and value."""
REQUIRED = (
    "id",
    "title",
    "dimension",
    "on",
    "when",
    "severity",
    "status",
    "say",
    "why",
    "source",
    "triage",
    "owner",
)
OPTIONAL = (
    "subject", "let", "params", "points", "bands", "alert", "cooldown", "verification", "disclosure", "valid",
    "disposition", "half_life",
)  # fmt: skip
DEFAULT_COOLDOWN_MS = 86_400_000
PACKS = Path(str(files("rules") / "packs"))
"""The packs that ship with the project."""


def read_rule(path: Path, text: str, pack: str) -> Rule:
    """Return the rule a file's text says.

    Raises
    ------
    RuleError
        With every mistake of the file: YAML, unknown or missing keys, values, expressions.
    """
    reader = Reader(str(path), text)
    root = compose(reader)
    if root is None:
        raise RuleError(reader.mistakes)
    if not isinstance(root, yaml.MappingNode):
        reader.wrong(root, "expected `key: value` lines", "docs/rule-language.md shows a first rule")
        raise RuleError(reader.mistakes)
    rule = _rule(reader, reader.mapping(root, "the file"), root, pack)
    if reader.mistakes or rule is None:
        raise RuleError(reader.mistakes, [rule] if rule is not None else [])
    return rule


def _rule(reader: Reader, keys: Keys, root: Any, pack: str) -> Rule | None:
    is_known = _check_keys(reader, keys, root)

    def read(name: str, how: Callable[..., Any], *more: Any, default: Any = None) -> Any:
        return how(keys[name][1], name, *more) if name in keys else default

    before = len(reader.mistakes)
    when = read("when", reader.expression)
    params = read_params(reader, keys)
    let = _let(reader, keys)
    bands = _bands(reader, keys)
    is_sound = is_known and len(reader.mistakes) == before
    valid = _valid(reader, keys)
    alert_text = read("alert", reader.one_of, ("true", "false"), default="true")
    _check_braces(reader, keys, read("say", reader.text, default=""))
    say_node = keys["say"][1] if "say" in keys else None
    identity = read("id", reader.text, default="")
    _check_name(reader, keys, identity)
    title = read("title", reader.text, default="")
    fields: dict[str, Any] = {
        "dimension": read("dimension", reader.one_of, DIMENSIONS),
        "subject": read("subject", reader.text, default="customer"),
        "on": read("on", reader.texts, default=()),
        "status": read("status", reader.one_of, STATUSES),
        "cooldown_ms": read("cooldown", reader.duration_ms, default=DEFAULT_COOLDOWN_MS),
        "half_life_ms": read("half_life", reader.duration_ms, default=None) or None,
        "why": read("why", reader.text, default=""),
        "source": read("source", reader.text, default=""),
        "verification": read("verification", reader.one_of, MARKS, default="D"),
        "triage": read("triage", reader.texts, default=()),
        "disposition": read("disposition", reader.some_of, tuple(DISPOSITIONS), default=()),
        "disclosure": read("disclosure", reader.one_of, DISCLOSURES, default="internal"),
        "owner": read("owner", reader.text, default=""),
    }
    if not is_sound or when is None or not isinstance(say_node, yaml.ScalarNode):
        return None
    # A stand-in for what cannot be used lets the expressions be checked too; the mistake is noted.
    fields["dimension"] = fields["dimension"] if fields["dimension"] in DIMENSIONS else "fraud"
    fields["status"] = fields["status"] if fields["status"] in STATUSES else "live"
    # As text throughout: YAML 1.1 would read the key `on` as true.
    plain = plain_of(root)
    place = Expression(
        say_node.value, Literal(0, "text", say_node.value), reader.file, reader.places(say_node)
    )
    return Rule(
        id=identity, title=title, when=when, let=let, params=params, bands=bands, alert=alert_text == "true",
        say=say_node.value.strip(), say_place=place, valid_from_ms=valid[0], valid_to_ms=valid[1], pack=pack,
        file=reader.file, version=content_hash(plain)[:12], plain=plain,
        places={name: _place(node) for name, (_, node) in keys.items()}, **fields,
    )  # fmt: skip


def _check_keys(reader: Reader, keys: Keys, root: yaml.Node) -> bool:
    """Tell of unknown and missing keys; return whether all are known."""
    known = (*REQUIRED, *OPTIONAL)
    for name, (key, _) in keys.items():
        if name not in known:
            reader.wrong(
                key, f"unknown key {name!r}", nearest(name, known) or f"known keys: {', '.join(known)}"
            )
    is_known = not reader.mistakes
    for name in REQUIRED:
        if name not in keys and not (name == "severity" and "bands" in keys):
            reader.wrong(root, f"{name!r} is missing", f"add `{name}: ...`")
    return is_known


def _check_braces(reader: Reader, keys: Keys, said: str) -> None:
    if set("{}") & set(re.sub(r"\{[^{}]*\}", "", said)):
        reader.wrong(keys["say"][1], "say: a brace is not closed, or opened twice", "write {amount}")


def _check_name(reader: Reader, keys: Keys, identity: str) -> None:
    if identity and Path(reader.file).stem.lower() not in {identity.lower(), "<text>"}:
        reader.wrong(
            keys["id"][1], f"id {identity!r} does not match the file's name", f"name the file {identity}.yaml"
        )


def _place(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def content_hash(plain: Mapping[str, Any]) -> str:
    """Return the hash of what a rule means: all its keys but `status`.

    Examples
    --------
    >>> content_hash({"id": "a", "status": "shadow"}) == content_hash({"id": "a", "status": "live"})
    True
    """
    meaning = {key: value for key, value in plain.items() if key != "status"}
    text = json.dumps(meaning, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _let(reader: Reader, keys: Mapping[str, tuple[yaml.Node, yaml.Node]]) -> dict[str, Expression]:
    if "let" not in keys:
        return {}
    found = {}
    for name, (_, node) in reader.mapping(keys["let"][1], "let").items():
        expression = reader.expression(node, f"let.{name}")
        if expression is not None:
            found[name] = expression
    return found


def _bands(reader: Reader, keys: Mapping[str, tuple[yaml.Node, yaml.Node]]) -> tuple[Band, ...]:
    if "bands" not in keys:
        severity = (
            reader.one_of(keys["severity"][1], "severity", SEVERITIES) if "severity" in keys else "info"
        )
        return (Band(None, _points(reader, keys.get("points")), severity),)
    for name in ("points", "severity"):
        if name in keys:
            reader.wrong(
                keys[name][0], f"{name!r} beside 'bands'", "each band has its own points and severity"
            )
    node = keys["bands"][1]
    bands = []
    for item in node.value if isinstance(node, yaml.SequenceNode) else [node]:
        parts = reader.mapping(item, "a band")
        for name, (key, _) in parts.items():
            if name not in {"when", "points", "severity"}:
                reader.wrong(
                    key, f"unknown key {name!r} in a band", nearest(name, ("when", "points", "severity"))
                )
        when = reader.expression(parts["when"][1], "bands.when") if "when" in parts else None
        severity = (
            reader.one_of(parts["severity"][1], "severity", SEVERITIES) if "severity" in parts else "info"
        )
        bands.append(Band(when, _points(reader, parts.get("points")), severity))
    return tuple(bands)


def _points(reader: Reader, pair: tuple[yaml.Node, yaml.Node] | None) -> float:
    if pair is None:
        return 0.0
    points = reader.number(pair[1], "points")
    if not 0 <= points <= 100:
        reader.wrong(pair[1], f"points: expected 0 to 100, was {points:g}", "high is about 20")
    return points


def _valid(reader: Reader, keys: Mapping[str, tuple[yaml.Node, yaml.Node]]) -> tuple[int | None, int | None]:
    if "valid" not in keys:
        return None, None
    days = reader.mapping(keys["valid"][1], "valid")
    for name, (key, _) in days.items():
        if name not in {"from", "to"}:
            reader.wrong(key, f"unknown key {name!r} in valid", "write from and to")
    return reader.days({name: days[name] for name in ("from", "to") if name in days}, "valid.")


def load_packs(folders: Iterable[Path]) -> list[Rule]:
    """Return all rules of the folders of packs, by id.

    A folder is a pack (its `*.yaml` files) or holds packs. Tests (`*.test.yaml`) and `pack.yaml`
    are passed over.

    Raises
    ------
    RuleError
        With every mistake of every file, doubled ids included.
    """
    rules: dict[str, Rule] = {}
    readable: list[Rule] = []
    mistakes: list[Mistake] = []
    for folder in folders:
        paths = sorted(path for path in folder.rglob("*.yaml") if _is_rule(path))
        if not paths:
            mistakes.append(
                Mistake(str(folder), 1, 1, "no rule found", "name a folder that holds rule files (*.yaml)")
            )
        for path in paths:
            try:
                rule = read_rule(path, path.read_text(encoding="utf-8"), path.parent.name)
            except RuleError as error:
                mistakes.extend(error.mistakes)
                readable.extend(error.readable)
                continue
            except (OSError, UnicodeDecodeError) as error:
                mistakes.append(Mistake(str(path), 1, 1, f"cannot be read: {error}", "save it as UTF-8"))
                continue
            if rule.id in rules:
                other = rules[rule.id].file
                mistakes.append(
                    Mistake(str(path), 1, 1, f"rule {rule.id!r} is also in {other}", "give one another id")
                )
            rules[rule.id] = rule
    if mistakes:
        raise RuleError(mistakes, [*rules.values(), *readable])
    return [rules[name] for name in sorted(rules)]


def _is_rule(path: Path) -> bool:
    return not path.name.endswith(".test.yaml") and path.name != "pack.yaml"


PACK_KEYS = ("purpose", "owner", "sources", "jurisdictions", "predicates", "names")
NAMING_KEYS = ("predicates", "names")
"""Both name expressions that rules share: conditions, and whatever else, aggregates too."""


def applies_in(folder: Path, jurisdiction: str) -> bool:
    """Return whether a pack is meant for a country: it names it among its `jurisdictions`, or names none.

    Raises
    ------
    RuleError
        Where its `pack.yaml` cannot be read.
    """
    path = folder / "pack.yaml"
    if not jurisdiction or not path.exists():
        return True
    reader, root = document(path)
    if reader.mistakes or root is None:
        raise RuleError(reader.mistakes)
    keys = reader.mapping(root, "the file")
    return "jurisdictions" not in keys or jurisdiction in reader.texts(
        keys["jurisdictions"][1], "jurisdictions"
    )


def load_predicates(folders: Iterable[Path]) -> dict[str, Expression]:
    """Return the named expressions of the packs in some folders: `predicates` and `names` of `pack.yaml`.

    Raises
    ------
    RuleError
        With every mistake of every file; a name given twice with another meaning is one, so is one that
        hides a field or rests on itself.
    """
    found: dict[str, Expression] = {}
    mistakes: list[Mistake] = []
    for path in (path for folder in folders for path in sorted(folder.rglob("pack.yaml"))):
        reader, root = document(path)
        for name, (key, node) in _named(reader, root).items():
            expression = reader.expression(node, name)
            if expression is None:
                continue
            if name in found and found[name].node.text() != expression.node.text():
                problem = f"{name!r} means something else in {found[name].file}"
                reader.wrong(key, problem, "give one of them another name")
            if name in load_vocabulary().fields:
                reader.wrong(key, f"{name!r} hides the field of that name", "give it another name")
            found.setdefault(name, expression)
        mistakes.extend(reader.mistakes)
    mistakes += _circles(found)
    if mistakes:
        raise RuleError(mistakes)
    return found


def _named(reader: Reader, root: Any) -> Keys:
    keys = reader.mapping(root, "the file") if root is not None else {}
    for name, (key, _) in keys.items():
        if name not in PACK_KEYS:
            reader.wrong(key, f"unknown key {name!r}", nearest(name, PACK_KEYS))
    for name in PACK_KEYS[:2]:
        if root is not None and name not in keys:
            reader.wrong(root, f"{name!r} is missing", f"add `{name}: ...`")
    found: Keys = {}
    for part in NAMING_KEYS:
        for name, pair in (reader.mapping(keys[part][1], part) if part in keys else {}).items():
            if name in found:
                reader.wrong(pair[0], f"{name!r} is among the predicates too", "keep one")
            found[name] = pair
    return found


def _circles(named: Mapping[str, Expression]) -> Iterator[Mistake]:
    reads = {name: [other for other in names_in(one.node) if other in named] for name, one in named.items()}
    for name, expression in named.items():
        reached, ahead = set[str](), list(reads[name])
        while ahead:
            other = ahead.pop()
            if other not in reached:
                reached.add(other)
                ahead += reads[other]
        if name in reached:
            hint = "write one of them out"
            yield Mistake(expression.file, *expression.place(0), f"{name!r} rests on itself", hint)
