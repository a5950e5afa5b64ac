"""Settings from a YAML file and the environment, strict: every mistake is named, all at once.

Order: the defaults in `monitor.settings`, then the file, then variables `RISKMON_SECTION_NAME`
(`RISKMON_HTTP_PORT=9000`; a list is written as in YAML: `RISKMON_RULES_PACKS='[all, ./own]'`).
A secret `x` may instead be named by `x_file`, the path of a file that holds it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import yaml

from monitor.settings import Settings
from monitor.settings_check import conflicts

DEFAULT_FILE = Path("config/monitor.yaml")
"""Read where no other file is named, if it is there; relative to the working directory."""

_PREFIX = "RISKMON_"
_DURATION = re.compile(r"(\d+)(ms|s|m|h|d)")
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_TEXT, _NULL = "tag:yaml.org,2002:str", "tag:yaml.org,2002:null"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake in a configuration."""

    where: str
    """`file:line:column`, or the name of an environment variable."""
    what: str
    hint: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}\n  hint: {self.hint}"


class SettingsError(ValueError):
    """A configuration has mistakes; `problems` holds all of them, in the order of the file."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


def load_settings(file: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings in force.

    Parameters
    ----------
    file
        The YAML file. None: `DEFAULT_FILE` where there is one, else the defaults in code.
    environ
        Environment variables; those that start with the name of a section count
        (`RISKMON_HTTP_...`), others are somebody else's.

    Raises
    ------
    SettingsError
        With every mistake of the file and of the environment.
    """
    reader = _Reader()
    given: dict[str, Any] = {}
    if file is not None or DEFAULT_FILE.is_file():
        given = reader.file(file or DEFAULT_FILE)
    reader.environment(environ or {}, given)
    settings: Settings = reader.build(Settings, given, "")
    reader.cross_check(settings)
    if reader.problems:
        raise SettingsError(reader.problems)
    return settings


