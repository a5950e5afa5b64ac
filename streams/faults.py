"""What is wrong with a record: every fault, with its path and what to send instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from rules.errors import nearest
from rules.vocabulary import Field, Kind, Vocabulary
from streams.rates import MAX_AMOUNT, MAX_DECIMALS

REASONS = (
    "malformed", "oversize", "unknown_kind", "missing_field", "wrong_type", "bad_value",
    "absurd_time", "absurd_amount", "unknown_currency", "unmappable", "engine_failed",
)  # fmt: skip
"""Why a record was refused: the closed set used in metrics, dead letters and answers."""
MAX_BYTES = 1 << 20
"""Largest record taken, bytes."""
MAX_ID = 128
"""Longest id, characters."""
MAX_DEPTH = 32
"""Deepest nesting of a record."""
MAX_COUNT = 10**15
MAX_AHEAD_MS = 86_400_000
"""How far an event may lie in the future, where the present is known: a day."""
_COUNTRY_CODES = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR "
    "BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ "
    "EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW "
    "GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY "
    "KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV "
    "MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY "
    "QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG "
    "TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA "
    "ZM ZW"
)
COUNTRIES = frozenset(_COUNTRY_CODES.split())
"""ISO 3166-1 alpha-2, and XK (Kosovo, user-assigned but in common use)."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a record."""

    path: str
    """Dotted path of the field, `$` for the whole record."""
    problem: str
    hint: str = ""

    def __str__(self) -> str:
        """Return `path: problem (hint: ...)`."""
        return f"{self.path}: {self.problem}" + (f" (hint: {self.hint})" if self.hint else "")


@dataclass(frozen=True, slots=True)
class Rejection:
    """A record that is no event, with everything that is wrong with it."""

    record: bytes
    """As received."""
    reason: str
    """One of `REASONS`: that of the first fault."""
    faults: tuple[Fault, ...]
    event_id: str | None = None
    """The id the record claims, where one can be read."""

    def plain(self) -> dict[str, Any]:
        """Return what is told of it: reason, id and faults, without the record."""
        faults = [{"path": f.path, "problem": f.problem, "hint": f.hint} for f in self.faults]
        return {"event_id": self.event_id, "reason": self.reason, "faults": faults}


Found = tuple[str, Fault]
"""A reason with its fault."""


def tidy(
    record: Mapping[str, Any], known: frozenset[str], objects: Mapping[str, frozenset[str]]
) -> dict[str, Any]:
    """Return the record with unknown fields moved to `ext` and objects that are null left out.

    A field unknown inside a known object is kept as `ext["object.field"]`. What `ext` already holds
    stays; a name that is taken gets a `$.` in front. Something else than an object in `ext` is left
    alone (and is a fault).
    """
    ext = record.get("ext")
    kept: dict[str, Any] = dict(ext) if isinstance(ext, dict) else {}
    clean: dict[str, Any] = {}
    for name, value in record.items():
        if name in objects and isinstance(value, dict):
            clean[name] = _tidy_object(name, value, objects[name], kept)
        elif name in objects and value is None:
            continue
        elif name in known or name in objects:
            clean[name] = value
        elif name != "ext":
            kept[f"$.{name}" if name in kept else name] = value
    if kept or isinstance(ext, dict):
        clean["ext"] = kept
    elif ext is not None:
        clean["ext"] = ext
    return clean


def _tidy_object(
    name: str, value: Mapping[str, Any], known: frozenset[str], kept: dict[str, Any]
) -> dict[str, Any]:
    clean = {}
    for inner, given in value.items():
        path = f"{name}.{inner}"
        if path in known:
            clean[inner] = given
        else:
            kept[f"$.{path}" if path in kept else path] = given
    return clean


def depth(value: Any, limit: int = MAX_DEPTH) -> int:
    """Return how deep lists and objects nest, at most `limit + 1`.

    Examples
    --------
    >>> depth(1), depth([]), depth({"a": [1]})
    (0, 1, 2)
    """
    level, here = 0, [value]
    while here and level <= limit:
        inner: list[Any] = []
        found = False
        for one in here:
            if isinstance(one, dict):
                found = True
                inner.extend(one.values())
            elif isinstance(one, list):
                found = True
                inner.extend(one)
        if not found:
            return level
        level, here = level + 1, inner
    return level


