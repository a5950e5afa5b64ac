"""The desk: turns hits and rises of a rating into alerts, and carries out what officers decide.

It works inside the processor's transactions. `consider` and `act` only remember what is to be
written; `flush` writes it before the commit, `rollback` forgets it after the connection rolled
back. Everything depends on the events alone, so that the same events give the same alerts and the
same ledger, byte for byte, whatever the batches were and wherever the process was restarted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from alerts import grouping, lifecycle
from alerts.deadlines import Calendar
from alerts.facts import hit_fact, late_fact, notice_fact, raised_fact, rating_fact, rise
from alerts.lifecycle import Action, ActionNotAllowedError, Alert, Status, UnknownAlertError
from alerts.messages import REVIEW_DUE, message, rating_message, review_message
from alerts.ports import AlertStore, Counted, Message, Standing, Step, standing_of
from alerts.raising import raise_alert
from alerts.standings import Standings
from monitor.audit.ledger import Ledger
from monitor.core.assessment import Assessment, Hit, RatingChange, RatingNotice

ACTIONS: Final = MappingProxyType(
    {
        "alert.taken": Action.TAKE,
        "alert.released": Action.RELEASE,
        "alert.noted": Action.NOTE,
        "alert.snoozed": Action.SNOOZE,
        "alert.woken": Action.WAKE,
        "alert.closed": Action.CLOSE,
        "alert.reopened": Action.REOPEN,
    }
)
"""Kinds of events that are officers' actions."""

TIMER: Final = "timer"
"""The actor where time alone acted."""

