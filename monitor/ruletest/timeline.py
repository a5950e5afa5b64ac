"""A case as what really arrives: records through the real codec, with everything left out filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from monitor.core.events import Event
from monitor.core.periods import Periods
from monitor.ruletest.case import Case, Step, offset_ms
from rules.vocabulary import Field, Vocabulary
from streams.codec import Codec, Rejection, encode

BEFORE_MS = 1_000
"""The profile of a case is told so long before its start."""
DEFAULTS = {"customer_id": "c1", "direction": "out", "amount": "100"}
BY_TYPE = {
    "id": "{name}-1", "text": "{name}", "money": "100", "count": "1", "number": "1", "country": "CN",
    "bool": "false",
}  # fmt: skip
"""What stands in for a required field that a case leaves out."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happens: an event that arrives, or, without one, time passing."""

    step: Step
    time_ms: int
    event: Event | None
    record: bytes = b""

    def fresh(self) -> Event:
        """Return the event as it arrives: without facts."""
        one = self.event
        assert one is not None
        return Event(one.kind, one.id, one.ref, one.time_ms, one.data, one.body)


@dataclass(frozen=True, slots=True)
class Timeline:
    """What happens in a case, in the order of arrival; to be run as often as one likes."""

    case: Case
    start_ms: int
    moments: tuple[Moment, ...]
    problems: tuple[str, ...]
    """What the codec refused; then nothing is to be run."""


class Timelines:
    """Makes timelines of cases.

    Parameters
    ----------
    zone
        Of the local times of cases.
    """

    def __init__(self, vocabulary: Vocabulary, base_currency: str, codec: Codec, periods: Periods) -> None:
        self.vocabulary = vocabulary
        self._base_currency = base_currency
        self.codec = codec
        self._zone = periods.zone

    def of(self, case: Case, like: Timeline | None = None) -> Timeline:
        """Return what happens in a case; an action's alert is not known yet.

        Parameters
        ----------
        like
            Of a case that differs in its steps alone: what is the same there is not made again.
        """
        start_ms = int(case.start.replace(tzinfo=self._zone).timestamp() * 1000)
        moments: list[Moment] = []
        problems: list[str] = []
        sent: dict[str, Moment] = {}
        known = {one.step.id: one for one in like.moments if one.event} if like else {}
        for step in (*self._past(case), *case.steps):
            if step.again and step.again not in sent:
                problems.append(f"{case.file}:{step.line}: no event {step.again!r} before this line")
            elif step.again:
                first = sent[step.again]
                moments.append(Moment(step, first.time_ms, first.event, first.record))
            elif step.kind:
                made = known.get(step.id)
                if made is None or made.step != step:
                    made = self._moment(case, step, start_ms, problems)
                sent[step.id] = made
                moments.append(made)
            else:
                moments.append(Moment(step, start_ms + step.at_ms, None))
        return Timeline(case, start_ms, tuple(moments), tuple(problems))

    def acted(self, timeline: Timeline, step: Step, alert_id: str) -> bytes:
        """Return the record of an officer's action on an alert."""
        values = {**step.values, "alert_id": alert_id}
        return self._record(timeline.case, step, values, timeline.start_ms)

    def _moment(self, case: Case, step: Step, start_ms: int, problems: list[str]) -> Moment:
        time_ms = start_ms + step.at_ms
        try:
            record = self._record(case, step, dict(step.values), start_ms)
        except ValueError as error:
            problems.append(f"{case.file}:{step.line}: {error}")
            return Moment(step, time_ms, None)
        event = self.codec.decode(record)
        if isinstance(event, Rejection):
            problems += [f"{case.file}:{step.line}: {fault}" for fault in event.faults]
            return Moment(step, time_ms, None)
        return Moment(step, time_ms, event, record)

    def _past(self, case: Case) -> list[Step]:
        """Return the events that tell the profile and the account of a case."""
        customers = {str(step.values.get("customer_id", "c1")) for step in case.steps if step.kind}
        told = [*_told(case.profile, self.vocabulary.profile, "customer.created")]
        told += [
            (kind, {**values, "account_id": "a1"})
            for kind, values in _told(case.account, self.vocabulary.account, "account.opened")
        ]
        return [
            Step(
                line=case.line,
                at_ms=-BEFORE_MS,
                kind=kind,
                id=f"{kind}-{who}",
                values={**values, "customer_id": who},
            )
            for who in sorted(customers)
            for kind, values in told
        ]

    def _record(self, case: Case, step: Step, values: dict[str, Any], start_ms: int) -> bytes:
        kind = self.vocabulary.kinds[step.kind]
        if case.account and "account_id" in kind.fields:
            values.setdefault("account_id", "a1")
        for name in sorted(kind.required - {"event_id", "event_type", "occurred_at"} - values.keys()):
            values[name] = self._stand_in(self.vocabulary.fields[name])
        plain: dict[str, Any] = {
            "event_id": step.id, "event_type": step.kind, "occurred_at": _time(start_ms + step.at_ms),
        }  # fmt: skip
        for name, text in values.items():
            outer, dot, inner = name.partition(".")
            holder = plain.setdefault(outer, {}) if dot else plain
            holder[inner if dot else name] = _value(self.vocabulary.fields[name], text, start_ms)
        return encode(plain)

    def _stand_in(self, field: Field) -> str:
        if field.type == "currency":
            return self._base_currency
        if field.name in DEFAULTS:
            return DEFAULTS[field.name]
        return field.values[0] if field.values else BY_TYPE[field.type].format(name=field.name)


def _told(
    values: Mapping[str, Any], known: Mapping[str, Field], usual: str
) -> list[tuple[str, dict[str, Any]]]:
    """Return kinds of events with the fields that set some remembered values."""
    found: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        field = known[name]
        kind = usual if usual in field.kinds else field.kinds[0]
        found.setdefault(kind, {})[field.source or name] = value
    return [(kind, found[kind]) for kind in sorted(found, key=lambda one: (one != usual, one))]


def _time(time_ms: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)).isoformat(
        timespec="milliseconds"
    )


def _value(field: Field, text: Any, start_ms: int) -> Any:
    """Return a value as the record carries it."""
    if field.type == "list_of_text" or isinstance(text, list):
        return text if isinstance(text, list) else [text]
    match field.type:
        case "count":
            return int(text.replace("_", ""))
        case "number":
            return float(text)
        case "bool":
            return text == "true"
        case "money":
            return text.replace("_", "")
        case "duration":
            return f"PT{(offset_ms(f'+{text}') or 0) / 1000:g}S"
        case "time" | "date":
            offset = offset_ms(text)
            if offset is None:
                return text
            moment = _time(start_ms + offset)
            return moment if field.type == "time" else moment[:10]
        case _:
            return text
