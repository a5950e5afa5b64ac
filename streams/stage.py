"""One partition of one stage: items in order go in; answers, facts and snapshots come out. No I/O, no clock.

The promise: however the items are cut into messages, sent again, or read again after a crash, every
item is answered, with the same answer, and the states are the same as in one straight pass.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from monitor.core.assessment import Assessment
from monitor.core.events import Event
from monitor.core.schedules import is_due
from streams.ports import Codec, Engine, Snapshots, StateRow
from streams.states import Key, StateCache
from streams.wire import Adopt, Answer, Answers, Facts, Item, Tick, Work

DONE = "\x00done"
"""The id of the row that tells up to which order everything is done and in snapshots."""
EPOCH = "\x00epoch"
"""The id of the row that tells what is in force since its order: kind to hash."""

EngineFor = Callable[[str, str], tuple[Engine, Codec]]
"""Gives engine and codec once something (`configuration`, `model`) of this hash is in force."""

_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.decode


class StageStore(Snapshots, Protocol):
    """The snapshots of one partition."""

    def put_states(self, rows: Iterable[StateRow]) -> None:
        """Take snapshots: read again from here on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageLimits:
    """How much of a partition is kept in memory and how much a recovery may have to repeat."""

    cache_subjects: int = 100_000
    """States in memory."""
    tail_items: int = 20_000
    """Recovery repeats about so many items at most."""


@dataclass(slots=True)
class Output:
    """What is to be sent."""

    answers: Answers
    """Nothing to send where its `orders` is empty."""
    facts: dict[int, Facts] = field(default_factory=dict)
    """By the partition of the customer stage that waits for them."""


@dataclass(frozen=True, slots=True)
class Written:
    """Snapshots to be written, in this order, once every answer given so far has arrived."""

    rows: list[StateRow]
    floor: int
    """Once the rows are durable, items and facts of lower orders are not needed any more."""


def in_force(stage: str, store: Snapshots) -> dict[str, str]:
    """Return what the owner of snapshots goes on with, kind to hash; nothing for a new partition."""
    epoch = store.state(stage, EPOCH)
    return dict(_decode(epoch.packed)) if epoch else {}


