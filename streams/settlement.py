"""Settling entries of a cluster's order: what their stages answered is committed, as embedded it would be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from monitor.core.assessment import Assessment
from monitor.core.events import Event
from streams.commit import Committer
from streams.entries import CUSTOMER, Entry, Place, parts_in_force
from streams.faults import Fault, Rejection
from streams.journal import position
from streams.ports import Outcome
from streams.scoring import Versions
from streams.wire import Adopt

PLACE = "cluster"
"""Under which key of the bookkeeping the place is kept."""


class UnansweredError(Exception):
    """A stage did not answer in time; nothing was kept, the entry is tried again."""


class Settlement:
    """Commits entries with the place they lead to.

    Parameters
    ----------
    committer
        Writes.
    adopt
        Called with the hash of a configuration that comes into force: archives it, changes the desk.
    refuse
        Keeps a refusal for whoever asked.
    versions
        Learns from what is settled.
    patience_s
        How long the stage may take to answer an action.
    """

    def __init__(
        self,
        committer: Committer,
        adopt: Callable[[str], None],
        refuse: Callable[[Event, str], None],
        versions: Versions,
        *,
        patience_s: float = 60.0,
    ) -> None:
        self.tell: Callable[[Entry, dict[str, Any] | None], None] = _nobody
        """Sends the facts of an officer's action to the stage that waits for them, None where it was
        refused; returns once they are durable."""
        self._committer = committer
        self._adopt = adopt
        self._refuse = refuse
        self._versions = versions
        self._patience_s = patience_s

    def recover(self) -> Place | None:
        """Come back to what is committed, and return the place; None before the first.

        Raises
        ------
        StoreUnavailableError
            The database is away: call again later.
        """
        store = self._committer.store
        try:
            self._committer.reload()
            self._versions.recover()
            self._versions.catch_up()
            stored = store.meta(PLACE)
        except Exception as error:
            raise store.unavailable(error) or error from error
        return msgspec.json.decode(stored, type=Place) if stored else None

    def begin(self, place: Place) -> None:
        """Commit the first place of all."""
        self._committer.transact(lambda: self._committer.store.put_meta(PLACE, msgspec.json.encode(place)))

    def settle(self, entries: Sequence[Entry], place: Place) -> list[Outcome]:
        """Commit entries in order, all or none; one outcome a record, none for ticks of time alone.

        Raises
        ------
        StoreUnavailableError, UnansweredError
            Nothing was kept. After these and any other error `recover` comes first; where a commit
            may have gone through all the same, the place tells.
        """

        def work() -> list[Outcome]:
            outcomes = [outcome for entry in entries if (outcome := self._carry_out(entry))]
            self._committer.store.put_meta(PLACE, msgspec.json.encode(place))
            return outcomes

        return self._committer.transact(work)

    def _carry_out(self, entry: Entry) -> Outcome | None:
        committer, event = self._committer, entry.what
        if isinstance(event, Adopt):
            self._take_force(parts_in_force(event.hash)[0])
            return None
        if type(event) is not Event:
            return committer.reject(entry.record, event)
        if entry.is_duplicate:
            return self._again(event)
        committer.progress.stream_time_ms = max(committer.progress.stream_time_ms, event.time_ms)
        if event.kind == "tick":
            committer.pass_time(event, _fired(entry), entry.record.received_ms)
            self._versions.follow(event, committer.progress.head, b"")
            return Outcome("accepted", event.id, time_ms=event.time_ms) if not entry.is_brought else None
        if entry.is_action and (refusal := self._act(entry, event)):
            return refusal
        if entry.failure:
            fault = Fault("$", entry.failure, "redrive it after the repair")
            return committer.reject(
                entry.record, Rejection(entry.record.body, "engine_failed", (fault,), event.id)
            )
        assessments = [_assessment(entry, event, *place) for place in entry.subjects]
        outcome = committer.accept(event, assessments, entry.record.received_ms)
        self._versions.follow(event, committer.progress.head, outcome.features)
        if committer.turn is not None:
            self._take_force(committer.turn.hash)
        return outcome

    def _take_force(self, configuration: str) -> None:
        rulebooks = self._committer.progress.rulebooks
        if not rulebooks or rulebooks[-1][1] != configuration:
            self._adopt(configuration)
            self._committer.adopt_unfilled(configuration)

    def _again(self, event: Event) -> Outcome:
        seq = position(self._committer.store, event.ref)
        assert seq is not None
        return self._committer.answer_again(event, seq)

    def _act(self, entry: Entry, event: Event) -> Outcome | None:
        refusal = self._committer.act(event)
        if entry.subjects:
            self.tell(entry, None if refusal else event.facts)
        if refusal is not None:
            self._refuse(event, refusal.message)
        elif entry.answered is None or not entry.answered.wait(self._patience_s) or entry.waiting:
            raise UnansweredError(f"order {entry.order}: no stage answered within {self._patience_s:.0f} s")
        return refusal


def _nobody(entry: Entry, facts: dict[str, Any] | None) -> None:
    raise UnansweredError(f"order {entry.order}: nobody is there to be told")


def _assessment(entry: Entry, event: Event, order: int, stage: str, name: str) -> Assessment:
    """Return what a stage answered; its facts join the event's."""
    answer = entry.answer(stage, order)
    if answer is not None:
        event.facts |= answer.facts or {}
        if answer.assessment is not None:
            return answer.assessment
    return Assessment(
        event_id=event.id,
        ref=event.ref,
        kind=event.kind,
        subject=stage,
        subject_id=name,
        time_ms=event.time_ms,
        score=entry.score if stage == CUSTOMER else 0.0,
        features=entry.features if stage == CUSTOMER else b"",
    )


def _fired(entry: Entry) -> Iterator[Assessment]:
    """Give what fell due in all partitions, in the order in which one alone would have fired it."""
    fired = sorted(entry.answers, key=lambda one: (one[1].due_ms, one[0], one[1].subject_id))
    return (answer.assessment for _, answer in fired if answer.assessment is not None)