def examine(
    record: Mapping[str, Any],
    kind: Kind,
    vocabulary: Vocabulary,
    currencies: frozenset[str],
    now_ms: int | None = None,
) -> Iterator[Found]:
    """Yield every fault of a tidied record, in the order of the kind's fields."""
    if not isinstance(record.get("ext", {}), dict):
        yield "wrong_type", Fault("ext", f"expected an object, was {_shown(record['ext'])}")
    for name in sorted({name.partition(".")[0] for name in kind.fields if "." in name}):
        if not isinstance(record.get(name, {}), dict):
            yield "wrong_type", Fault(name, f"expected an object, was {_shown(record[name])}")
    for name in kind.fields:
        field, value = vocabulary.fields[name], _at(record, name)
        if value is None:
            if name in kind.required:
                hint = f"{kind.name} requires {name}: {field.about}"
                yield "missing_field", Fault(name, "is missing", hint)
            continue
        yield from _field_faults(field, value, currencies, now_ms)
    yield from _nul_faults("$", record)


def unknown_kind(record: Mapping[str, Any], vocabulary: Vocabulary) -> Found | None:
    """Return the fault of the record's event type, or None where the vocabulary knows it."""
    given = record.get("event_type")
    if given is None:
        return "missing_field", Fault("event_type", "is missing", "write a kind, e.g. payment.transfer")
    if not isinstance(given, str):
        return "wrong_type", Fault("event_type", f"expected a text, was {_shown(given)}")
    if given in vocabulary.kinds:
        return None
    hint = nearest(given, vocabulary.kinds) or "the kinds are in rules/vocabulary/kinds.yaml"
    return "unknown_kind", Fault("event_type", f"unknown kind {_shown(given)}", hint)


def _at(record: Mapping[str, Any], name: str) -> Any:
    outer, dot, inner = name.partition(".")
    value = record.get(outer)
    if not dot:
        return value
    return value.get(inner) if isinstance(value, dict) else None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _field_faults(
    field: Field, value: Any, currencies: frozenset[str], now_ms: int | None
) -> Iterator[Found]:
    if field.type == "currency":
        yield from _currency(field, value, currencies)
    elif field.name == "occurred_at":
        yield from _moment(field, value, now_ms)
    else:
        yield from _CHECKS[field.type](field, value)


def _currency(field: Field, value: Any, currencies: frozenset[str]) -> Iterator[Found]:
    if not isinstance(value, str):
        yield _wrong(field, value, "an ISO 4217 code such as EUR")
    elif value not in currencies:
        hint = nearest(value, currencies) or "add its rate to config/lists/fx_rates.yaml"
        yield "unknown_currency", Fault(field.name, f"no rate for currency {_shown(value)}", hint)


def _moment(field: Field, value: Any, now_ms: int | None) -> Iterator[Found]:
    found = _converted(value, datetime)
    if found is None or found.tzinfo is None:
        yield from _time(field, value)
        return
    at_ms = found.timestamp() * 1000
    if at_ms < 0:
        yield "absurd_time", Fault(field.name, f"{value!r} is before 1970", "send when the event happened")
    elif now_ms is not None and at_ms > now_ms + MAX_AHEAD_MS:
        yield (
            "absurd_time",
            Fault(field.name, f"{value!r} is more than a day ahead", "check clock and zone of the sender"),
        )


def _time(field: Field, value: Any) -> Iterator[Found]:
    found = _converted(value, datetime)
    if found is None:
        yield _wrong(field, value, "a time such as 2026-03-02T09:15:27+08:00")
    elif found.tzinfo is None:
        yield "wrong_type", Fault(field.name, f"{value!r} has no offset", "write +08:00 or Z after the time")


def _date(field: Field, value: Any) -> Iterator[Found]:
    if _converted(value, date) is None:
        yield _wrong(field, value, "a date such as 2026-03-02")


def _duration(field: Field, value: Any) -> Iterator[Found]:
    if _converted(value, timedelta) is None:
        yield _wrong(field, value, "an ISO 8601 duration such as PT5M")


def _id(field: Field, value: Any) -> Iterator[Found]:
    if not isinstance(value, str):
        yield _wrong(field, value, "a quoted id")
    elif not value:
        yield "bad_value", Fault(field.name, "is empty", "leave it out, or send the id")
    elif len(value) > MAX_ID:
        yield "bad_value", Fault(field.name, f"has {len(value)} characters, expected at most {MAX_ID}")


def _text(field: Field, value: Any) -> Iterator[Found]:
    if not isinstance(value, str):
        yield _wrong(field, value, "a quoted text")


