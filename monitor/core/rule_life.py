"""The life of configurations: proposed, approved by another person, activated, rolled back.

A configuration is named by the hash of its whole content, so an approval counts for exactly that
content: another byte is another hash, which nobody approved. What stands here follows from the
ledger's entries alone; nobody keeps a second copy of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

PROPOSED: Final = "rules.proposed"
APPROVED: Final = "rules.approved"
REJECTED: Final = "rules.rejected"
ACTIVATED: Final = "rules.activated"
ROLLED_BACK: Final = "rules.rolled_back"
STEPS: Final = (PROPOSED, APPROVED, REJECTED, ACTIVATED, ROLLED_BACK)
"""Kinds of events that are people's steps in the life of a configuration."""
TURNS: Final = (ACTIVATED, ROLLED_BACK)
"""Those that put a configuration into force."""
TAKEN: Final = "taken"
"""What the ledger calls a configuration that a service took from its files when it started."""
ENTRY: Final = "rulebook"
"""Kind of the ledger's entries about all of it."""


class StepRefusedError(Exception):
    """A step is not possible now; the message says why, nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A configuration somebody wants in force."""

    hash: str
    author: str
    reason: str
    time_ms: int
    against: str
    """What was in force then; once another one is, the proposal has lapsed."""
    approver: str = ""
    """Empty while nobody approved it."""
    approved_ms: int = 0
    approval: str = ""
    """What the approver said."""
    note: str = ""
    """What came of its tests."""
    changes: Mapping[str, Any] | None = None
    """What it would change, in numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """A configuration that is, or was, in force."""

    hash: str
    since_ms: int
    action: str
    """`taken`, `activated` or `rolled_back`."""
    actor: str = ""
    author: str = ""
    approver: str = ""
    reason: str = ""
    windows: Mapping[str, Any] | None = None
    """How windows were filled that the one before did not have."""


class RuleLife:
    """What was proposed, what may come into force, and what was in force in turn.

    Examples
    --------
    >>> life = RuleLife()
    >>> life.note(0, {"action": "taken", "hash": "a"})
    >>> step = lambda kind, actor: life.take(kind, "b", actor, "lower", 1, lambda digest: True)
    >>> life.note(1, step(PROPOSED, "ada"))
    >>> step(APPROVED, "ada")
    Traceback (most recent call last):
    monitor.core.rule_life.StepRefusedError: cannot approve b: ada proposed it, expected another person
    >>> life.note(2, step(APPROVED, "bob")); life.note(3, step(ACTIVATED, "ada"))
    >>> life.in_force.hash, life.in_force.approver
    ('b', 'bob')
    """

    def __init__(self) -> None:
        self.proposals: dict[str, Proposal] = {}
        """Hash to what was proposed and neither rejected nor put into force, and has not lapsed."""
        self.history: list[InForce] = []
        """Oldest first."""

    @classmethod
    def of_entries(cls, entries: Iterable[tuple[int, Mapping[str, Any]]]) -> RuleLife:
        """Return what follows from the ledger's entries, (event time, body), oldest first."""
        life = cls()
        for time_ms, fact in entries:
            life.note(time_ms, fact)
        return life

    @property
    def in_force(self) -> InForce | None:
        """What is in force; None before the first."""
        return self.history[-1] if self.history else None

    @property
    def former(self) -> str | None:
        """Hash of the configuration that was in force before; None where there was no other."""
        now = self.history[-1].hash if self.history else ""
        return next((one.hash for one in reversed(self.history) if one.hash != now), None)

    def known(self, prefix: str) -> list[str]:
        """Return the hashes with this beginning, of what was ever in force or is proposed."""
        every = dict.fromkeys([*self.proposals, *(one.hash for one in self.history)])
        return [digest for digest in every if digest.startswith(prefix)]

    def take(
        self,
        kind: str,
        digest: str,
        actor: str,
        reason: str,
        time_ms: int,
        needs_approval: Callable[[str], bool],
    ) -> dict[str, Any]:
        """Return what is to be noted of a step, changing nothing.

        Parameters
        ----------
        kind
            One of `STEPS`.
        needs_approval
            Tells of a configuration whether what follows it takes another person's approval.

        Raises
        ------
        StepRefusedError
        """
        fact = {"action": kind.removeprefix("rules."), "hash": digest, "actor": actor, "reason": reason}
        verb = _VERBS[kind]
        if not actor.strip():
            raise StepRefusedError(f"cannot {verb} {digest[:12]}: expected the name of a person, was ''")
        if kind in _EXPLAINED and not reason.strip():
            raise StepRefusedError(f"cannot {verb} {digest[:12]}: expected a reason, was {reason!r}")
        if problem := _CHECKS[kind](self, digest, actor, needs_approval):
            raise StepRefusedError(f"cannot {verb} {digest[:12]}: {problem}")
        return fact | self._facts(kind, digest)

    def note(self, time_ms: int, fact: Mapping[str, Any]) -> None:
        """Take in an entry of the ledger."""
        action, digest = fact["action"], fact["hash"]
        if action == "proposed":
            self.proposals[digest] = Proposal(
                hash=digest,
                author=fact["actor"],
                reason=fact["reason"],
                time_ms=time_ms,
                against=fact["from"],
                note=fact.get("note", ""),
                changes=fact.get("changes"),
            )
        elif action == "approved":
            self.proposals[digest] = replace(
                self.proposals[digest], approver=fact["actor"], approved_ms=time_ms, approval=fact["reason"]
            )
        elif action == "rejected":
            self.proposals.pop(digest, None)
        else:
            # Whoever proposed or approved something compared it with what was in force until now.
            self.proposals = {}
            self.history.append(
                InForce(
                    hash=digest,
                    since_ms=time_ms,
                    action=action,
                    windows=fact.get("windows"),
                    **{name: fact.get(name, "") for name in ("actor", "author", "approver", "reason")},
                )
            )

    # Inside.

    def _facts(self, kind: str, digest: str) -> dict[str, Any]:
        before = self.history[-1].hash if self.history else ""
        if kind in (APPROVED, REJECTED):
            return {"author": self.proposals[digest].author}
        if kind == ACTIVATED:
            proposal = self.proposals[digest]
            return {"from": before, "author": proposal.author, "approver": proposal.approver}
        if kind == ROLLED_BACK:
            last = next(one for one in reversed(self.history) if one.hash == digest)
            return {"from": before, "author": last.author, "approver": last.approver}
        return {"from": before}

    def _cannot_propose(self, digest: str, actor: str, needs_approval: Callable[[str], bool]) -> str:
        if self.history and self.history[-1].hash == digest:
            return "it is in force"
        proposal = self.proposals.get(digest)
        return f"{proposal.author} proposed it already" if proposal else ""

    def _cannot_approve(self, digest: str, actor: str, needs_approval: Callable[[str], bool]) -> str:
        proposal = self.proposals.get(digest)
        if proposal is None:
            return _NOT_PROPOSED
        if proposal.author == actor:
            return f"{actor} proposed it, expected another person"
        return f"{proposal.approver} approved it already" if proposal.approver else ""

    def _cannot_reject(self, digest: str, actor: str, needs_approval: Callable[[str], bool]) -> str:
        return "" if digest in self.proposals else _NOT_PROPOSED

    def _cannot_activate(self, digest: str, actor: str, needs_approval: Callable[[str], bool]) -> str:
        if self.history and self.history[-1].hash == digest:
            return "it is in force"
        proposal = self.proposals.get(digest)
        if proposal is None:
            return _NOT_PROPOSED
        is_needed = bool(self.history) and needs_approval(self.history[-1].hash)
        return "expected another person's approval first" if is_needed and not proposal.approver else ""

    def _cannot_roll_back(self, digest: str, actor: str, needs_approval: Callable[[str], bool]) -> str:
        now = self.history[-1].hash if self.history else ""
        if now == digest:
            return "it is in force"
        if all(one.hash != digest for one in self.history):
            return "it never was in force: propose it instead"
        if needs_approval(now) and not needs_approval(digest):
            return "it lets one person alone change the rules, the one in force does not: propose it instead"
        return ""


_NOT_PROPOSED: Final = "it is not proposed: nobody did, or it was rejected, or another one came into force"
_EXPLAINED: Final = (PROPOSED, REJECTED, ROLLED_BACK)
_VERBS: Final = {
    PROPOSED: "propose",
    APPROVED: "approve",
    REJECTED: "reject",
    ACTIVATED: "activate",
    ROLLED_BACK: "roll back to",
}
_CHECKS: Final[Mapping[str, Callable[[RuleLife, str, str, Callable[[str], bool]], str]]] = {
    PROPOSED: RuleLife._cannot_propose,  # noqa: SLF001 - this class's own table
    APPROVED: RuleLife._cannot_approve,  # noqa: SLF001
    REJECTED: RuleLife._cannot_reject,  # noqa: SLF001
    ACTIVATED: RuleLife._cannot_activate,  # noqa: SLF001
    ROLLED_BACK: RuleLife._cannot_roll_back,  # noqa: SLF001
}