def setting_names(cls: Any = Settings, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield every setting as (names from the section down, default as it is written in the file).

    Examples
    --------
    >>> dict(setting_names())["engine", "grace"]
    '3d'
    """
    hints = get_type_hints(cls)
    for entry in fields(cls):
        below = (*path, _key(entry))
        if is_dataclass(hints[entry.name]):
            yield from setting_names(hints[entry.name], below)
        else:
            yield below, _written(entry)


def variable(path: tuple[str, ...]) -> str:
    """Return the environment variable that sets `path`.

    Examples
    --------
    >>> variable(("http", "port"))
    'RISKMON_HTTP_PORT'
    """
    return _PREFIX + "_".join(path).upper()


def _key(entry: Field[Any]) -> str:
    """The name of a field in the file: a duration says its unit in its value."""
    return entry.name.removesuffix("_ms") if entry.metadata.get("duration") else entry.name


class _Reader:
    """Turns YAML nodes into nested plain values, then into dataclasses; notes every mistake."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.places: dict[str, str] = {}
        """Dotted name of each value given to where it was written."""

    def note(self, where: str, what: str, hint: str) -> None:
        self.problems.append(Problem(where=where, what=what, hint=hint))

    # -- the file

    def file(self, file: Path) -> dict[str, Any]:
        try:
            root = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        except (OSError, UnicodeDecodeError) as error:
            self.note(str(file), f"cannot be read: {error}", "name a readable YAML file in UTF-8")
            return {}
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            where = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file)
            self.note(where, f"this is not YAML: {error.problem}", "mind indentation and quotes")
            return {}
        except yaml.YAMLError as error:
            self.note(str(file), f"this is not YAML: {error}", "mind indentation and quotes")
            return {}
        if root is None:
            return {}
        self.places[""] = str(file)
        read: dict[str, Any] = self.mapping(Settings, root, "", lambda node: _place(file, node))
        return read

    def mapping(self, cls: Any, node: yaml.Node, path: str, place: Callable[[yaml.Node], str]) -> Any:
        if node.tag == _NULL:  # a section with everything commented out
            return {}
        if not isinstance(node, yaml.MappingNode):
            self.note(
                place(node),
                f"{path or 'settings'}: expected a section, was {_shown(node)}",
                "write `name: value` lines",
            )
            return {}
        known = {_key(entry): entry for entry in fields(cls)}
        hints = get_type_hints(cls)
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else _shown(key_node)
            dotted = f"{path}.{key}" if path else key
            if key not in known:
                self.note(place(key_node), f"unknown setting {dotted!r}", _suggestion(key, known))
            elif key in values:
                self.note(place(key_node), f"{dotted} is set twice", "keep one of the two lines")
            else:
                self.places[dotted] = place(value_node)
                values[key] = self.value(hints[known[key].name], known[key], value_node, dotted, place)
        return values

    def value(
        self, kind: Any, entry: Field[Any], node: yaml.Node, path: str, place: Callable[[yaml.Node], str]
    ) -> Any:
        """The checked plain value of a node, or None after noting what is wrong with it."""
        if is_dataclass(kind):
            return self.mapping(kind, node, path, place)
        if get_origin(kind) is tuple:
            value: Any = self.items(get_args(kind)[0], entry, node, path, place)
        else:
            value = self.scalar(kind, entry, node, path, place)
        check = entry.metadata.get("check")
        expected = check(value) if check and value is not None else None
        if expected is None:
            return value
        self.note(
            place(node),
            f"{path}: expected {expected}, was {_shown(node, entry)}",
            _default(entry),
        )
        return None

    def items(
        self, kind: Any, entry: Field[Any], node: yaml.Node, path: str, place: Callable[[yaml.Node], str]
    ) -> tuple[Any, ...] | None:
        if not isinstance(node, yaml.SequenceNode):
            self.note(
                place(node),
                f"{path}: expected a list, was {_shown(node)}",
                "write [a, b], or one `- ` line each",
            )
            return None
        if is_dataclass(kind):
            return tuple(
                self.build(kind, self.mapping(kind, item, f"{path}[{n}]", place), f"{path}[{n}]", place(item))
                for n, item in enumerate(node.value)
            )
        values = [self.scalar(kind, entry, item, f"{path}[{n}]", place) for n, item in enumerate(node.value)]
        return None if None in values else tuple(values)

    def scalar(
        self, kind: type, entry: Field[Any], node: yaml.Node, path: str, place: Callable[[yaml.Node], str]
    ) -> Any:
        if entry.metadata.get("duration"):
            match = _DURATION.fullmatch(node.value) if isinstance(node, yaml.ScalarNode) else None
            if match:
                return int(match[1]) * _UNIT_MS[match[2]]
            expected, hint = "a duration", "write 500ms, 30s, 20m, 72h or 3d"
        elif isinstance(node, yaml.ScalarNode) and node.tag == f"tag:yaml.org,2002:{kind.__name__}":
            return yaml.SafeLoader("").construct_object(node)
        else:
            expected, hint = {
                int: ("a whole number", "digits only, without quotes"),
                str: ("text", "put it in quotes"),
                bool: ("true or false", "without quotes"),
            }[kind]
        self.note(place(node), f"{path}: expected {expected}, was {_shown(node, entry)}", hint)
        return None

    # -- the environment

    def environment(self, environ: Mapping[str, str], given: dict[str, Any]) -> None:
        names = {variable(path): path for path, _ in setting_names()}
        sections = tuple(f"{_PREFIX}{entry.name.upper()}_" for entry in fields(Settings))
        for name in sorted(environ):
            if name in names:
                self.override(name, names[name], environ[name], given)
            elif name.startswith(sections):
                self.note(name, "unknown setting", _suggestion(name, names))

    def override(self, name: str, path: tuple[str, ...], text: str, given: dict[str, Any]) -> None:
        cls: Any = Settings
        for key in path[:-1]:
            cls = get_type_hints(cls)[key]
            given = given.setdefault(key, {})
        entry = next(entry for entry in fields(cls) if _key(entry) == path[-1])
        kind = get_type_hints(cls)[entry.name]
        dotted = ".".join(path)
        if kind is str:  # as it stands: a URL or a password needs no YAML quotes
            node: yaml.Node | None = yaml.ScalarNode(_TEXT, text)
        else:
            try:
                node = yaml.compose(text, Loader=yaml.SafeLoader)
            except yaml.YAMLError:
                node = None
        if node is None:
            self.note(name, f"{dotted}: cannot be read: {text!r}", _default(entry))
            return
        self.replace_secret(cls, path, given)
        self.places[dotted] = name
        given[path[-1]] = self.value(kind, entry, node, dotted, lambda _: name)

    def replace_secret(self, cls: Any, path: tuple[str, ...], given: dict[str, Any]) -> None:
        """A variable with a secret takes the place of the file's `x_file` too, and the reverse."""
        name = path[-1]
        other = name.removesuffix("_file") if name.endswith("_file") else f"{name}_file"
        names = {_key(entry) for entry in fields(cls)}
        if other in names and not self.places.get(".".join((*path[:-1], other)), "").startswith(_PREFIX):
            given.pop(other, None)

    # -- dataclasses

    def build(self, cls: Any, given: Mapping[str, Any], path: str, where: str = "") -> Any:
        """Make a `cls` of the values given; what is missing or was wrong gets its default."""
        hints = get_type_hints(cls)
        values: dict[str, Any] = {}
        for entry in fields(cls):
            key, dotted = _key(entry), f"{path}.{_key(entry)}" if path else _key(entry)
            if is_dataclass(hints[entry.name]):
                values[entry.name] = self.build(hints[entry.name], given.get(key) or {}, dotted)
            elif given.get(key) is not None:
                values[entry.name] = given[key]
            elif where and key not in given and _required(entry):
                self.note(where, f"{path}: {key} is missing", f"add `{key}: ...`")
        self.secrets(cls, values, path, where)
        return cls(**values)

    def secrets(self, cls: Any, values: dict[str, Any], path: str, where: str) -> None:
        secrets = {entry.name: entry for entry in fields(cls) if not entry.repr}
        for secret, entry in secrets.items():
            key = f"{secret}_file"
            if not values.get(key):
                continue
            place = self.places.get(f"{path}.{key}", where)
            if values.get(secret):
                self.note(
                    place,
                    f"{path}: {secret} and {key} are both set",
                    f"keep at most one of {secret} and {key}",
                )
            else:
                values[secret] = self.secret(entry, values[key], f"{path}.{key}", place)

    def secret(self, entry: Field[Any], file: str, path: str, place: str) -> str:
        """The checked content of the file of a secret, or nothing after noting what is wrong."""
        try:
            content = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            self.note(
                place,
                f"{path}: cannot be read: {error}",
                "name a readable file that holds only the secret",
            )
            return ""
        check = entry.metadata.get("check")
        expected = check(content) if check else None
        if expected is not None:
            self.note(place, f"{path}: expected {expected} in the file", "keep only the secret in it")
        return "" if expected is not None else content

    def cross_check(self, settings: Settings) -> None:
        """What no single value can say."""
        for path, what, hint in conflicts(settings):
            self.note(self.places.get(path, path), f"{path}: {what}", hint)


