"""An embedded monitor whose rules people change while it runs: configurations, steps, states."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import orjson

from monitor.app import HOUR_MS, Opened, open_data
from monitor.configuration import Configuration
from monitor.core.rule_life import RuleLife
from monitor.settings import Settings
from monitor.testing import configuration, record, with_rules
from streams.ports import Outcome, Record

SETTINGS = Settings()
COUNTED = {"id": "T-1", "on": "payment.transfer", "when": "count(24h) >= 3", "points": 10}
SUMMED = {
    "id": "T-2",
    "on": "payment.transfer",
    "when": "sum(amount, 7d) > 5000 CNY",
    "points": 7,
}


@cache
def _base() -> Configuration:
    return configuration("flow", settings=SETTINGS)


def configured(*rules: dict[str, Any], approval: str = "required", lists: Any = None) -> Configuration:
    """A configuration of a few rules; what follows it takes an approval unless told otherwise."""
    made = with_rules(_base(), *rules)
    more = {"approval": approval} if approval == "required" else {}
    known = made.plain["lists"] | (lists or {})
    plain = {**made.plain, **more, "lists": known}
    return Configuration(orjson.loads(Configuration(plain).archive))


def opened(folder: Path, files: Configuration, **rest: Any) -> Opened:
    folder.mkdir(parents=True, exist_ok=True)
    return open_data(folder, SETTINGS, files, sync="normal", tick_every_ms=HOUR_MS, **rest)


def step(
    kind: str,
    what: Configuration | str,
    actor: str,
    at_ms: int,
    *,
    key: str = "1",
    backfill: int = 0,
    reason: str = "why",
) -> bytes:
    """A person's step as an event, `at_ms` after the start."""
    digest = what if isinstance(what, str) else what.hash
    return record(
        f"{kind}-{digest[:8]}-{key}", f"rules.{kind}", at_ms, customer_id=None, configuration=digest,
        actor=actor, reason=reason or None, **({"backfill": backfill} if backfill else {}),
    )  # fmt: skip


def archive(monitor: Opened, *configurations: Configuration) -> None:
    store = monitor.store
    store.begin()
    for one in configurations:
        store.archive("configuration", one.hash, one.archive)
    store.commit()


def send(monitor: Opened, *bodies: bytes) -> list[Outcome]:
    return monitor.processor.process([Record(body, received_ms=0) for body in bodies])


def change(
    monitor: Opened, what: Configuration, at_ms: int, *, key: str = "1", backfill: int = 100_000
) -> None:
    """Propose by ada, approve by bob, activate by ada."""
    archive(monitor, what)
    steps = [
        step("proposed", what, "ada", at_ms, key=key),
        step("approved", what, "bob", at_ms, key=key),
        step("activated", what, "ada", at_ms, key=key, backfill=backfill),
    ]
    outcomes = send(monitor, *steps)
    assert [one.status for one in outcomes] == ["accepted"] * 3, outcomes


def life(monitor: Opened) -> RuleLife:
    rows = monitor.store.db.execute("SELECT time_ms, body FROM ledger WHERE kind = 'rulebook' ORDER BY seq")
    return RuleLife.of_entries((time_ms, orjson.loads(body)) for time_ms, body in rows)


def windows(monitor: Opened) -> dict[tuple[str, str], Any]:
    """What every subject remembers for the rules in force as of now; written first."""
    monitor.processor.close()
    engine = monitor.processor._engine
    rows = monitor.store.db.execute("SELECT kind, id, packed FROM states ORDER BY kind, id")
    found = {}
    for kind, name, packed in rows:
        state = engine.restore(kind, packed)
        # What is too old is dropped when something happens: that differs with the rules, too.
        state.now_ms = monitor.processor.progress.stream_time_ms
        plain = msgspec.msgpack.decode(state.pack(), strict=False)
        found[kind, name] = plain[7]
    return {key: slots for key, slots in found.items() if slots}


def with_filling(settings: Settings, events: int) -> Settings:
    return replace(settings, rules=replace(settings.rules, backfill_events=events))
