"""The vocabulary: which events exist, what their fields mean, and whose state they touch.

Data lives in the YAML files of this package; `load_vocabulary` reads them, everything else is plain and pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from rules.errors import nearest

TYPES = frozenset(
    {
        "id", "text", "enum", "bool", "count", "number", "money", "currency", "country",
        "time", "date", "duration", "list_of_text",
    }
)  # fmt: skip
"""Types a field may have. Times and dates reach rules as epoch ms, durations as ms, money as 1e-4 units."""
PII_CLASSES = ("C1", "C2", "C3")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same, ten times as fast where it is built
PURPOSES = ("any", "fraud_only", "aml_only")


class VocabularyError(ValueError):
    """The vocabulary contradicts itself; the message lists every mistake, one a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One name of the dictionary: it means the same in every kind of event."""

    name: str
    """Dotted for nested objects: `counterparty.account`."""
    type: str
    """One of `TYPES`."""
    about: str
    values: tuple[str, ...] = ()
    """Allowed values of an enum, in the order of the file."""
    pii: str = "C1"
    purpose: str = "any"
    """`fraud_only` fields may be read by rules of the fraud dimension alone."""
    min: float | None = None
    max: float | None = None
    """Inclusive bounds; money in currency units."""
    unit: str | None = None
    """Unit of a number; of money, the field that names its currency (default: `currency`)."""
    since: str = "1.0"
    source: str | None = None
    """Profile and account fields: the event field the value is taken from."""
    kinds: tuple[str, ...] = ()
    """Profile and account fields: the kinds of events that set it."""
    value_of: str | None = None
    """Profile and account fields: `time` where the first event's time stands in for a value not sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of event."""

    name: str
    about: str
    group: str
    fields: tuple[str, ...]
    """Every field it may carry, the envelope first; dotted names."""
    required: frozenset[str]
    subjects: tuple[str, ...]
    """Subjects an event of this kind may touch (those whose field it may carry)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Somebody or something that has a state of its own."""

    name: str
    field: str
    """The field that holds the subject's id."""
    about: str = ""
    within: str | None = None
    """The subject in whose state it lives; None = it has a state of its own."""
    rare: bool = False
    """Few rules ask for it: a key written as its field stays within the rule's own subject."""
    otherwise: str | None = None
    """The id where the field was not sent; None = the event names no such subject."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Everything that may be said in events and asked in rules."""

    fields: dict[str, Field]
    kinds: dict[str, Kind]
    subjects: dict[str, Subject]
    profile: dict[str, Field]
    account: dict[str, Field]

    def match(self, pattern: str) -> tuple[str, ...]:
        """Return the kinds a name stands for: itself, or all below `cash.*`; empty when there are none.

        Examples
        --------
        >>> load_vocabulary().match("fx.*")
        ('fx.purchase', 'fx.settlement')
        >>> load_vocabulary().match("payment.transfre")
        ()
        """
        if pattern == "*":
            return tuple(self.kinds)
        if pattern.endswith(".*"):
            return tuple(name for name in self.kinds if name.startswith(pattern[:-1]))
        return (pattern,) if pattern in self.kinds else ()

    @classmethod
    def from_plain(
        cls,
        fields: Mapping[str, Any],
        kinds: Mapping[str, Any],
        subjects: Mapping[str, Any],
        profile: Mapping[str, Any],
    ) -> Vocabulary:
        """Build the vocabulary from the plain content of its four files.

        Raises
        ------
        VocabularyError
            With every mistake found.
        """
        mistakes: list[str] = []
        dictionary = _fields(fields, mistakes)
        people = _subjects(subjects, dictionary, mistakes)
        events = _kinds(kinds, dictionary, people, mistakes)
        built = cls(
            fields=dictionary,
            kinds=events,
            subjects=people,
            profile=_profile(profile.get("customer", {}), dictionary, events, mistakes),
            account=_profile(profile.get("account", {}), dictionary, events, mistakes),
        )
        if mistakes:
            raise VocabularyError("\n".join(mistakes))
        return built


