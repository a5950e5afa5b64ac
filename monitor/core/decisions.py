"""What people decide about a rating: who may do it alone, what waits for a second person, what is refused.

Whatever makes a customer look riskier one person may do; whatever makes them look safer takes two:
the second sends the same decision, and may not be the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from monitor.core.grading import Grading
from monitor.core.rating_config import DAY_MS, RatingConfig
from monitor.core.rating_state import Ground, Override, Proposal, RatingState, Suppression

OVERRIDE: Final = "rating.override"
IMPOSE: Final = "rating.limit_imposed"
LIFT: Final = "rating.limit_lifted"
SUPPRESS: Final = "rating.rule_suppressed"
RESTORE: Final = "rating.rule_restored"
DECISIONS: Final = (OVERRIDE, IMPOSE, LIFT, SUPPRESS, RESTORE)
"""Kinds of events that are people's decisions about a rating."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person wants."""

    kind: str
    """One of `DECISIONS`."""
    value: Any
    """The grade (None ends a person's grade), the name of a limit, or a rule."""
    until_ms: int | None
    """None: as long as it may stand."""
    actor: str
    approver: str = ""
    """A second person named by the system that sends it; empty where that has none."""
    reason: str
    time_ms: int


Answer = tuple[str, dict[str, Any]]
"""Kind of the notice and its facts."""


