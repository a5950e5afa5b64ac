"""One order for all events of a cluster: what goes to which stage, and which answers are awaited.

The order is a function of the log of records and of `Place`, which is committed with what was
settled: a desk that was killed sends everything after that again, under the same numbers. Nothing
here knows Kafka; records and answers come in, items go out through a callback.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from alerts.desk import ACTIONS
from monitor.core.events import Event
from monitor.core.rule_life import STEPS, TURNS
from monitor.core.scorer import LEARNS
from streams.entries import CUSTOMER, DESK, Entry, Memory, Models, Place, in_force
from streams.journal import due_ticks, is_at_once, tick
from streams.ports import Codec, Engine, Record
from streams.recall import earlier, note_passed
from streams.wire import Adopt, Answer, Answers, Item, Tick, Work, partition_of


class Sequencer:
    """Gives every record its order, sends the items of its stages, and collects their answers.

    Parameters
    ----------
    place
        Where to go on.
    parts_for
        Gives engine and codec of a configuration by its hash.
    memory
        What is committed.
    stages
        Every stage that workers serve.
    partitions
        Of each stage.
    tick_every_ms
        Ticks by event time; 0 for none.
    send
        Called with stage, partition and item, in order.
    models
        What is learnt: a new version has its place in the order too.
    """

    def __init__(
        self,
        place: Place,
        parts_for: Callable[[str], tuple[Engine, Codec]],
        memory: Memory,
        *,
        stages: Sequence[str],
        partitions: int,
        tick_every_ms: int,
        send: Callable[[str, int, Item], None],
        models: Models,
    ) -> None:
        self.entries: deque[Entry] = deque()
        """In order, not settled yet."""
        self._order, self._stream_time_ms = place.order, place.stream_time_ms
        self._parts_for = parts_for
        self._memory = memory
        self._stages, self._partitions = tuple(stages), partitions
        self._tick_every_ms = tick_every_ms
        self._send = send
        self._events: dict[int, Entry] = {}
        self._by_order: dict[int, Entry] = {}
        self._read: dict[int, deque[tuple[int, int]]] = {}
        self._early: list[Answers] = []
        self._settled, self._answers = place.order, dict(place.answers)
        self._models, self._model = models, place.model
        self._payments = 0
        self._is_turning = False
        self._configuration = place.configuration
        self._engine, self._codec = parts_for(place.configuration)
        settled = models.configuration or place.configuration
        if not place.order or (models.in_force, settled) != (place.model, place.configuration):
            # Before the first event of all, workers are told what is in force; and a version that was
            # published, or a configuration that a person put into force, just before a restart.
            self._model = models.in_force
            self._adopt(settled, place.position)

    def decode(self, record: Record) -> Any:
        """Return the `Event` of a record, or a `Rejection` with every fault."""
        return record.rejection or self._codec.decode(record.body, record.received_ms or None)

    @property
    def configuration(self) -> str:
        """Hash of the configuration that the next event is assessed by."""
        return self._configuration

    @property
    def scoring(self) -> str:
        """Name of the model versions that score the next event; empty: none."""
        return self._model

    @property
    def stream_time_ms(self) -> int:
        """Largest event time of all records taken."""
        return self._stream_time_ms

    def is_flying(self, ref: int) -> bool:
        """Tell whether the event is on its way, not settled yet."""
        return ref in self._events

    def take(self, record: Record, what: Any, position: int, *, is_known: bool) -> bool:
        """Give a record its order and send it to its stages.

        Returns False, doing nothing, where it depends on what is still on its way: call again once
        everything before is settled.

        Parameters
        ----------
        what
            From `decode`.
        position
            Where reading goes on after it: one more than where it was read.
        is_known
            Whether the event is journaled already.
        """
        codec = self._codec
        if self._is_turning and not self._turn(position - 1):
            return False
        if self._codec is not codec:
            what = self.decode(record)
        if type(what) is not Event:
            self._append(Entry(self._next(), record, what, position))
            return True
        is_flying = what.ref in self._events
        if is_flying and what.kind != "tick":
            # It is a duplicate only once that is journaled: what is refused or fails is tried again,
            # by whoever reads the log, at whatever pace.
            return False
        is_action = what.kind in ACTIONS or what.kind in STEPS
        if is_action and not is_known:
            # It may have been settled since somebody looked.
            is_known = bool(self._memory.known([what.ref]))
        if is_known or is_flying:
            self._append(Entry(self._next(), record, what, position, is_duplicate=True))
            return True
        subjects = self._concerned(what) if is_action else None
        if is_action and subjects is None and self.entries:
            return False  # its alert may be on its way
        if (what.kind in TURNS and self.entries) or self._pass_time(record, what, position):
            return False
        self._stream_time_ms = max(self._stream_time_ms, what.time_ms)
        if what.kind == "tick":
            self._tick(Entry(self._next(), record, what, position))
        else:
            self._route(record, what, position, subjects or [] if is_action else None)
            # What a step puts into force is known once it is settled: until then the next one waits.
            self._is_turning |= what.kind in STEPS
        return True

    def _concerned(self, action: Event) -> list[tuple[str, str]] | None:
        """Return the customer whose alert an action is about, if it is one's; None where it is not known."""
        if action.kind in STEPS:
            return []
        subject = self._memory.subject_of(action.data.alert_id or "")
        if subject is None:
            return None
        return [subject] if subject[0] == CUSTOMER else []

    def change(self, digest: str, position: int) -> bool:
        """Put another configuration into force, as the record at `position - 1` says; as `take`."""
        if self.entries or (self._is_turning and not self._turn(position - 1)):
            return False
        if self._memory.needs_approval(self._configuration):
            # A desk announced it before this one came into force.
            digest = self._configuration
        is_other = digest != self._configuration and self._stream_time_ms > 0
        if is_other and self._bring(tick(self._stream_time_ms, at_once=True), 0, position):
            return False
        self._adopt(digest, position)
        return True

    def _adopt(self, digest: str, position: int) -> None:
        adopted = Adopt(self._next(), "configuration", in_force(digest, self._model))
        self._configuration = digest
        self._engine, self._codec = self._parts_for(digest)
        entry = Entry(adopted.order, Record(b""), adopted, position)
        self._everywhere(entry, self._stages, adopted)
        self._append(entry)
        # Another configuration may take versions out of force that were learnt by the former.
        self._is_turning = True

    def receive(self, partition: int, position: int, message: Answers) -> None:
        """Take in answers that came from a partition of them; those taken in before change nothing.

        Parameters
        ----------
        position
            Where reading the partition goes on after the message.
        """
        last = max(message.orders, default=0)
        self._read.setdefault(partition, deque()).append((last, position))
        if last > self._order:
            # From before a restart: the items it answers have not been given their orders again yet.
            self._early.append(message)
        self._note(message)

    def _note(self, message: Answers) -> None:
        stage, scores = message.stage, {order: (score, seen) for order, score, seen in message.scores}
        answers: dict[int, list[Answer]] = {}
        for answer in message.answers:
            answers.setdefault(answer.order, []).append(answer)
        for order in message.orders:
            if entry := self._by_order.get(order):
                entry.take_in((stage, message.partition, order), answers.get(order, ()), scores.get(order))

    def _note_early(self) -> None:
        early, self._early = self._early, []
        for message in early:
            self._note(message)
            if max(message.orders) > self._order:
                self._early.append(message)

    def ready(self, most: int) -> list[Entry]:
        """Return the entries that can be settled now, in order.

        An officer's action comes alone, before its stages answered: the desk acts first.
        """
        if self._early:
            self._note_early()
        found: list[Entry] = []
        for entry in self.entries:
            if entry.is_action:
                return found or [entry]
            if entry.waiting or len(found) >= most:
                break
            found.append(entry)
        return found

    def place(self, last: Entry) -> Place:
        """Return the place to commit with entries up to this one."""
        answers = dict(self._answers)
        for partition, read in self._read.items():
            for order, position in read:
                if order > last.order:
                    break
                answers[partition] = position
        return Place(
            order=last.order,
            position=last.position,
            stream_time_ms=last.stream_time_ms,
            model=last.model,
            configuration=last.configuration,
            answers=answers,
        )

    def settled(self, entries: Iterable[Entry]) -> None:
        """Forget entries that are committed: the first ones, in order."""
        for entry in entries:
            self.entries.popleft()
            self._settled = entry.order
            for order, _, _ in entry.subjects:
                self._by_order.pop(order, None)
            self._by_order.pop(entry.order, None)
            if type(entry.what) is Event and self._events.get(entry.what.ref) is entry:
                del self._events[entry.what.ref]
                self._payments -= entry.what.kind in LEARNS
        for partition, read in self._read.items():
            while read and read[0][0] <= self._settled:
                self._answers[partition] = read.popleft()[1]

    # Inside.

    def _next(self) -> int:
        self._order += 1
        return self._order

    def _append(self, entry: Entry) -> None:
        entry.stream_time_ms, entry.model = self._stream_time_ms, self._model
        entry.configuration = self._configuration
        self.entries.append(entry)
        self._by_order[entry.order] = entry
        if type(entry.what) is Event and not entry.is_duplicate:
            self._events[entry.what.ref] = entry
            self._payments += entry.what.kind in LEARNS
        entry.tell_waiting()

    def _pass_time(self, record: Record, event: Event, position: int) -> bool:
        """Send the ticks that an event brings; True where the event has to wait until they are settled."""
        is_turn = event.kind in TURNS and self._models.would_turn(event)
        every_ms = self._tick_every_ms
        for passed in due_ticks(self._stream_time_ms, event.time_ms, every_ms, is_turn=is_turn):
            if passed.ref != event.ref and self._bring(passed, record.received_ms, position):
                return True
        return False

    def _bring(self, passed: Event, received_ms: int, position: int) -> bool:
        """Send a tick before the record it comes with, once; True where the record has to wait."""
        if is_at_once(passed) and self._memory.known([passed.ref]):  # all before it is settled
            return False
        self._stream_time_ms = max(self._stream_time_ms, passed.time_ms)
        # Where it is settled alone, reading goes on with the record, which then does not bring it.
        record = Record(passed.body, received_ms=received_ms)
        self._tick(Entry(self._next(), record, passed, position - 1, is_brought=True))
        return self._is_turning

    def _tick(self, entry: Entry) -> None:
        order, passed = entry.order, entry.what
        self._everywhere(entry, self._engine.timed, Tick(order, passed.time_ms, is_at_once(passed)))
        self._append(entry)
        # Versions come with ticks. Only where one may come now must the next event wait and see.
        self._is_turning = self._models.may_turn(entry.what.time_ms, self._payments)

    def _turn(self, position: int) -> bool:
        """Put into force what the last tick or step led to; False while that is not known yet."""
        if self.entries:
            return False
        self._is_turning = False
        settled = self._models.configuration or self._configuration
        if (self._models.in_force, settled) != (self._model, self._configuration):
            self._model = self._models.in_force
            self._adopt(settled, position)
        return True

    def _everywhere(self, entry: Entry, stages: Sequence[str], item: Item) -> None:
        for stage in stages:
            for partition in range(self._partitions):
                entry.waiting.add((stage, partition, entry.order))
                self._send(stage, partition, item)

    def _route(
        self, record: Record, event: Event, position: int, about: Sequence[tuple[str, str]] | None
    ) -> None:
        if (target := earlier(event)) is not None and (old := self._find(target)) is not None:
            note_passed(self._engine, event, old)
        places = self._numbered(self._engine.subjects(event) if about is None else about)
        order = places[-1][0] if places else self._next()
        entry = Entry(order, record, event, position, subjects=places)
        if about is not None:
            entry.answered = threading.Event()
        self._send_work(entry, event, (DESK,) if about is not None else self._awaited(places, order))
        self._append(entry)

    def _send_work(self, entry: Entry, event: Event, awaits: tuple[str, ...]) -> None:
        known, count = dict(event.facts) or None, self._partitions
        home = None
        if awaits:
            home = next(
                (partition_of(name, count) for _, stage, name in entry.subjects if stage == CUSTOMER), None
            )
        for order, stage, name in entry.subjects:
            partition = partition_of(name, count)
            entry.waiting.add((stage, partition, order))
            if order != entry.order:
                self._by_order[order] = entry
            if not awaits:
                work = Work(order, name, event.body, known)
            elif stage == CUSTOMER:
                work = Work(order, name, event.body, known, awaits)
            else:
                is_awaited = stage in awaits and order == entry.order
                work = Work(order, name, event.body, known, (), home if is_awaited else None)
            self._send(stage, partition, work)

    def _awaited(self, places: Sequence[tuple[int, str, str]], order: int) -> tuple[str, ...]:
        attaching = self._engine.attaching
        if not attaching:
            return ()
        return tuple(
            stage for one, stage, _ in places if one == order and stage != CUSTOMER and stage in attaching
        )

    def _numbered(self, subjects: Sequence[tuple[str, str]]) -> list[tuple[int, str, str]]:
        """Number an event's subjects: all alike, but where a stage has several each has its own order."""
        last = {stage: place for place, (stage, _) in enumerate(subjects)}
        if len(last) == len(subjects):
            order = self._next() if subjects else 0
            return [(order, stage, name) for stage, name in subjects]
        early = {place: self._next() for place, (stage, _) in enumerate(subjects) if last[stage] != place}
        main = self._next()
        return [(early.get(place, main), stage, name) for place, (stage, name) in enumerate(subjects)]

    def _find(self, ref: int) -> Event | None:
        flying = self._events.get(ref)
        if flying is not None:
            event: Event = flying.what
            return event
        body = self._memory.record(ref)
        found = None if body is None else self._codec.decode(body)
        return found if type(found) is Event else None