def _enum(field: Field, value: Any) -> Iterator[Found]:
    if not isinstance(value, str):
        yield _wrong(field, value, f"one of {', '.join(field.values)}")
    elif value not in field.values:
        hint = nearest(value, field.values)
        problem = f"expected one of {', '.join(field.values)}, was {_shown(value)}"
        yield "bad_value", Fault(field.name, problem, hint)


def _country(field: Field, value: Any) -> Iterator[Found]:
    if not isinstance(value, str):
        yield _wrong(field, value, "an ISO 3166-1 code of two letters such as CN")
    elif value not in COUNTRIES:
        upper = value.upper()
        hint = f"write {upper}" if upper in COUNTRIES else "write two capital letters, e.g. CN"
        yield "bad_value", Fault(field.name, f"unknown country {_shown(value)}", hint)


def _bool(field: Field, value: Any) -> Iterator[Found]:
    if not isinstance(value, bool):
        yield _wrong(field, value, "true or false, without quotes")


def _count(field: Field, value: Any) -> Iterator[Found]:
    if isinstance(value, bool) or not isinstance(value, int):
        yield _wrong(field, value, "a whole number without quotes")
    else:
        least = 0 if field.min is None else field.min
        most = MAX_COUNT if field.max is None else field.max
        yield from _bounds(field, value, least, most)


def _number(field: Field, value: Any) -> Iterator[Found]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        yield _wrong(field, value, "a number without quotes")
    else:
        yield from _bounds(field, value, field.min, field.max)


def _bounds(field: Field, value: float, least: float | None, most: float | None) -> Iterator[Found]:
    if least is not None and value < least:
        yield "bad_value", Fault(field.name, f"expected at least {least:g}, was {value}")
    elif most is not None and value > most:
        yield "bad_value", Fault(field.name, f"expected at most {most:g}, was {value}")


_LONGEST = 13
_MONEY = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?")


def _money(field: Field, value: Any) -> Iterator[Found]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        problem = f"expected a quoted decimal, was the number {value}"
        yield "wrong_type", Fault(field.name, problem, f'write "{value}"')
        return
    if not isinstance(value, str):
        yield _wrong(field, value, 'a quoted decimal such as "12.50"')
        return
    match = _MONEY.fullmatch(value)
    if match is None:
        hint = 'write digits and a point: "1250.00"'
        yield "wrong_type", Fault(field.name, f"{_shown(value)} is no amount", hint)
        return
    sign, whole, decimals = match[1], match[2], match[3] or ""
    if len(decimals) > MAX_DECIMALS:
        problem = f"{_shown(value)} has more than {MAX_DECIMALS} decimals"
        yield "absurd_amount", Fault(field.name, problem, "round it")
    if sign and field.min is not None:
        hint = "amounts are positive; use direction"
        yield "absurd_amount", Fault(field.name, f"{_shown(value)} is negative", hint)
    if len(whole.lstrip("0")) > _LONGEST or Decimal(f"{whole}.{decimals}0") > MAX_AMOUNT:
        yield "absurd_amount", Fault(field.name, f"{_shown(value)} is above 1e12", "check the unit")


def _list_of_text(field: Field, value: Any) -> Iterator[Found]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        yield _wrong(field, value, "a list of texts")


def _nul_faults(path: str, value: Any) -> Iterator[Found]:
    """Yield one fault a text with a NUL: neither databases nor terminals take them."""
    if isinstance(value, str) and "\0" in value:
        yield "bad_value", Fault(path, "contains a NUL character", "remove it")
    elif isinstance(value, dict):
        for name, inner in value.items():
            here = name if path == "$" else f"{path}.{name}"
            yield from _nul_faults(here.replace("\0", "\\0"), inner)
            if "\0" in name:
                shown = here.replace("\0", "\\0")
                yield "bad_value", Fault(shown, "the name contains a NUL character", "remove it")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _nul_faults(f"{path}[{number}]", inner)


def _wrong(field: Field, value: Any, expected: str) -> Found:
    return "wrong_type", Fault(field.name, f"expected {expected}, was {_shown(value)}")


def _converted(value: Any, to: type[Any]) -> Any:
    if not isinstance(value, str):
        return None
    try:
        return msgspec.convert(value, to)
    except (msgspec.MsgspecError, ValueError, OverflowError):
        return None


_CHECKS: dict[str, Callable[[Field, Any], Iterator[Found]]] = {
    "id": _id,
    "text": _text,
    "enum": _enum,
    "bool": _bool,
    "count": _count,
    "number": _number,
    "money": _money,
    "country": _country,
    "time": _time,
    "date": _date,
    "duration": _duration,
    "list_of_text": _list_of_text,
}
