"""What the vocabulary becomes at start: one struct and one builder function a kind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from monitor.core.events import Event, reference
from rules.vocabulary import Field, Kind, Vocabulary
from streams.faults import COUNTRIES, MAX_COUNT, MAX_DEPTH, MAX_ID, depth
from streams.rates import Exchange, money_units, signed_units

Builder = Callable[[Any, bytes], Event]
"""From a struct and its record to the event; ValueError or LookupError on what structs cannot check."""
_DAY_MS = 86_400_000
_EPOCH_DAY = date(1970, 1, 1).toordinal()


def struct(kind: Kind, vocabulary: Vocabulary, currencies: frozenset[str]) -> type[Any]:
    """Build the struct of a kind: unknown fields refused, nothing sent = None, objects always there."""
    flat: list[tuple[Any, ...]] = []
    nested: dict[str, list[tuple[Any, ...]]] = {}
    for name in kind.fields:
        outer, dot, inner = name.partition(".")
        needed = name in kind.required
        if name == "event_type":
            continue
        spec = _member(inner if dot else name, _type(vocabulary.fields[name], currencies), needed=needed)
        (nested.setdefault(outer, []) if dot else flat).append(spec)
    for outer, members in nested.items():
        flat.append(_object(outer, members))
    flat.append(("ext", dict[str, Any] | None, None))
    return msgspec.defstruct(
        "".join(part.capitalize() for part in kind.name.replace("_", ".").split(".")),
        flat,
        kw_only=True,
        gc=False,
        tag=kind.name,
        tag_field="event_type",
        forbid_unknown_fields=True,
        namespace={"event_type": kind.name},
    )


def _member(name: str, value_type: Any, *, needed: bool) -> tuple[Any, ...]:
    return (name, value_type) if needed else (name, value_type | None, None)


def _object(name: str, members: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Build a nested object; where none of it is required, an empty one stands in when it is not sent."""
    struct = msgspec.defstruct(
        name.capitalize(), members, kw_only=True, gc=False, frozen=True, forbid_unknown_fields=True
    )
    if any(len(member) == 2 for member in members):  # (name, type) has no default
        return (name, struct)
    return (name, struct, struct())


def _type(field: Field, currencies: frozenset[str]) -> Any:
    match field.type:
        case "enum":
            return Literal[field.values]
        case "currency":
            return Literal[tuple(sorted(currencies))]
        case "count":
            least = 0 if field.min is None else int(field.min)
            return Annotated[int, Meta(ge=least, le=MAX_COUNT if field.max is None else int(field.max))]
        case "number":
            return Annotated[float, Meta(ge=field.min, le=field.max)]
        case _:
            return _TYPES[field.type]


_TYPES: dict[str, Any] = {
    "id": Annotated[str, Meta(min_length=1, max_length=MAX_ID)],
    "text": str,
    "bool": bool,
    "money": str,
    "country": Literal[tuple(sorted(COUNTRIES))],
    "time": Annotated[datetime, Meta(tz=True)],
    "date": date,
    "duration": timedelta,
    "list_of_text": list[str],
}


# -------------------------------------------------------- builders: one generated function a kind


def builder(kind: Kind, vocabulary: Vocabulary, money: Exchange) -> Builder:
    """Generate the function that turns a struct of this kind into an event.

    It is written out, field by field, because it runs for every event: a loop over fields costs more
    than decoding the record.
    """
    fields = [vocabulary.fields[name] for name in kind.fields if name not in ("event_type", "occurred_at")]
    lines = [
        "def build(d, body):",
        " t = d.occurred_at",
        " try: away = offsets[t.tzinfo]",
        " except KeyError: away = offset_ms(t)",
        " s = t.hour * 3600 + t.minute * 60 + t.second",
        " ms = t.toordinal() * 86400000 + s * 1000 + t.microsecond // 1000 - away",
        " if ms < 0: raise ValueError",
        " d.occurred_at = ms",
    ]
    for field in fields:
        lines += [f" {line}" for line in _conversion(field, kind, money)]
    lines += [
        " if d.ext is not None and depth(d.ext) >= limit: raise ValueError",
        " i = d.event_id",
        f" return Event({kind.name!r}, i, reference(d.source_system or '', i), ms, d, body)",
    ]
    scope: dict[str, Any] = {
        "Event": Event,
        "reference": reference,
        "offsets": _offsets,
        "offset_ms": _offset_ms,
        "time_ms": _time_ms,
        "date_ms": _date_ms,
        "span_ms": _span_ms,
        "money": money_units,
        "signed": signed_units,
        "exchange": money.units,
        "force": msgspec.structs.force_setattr,
        "depth": depth,
        "limit": MAX_DEPTH,
    }
    exec("\n".join(lines), scope)  # noqa: S102 - made from the vocabulary alone
    built: Builder = scope["build"]
    return built


_CONVERSIONS = {"time": "time_ms(v)", "date": "date_ms(v)", "duration": "span_ms(v)"}


def _conversion(field: Field, kind: Kind, money: Exchange) -> list[str]:
    """Return the lines that put the engine's value (ms, ten-thousandths) in place of the sent one."""
    outer, dot, inner = field.name.partition(".")
    if field.type == "money":
        value = f"{'signed' if field.min is None else 'money'}(v)"
        unit = field.unit or "currency"
        if unit in kind.fields:
            value = f"{value} if d.{unit} in (None, {money.base!r}) else exchange({value}, d.{unit}, ms)"
    elif field.type in _CONVERSIONS:
        value = _CONVERSIONS[field.type]
    else:
        return []
    put = f"force(d.{outer}, {inner!r}, {value})" if dot else f"d.{field.name} = {value}"
    if field.name in kind.required:
        return [f"v = d.{field.name}", put]
    return [f"v = d.{field.name}", f"if v is not None: {put}"]


_offsets: dict[Any, int] = {}
"""Milliseconds to take off for a zone (and for the years before 1970); at most one a minute of offset."""


def _offset_ms(moment: datetime) -> int:
    away = moment.utcoffset() or timedelta()
    return _offsets.setdefault(moment.tzinfo, _EPOCH_DAY * _DAY_MS + _span_ms(away))


def _time_ms(moment: datetime) -> int:
    seconds = moment.hour * 3600 + moment.minute * 60 + moment.second
    return moment.toordinal() * _DAY_MS + seconds * 1000 + moment.microsecond // 1000 - _offset_ms(moment)


def _date_ms(day: date) -> int:
    return (day.toordinal() - _EPOCH_DAY) * _DAY_MS


def _span_ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
