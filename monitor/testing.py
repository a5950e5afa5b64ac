"""Real, small parts for tests of the engine: a bench of states in memory, records, and rules from text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

import monitor
from monitor.configuration import Configuration, build_codec, build_engine, read_configuration
from monitor.core.assessment import Assessment
from monitor.core.engine import Engine
from monitor.core.events import Event
from monitor.core.state import State
from monitor.settings import Settings
from rules.loader import read_rule
from streams.codec import Codec
from streams.faults import Rejection

START_MS = 1_767_225_600_000
"""2026-01-01 at midnight, UTC: where timelines of tests begin."""
CONFIG = Path(monitor.__file__).resolve().parents[1] / "config"
RULE = {
    "title": "A rule under test",
    "dimension": "fraud",
    "severity": "medium",
    "status": "live",
    "say": "It hit",
    "why": "So that something hits.",
    "source": "Own proposal [D]",
    "verification": "D",
    "triage": ["Look."],
    "owner": "tests",
}
"""What a rule of a test need not say."""


def configuration(*packs: str, settings: Settings | None = None) -> Configuration:
    """Return the shipped configuration with some packs; with none of them: all."""
    return read_configuration(settings or Settings(), CONFIG, packs or ("all",))


def with_rules(base: Configuration, *rules: Mapping[str, Any]) -> Configuration:
    """Return a configuration with these rules in place of its own; each needs `id`, `on` and `when`."""
    plain = [{"pack": "test", "file": f"{rule['id']}.yaml", "content": {**RULE, **rule}} for rule in rules]
    read = [read_rule(Path(str(one["file"])), orjson.dumps(one["content"]).decode(), "test") for one in plain]
    return replace(base, plain={**base.plain, "rules": plain, "predicates": {}}, rules=tuple(read))


def record(name: str, kind: str, at_ms: int, **fields: Any) -> bytes:
    """Return an event as a source would send it, `at_ms` after `START_MS`; customer `c1` unless told."""
    moment = datetime.fromtimestamp((START_MS + at_ms) / 1000, UTC).isoformat(timespec="milliseconds")
    plain = {
        "event_id": name,
        "event_type": kind,
        "occurred_at": moment,
        "source_system": "core",
        "customer_id": "c1",
        **({"currency": "CNY"} if "amount" in fields else {}),
        **fields,
    }
    return orjson.dumps({key: value for key, value in plain.items() if value is not None})


class Bench:
    """An engine with the states of its subjects in memory.

    Examples
    --------
    >>> bench = Bench(with_rules(configuration("flow"), {"id": "T-1", "on": "auth.login", "when": "1 == 1"}))
    >>> [hit.rule for answer in bench.send(record("e1", "auth.login", 0)) for hit in answer.hits]
    ['T-1']
    """

    def __init__(
        self, configuration: Configuration, engine: Engine | None = None, codec: Codec | None = None
    ) -> None:
        self.engine = engine or build_engine(configuration)
        self.codec = codec or build_codec(configuration)
        self.states: dict[tuple[str, str], State] = {}

    def event(self, body: bytes) -> Event:
        """Return the event of a good record.

        Raises
        ------
        ValueError
            With its faults, where it is bad.
        """
        event = self.codec.decode(body)
        if isinstance(event, Rejection):
            raise ValueError("; ".join(str(fault) for fault in event.faults))  # noqa: TRY004  a bad record
        return event

    def send(self, body: bytes, facts: Mapping[str, Any] | None = None) -> list[Assessment]:
        """Assess one record at every stage; return the answers in the order of the stages.

        Parameters
        ----------
        facts
            What the desk tells of an officer's action.
        """
        event = self.event(body)
        event.facts.update(facts or {})
        return [
            self.engine.assess(event, kind, subject_id, self.state(kind, subject_id))
            for kind, subject_id in self.engine.subjects(event)
        ]

    def send_all(self, bodies: Sequence[bytes]) -> list[Assessment]:
        """Assess records in order; return all answers."""
        return [answer for body in bodies for answer in self.send(body)]

    def tick(self, at_ms: int) -> list[Assessment]:
        """Let time pass for every subject, to `at_ms` after `START_MS`."""
        return [
            answer
            for (kind, subject_id), state in sorted(self.states.items())
            for answer in self.engine.tick(START_MS + at_ms, kind, subject_id, state)
        ]

    def state(self, kind: str = "customer", subject_id: str = "c1") -> State:
        """Return the state of a subject; a new one where there is none."""
        key = (kind, subject_id)
        if key not in self.states:
            self.states[key] = self.engine.new_state(kind)
        return self.states[key]

    def restart(self, engine: Engine | None = None) -> None:
        """Write every state and read it again, by another engine where one is given."""
        self.engine = engine or self.engine
        self.states = {key: self.engine.restore(key[0], state.pack()) for key, state in self.states.items()}

    def packed(self) -> dict[tuple[str, str], bytes]:
        """Return the snapshot of every state."""
        return {key: state.pack() for key, state in self.states.items()}
