"""An archive of counting engines, and steps with rules among the events of a stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any

from monitor.core.events import Event
from streams.faults import Rejection
from streams.testing import CountingEngine, CountingState, JsonCodec


class StepCodec(JsonCodec):
    """Gives steps with rules the fields they have by the vocabulary."""

    def decode(self, record: bytes, now_ms: int | None = None) -> Event | Rejection:
        event = super().decode(record, now_ms)
        if isinstance(event, Event) and event.kind.startswith("rules."):
            names = ("configuration", "actor", "reason", "backfill", "note")
            event.data = _Step(**{name: event.data.get(name) for name in names})
        return event


class _Step(SimpleNamespace):
    def get(self, name: str, default: Any = None) -> Any:
        return default


def step(kind: str, configuration: str, actor: str, time_ms: int, number: int = 0) -> dict[str, Any]:
    return {
        "id": f"{kind}-{configuration}-{number}",
        "kind": f"rules.{kind}",
        "time_ms": time_ms,
        "configuration": configuration,
        "actor": actor,
        "reason": "because",
    }


class DoublingEngine(CountingEngine):
    """Counts every amount twice."""

    rulebook_hash = "d0"

    def assess(self, event: Event, kind: str, subject_id: str, state: CountingState) -> Any:
        answer = super().assess(event, kind, subject_id, state)
        state.total += event.data.get("amount", 1)
        return answer


class CountingRulebooks:
    """An archive of counting engines, in which each that is named `d...` takes an approval to follow.

    Parameters
    ----------
    engines
        By their hashes.
    """

    fills = True

    def __init__(self, engines: Iterable[CountingEngine]) -> None:
        self._engines = {engine.rulebook_hash: engine for engine in engines}
        self.in_force = ""
        """Which of them was put into force last."""

    def problem(self, digest: str) -> str:
        """Return what is wrong with a name that is not there."""
        return "" if digest in self._engines else "it is not archived"

    def needs_approval(self, digest: str) -> bool:
        """Return whether its name begins with `d`."""
        return digest.startswith("d")

    def changes(self, before: str, after: str) -> dict[str, int]:
        """Return one change."""
        return {"rules_changed": 1}

    def parts(self, digest: str) -> tuple[CountingEngine, StepCodec]:
        """Return engine and codec."""
        return self._engines[digest], StepCodec()

    def refill(self, before: str, after: str) -> NothingNew:
        """Return what fills nothing: they all remember the same."""
        return NothingNew()

    def take_force(self, digest: str) -> None:
        """Note it."""
        self.in_force = digest


class NothingNew:
    """Fills nothing."""

    def __init__(self) -> None:
        self.fresh: list[Any] = []

    def feed(self, event: Event) -> None:
        """Pass an event over."""

    def elapse(self, time_ms: int) -> None:
        """Let time pass for nobody."""

    def keys(self) -> Iterator[tuple[str, str]]:
        """Give nobody."""
        return iter(())

    def hand_over(self, key: tuple[str, str], state: Any, *, is_whole: bool) -> None:
        """Hand nothing over."""

    def told(self, rows: int, since_ms: int | None, now_ms: int) -> dict[str, Any]:
        """Return that there was nothing."""
        return {"new": 0}