def _place(file: Path, node: yaml.Node) -> str:
    return f"{file}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"


def _shown(node: yaml.Node, entry: Field[Any] | None = None) -> str:
    if entry is not None and not entry.repr:
        return "something else"  # a secret is not repeated in a message
    if isinstance(node, yaml.MappingNode):
        return "a section"
    if isinstance(node, yaml.SequenceNode):
        return "[" + ", ".join(_shown(item) for item in node.value) + "]"
    return repr(node.value) if node.tag == _TEXT else node.value or "nothing"


def _written(entry: Field[Any]) -> str:
    """A default as it is written in the file."""
    default: Any = entry.default
    if entry.metadata.get("duration"):
        unit = next(unit for unit in ("d", "h", "m", "s", "ms") if default % _UNIT_MS[unit] == 0)
        return f"{default // _UNIT_MS[unit]}{unit}"
    if isinstance(default, tuple):
        return "[" + ", ".join(map(str, default)) + "]"
    return str(default) or '""'


def _default(entry: Field[Any]) -> str:
    return "there is no default" if _required(entry) else f"the default is {_written(entry)}"


def _required(entry: Field[Any]) -> bool:
    """An item of a list has no default for what its check would refuse."""
    check = entry.metadata.get("check")
    return check is not None and check(entry.default) is not None


def _suggestion(name: str, known: Mapping[str, Any]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}"
