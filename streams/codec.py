"""Records to events and back: strict, exact, and never in the way of the next record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Union

import msgspec
import orjson

from monitor.core.events import Event
from rules.vocabulary import Vocabulary
from streams.faults import (
    MAX_AHEAD_MS,
    MAX_BYTES,
    MAX_DEPTH,
    MAX_ID,
    Fault,
    Found,
    Rejection,
    depth,
    examine,
    tidy,
    unknown_kind,
)
from streams.rates import Exchange, Rates
from streams.structs import Builder, builder, struct

__all__ = ["Codec", "Fault", "Rejection", "encode"]

_NEWLINE, _BACKSLASH, _NUL = 0x0A, 0x5C, b"\\u0000"  # looking for one byte is ten times as fast as for b"x"
_REFUSED = (msgspec.MsgspecError, ValueError, RecursionError, LookupError, OverflowError)


class Codec:
    """Decode records against the vocabulary.

    A good record is decoded by structs generated from the vocabulary; only a refused one is looked at
    field by field, to tell everything that is wrong with it. A name sent twice counts with its last
    value, as in JSON. An explicit `null` in an optional field is the same as not sending it.

    Parameters
    ----------
    vocabulary
        Kinds and fields.
    base_currency
        What amounts are converted to.
    rates
        Dated rates; without them only the base currency is taken.

    Examples
    --------
    >>> from rules.vocabulary import load_vocabulary
    >>> codec = Codec(load_vocabulary(), "EUR")
    >>> event = codec.decode(b'{"event_id":"e1","event_type":"cash.deposit","occurred_at":'
    ...     b'"1970-01-02T00:00:00Z","customer_id":"c1","amount":"12.50","currency":"EUR"}')
    >>> event.time_ms, event.data.amount, event.data.counterparty.name
    (86400000, 125000, None)
    >>> print(codec.decode(b'{"event_id":"e1","event_type":"tikc"}').faults[0])
    event_type: unknown kind 'tikc' (hint: did you mean 'tick'?)
    """

    def __init__(self, vocabulary: Vocabulary, base_currency: str, rates: Rates | None = None) -> None:
        self._vocabulary = vocabulary
        self._exchange = Exchange(base_currency, rates)
        self.currencies = self._exchange.currencies
        """Currencies amounts may be sent in."""
        self._known = {kind.name: frozenset(kind.fields) for kind in vocabulary.kinds.values()}
        self._objects = _objects(vocabulary)
        structs = {struct(kind, vocabulary, self.currencies): kind for kind in vocabulary.kinds.values()}
        self._decode = msgspec.json.Decoder(Union[tuple(structs)]).decode  # noqa: UP007 - made at run time
        self._builders: dict[type[Any], Builder] = {
            made: builder(kind, vocabulary, self._exchange) for made, kind in structs.items()
        }

    def decode(self, record: bytes, now_ms: int | None = None) -> Event | Rejection:
        """Return the event, or everything that is wrong with the record; never raises.

        Parameters
        ----------
        record
            One JSON object.
        now_ms
            Where given, an event more than a day ahead of it is refused.
        """
        try:
            if len(record) > MAX_BYTES or _NEWLINE in record or (_BACKSLASH in record and _NUL in record):
                return self._examine(record, now_ms)
            data = self._decode(record)
            event = self._builders[type(data)](data, record)
        except _REFUSED:
            return self._examine(record, now_ms)
        if now_ms is not None and event.time_ms > now_ms + MAX_AHEAD_MS:
            return self._examine(record, now_ms)
        return event

    def decode_many(self, records: Iterable[bytes], now_ms: int | None = None) -> list[Event | Rejection]:
        """Decode records one by one, in order: a bad one does not touch its neighbours."""
        decode = self.decode
        return [decode(record, now_ms) for record in records]

    def _examine(self, record: bytes, now_ms: int | None) -> Event | Rejection:
        """Take a second, slow look: put unknown fields into `ext` and try again, or tell every fault."""
        if len(record) > MAX_BYTES:
            problem = f"has {len(record)} bytes, expected at most {MAX_BYTES}"
            fault = Fault("$", problem, "split it, or send a reference")
            return _rejection(record, [("oversize", fault)], None)
        try:
            plain = orjson.loads(record)
        except ValueError as error:
            return _rejection(record, [("malformed", _malformed(record, error))], None)
        if not isinstance(plain, dict):
            problem = f"expected an object, was {type(plain).__name__}"
            fault = Fault("$", problem, "send one JSON object a record")
            return _rejection(record, [("malformed", fault)], None)
        if depth(plain) > MAX_DEPTH:
            fault = Fault("$", f"nested more than {MAX_DEPTH} deep", "send flat records")
            return _rejection(record, [("malformed", fault)], plain)
        unknown = unknown_kind(plain, self._vocabulary)
        if unknown is not None:
            return _rejection(record, [unknown], plain)
        return self._examine_kind(record, plain, now_ms)

    def _examine_kind(self, record: bytes, plain: dict[str, Any], now_ms: int | None) -> Event | Rejection:
        kind = self._vocabulary.kinds[plain["event_type"]]
        clean = tidy(plain, self._known[kind.name], self._objects[kind.name])
        body = orjson.dumps(clean)
        if _NUL not in record:
            event = self._again(body)
            if event is not None and (now_ms is None or event.time_ms <= now_ms + MAX_AHEAD_MS):
                return event
        faults = list(examine(clean, kind, self._vocabulary, self.currencies, now_ms))
        event = self._again(body) if not faults else None
        if event is not None:
            return event
        return _rejection(record, faults or [("wrong_type", Fault("$", "does not fit its kind"))], plain)

    def _again(self, body: bytes) -> Event | None:
        try:
            data = self._decode(body)
            return self._builders[type(data)](data, body)
        except _REFUSED:
            return None


def encode(record: Mapping[str, Any]) -> bytes:
    """Return a record as compact JSON; decimals become texts, times need a zone.

    Examples
    --------
    >>> encode({"amount": Decimal("12.50"), "is_cash": True})
    b'{"amount":"12.50","is_cash":true}'
    """
    return orjson.dumps(record, default=_plain_value)


def _objects(vocabulary: Vocabulary) -> dict[str, dict[str, frozenset[str]]]:
    """Return for each kind its nested objects with the dotted names they may hold."""
    found: dict[str, dict[str, frozenset[str]]] = {}
    for kind in vocabulary.kinds.values():
        outer = {name.partition(".")[0] for name in kind.fields if "." in name}
        found[kind.name] = {
            name: frozenset(field for field in kind.fields if field.startswith(f"{name}.")) for name in outer
        }
    return found


def _rejection(record: bytes, faults: list[Found], plain: dict[str, Any] | None) -> Rejection:
    claimed = plain.get("event_id") if plain is not None else None
    event_id = claimed if isinstance(claimed, str) and 0 < len(claimed) <= MAX_ID else None
    return Rejection(bytes(record), faults[0][0], tuple(fault for _, fault in faults), event_id)


def _malformed(record: bytes, error: ValueError) -> Fault:
    if not record.strip():
        return Fault("$", "is empty", "send one JSON object a record")
    if record.startswith(b"\xef\xbb\xbf"):
        return Fault("$", "starts with a byte order mark", "save it as UTF-8 without BOM")
    return Fault("$", f"is no JSON: {error}", "send one JSON object a record, in UTF-8")


def _plain_value(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"cannot encode {value!r}")