_WORST_TOLD: Final = 12
"""Grades from here on to 14 are the ordinary ones: not kept, without weight in the priority."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskSettings:
    """What an institution decides about its desk."""

    four_eyes: frozenset[str] = frozenset()
    """Severities that take two persons to close, e.g. `{"high", "critical"}`."""
    calendar: Calendar = field(default_factory=Calendar)
    """Its working days, for due times."""
    rating_cooldown_ms: int = 86_400_000
    """Another rise of the grade within this time belongs to the alert of the first."""


class Desk:
    """Raises, counts and changes alerts; one for the processor that writes.

    Every hit, rating change and alert change is one entry of the ledger, which is the caller's to
    flush and roll back; every change of an alert or a grade is also one message of the outbox. A hit
    whose fingerprint has an open alert, or one inside its cooldown, is counted there: there are
    never two open alerts of one rule and subject. An assessment marked `duplicate` is compared
    with the ledger, and only what is not there yet is done: a redelivery changes nothing, and a
    first answer that got lost is made up for.

    Parameters
    ----------
    store
        The alerts, on the processor's connection.
    ledger
        On the same connection.
    """

    def __init__(self, store: AlertStore, ledger: Ledger, settings: DeskSettings | None = None) -> None:
        self._store = store
        self._ledger = ledger
        self._settings = settings or DeskSettings()
        self._load()

    def adopt(self, settings: DeskSettings) -> None:
        """Go on with other settings: alerts raised before keep their due times."""
        self._settings = settings

    def consider(self, assessment: Assessment) -> list[Alert]:
        """Carry out an assessment; return the alerts it raised.

        The store is read only where an alert is raised or a changed grade meets an open alert; an
        assessment without hits and rating changes costs nothing.
        """
        if not (assessment.hits or assessment.rating or assessment.notices or assessment.too_late):
            return []
        if assessment.too_late:
            self._record_late(assessment)
        hits = [hit for hit in assessment.hits if self._record_hit(hit, assessment)]
        for notice in assessment.notices:
            self._record_notice(notice, assessment)
        changes = [change for change in assessment.rating if self._record_rating(change, assessment)]
        asked = [hit for hit in hits if hit.alert and hit.status == "live"]
        asked += [hit for change in changes if (hit := self._rise(change, assessment.ref))]
        return [alert for hit in asked if (alert := self._count(hit))]

    def act(self, event_kind: str, data: Any, time_ms: int | None = None) -> Alert:
        """Carry out an officer's action that arrived as an event; return the alert after it.

        Parameters
        ----------
        event_kind
            One of `ACTIONS`.
        data
            With the attributes `alert_id`, `actor`, `reason` (or `note`), `disposition`, `until`
            and `occurred_at` (epoch milliseconds); what is missing counts as None.
        time_ms
            When, where `data` does not carry it.

        Raises
        ------
        UnknownAlertError
            There is no such alert.
        ActionNotAllowedError
            The action does not fit; nothing was changed. The very same action again changes
            nothing and is no error.
        """
        action = ACTIONS.get(event_kind)
        if action is None:
            raise ActionNotAllowedError(f"{event_kind}: expected one of {', '.join(ACTIONS)}")
        alert = self.alert(str(data.alert_id))
        step = _step(alert.id, action, data, time_ms)
        if self._was_taken(step):
            return alert
        self._refuse_second(alert, action)
        return self._carry_out(alert, action, step)

    def tick(self, time_ms: int) -> list[Alert]:
        """Wake the snoozed alerts whose time has come (`tick` events); return them."""
        return [self._wake(alert_id, until_ms) for until_ms, alert_id in self._standings.due(time_ms)]

    def alert(self, alert_id: str) -> Alert:
        """Return an alert as it stands now, changes not yet written included.

        Raises
        ------
        UnknownAlertError
        """
        alert = self._changed.get(alert_id) or self._store.get(alert_id)
        if alert is None:
            raise UnknownAlertError(f"no alert has the id {alert_id!r}")
        standing = self._standings.get(alert_id)
        if standing is None:
            return alert
        return replace(alert, hits=standing.hits, last_hit_ms=standing.last_hit_ms)

    def is_case_open(self, alert: Alert) -> bool:
        """Return whether an alert of the same case is not closed; all open ones of a subject are of one."""
        return any(
            one.case_id == alert.case_id for one in self._standings.open_of(alert.subject, alert.subject_id)
        )

    def open_count(self) -> int:
        """Return how many alerts are not closed."""
        return len(self._standings)

    def flush(self) -> None:
        """Write everything since the last flush, inside the caller's transaction."""
        self._store.put(self._changed.values())
        self._store.bump(self._bumped.values())
        self._store.add_counted(self._counted)
        self._store.add_steps(self._steps)
        self._store.put_grades(self._grades)
        self._store.post(self._messages)
        self._standings.forget_closed()
        self._clear()

    def rollback(self) -> None:
        """Forget what was not committed; to be called after the connection's own rollback."""
        self._load()

    # -- what is remembered ----------------------------------------------------------------

    def _load(self) -> None:
        self._standings = Standings(self._store.standing())
        self._clear()

    def _clear(self) -> None:
        self._changed: dict[str, Alert] = {}
        self._bumped: dict[str, Standing] = {}
        self._counted: list[Counted] = []
        self._steps: list[Step] = []
        self._grades: dict[str, int | None] = {}
        self._messages: list[Message] = []

    def _latest(self, fingerprint: tuple[str, str, str]) -> Standing | None:
        is_open = self._standings.open_with(fingerprint)
        return is_open or self._standings.latest(fingerprint, self._store.latest(*fingerprint))

    def _case(self, subject: str, subject_id: str) -> str | None:
        # All open alerts of a subject have the same case.
        return next((one.case_id for one in self._standings.open_of(subject, subject_id)), None)

    def _keep(self, alert: Alert, change: str) -> None:
        self._changed[alert.id] = alert
        self._standings.keep(standing_of(alert))
        self._messages.append(message(change, alert))

    # -- facts -----------------------------------------------------------------------------

    def _record(self, again: bool, time_ms: int, kind: str, subject: str, fact: dict[str, Any]) -> bool:
        if again and self._ledger.holds(time_ms, kind, subject, fact):
            return False
        self._ledger.append(time_ms, kind, subject, fact)
        return True

    def _record_late(self, assessment: Assessment) -> bool:
        subject = f"{assessment.subject}:{assessment.subject_id}"
        fact = late_fact(assessment)
        return self._record(assessment.duplicate, assessment.time_ms, "late", subject, fact)

    def _record_hit(self, hit: Hit, assessment: Assessment) -> bool:
        subject = f"{hit.subject}:{hit.subject_id}"
        return self._record(assessment.duplicate, hit.time_ms, "hit", subject, hit_fact(hit))

    def _record_rating(self, change: RatingChange, assessment: Assessment) -> bool:
        subject, fact = f"customer:{change.customer_id}", rating_fact(change)
        if not self._record(assessment.duplicate, change.time_ms, "rating", subject, fact):
            return False
        self._messages.append(rating_message(change))
        self._regrade(change)
        return True

    def _record_notice(self, notice: RatingNotice, assessment: Assessment) -> None:
        subject, fact = f"customer:{notice.customer_id}", notice_fact(notice)
        is_new = self._record(assessment.duplicate, notice.time_ms, "rating_notice", subject, fact)
        if is_new and notice.kind == REVIEW_DUE:
            self._messages.append(review_message(notice))

    def _record_change(self, alert: Alert, time_ms: int, fact: dict[str, Any]) -> None:
        subject = f"{alert.subject}:{alert.subject_id}"
        self._ledger.append(time_ms, "alert", subject, {"alert": alert.id, **fact})

    # -- hits ------------------------------------------------------------------------------

    def _count(self, hit: Hit) -> Alert | None:
        latest = self._latest((hit.rule, hit.subject, hit.subject_id))
        if latest is None or not grouping.belongs(hit.time_ms, hit.severity, latest):
            return self._raise(hit)
        self._add(hit, latest)
        return None

    def _add(self, hit: Hit, standing: Standing) -> None:
        standing.hits += 1
        standing.last_hit_ms = max(standing.last_hit_ms, hit.time_ms)
        self._standings.keep(standing)
        self._bumped[standing.alert_id] = standing
        self._counted.append(Counted(standing.alert_id, hit.time_ms, hit.event_id, hit.ref, hit.say))
        fact = {
            "action": "repeated",
            "alert": standing.alert_id,
            "event": hit.event_id,
            "hits": standing.hits,
        }
        self._ledger.append(hit.time_ms, "alert", f"{hit.subject}:{hit.subject_id}", fact)
        until_ms = standing.snoozed_until_ms
        if standing.status is Status.SNOOZED and until_ms is not None and until_ms <= hit.time_ms:
            self._wake(standing.alert_id, until_ms)
        if grouping.is_graver(hit.severity, standing.severity):
            self._escalate(hit, self.alert(standing.alert_id))

    def _escalate(self, hit: Hit, alert: Alert) -> None:
        changed = replace(
            alert,
            severity=hit.severity,
            title=hit.title,
            say=hit.say,
            saw=hit.saw,
            evidence=hit.evidence,
            priority=grouping.priority(hit.severity, alert.grade, hit.saw, len(alert.customers)),
            changed_ms=max(hit.time_ms, alert.changed_ms),
            due_ms=min(alert.due_ms, self._settings.calendar.due_ms(hit.time_ms, hit.severity)),
        )
        self._keep(changed, "escalated")
        fact = {"action": "escalated", "severity": changed.severity, "priority": changed.priority}
        self._record_change(changed, hit.time_ms, fact)

    def _raise(self, hit: Hit) -> Alert:
        customers = (hit.subject_id,) if hit.subject == "customer" else hit.customers
        alert = raise_alert(
            hit,
            customers=customers,
            case_id=self._case(hit.subject, hit.subject_id),
            grade=self._worst_grade(customers),
            due_ms=self._settings.calendar.due_ms(hit.time_ms, hit.severity),
        )
        self._keep(alert, "raised")
        self._counted.append(Counted(alert.id, hit.time_ms, hit.event_id, hit.ref, hit.say))
        self._record_change(alert, hit.time_ms, raised_fact(alert))
        return alert

    # -- ratings ---------------------------------------------------------------------------

    def _rise(self, change: RatingChange, ref: int) -> Hit | None:
        return rise(change, ref, self._settings.rating_cooldown_ms)

    def _regrade(self, change: RatingChange) -> None:
        grade = change.grade if change.grade <= _WORST_TOLD else None
        previous = change.previous_grade
        if grade is None and (previous is None or previous > _WORST_TOLD):
            return  # an ordinary grade before and after: most changes, and nothing to keep
        self._grades[change.customer_id] = grade
        for standing in self._standings.open_of("customer", change.customer_id):
            self._reprioritise(standing.alert_id, grade, change.time_ms)

    def _reprioritise(self, alert_id: str, grade: int | None, time_ms: int) -> None:
        alert = self.alert(alert_id)
        changed = replace(alert, grade=grade, priority=grouping.priority_of(alert, grade))
        self._changed[alert_id] = changed
        if changed.priority != alert.priority:
            fact = {"action": "prioritised", "grade": grade, "priority": changed.priority}
            self._record_change(changed, time_ms, fact)

    def _worst_grade(self, customers: Iterable[str]) -> int | None:
        unknown = [customer for customer in customers if customer not in self._grades]
        known = [self._grades[customer] for customer in customers if customer in self._grades]
        grades = [*known, *self._store.grades(unknown).values()]
        return min((grade for grade in grades if grade is not None), default=None)

    # -- officers' actions -----------------------------------------------------------------

    def _carry_out(self, alert: Alert, action: Action, step: Step) -> Alert:
        changed = lifecycle.act(
            alert,
            action,
            actor=step.actor,
            time_ms=step.time_ms,
            reason=step.reason,
            disposition=step.disposition,
            until_ms=step.until_ms,
            four_eyes=self._settings.four_eyes,
        )
        if action is Action.REOPEN:
            changed = replace(changed, case_id=self._case(alert.subject, alert.subject_id) or alert.case_id)
        is_proposal = action is Action.CLOSE and changed.is_open
        self._steps.append(step)
        self._keep(changed, "proposed" if is_proposal else _PAST[action])
        fact = {
            "action": "propose" if is_proposal else action.value,
            "actor": step.actor,
            "reason": step.reason,
            "disposition": step.disposition,
            "until_ms": step.until_ms,
            "status": changed.status.value,
        }
        self._record_change(changed, step.time_ms, fact)
        return changed

    def _wake(self, alert_id: str, until_ms: int) -> Alert:
        step = Step(alert_id, until_ms, Action.WAKE.value, TIMER, "the snooze ran out", None, None)
        return self._carry_out(self.alert(alert_id), Action.WAKE, step)

    def _was_taken(self, step: Step) -> bool:
        return step in self._steps or step in self._store.history(step.alert_id)

    def _refuse_second(self, alert: Alert, action: Action) -> None:
        if action is not Action.REOPEN or alert.is_open:
            return
        latest = self._latest(alert.fingerprint)
        if latest is not None and latest.status is not Status.CLOSED:
            raise ActionNotAllowedError(
                f"cannot reopen alert {alert.id}: alert {latest.alert_id} of the same rule and subject is "
                f"{latest.status}, expected it to be closed first"
            )


_PAST: Final = MappingProxyType(
    {action: kind.removeprefix("alert.") for kind, action in ACTIONS.items()},
)


def _step(alert_id: str, action: Action, data: Any, time_ms: int | None) -> Step:
    occurred_ms = getattr(data, "occurred_at", None) if time_ms is None else time_ms
    if not isinstance(occurred_ms, int):
        raise ActionNotAllowedError(f"occurred_at: expected epoch milliseconds, was {occurred_ms!r}")
    return Step(
        alert_id=alert_id,
        time_ms=occurred_ms,
        action=action.value,
        actor=getattr(data, "actor", None) or (TIMER if action is Action.WAKE else ""),
        reason=getattr(data, "reason", None) or getattr(data, "note", None) or "",
        disposition=getattr(data, "disposition", None),
        until_ms=getattr(data, "until", None),
    )
