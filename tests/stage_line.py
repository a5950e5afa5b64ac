"""Stages without a broker: numbered items, the partitions that carry them out, logs that survive."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import orjson

from monitor.core.events import Event
from streams.ports import StateRow
from streams.stage import DONE, Output, StageLimits, StagePartition
from streams.testing import HOUR_MS, CountingEngine, CountingState, JsonCodec
from streams.wire import Adopt, Answer, Answers, Facts, Item, Tick, Work, partition_of

Part = tuple[str, int]


class Rows:
    """Snapshots of a partition, in memory."""

    def __init__(self, written: Iterable[StateRow] = ()) -> None:
        self.rows: dict[tuple[str, str], StateRow] = {}
        self.put_states(written)

    def state(self, kind: str, subject_id: str) -> StateRow | None:
        return self.rows.get((kind, subject_id))

    def timers(self) -> Iterator[tuple[int, str, str]]:
        return iter([(row.due_ms, row.kind, row.id) for row in self.rows.values() if row.due_ms])

    def put_states(self, rows: Iterable[StateRow]) -> None:
        for row in rows:
            known = self.rows.get(row[:2])
            if known is None or row.seq >= known.seq:
                self.rows[row[:2]] = row


class Line:
    """Partitions of stages between logs that survive: what is answered, written and committed."""

    def __init__(self, logs: dict[Part, list[Item]], engine_for: Any, limits: StageLimits) -> None:
        self.logs = {part: list(items) for part, items in logs.items()}
        self.facts: dict[int, list[Facts]] = defaultdict(list)
        self.engine_for, self.limits = engine_for, limits
        self.answered: dict[tuple[str, int, str, int], Answer] = {}
        self.scores: dict[tuple[str, int], list[Any]] = {}
        self.orders: dict[Part, set[int]] = defaultdict(set)
        self.written: dict[Part, list[StateRow]] = defaultdict(list)
        self.committed: dict[Part, tuple[int, int]] = defaultdict(lambda: (0, 0))
        self.running: dict[Part, StagePartition] = {}
        self.read: dict[Part, list[int]] = {}
        self.unsent: dict[Part, list[Output]] = {}
        for part in self.logs:
            self.start(part)

    def start(self, part: Part) -> None:
        rows = Rows(self.written[part])
        self.running[part] = StagePartition(*part, rows, self.engine_for, self.limits)
        self.read[part], self.unsent[part] = list(self.committed[part]), []

    def feed(self, part: Part, count: int) -> None:
        place, seen = self.read[part]
        items = self.logs[part][place : place + count]
        self.read[part][0] += len(items)
        self.unsent[part].append(self.running[part].feed(items))
        if part[0] == "customer":
            facts = self.facts[part[1]][seen : seen + count]
            self.read[part][1] += len(facts)
            self.unsent[part] += [self.running[part].receive(one) for one in facts]

    def send(self, part: Part, count: int) -> None:
        sent, self.unsent[part] = self.unsent[part][:count], self.unsent[part][count:]
        for out in sent:
            self.take(part, out.answers)
            for partition, facts in out.facts.items():
                self.facts[partition].append(facts)

    def take(self, part: Part, answers: Answers) -> None:
        self.orders[part] |= set(answers.orders)
        for order, *score in answers.scores:
            assert self.scores.setdefault((part[0], order), score) == score
        for answer in answers.answers:
            key = (part[0], answer.order, answer.subject_id, answer.due_ms)
            assert self.answered.setdefault(key, answer) == answer

    def flush(self, part: Part, few: int, rows: int | None = None) -> None:
        """Write snapshots as a worker does; where it dies after so many rows, it starts again."""
        written = self.running[part].snapshots(few)
        self.send(part, len(self.unsent[part]))
        self.written[part] += written.rows[:rows]
        if rows is not None:
            self.start(part)
            return
        place, seen = self.committed[part]
        while place < self.read[part][0] and self.logs[part][place].order < written.floor:
            place += 1
        facts = self.facts[part[1]] if part[0] == "customer" else []
        while seen < self.read[part][1] and max(order for order, _ in facts[seen].facts) < written.floor:
            seen += 1
        self.committed[part] = (place, seen)

    def finish(self) -> None:
        while any(self.read[part][0] < len(log) for part, log in self.logs.items()) or any(
            self.read["customer", p][1] < len(facts) for p, facts in self.facts.items()
        ):
            for part in self.logs:
                self.feed(part, 50)
                self.send(part, len(self.unsent[part]))
        for part, partition in self.running.items():
            assert partition.waiting == 0
            while partition.unwritten or partition.snapshots(1).rows:
                self.flush(part, 1)

    def states(self) -> dict[tuple[str, str], StateRow]:
        found: dict[tuple[str, str], StateRow] = {}
        for part in self.logs:
            found |= Rows(self.written[part]).rows
        return {key: row for key, row in found.items() if key[1] != DONE}

    def everything(self) -> Any:
        return self.answered, self.scores, dict(self.orders)


def logs_of(
    events: Sequence[bytes], engine_for: Any, adopts: dict[int, str], partitions: int
) -> dict[Part, list[Item]]:
    """Number events as a desk does, a tick an hour; in two stages the customer waits for the device."""
    order, engine, codec = 0, None, None
    logs: dict[Part, list[Item]] = {}
    last_ms = 0

    def everywhere(item: Item) -> None:
        for stage in ("device", "customer"):
            for partition in range(partitions):
                logs.setdefault((stage, partition), []).append(item)

    seen: set[int] = set()
    for place, body in enumerate(events):
        if place in adopts:
            order += 1
            engine, codec = engine_for("configuration", adopts[place])
            everywhere(Adopt(order, "configuration", adopts[place]))
        event = codec.decode(body)
        if type(event) is not Event or event.ref in seen:
            continue
        seen.add(event.ref)
        if event.time_ms // HOUR_MS > last_ms // HOUR_MS:
            order += 1
            everywhere(Tick(order, event.time_ms // HOUR_MS * HOUR_MS))
        last_ms = max(last_ms, event.time_ms)
        order += 1
        subjects = [key for key in engine.subjects(event) if key[0] in ("device", "customer")]
        home = next((partition_of(name, partitions) for kind, name in subjects if kind == "customer"), None)
        is_chained = len(subjects) == 2 and "device" in engine.attaching
        for kind, name in subjects:
            waits = ("device",) if is_chained and kind == "customer" else ()
            reply_to = home if is_chained and kind == "device" else None
            work = Work(order, name, event.body, None, waits, reply_to)
            logs[kind, partition_of(name, partitions)].append(work)
    return logs


class DoublingEngine(CountingEngine):
    """Counts every amount twice."""

    rulebook_hash = "d0"

    def assess(self, event: Event, kind: str, subject_id: str, state: CountingState) -> Any:
        answer = super().assess(event, kind, subject_id, state)
        state.total += event.data.get("amount", 1)
        return answer


class DamagingEngine(CountingEngine):
    """Fails in the middle of a change: at poison in both stages, at every tick of some states."""

    def assess(self, event: Event, kind: str, subject_id: str, state: CountingState) -> Any:
        if event.data.get("poison"):
            state.total, state.due_ms = -1_000, 1
            raise ZeroDivisionError("poison")
        return super().assess(event, kind, subject_id, state)

    def tick(self, time_ms: int, kind: str, subject_id: str, state: CountingState) -> Any:
        found = super().tick(time_ms, kind, subject_id, state)
        if found and state.count % 2 == 0:
            state.total = -1_000
            raise ZeroDivisionError("tick")
        return found


ENGINES = {"c0": DamagingEngine(), "d0": DoublingEngine()}


def counting(kind: str, digest: str) -> Any:
    return ENGINES[digest], JsonCodec()


def poisoned(events: list[dict[str, Any]]) -> list[bytes]:
    return [orjson.dumps(event | ({"poison": 1} if n % 17 == 5 else {})) for n, event in enumerate(events)]


def straight(logs: dict[Part, list[Item]], engine_for: Callable[..., Any]) -> Line:
    line = Line(logs, engine_for, StageLimits())
    line.finish()
    return line
