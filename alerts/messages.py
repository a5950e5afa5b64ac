"""Alerts as plain data: for the queue, webhooks, the API and the command line. Pure."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import orjson

from alerts.grouping import short
from alerts.lifecycle import CONFIDENTIAL, Alert
from alerts.ports import Message

_FIELDS = tuple(field.name for field in fields(Alert))


def describe(alert: Alert) -> dict[str, Any]:
    """Return every field of an alert, and `short`, as values that JSON knows."""
    data: dict[str, Any] = {name: getattr(alert, name) for name in _FIELDS}
    data["short"] = short(alert.id)
    data["status"] = alert.status.value
    data["saw"] = dict(alert.saw)
    return data


def message(change: str, alert: Alert) -> Message:
    """Return what the outbox holds of a change: `raised`, `taken`, `closed`, ...

    The body has `type` (`alert.` and the change), `id`, and the whole `alert`.
    """
    body = {"type": f"alert.{change}", "id": alert.id, "time_ms": alert.changed_ms, "alert": describe(alert)}
    return Message(
        key=alert.id,
        confidential=alert.disclosure == CONFIDENTIAL,
        body=orjson.dumps(body, option=orjson.OPT_SORT_KEYS),
    )


def neutral(body: bytes) -> bytes:
    """Return a message without what could tip somebody off: that an alert changed, and its id.

    Neither the subject nor rule, title, dimension, severity or numbers are in it.

    Examples
    --------
    >>> neutral(b'{"type":"alert.raised","id":"ab","time_ms":5,"alert":{"title":"Structuring"}}')
    b'{"id":"ab","text":"An alert needs attention in the inbox.","time_ms":5,"type":"alert.changed"}'
    """
    content = orjson.loads(body)
    kept = {
        "type": "alert.changed",
        "id": content["id"],
        "time_ms": content["time_ms"],
        "text": "An alert needs attention in the inbox.",
    }
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)