@cache
def load_vocabulary() -> Vocabulary:
    """Read the vocabulary that ships with this package (once a process)."""
    here = files(__name__)
    plain = [
        yaml.load(here.joinpath(f"{name}.yaml").read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506
        for name in ("fields", "kinds", "subjects", "profile")
    ]
    return Vocabulary.from_plain(*plain)


def _fields(plain: Mapping[str, Any], mistakes: list[str]) -> dict[str, Field]:
    found = {}
    for name, given in plain.items():
        entry = {**given, "values": tuple(given.get("values", ()))}
        try:
            field = Field(name=name, **entry)
        except TypeError as error:
            mistakes.append(f"fields.yaml: {name}: {error}")
            continue
        mistakes.extend(f"fields.yaml: {name}: {problem}" for problem in _field_problems(field))
        found[name] = field
    return found


def _field_problems(field: Field) -> Iterator[str]:
    if field.type not in TYPES:
        yield f"unknown type {field.type!r}, expected one of {', '.join(sorted(TYPES))}"
    if (field.type == "enum") != bool(field.values):
        yield "an enum, and nothing else, has values"
    if field.pii not in PII_CLASSES:
        yield f"unknown pii class {field.pii!r}, expected one of {', '.join(PII_CLASSES)}"
    if field.purpose not in PURPOSES:
        yield f"unknown purpose {field.purpose!r}, expected one of {', '.join(PURPOSES)}"


def _subjects(
    plain: Mapping[str, Any], fields: Mapping[str, Field], mistakes: list[str]
) -> dict[str, Subject]:
    found = {name: Subject(name=name, **given) for name, given in plain.items()}
    for subject in found.values():
        if subject.field not in fields:
            mistakes.append(_unknown("subjects.yaml", subject.name, "field", subject.field, fields))
        if subject.within is not None and subject.within not in found:
            mistakes.append(_unknown("subjects.yaml", subject.name, "subject", subject.within, found))
    return found


def _kinds(
    plain: Mapping[str, Any],
    fields: Mapping[str, Field],
    subjects: Mapping[str, Subject],
    mistakes: list[str],
) -> dict[str, Kind]:
    sets = plain.get("sets", {})
    envelope = plain["envelope"]

    def expand(where: str, names: Sequence[str]) -> list[str]:
        expanded: list[str] = []
        for name in names:
            if name.startswith("$") and name[1:] in sets:
                expanded += expand(where, sets[name[1:]])
            elif name.endswith(".*") and any(field.startswith(name[:-1]) for field in fields):
                expanded += [field for field in fields if field.startswith(name[:-1])]
            elif name in fields:
                expanded.append(name)
            else:
                known = [*fields, *(f"${one}" for one in sets)]
                mistakes.append(_unknown("kinds.yaml", where, "field", name, known))
        return expanded

    common = (envelope["requires"], envelope["may"])
    found = {}
    for name, given in plain["kinds"].items():
        required = expand(name, [*common[0], *given.get("requires", ())])
        carried = tuple(dict.fromkeys([*required, *expand(name, [*common[1], *given.get("may", ())])]))
        found[name] = Kind(
            name=name,
            about=given["about"],
            group=given["group"],
            fields=carried,
            required=frozenset(required),
            subjects=() if name == "tick" else tuple(s.name for s in subjects.values() if s.field in carried),
        )
    return found


def _profile(
    plain: Mapping[str, Any], fields: Mapping[str, Field], kinds: Mapping[str, Kind], mistakes: list[str]
) -> dict[str, Field]:
    found = {}
    for name, given in plain.items():
        source = given.get("field", name)
        if source not in fields:
            mistakes.append(_unknown("profile.yaml", name, "field", source, fields))
            continue
        for kind in given["kinds"]:
            if kind not in kinds:
                mistakes.append(_unknown("profile.yaml", name, "kind", kind, kinds))
            elif source not in kinds[kind].fields:
                mistakes.append(f"profile.yaml: {name}: {kind} never carries {source!r}")
        found[name] = replace(
            fields[source],
            name=name,
            source=source,
            kinds=tuple(given["kinds"]),
            value_of=given.get("value_of"),
        )
    return found


def _unknown(file: str, where: str, what: str, name: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    hint = nearest(name, list(known))
    return f"{file}: {where}: unknown {what} {name!r}" + (f"\n  hint: {hint}" if hint else "")
