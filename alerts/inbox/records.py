"""The body of `POST /events`, cut into records without changing a byte of any."""

from __future__ import annotations

import msgspec

_ONE = msgspec.json.Decoder(msgspec.Raw)
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])


def split(body: bytes, *, lines: bool = False) -> list[bytes]:
    r"""Return the records of a body: one JSON object, a JSON array, or one JSON object a line.

    Items of an array and lines keep their own bytes, so that a number is not rounded and a key sent
    twice is still seen twice by whoever decodes them. Lines are independent: a bad one does not
    touch its neighbours. An array that is not well-formed is one (bad) record, because nobody can
    say where its items end. An empty body has no records.

    Parameters
    ----------
    body
        What the producer sent, UTF-8.
    lines
        The producer said that each line is a record (`application/x-ndjson`). Otherwise the body is
        looked at: it is lines when it is not one JSON value and its second line begins an object.

    Examples
    --------
    >>> split(b'{"amount": 1.10}')
    [b'{"amount": 1.10}']
    >>> split(b'[{"amount": 1.10}, 7]')
    [b'{"amount": 1.10}', b'7']
    >>> split(b'{"a": 1}\n\n{"a": \n{"a": 3}\n')
    [b'{"a": 1}', b'{"a":', b'{"a": 3}']
    >>> split(b'[{"a": 1}, {"a": ]')
    [b'[{"a": 1}, {"a": ]']
    """
    body = body.strip()
    if not body:
        return []
    if lines:
        return _lines(body)
    if body.startswith(b"["):
        return _items(body)
    rows = _lines(body)
    if len(rows) > 1 and rows[1].startswith(b"{") and not _is_one_value(body):
        return rows
    return [body]


def _lines(body: bytes) -> list[bytes]:
    return [line for line in (raw.strip() for raw in body.split(b"\n")) if line]


def _items(body: bytes) -> list[bytes]:
    try:
        return [bytes(item) for item in _ARRAY.decode(body)]
    except (msgspec.DecodeError, RecursionError):
        return [body]


def _is_one_value(body: bytes) -> bool:
    try:
        _ONE.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
