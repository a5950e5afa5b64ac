"""A cluster without Kafka: whatever arrives when, and whoever dies, it commits what one process would."""

from __future__ import annotations

from collections import defaultdict
from random import Random

import orjson
import pytest
from counting_rulebooks import CountingRulebooks, DoublingEngine, StepCodec, step
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.desk import Desk
from alerts.stores.sql import SCHEMA as ALERTS_SCHEMA
from alerts.stores.sql import SqlAlertStore
from monitor.audit.ledger import SCHEMA as LEDGER_SCHEMA
from monitor.audit.ledger import Ledger
from monitor.core.events import Event
from streams.commit import Committer
from streams.deadletter import SCHEMA as DEAD_LETTER_SCHEMA
from streams.deadletter import DeadLetters
from streams.entries import Place
from streams.ports import Record, Sensor
from streams.scoring import Versions
from streams.sequence import Sequencer
from streams.settlement import Settlement
from streams.stage import StageLimits, StagePartition
from streams.stores.sqlite import SqliteStore, open_database
from streams.testing import HOUR_MS, CountingEngine, assemble, records, results, stream
from streams.wire import Batch, decode_answers, decode_batch, decode_facts, encode

STAGES = ("device", "customer")
HASH = CountingEngine.rulebook_hash
RULEBOOKS = CountingRulebooks([CountingEngine(), DoublingEngine()])


def parts_for(*name):
    return RULEBOOKS.parts(name[-1].partition("+")[0])


class Durable:
    """Snapshots of a partition as a compacted topic keeps them."""

    def __init__(self):
        self.rows, self.memory = {}, {}

    def reopen(self):
        self.memory = dict(self.rows)
        return self

    def state(self, kind, subject_id):
        return self.memory.get(subject_id)

    def timers(self):
        return iter([(row.due_ms, row.kind, row.id) for row in self.memory.values() if row.due_ms])

    def put_states(self, rows):
        self.memory |= {row.id: row for row in rows}


class Part:
    """A stage partition with its input, which it reads again from what it acknowledged."""

    def __init__(self, stage, number, outer):
        self.stage, self.number, self.outer = stage, number, outer
        self.items, self.facts = [], []
        self.from_item = self.from_fact = 0
        self.durable = Durable()
        self.start()

    def start(self):
        limits = StageLimits(cache_subjects=3, tail_items=20)
        self.run = StagePartition(self.stage, self.number, self.durable.reopen(), parts_for, limits)
        self.next_item, self.next_fact = self.from_item, self.from_fact

    def step(self, random):
        is_fact = random.random() < 0.5
        if is_fact and self.next_fact < len(self.facts):
            out = self.run.receive(decode_facts(self.facts[self.next_fact]))
            self.next_fact += 1
        elif self.next_item < len(self.items):
            out = self.run.feed(decode_batch(self.items[self.next_item]).items)
            self.next_item += 1
        else:
            return
        for home, facts in out.facts.items():
            self.outer.parts["customer", home].facts.append(encode(facts))
        if out.answers.orders:
            self.outer.answers[self.number].append(encode(out.answers))
        if random.random() < 0.5:
            return
        written = self.run.snapshots(random.random() < 0.2)
        self.durable.rows |= {row.id: row for row in written.rows}
        while self.from_item < self.next_item and all(
            item.order < written.floor for item in decode_batch(self.items[self.from_item]).items
        ):
            self.from_item += 1
        while self.from_fact < self.next_fact and all(
            order < written.floor for order, _ in decode_facts(self.facts[self.from_fact]).facts
        ):
            self.from_fact += 1


class Nothing:
    """What is learnt where nothing is."""

    in_force = ""

    def __init__(self, committer):
        self.committer = committer

    @property
    def configuration(self):
        rulebooks = self.committer.progress.rulebooks
        return rulebooks[-1][1] if rulebooks else ""

    def would_turn(self, event):
        return self.committer.would_turn(event)

    def may_turn(self, time_ms, payments):
        return False


