"""What the runtime asks of the archive of configurations, and people's steps in the life of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from monitor.core.events import Event
from monitor.core.rule_life import ENTRY, PROPOSED, REJECTED, TAKEN, TURNS, RuleLife, StepRefusedError
from streams.adoption import Refill
from streams.ports import Codec, Engine, Ledger, Progress


class Rulebooks(Protocol):
    """Configurations by their hashes, as they are archived."""

    fills: bool
    """Whether windows can be filled from the journal where this runs."""

    def problem(self, digest: str) -> str:
        """Return why a configuration cannot be in force; empty where it can."""

    def needs_approval(self, digest: str) -> bool:
        """Return whether what follows this one takes another person's approval."""

    def changes(self, before: str, after: str) -> Mapping[str, Any]:
        """Return in numbers what the one would change of the other."""

    def parts(self, digest: str) -> tuple[Engine, Codec]:
        """Return what assesses by a configuration."""

    def refill(self, before: str, after: str) -> Refill:
        """Return what fills windows that the one configuration remembers and the other did not."""

    def take_force(self, digest: str) -> None:
        """Let whoever else works by it (the desk) go on by this one."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A configuration that a person puts into force."""

    hash: str
    time_ms: int
    rows: int
    """Newest journal rows that new windows are filled from."""
    fact: dict[str, Any]


class RuleSteps:
    """Carries out people's steps and writes them into the ledger.

    Parameters
    ----------
    ledger
        What stands in it is all that is known; see `RuleLife`.
    rulebooks
        See `Rulebooks`.
    """

    def __init__(self, ledger: Ledger, rulebooks: Rulebooks) -> None:
        self._ledger, self._rulebooks = ledger, rulebooks
        self.life = RuleLife()
        self.turn: Turn | None = None
        """What the event at hand puts into force, once it is journaled."""

    def reload(self, progress: Progress) -> None:
        """Come back to what is committed."""
        self.turn = None
        entries = self._ledger.entries(kind=ENTRY)
        self.life = RuleLife.of_entries((entry.time_ms, entry.data) for entry in entries)
        if not self.life.history:
            # Of a day before steps were written down.
            for _, digest in progress.rulebooks:
                self.life.note(0, {"action": TAKEN, "hash": digest})

    def act(self, event: Event) -> None:
        """Carry out a step, or remember to, once its event is journaled, where it puts something into force.

        Raises
        ------
        StepRefusedError
        """
        fact, data = self._fact(event), event.data
        digest = fact["hash"]
        if event.kind in TURNS:
            self.turn = Turn(digest, event.time_ms, int(data.backfill or 0), fact)
            return
        if event.kind == PROPOSED:
            fact |= {"changes": dict(self._rulebooks.changes(fact["from"], digest)), "note": data.note or ""}
        self._note(event.time_ms, fact)

    def would_turn(self, event: Event) -> bool:
        """Tell whether the event would put another configuration into force, changing nothing."""
        if event.kind not in TURNS:
            return False
        try:
            self._fact(event)
        except StepRefusedError:
            return False
        return True

    def took_force(self, digest: str, time_ms: int, windows: Mapping[str, Any]) -> None:
        """Write down that a configuration came into force, by a person's step or by the files at a start."""
        turn, self.turn = self.turn, None
        before = self.life.in_force.hash if self.life.in_force else ""
        fact = turn.fact if turn else {"action": TAKEN, "hash": digest, "from": before}
        if before:
            fact = fact | {"changes": dict(self._rulebooks.changes(before, digest)), "windows": dict(windows)}
        self._note(turn.time_ms if turn else time_ms, fact)
        self._rulebooks.take_force(digest)

    def _fact(self, event: Event) -> dict[str, Any]:
        """Return what is to be noted of a step, changing nothing; raises what refuses it."""
        data, digest = event.data, str(event.data.configuration)
        reason = (data.reason or "").strip()
        fact = self.life.take(
            event.kind, digest, data.actor or "", reason, event.time_ms, self._rulebooks.needs_approval
        )
        if event.kind != REJECTED and (problem := self._rulebooks.problem(digest)):
            raise StepRefusedError(f"cannot use {digest[:12]}: {problem}")
        if event.kind in TURNS and data.backfill and not self._rulebooks.fills:
            raise StepRefusedError(
                f"backfill: expected 0, was {data.backfill}: a cluster's windows begin at the change"
            )
        return fact

    def _note(self, time_ms: int, fact: dict[str, Any]) -> None:
        self._ledger.append(time_ms, ENTRY, f"configuration:{fact['hash']}", fact)
        self.life.note(time_ms, fact)