class StagePartition:
    """Carries out the items of one partition of a stage.

    Parameters
    ----------
    stage
        Kind of subject.
    partition
        Its number.
    store
        Snapshots; what a former owner of the partition wrote is where this one goes on.
    engine_for
        See `EngineFor`.
    limits
        Bounds of memory and recovery.
    """

    def __init__(
        self,
        stage: str,
        partition: int,
        store: StageStore,
        engine_for: EngineFor,
        limits: StageLimits | None = None,
    ) -> None:
        self.stage = stage
        self.partition = partition
        self._store = store
        self._engine_for = engine_for
        self._limits = limits or StageLimits()
        self._waiting: deque[Item] = deque()
        self._facts: dict[int, dict[str, dict[str, Any] | None]] = {}
        # What was carried out since the floor, with the facts it had: a state is rebuilt from these.
        self._tail: deque[tuple[Work | Tick, dict[str, Any]]] = deque()
        self._failed: set[tuple[int, str]] = set()
        """Order and subject of ticks in the tail that the engine failed on."""
        self._unwritten: list[StateRow] = []
        self._open()

    @property
    def waiting(self) -> int:
        """Number of items held back: the first of them waits for facts."""
        return len(self._waiting)

    @property
    def unwritten(self) -> int:
        """Number of states with changes that no snapshot has."""
        return self._cache.unwritten if self._cache else 0

    @property
    def done(self) -> int:
        """The order of the last item that is done."""
        return self._done

    def feed(self, items: Iterable[Item]) -> Output:
        """Carry out items that follow those fed before; what was done already is passed over silently.

        Raises
        ------
        RuntimeError
            Where work comes before anything was adopted.
        """
        self._waiting.extend(items)
        return self._go_on()

    def receive(self, facts: Facts) -> Output:
        """Take facts for items that wait, or will come; facts for items done already are dropped."""
        for order, attached in facts.facts:
            if order > self._done:
                self._facts.setdefault(order, {})[facts.origin] = attached
        return self._go_on()

    def snapshots(self, few: int) -> Written:
        """Take the snapshots to be written now; they count as written in memory at once.

        Parameters
        ----------
        few
            At least so many are taken (where there are as many), oldest change first.
        """
        limits, tail = self._limits, self._tail
        floor = self._done + 1
        if self._cache:
            oldest = tail[-limits.tail_items][0].order if len(tail) > limits.tail_items else 0
            self._take(self._cache.snapshots(oldest, few))
            floor = self._cache.floor(self._done)
        self._settle(floor)
        rows, self._unwritten = self._unwritten, []
        return Written(rows, floor)

    # Inside.

    def _open(self) -> None:
        self._cache: StateCache | None = None
        self._done = 0
        self._in_force: dict[str, str] = {}
        epoch, done = self._store.state(self.stage, EPOCH), self._store.state(self.stage, DONE)
        if epoch:
            for kind, digest in in_force(self.stage, self._store).items():
                self._enter(kind, digest)
            # It is written behind every state it found: everything before it is in snapshots.
            self._done = epoch.seq
        if done:
            self._done = max(self._done, done.seq)
        self._settled = self._done

    def _go_on(self) -> Output:
        out = Output(Answers(self.stage, self.partition, [], [], []))
        while self._waiting:
            item = self._waiting[0]
            if item.order > self._done:
                if isinstance(item, Work) and item.awaits and not self._is_ready(item):
                    break
                self._carry_out(item, out)
                self._done = item.order
                self._facts.pop(item.order, None)
            self._waiting.popleft()
        return out

    def _is_ready(self, item: Work) -> bool:
        found = self._facts.get(item.order, {})
        return all(origin in found for origin in item.awaits)

    def _carry_out(self, item: Item, out: Output) -> None:
        if isinstance(item, Adopt):
            self._adopt(item)
        elif isinstance(item, Tick):
            self._tick(item, out)
        elif not self._work(item, out):
            return
        out.answers.orders.append(item.order)

    def _work(self, item: Work, out: Output) -> bool:
        """Assess an event; False where its subject's snapshot includes it: it was answered before."""
        state = self._state(item)
        if state.seq >= item.order:
            return False
        facts = self._merged(item)
        if facts is None:
            return True
        key = (self.stage, item.subject_id)
        try:
            event = self._event(item, facts)
            assessment = self._engine.assess(event, *key, state)
        except Exception as error:
            self._rebuild(key)
            self._fail(item, 0, item.subject_id, error, out)
            _reply(self.stage, item, None, out)
            return True
        self._opened.changed(key, state, item.order)
        self._tail.append((item, facts))
        added = self._added(event, facts)
        _answer(item, assessment, added, out)
        _reply(self.stage, item, added, out)
        return True

    def _tick(self, item: Tick, out: Output) -> None:
        for key, state in self._opened.due(item.time_ms, item.order, at_once=item.at_once):
            due_ms = state.due_ms
            try:
                assessments = self._engine.tick(item.time_ms, *key, state)
            except Exception as error:
                self._failed.add((item.order, key[1]))
                self._rebuild(key)
                self._fail(item, due_ms, key[1], error, out)
                continue
            self._opened.changed(key, state, item.order)
            out.answers.answers.extend(Answer(item.order, key[1], due_ms, found) for found in assessments)
        self._tail.append((item, {}))

    def _adopt(self, item: Adopt) -> None:
        if self._cache:
            self._take(self._cache.snapshots(item.order + 1, 0))
        self._enter(item.kind, item.hash)
        self._take([StateRow(self.stage, EPOCH, item.order, 0, _encode(self._in_force))])
        self._tail.clear()
        self._failed.clear()

    def _enter(self, kind: str, digest: str) -> None:
        self._in_force[kind] = digest
        self._engine, self._codec = self._engine_for(kind, digest)
        self._cache = StateCache(self._engine, self._store, self._limits.cache_subjects)

    @property
    def _opened(self) -> StateCache:
        if self._cache is None:
            raise RuntimeError(
                f"{self.stage}/{self.partition}: work came before a configuration was adopted\n"
                "  hint: start the desk, which sends it before anything else"
            )
        return self._cache

    def _state(self, item: Work) -> Any:
        return self._opened.get((self.stage, item.subject_id))

    def _merged(self, item: Work) -> dict[str, Any] | None:
        """Return what is known of the event before this stage; None where somebody refused it."""
        merged = dict(item.facts or {})
        found = self._facts.get(item.order, {})
        for origin in item.awaits:
            attached = found[origin]
            if attached is None:
                return None
            merged |= attached
        return merged

    def _event(self, item: Work, facts: Mapping[str, Any]) -> Event:
        event = self._codec.decode(item.body)
        if type(event) is not Event:
            raise ValueError(f"expected an event, was {event}")
        event.facts = dict(facts)
        return event

    def _added(self, event: Event, facts: Mapping[str, Any]) -> dict[str, Any]:
        if self.stage not in self._engine.attaching:
            return {}
        return {name: value for name, value in event.facts.items() if facts.get(name, facts) != value}

    def _rebuild(self, key: Key) -> None:
        """Bring a state back to what it was before the item that made the engine fail."""
        state = self._opened.stored(key)
        for item, facts in self._tail:
            if state.seq >= item.order or (item.order, key[1]) in self._failed:
                continue
            if isinstance(item, Work):
                if item.subject_id != key[1]:
                    continue
                self._engine.assess(self._event(item, facts), *key, state)
            elif is_due(state, item.time_ms, at_once=item.at_once):
                self._engine.tick(item.time_ms, *key, state)
            else:
                continue
            state.seq = item.order
        self._opened.replace(key, state)

    @staticmethod
    def _fail(item: Item, due_ms: int, subject_id: str, error: Exception, out: Output) -> None:
        reason = f"the engine failed: {type(error).__name__}: {error}"
        out.answers.answers.append(Answer(item.order, subject_id, due_ms, None, failure=reason))

    def _take(self, rows: list[StateRow]) -> None:
        self._store.put_states(rows)
        self._unwritten += rows

    def _settle(self, floor: int) -> None:
        """Note up to where everything is done and in snapshots; forget what was kept to repeat it."""
        # Not a record for nothing but this: it only saves looking at items that come again.
        if floor - 1 > self._settled and (self._unwritten or floor > self._done):
            self._settled = floor - 1
            self._take([StateRow(self.stage, DONE, floor - 1, 0, b"")])
        while self._tail and self._tail[0][0].order < floor:
            self._tail.popleft()
        self._failed = {failed for failed in self._failed if failed[0] >= floor}
        for late in [late for late in self._facts if late <= self._done]:
            del self._facts[late]


def _answer(item: Work, found: Assessment, added: dict[str, Any], out: Output) -> None:
    if (
        found.hits or found.rating or found.notices or found.failures or found.late
        or found.too_late or found.duplicate or found.reasons or added
    ):  # fmt: skip
        out.answers.answers.append(Answer(item.order, item.subject_id, 0, found, added or None))
    elif found.score or found.features:
        out.answers.scores.append((item.order, found.score, found.features))


def _reply(stage: str, item: Work, added: dict[str, Any] | None, out: Output) -> None:
    if item.reply_to is not None:
        # The one who waits goes on even where there is nothing to tell it.
        out.facts.setdefault(item.reply_to, Facts(stage, [])).facts.append((item.order, added))