class LocalCluster:
    """Everything of a cluster but Kafka, in steps that come in any order."""

    def __init__(self, log, partitions, random):
        self.log, self.partitions, self.random = log, partitions, random
        self.parts = {}
        for stage in STAGES:
            for number in range(partitions):
                self.parts[stage, number] = Part(stage, number, self)
        self.answers = defaultdict(list)
        store = SqliteStore(open_database(":memory:", sync="normal"))
        for schema in (LEDGER_SCHEMA, ALERTS_SCHEMA, DEAD_LETTER_SCHEMA):
            store.db.executescript(schema)
        self.store, ledger = store, Ledger(store.db)
        desk = Desk(SqlAlertStore(store.db), ledger)
        self.committer = Committer(store, desk, ledger, DeadLetters(store.db), Sensor(), RULEBOOKS)
        versions = Versions(self.committer, StepCodec().decode)
        self.settlement = Settlement(self.committer, lambda _: None, lambda *_: None, versions)
        self.settlement.begin(Place(configuration=HASH))
        self.start()

    def known(self, refs):
        return set(self.store.index.find(refs)) | {ref for ref in refs if self.store.index.get_unsealed(ref)}

    def record(self, ref):
        return None

    def needs_approval(self, digest):
        return RULEBOOKS.needs_approval(digest)

    def subject_of(self, alert_id):
        return None

    def start(self):
        """Start the desk from what is committed, as after a kill."""
        place = self.settlement.recover()
        self.outgoing = defaultdict(list)
        self.sequencer = Sequencer(
            place, parts_for, self, stages=STAGES, partitions=self.partitions, tick_every_ms=HOUR_MS,
            send=lambda stage, partition, item: self.outgoing[stage, partition].append(item),
            models=Nothing(self.committer),
        )  # fmt: skip
        self.next_record = place.position
        self.next_answer = {number: place.answers.get(number, 0) for number in range(self.partitions)}

    def read(self):
        for _ in range(self.random.randrange(1, 20)):
            if self.next_record == len(self.log):
                break
            record = self.log[self.next_record]
            what = self.sequencer.decode(record)
            is_known = type(what) is Event and bool(self.known([what.ref]))
            if not self.sequencer.take(record, what, self.next_record + 1, is_known=is_known):
                break
            self.next_record += 1
        outgoing, self.outgoing = self.outgoing, defaultdict(list)
        for place, items in outgoing.items():
            size = self.random.randrange(1, 30)
            for start in range(0, len(items), size):
                self.parts[place].items.append(encode(Batch(items[start : start + size])))

    def collect(self):
        number = self.random.randrange(self.partitions)
        place = self.next_answer[number]
        if place < len(self.answers[number]):
            self.sequencer.receive(number, place + 1, decode_answers(self.answers[number][place]))
            self.next_answer[number] += 1

    def settle(self):
        entries = self.sequencer.ready(self.random.randrange(1, 40))
        if entries:
            self.settlement.settle(entries, self.sequencer.place(entries[-1]))
            self.sequencer.settled(entries)

    def is_done(self):
        return self.next_record == len(self.log) and not self.sequencer.entries and not self.outgoing

    def run(self, kills):
        """Let everybody act in random order until all is settled."""
        random = self.random
        for _ in range(500_000):
            if self.is_done():
                return
            act = random.random()
            if kills and act < 0.004:
                kills -= 1
                random.choice([self.start, *(part.start for part in self.parts.values())])()
            elif act < 0.1:
                self.read()
            elif act < 0.5:
                random.choice(list(self.parts.values())).step(random)
            elif act < 0.8:
                self.collect()
            else:
                self.settle()
        raise AssertionError(f"stuck at order {self.sequencer.entries[0].order}")


def in_one_process(log):
    store = SqliteStore(open_database(":memory:", sync="normal"))
    processor = assemble(store, rulebooks=RULEBOOKS, codec=StepCodec())
    processor.process([Record(record.body, record.source, record.received_ms) for record in log])
    return processor


def compared(store):
    found = results(store.db)
    del found["states"]
    found["journal"] = store.db.execute("SELECT * FROM journal ORDER BY seq").fetchall()
    found["dead"] = store.db.execute(
        "SELECT reason, event_id, record FROM dead_letters ORDER BY id"
    ).fetchall()
    return found


@pytest.mark.parametrize("partitions", [1, 3, 12])
@given(seed=st.integers(0, 2**32), kills=st.integers(0, 6))
@settings(max_examples=15, deadline=None)
def test_a_cluster_commits_what_one_process_would(partitions, seed, kills):
    log = records(stream(seed % 1000, 150))
    one, many = in_one_process(log), LocalCluster(log, partitions, Random(seed))
    many.run(kills)
    assert compared(many.store) == compared(one.store)
    assert many.committer.progress.counters == one.progress.counters
    assert many.committer.progress.stream_time_ms == one.progress.stream_time_ms


def test_a_record_the_engine_fails_on_becomes_a_dead_letter_and_the_others_go_on():
    plain = stream(5, 80)
    plain[40] = {"id": "bad", "time_ms": plain[39].get("time_ms", 0), "customer": "C-1", "poison": True}
    log = records(plain)
    many = LocalCluster(log, 3, Random(1))
    many.run(kills=2)
    one = in_one_process(log)
    assert compared(many.store) == compared(one.store)
    assert orjson.loads(
        many.store.db.execute("SELECT record FROM dead_letters ORDER BY id DESC").fetchone()[0]
    )


@given(seed=st.integers(0, 2**32), kills=st.integers(0, 8))
@settings(max_examples=25, deadline=None)
def test_a_record_that_fails_and_comes_again_holds_nobody_up(seed, kills):
    plain = stream(seed % 1000, 80)
    bad = {"id": "bad", "time_ms": plain[39].get("time_ms", 0), "customer": "C-1", "poison": True}
    for place in (40, 41, 43, 60, 80):
        plain.insert(place, bad)
    log = records(plain)
    one, many = in_one_process(log), LocalCluster(log, 3, Random(seed))
    many.run(kills)
    assert compared(many.store) == compared(one.store)
    assert [event_id for _, event_id, _ in compared(many.store)["dead"]].count("bad") == 5


@given(seed=st.integers(0, 2**32), kills=st.integers(0, 8), at=st.integers(5, 80), back=st.integers(5, 60))
@settings(max_examples=25, deadline=None)
def test_a_person_s_step_takes_force_at_the_same_event_everywhere(seed, kills, at, back):
    plain = stream(seed % 1000, 150)
    when = plain[at - 1].get("time_ms", 1_700_000_000_000)
    activation = step("activated", "d0", "ada", when)
    plain[at:at] = [step("proposed", "d0", "ada", when), activation, activation]
    # What has no approval yet is refused; what has one comes into force, and once.
    plain[at + back : at + back] = [
        step("proposed", "c0", "ada", when, 2),
        step("activated", "c0", "ada", when, 2),
        step("approved", "c0", "bob", when, 2),
        step("activated", "c0", "ada", when, 3),
        step("activated", "c0", "ada", when, 3),
    ]
    log = records(plain)
    one, many = in_one_process(log), LocalCluster(log, 3, Random(seed))
    many.run(kills)
    assert [digest for _, digest in one.progress.rulebooks] == ["c0", "d0", "c0"]
    assert many.committer.progress.rulebooks == one.progress.rulebooks
    assert compared(many.store) == compared(one.store)
    assert many.committer.progress.counters == one.progress.counters
