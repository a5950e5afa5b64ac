"""Alerts and rating changes as plain data: for the queue, webhooks, the API and the command line. Pure."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

import orjson

from alerts.grouping import short
from alerts.lifecycle import CONFIDENTIAL, Alert
from alerts.ports import RATING_KEY, Message
from monitor.core.assessment import RatingChange, RatingNotice

REVIEW_DUE: Final = "review_due"
"""The one notice of a rating that others are told of."""

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


def rating_message(change: RatingChange) -> Message:
    """Return what other systems are told of a grade: the grades, a neutral reason, the next review.

    Neither score nor parts, rules, dimensions or the event are in it. `event` is a whole
    `rating.assigned` or `rating.changed` of the vocabulary.
    """
    kind = "rating.changed" if change.previous_grade is not None else "rating.assigned"
    facts: dict[str, Any] = {"grade": change.grade}
    if change.previous_grade is not None:
        facts |= {"previous_grade": change.previous_grade, "reason": change.reason}
    if change.review_ms is not None:
        facts["next_due"] = _moment(change.review_ms).date().isoformat()
    anchor = (change.cause, change.previous_grade, change.grade)
    return _rating_message(kind, change.customer_id, change.time_ms, anchor, facts)


def review_message(notice: RatingNotice) -> Message:
    """Return what other systems are told of a review that fell due: a `kyc.review_due` of the vocabulary."""
    facts = {"grade": notice.facts["grade"], "next_due": _moment(notice.time_ms).date().isoformat()}
    return _rating_message("kyc.review_due", notice.customer_id, notice.time_ms, (REVIEW_DUE,), facts)


def _rating_message(
    kind: str, customer_id: str, time_ms: int, anchor: tuple[Any, ...], facts: dict[str, Any]
) -> Message:
    digest = sha256(orjson.dumps([kind, customer_id, time_ms, *anchor])).hexdigest()[:32]
    key = f"{RATING_KEY}{digest}"
    event = {
        "event_id": key,
        "event_type": kind,
        "source_system": "riskmon",
        "occurred_at": _moment(time_ms).isoformat(timespec="milliseconds"),
        "customer_id": customer_id,
        **facts,
    }
    body = {"type": kind, "id": key, "time_ms": time_ms, "event": event}
    return Message(key=key, confidential=False, body=orjson.dumps(body, option=orjson.OPT_SORT_KEYS))


def _moment(time_ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)


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