class Decisions:
    """Carries out decisions on a rating's state; the caller rates again after."""

    def __init__(self, config: RatingConfig, grading: Grading) -> None:
        self._config = config
        self._grading = grading

    def take(self, rs: RatingState, decision: Decision) -> Answer:
        """Carry out a decision, note it as a proposal, or refuse it, changing nothing.

        A proposal is approved by the same decision of another person. It lapses after the days that
        the parameters give, and when the automatic grade has become riskier since. Ending a person's
        grade where there is none withdraws what is proposed.
        """
        now_ms = decision.time_ms
        rs.proposals = [one for one in rs.proposals if self._stands(rs, one, now_ms)]
        rs.grounds = [one for one in rs.grounds if one.until_ms is None or now_ms < one.until_ms]
        facts = {"decision": decision.kind, "value": decision.value, "actor": decision.actor}
        waiting = [one for one in rs.proposals if one.kind == decision.kind]
        is_end = decision.kind == OVERRIDE and decision.value is None
        if is_end and waiting and not self._has_override(rs, now_ms):
            rs.proposals = [one for one in rs.proposals if one.kind != OVERRIDE]
            return "withdrawn", facts | {"reason": decision.reason}
        mistakes = self._mistakes(rs, decision)
        same = [one for one in waiting if one.value == decision.value]
        if any(one.actor == decision.actor for one in same):
            mistakes.append(f"actor: {decision.actor} proposed it, expected another person")
        if mistakes:
            return "refused", facts | {"reason": decision.reason, "problem": "; ".join(mistakes)}
        if same:
            return self._approve(rs, decision, same[0], facts)
        return self._begin(rs, decision, facts)

    # Inside.

    def _begin(self, rs: RatingState, decision: Decision, facts: dict[str, Any]) -> Answer:
        until_ms = self._end_ms(decision)
        facts = facts | {"reason": decision.reason, "until_ms": until_ms}
        if decision.approver or not self._takes_two(rs, decision):
            author = (decision.actor, decision.approver)
            self._carry_out(rs, decision, until_ms, *author, decision.reason)
            return "decided", facts | {"approver": decision.approver}
        # Another grade is another proposal, in place of the one before.
        rs.proposals = [
            one
            for one in rs.proposals
            if one.kind != decision.kind or (one.value != decision.value and decision.kind != OVERRIDE)
        ]
        proposal = Proposal(
            decision.kind,
            decision.value,
            until_ms,
            decision.actor,
            decision.reason,
            decision.time_ms,
            rs.grade or 0,
        )
        rs.proposals.append(proposal)
        return "proposed", facts

    def _approve(
        self, rs: RatingState, decision: Decision, proposal: Proposal, facts: dict[str, Any]
    ) -> Answer:
        self._carry_out(rs, decision, proposal.until_ms, proposal.actor, decision.actor, proposal.reason)
        facts |= {"actor": proposal.actor, "approver": decision.actor, "until_ms": proposal.until_ms}
        return "decided", facts | {"reason": proposal.reason, "approval": decision.reason}

    def _stands(self, rs: RatingState, proposal: Proposal, now_ms: int) -> bool:
        """Return whether a proposal may still be approved: in time, and the risk has not risen since."""
        end_ms = proposal.time_ms + self._config.proposal_ms
        is_over = now_ms >= min(end_ms, end_ms if proposal.until_ms is None else proposal.until_ms)
        return not is_over and self._rank(proposal.basis) <= self._rank(rs.grade)

    def _takes_two(self, rs: RatingState, decision: Decision) -> bool:
        if decision.kind == OVERRIDE:
            shown = self._grading.shown(rs, decision.time_ms)
            after = rs.grade if decision.value is None else decision.value
            return shown is not None and self._rank(after) > self._rank(shown)
        if decision.kind in (IMPOSE, LIFT):
            return (decision.kind == LIFT) == (decision.value in self._config.floors)
        return decision.kind == SUPPRESS

    def _carry_out(
        self,
        rs: RatingState,
        decision: Decision,
        until_ms: int | None,
        author: str,
        approver: str,
        reason: str,
    ) -> None:
        now_ms, value = decision.time_ms, decision.value
        rs.proposals = [one for one in rs.proposals if (one.kind, one.value) != (decision.kind, value)]
        if decision.kind == OVERRIDE:
            rs.override = None
            if value is not None:
                assert until_ms is not None
                rs.override = Override(value, until_ms, reason, author, approver, rs.grade or 0, now_ms)
        elif decision.kind == IMPOSE:
            rs.grounds = [one for one in rs.grounds if (one.name, one.by) != (value, "")]
            rs.ground(Ground(value, "", now_ms, until_ms, author, approver, reason))
        elif decision.kind == LIFT:
            rs.grounds = [one for one in rs.grounds if one.name != value]
        else:
            rs.suppressions = [one for one in rs.suppressions if one.rule != value]
            if decision.kind == SUPPRESS:
                assert until_ms is not None
                rs.suppressions.append(Suppression(value, until_ms, author, approver, reason))
                rs.suppressions.sort(key=lambda one: one.rule)

    def _end_ms(self, decision: Decision) -> int | None:
        if decision.until_ms is not None or decision.kind in (LIFT, RESTORE):
            return decision.until_ms
        if decision.kind == IMPOSE and decision.value in self._config.floors:
            days = self._config.floors[decision.value].days
            return None if days is None else decision.time_ms + int(days * DAY_MS)
        return decision.time_ms + self._config.decision_ms

    def _rank(self, grade: int | None) -> int:
        return self._grading.ranks.get(grade or 0, 0)

    def _has_override(self, rs: RatingState, now_ms: int) -> bool:
        return rs.override is not None and now_ms < rs.override.until_ms

    # Inside: mistakes.

    def _mistakes(self, rs: RatingState, decision: Decision) -> list[str]:
        found = []
        if not decision.actor.strip():
            found.append("actor: expected the name of a person, was ''")
        if not decision.reason.strip():
            found.append(f"reason: expected why, was {decision.reason!r}")
        if decision.approver and decision.approver == decision.actor:
            found.append(f"approver: expected another person than {decision.actor}")
        return found + self._wrong_time(decision) + self._wrong_value(rs, decision)

    def _wrong_time(self, decision: Decision) -> list[str]:
        until_ms, now_ms = decision.until_ms, decision.time_ms
        if until_ms is None:
            return []
        if until_ms <= now_ms:
            return [f"until: expected a time after {now_ms}, was {until_ms}"]
        is_floor = decision.kind == IMPOSE and decision.value in self._config.floors
        if not is_floor and until_ms > now_ms + self._config.decision_ms:
            return [
                f"until: expected at most {self._config.decision_ms // DAY_MS} days ahead, was {until_ms}"
            ]
        return []

    def _wrong_value(self, rs: RatingState, decision: Decision) -> list[str]:
        if decision.kind == OVERRIDE:
            return self._wrong_grade(rs, decision)
        value = decision.value
        if decision.kind in (IMPOSE, LIFT):
            known = [*self._config.floors, *self._config.ceilings]
            if value not in known:
                return [f"limit_name: expected one of {', '.join(known)}, was {value!r}"]
            if decision.kind == LIFT and not any(one.name == value for one in rs.grounds):
                is_profile = value in (*rs.profile_floors, *rs.profile_ceilings)
                why = "the profile demands it: correct the profile" if is_profile else "it does not stand"
                return [f"limit_name: cannot lift {value}: {why}"]
        elif decision.kind == RESTORE and all(one.rule != value for one in rs.suppressions):
            return [f"rule: {value} is not suppressed"]
        return []

    def _wrong_grade(self, rs: RatingState, decision: Decision) -> list[str]:
        if rs.grade is None:
            return ["customer_id: not rated yet, expected a first rating before a person's"]
        if decision.value is None:
            return [] if self._has_override(rs, decision.time_ms) else ["grade: there is no person's to end"]
        if decision.value not in self._grading.ranks:
            return [f"grade: expected one of {list(self._grading.ranks)}, was {decision.value!r}"]
        if decision.value == self._grading.shown(rs, decision.time_ms):
            return [f"grade: expected another than {decision.value}, which it is"]
        if self._rank(decision.value) > self._grading.floor_rank(rs, decision.time_ms):
            standing = sorted({*rs.profile_floors, *rs.standing(decision.time_ms)} & set(self._config.floors))
            return [f"grade: {decision.value} is below the floor {', '.join(standing)}: lift that first"]
        return []
