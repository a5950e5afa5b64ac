"""A stage partition answers the same however its items are cut, repeated or read again after crashes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from random import Random
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.configuration import build_codec, build_engine
from monitor.core.events import Event
from monitor.testing import configuration, record, with_rules
from streams.ports import StateRow
from streams.stage import DONE, Output, StageLimits, StagePartition
from streams.testing import HOUR_MS, CountingEngine, CountingState, JsonCodec, stream
from streams.wire import Adopt, Answer, Answers, Batch, Facts, Item, Tick, Work, partition_of

Part = tuple[str, int]
SMALL = StageLimits(cache_subjects=3, tail_items=6)
PARTITIONS = 2


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


def logs_of(events: list[Any], engine_for: Any, adopts: dict[int, str]) -> dict[Part, list[Item]]:
    """Number events as a desk does, a tick an hour; in two stages the customer waits for the device."""
    order, engine, codec = 0, None, None
    logs: dict[Part, list[Item]] = {}
    last_ms = 0

    def everywhere(item: Item) -> None:
        for stage in ("device", "customer"):
            for partition in range(PARTITIONS):
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
        home = next((partition_of(name, PARTITIONS) for kind, name in subjects if kind == "customer"), None)
        is_chained = len(subjects) == 2 and "device" in engine.attaching
        for kind, name in subjects:
            waits = ("device",) if is_chained and kind == "customer" else ()
            reply_to = home if is_chained and kind == "device" else None
            work = Work(order, name, event.body, None, waits, reply_to)
            logs[kind, partition_of(name, PARTITIONS)].append(work)
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


COUNTED = logs_of(poisoned(stream(seed=3, length=150)), counting, {0: "c0", 70: "d0", 110: "c0"})


BURST = {"id": "P-1", "on": "payment.transfer", "when": "count(24h) >= 3", "points": 40}
UNPAID = {
    "id": "P-2",
    "on": "loan.repayment_due",
    "when": "absent(loan.repayment, for=30d, after=loan.repayment_due, key=loan_id)",
    "points": 90,
}
SHARED = {
    "id": "P-3",
    "subject": "device",
    "on": ["auth.login", "payment.transfer"],
    "when": "distinct(customer_id, 24h) >= 2",
    "points": 20,
}


def transfers(length: int) -> Iterator[bytes]:
    random, at_ms = Random(5), 5 * 24 * HOUR_MS
    for number in range(length):
        at_ms += random.choice((0, HOUR_MS, 7 * HOUR_MS, 48 * HOUR_MS))
        kind = random.choice(("payment.transfer", "payment.transfer", "auth.login", "loan.repayment_due"))
        fields: dict[str, Any] = {"customer_id": f"c{random.randrange(4)}"}
        if kind == "loan.repayment_due":
            fields["loan_id"] = f"L-{number}"
        elif random.random() < 0.7:
            fields["device"] = {"device_id": f"D-{random.randrange(3)}"}
        if kind == "payment.transfer":
            fields |= {"amount": "10.00", "direction": "out", "counterparty": {"account": "A-1"}}
        yield record(f"e{number}", kind, at_ms - random.choice((0, 0, 0, 2 * HOUR_MS)), **fields)


@cache
def compiled() -> tuple[dict[Part, list[Item]], Any]:
    base, engines = configuration(), {}
    for rules in ((BURST, UNPAID, SHARED), (SHARED, UNPAID)):
        built = with_rules(base, *rules)
        engines[built.hash] = (build_engine(built), build_codec(built))
    first, second = engines

    def engine_for(kind: str, digest: str) -> Any:
        return engines[digest]

    bodies = list(transfers(160))
    return logs_of(bodies, engine_for, {0: first, 70: second, 120: first}), engine_for


def straight(logs: dict[Part, list[Item]], engine_for: Callable[..., Any]) -> Line:
    line = Line(logs, engine_for, StageLimits())
    line.finish()
    return line


parts = st.sampled_from([(stage, p) for stage in ("device", "customer") for p in range(PARTITIONS)])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("feed"), parts, st.integers(1, 12)),
        st.tuples(st.just("send"), parts, st.integers(1, 3)),
        st.tuples(st.just("flush"), parts, st.integers(0, 3)),
        st.tuples(st.just("dies"), parts, st.integers(0, 5)),
        st.tuples(st.just("crash"), parts, st.just(0)),
        st.tuples(st.just("again"), parts, st.integers(1, 40)),
    ),
    min_size=20,
    max_size=80,
)


def disturbed(logs: dict[Part, list[Item]], engine_for: Any, what: list[Any]) -> Line:
    line = Line(logs, engine_for, SMALL)
    for step, part, amount in what:
        if step == "feed":
            line.feed(part, amount)
        elif step == "send":
            line.send(part, amount)
        elif step == "flush":
            line.flush(part, amount)
        elif step == "dies":
            line.flush(part, 2, amount)
        elif step == "crash":
            line.start(part)
        else:  # the desk started again and repeats what it sent
            place = line.read[part][0]
            line.logs[part][place:place] = line.logs[part][max(0, place - amount) : place]
    line.finish()
    return line


@given(steps)
def test_crashes_repeats_and_cuts_change_no_answer_and_no_state(what: list[Any]) -> None:
    line, expected = disturbed(COUNTED, counting, what), straight(COUNTED, counting)
    assert line.everything() == expected.everything()
    assert line.states() == expected.states()


@settings(max_examples=15)
@given(steps)
def test_the_same_holds_for_compiled_rules_and_another_configuration_halfway(what: list[Any]) -> None:
    logs, engine_for = compiled()
    line, expected = disturbed(logs, engine_for, what), straight(logs, engine_for)
    assert line.everything() == expected.everything()
    assert line.states() == expected.states()


def test_the_streams_of_these_tests_have_everything_in_them() -> None:
    counted = straight(COUNTED, counting)
    failures = [answer for answer in counted.answered.values() if answer.failure]
    assert {answer.due_ms > 0 for answer in failures} == {True, False}
    assert any(answer.due_ms for answer in counted.answered.values())
    assert any(answer.facts for answer in counted.answered.values())
    ruled = straight(*compiled())
    hits = [hit for answer in ruled.answered.values() for hit in answer.assessment.hits]
    assert {hit.rule for hit in hits} == {"P-1", "P-2", "P-3"}
    assert ruled.scores
    assert any(answer.due_ms for answer in ruled.answered.values())
    for line in (counted, ruled):
        for part, log in line.logs.items():
            assert line.orders[part] == {item.order for item in log}


def test_a_batch_survives_the_wire() -> None:
    from streams.wire import decode_batch, encode

    batch = Batch(COUNTED["customer", 0])
    assert decode_batch(encode(batch)) == batch
