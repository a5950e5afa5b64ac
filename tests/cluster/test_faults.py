"""Real servers and processes die, hang and come back under load: nothing is lost, nothing is doubled.

The tests share one cluster and one stream. Each lets a part of the stream come in, does its harm
meanwhile, waits until everything is settled, and compares what is committed with the embedded
monitor: two hashes stand for the whole history, and all counts are equal.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from bankstream import RUBBISH, BankStream, record
from cluster import NIGHTLY, Cluster, Role, until
from poisoned import POISON
from proxies import Proxy
from reference import Reference, cluster_heads, cluster_results, differences
from servers import KafkaServer, PostgresServer, RedisServer, steady_port

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.redis, pytest.mark.slow]
PARTITIONS, WORKERS = 3, 2
SESSION_S = 6
"""How long the brokers wait for a silent worker here."""


class Bench:
    """One cluster behind proxies, and the embedded monitor that is told the same."""

    def __init__(self, folder: Path, reference: Reference) -> None:
        own = steady_port(), steady_port()
        self.proxies = {name: Proxy(port) for name, port in zip(("desk", "worker"), own, strict=True)}
        proxied = [(proxy.target, proxy.port) for proxy in self.proxies.values()]
        (folder / "kafka").mkdir()
        (folder / "redis").mkdir()
        self.kafka = KafkaServer(folder / "kafka", proxied)
        self.redis = RedisServer(folder / "redis")
        self.postgres = PostgresServer()
        self.proxies |= {"postgres": Proxy(self.postgres.port), "redis": Proxy(self.redis.port)}
        self.reference = reference
        self.stream = BankStream(reference)
        self._read, self._folder = 0, folder

    def start(self) -> None:
        for part in (self.kafka, self.redis, self.postgres, *self.proxies.values()):
            part.start()
        self.postgres.create("riskmon")
        proxies = self.proxies
        self.cluster = Cluster(
            self._folder,
            kafka=self.kafka.address,
            prefix="bank",
            postgres=self.postgres.database("riskmon"),
            redis_url=self.redis.url,
            partitions=PARTITIONS,
            through={
                "desk_kafka": proxies["desk"].address,
                "worker_kafka": proxies["worker"].address,
                "postgres": f"postgresql://riskmon@{proxies['postgres'].address}/riskmon",
                "redis": f"redis://{proxies['redis'].address}/0",
            },
            session_s=SESSION_S,
        )
        self.cluster.start(WORKERS)
        self.cluster.wait_until_started()

    def stop(self) -> None:
        self.cluster.kill()
        for part in (self.kafka, self.redis, self.postgres, *self.proxies.values()):
            part.stop()
        self.postgres.remove()

    def check(self) -> None:
        """Wait until everything is settled, and compare."""
        self.cluster.wait_until_settled()
        records, self._read = self.cluster.log(self._read)
        self.reference.feed(records)
        if self.reference.heads != cluster_heads(self.cluster.postgres):
            assert self.differences() == []
        assert self.cluster.delivered() == [body for (body,) in self.reference.results()["queue"]]

    def differences(self) -> list[str]:
        found = cluster_results(self.cluster.postgres, self.cluster.delivered())
        return differences(self.reference.results(), found)


class Watch:
    """How long a cluster stood still, although there was something to settle."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.standstill_s = 0.0

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _look(self) -> None:
        moved, settled = time.monotonic(), 0
        while not self._ends.wait(0.05):
            now = self._cluster.settled()
            if now > settled:
                self.standstill_s = max(self.standstill_s, time.monotonic() - moved) if settled else 0.0
                moved, settled = time.monotonic(), now


@pytest.fixture(scope="module")
def bench(
    new_reference: Callable[[], Reference], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("cluster"), new_reference())
    try:
        made.start()
        made.cluster.write(made.stream.next(500))
        made.check()
        yield made
    finally:
        made.stop()


@pytest.fixture
def under_load(bench: Bench, measured: Callable[..., None]) -> Callable[..., Any]:
    """Let a part of the stream come in while the body of a `with` does harm; then compare."""

    @contextmanager
    def loaded(length: int = 300, seconds: float = 4.0) -> Iterator[None]:
        records = bench.stream.next(length)
        with Watch(bench.cluster) as watch:
            with bench.cluster.load(records, seconds):
                time.sleep(seconds / 4)
                began = time.monotonic()
                yield
            bench.cluster.wait_until_settled()
            ended = time.monotonic()
        measured(standstill_s=round(watch.standstill_s, 1), settled_s=round(ended - began, 1))
        bench.check()

    return loaded


def kill(role: Role, down_s: float = 0.5) -> None:
    """Kill a process; a supervisor starts it again."""
    role.kill()
    time.sleep(down_s)
    role.start()


def kill_server(server: Any, down_s: float = 1.0) -> None:
    """Kill a server; it comes back with what it had."""
    server.kill()
    time.sleep(down_s)
    server.start()


def test_a_killed_worker(bench: Bench, under_load):
    with under_load():
        kill(bench.cluster.workers[0])


def test_a_killed_desk(bench: Bench, under_load):
    with under_load():
        kill(bench.cluster.desk)


def test_a_second_desk_that_takes_over(bench: Bench, under_load):
    """The second one ends at once as long as the first one works; its supervisor starts it again."""
    cluster = bench.cluster
    second = cluster.add_desk()
    until(lambda: second.left, "the second desk is refused")
    with under_load():
        cluster.desk.kill()
    cluster.desk, cluster.waiting = second, []


@pytest.mark.parametrize("server", ["redis", "postgres", "kafka"])
def test_a_killed_server(bench: Bench, under_load, server):
    with under_load():
        kill_server(getattr(bench, server))


def test_workers_that_join_and_leave(bench: Bench, under_load):
    with under_load(600, 12):
        third = bench.cluster.add_worker()
        time.sleep(5)
        third.stop()
        bench.cluster.workers.remove(third)
        time.sleep(2)
        bench.cluster.workers[0].stop()
        bench.cluster.workers[0].start()


def test_poison(bench: Bench, under_load):
    """Records that cannot be read, and records on which the engine fails; their neighbours go on."""
    poisons = [
        b'{"event_id":"%s%d","event_type":"auth.login","occurred_at":"2025-01-09T10:00:00Z",'
        b'"source_system":"core","customer_id":"C-%d"}' % (POISON.encode(), number, number)
        for number in range(5)
    ]
    with under_load():
        bench.cluster.write([record(body) for body in (*RUBBISH, *poisons)])
    bench.cluster.write([record(body) for body in poisons])
    bench.check()


def test_a_full_lag(bench: Bench, measured):
    """Workers are away while the log grows; when they are back all of it is settled, in bounded memory."""
    before = {role.name: role.memory_mb for role in bench.cluster.roles}
    for worker in bench.cluster.workers:
        worker.kill()
    pile = bench.stream.next(60_000 if NIGHTLY else 6_000)
    bench.cluster.write(pile)
    time.sleep(3)
    began = time.monotonic()
    for worker in bench.cluster.workers:
        worker.start()
    bench.cluster.wait_until_settled(900)
    seconds = time.monotonic() - began
    grown = {role.name: role.memory_mb - before[role.name] for role in bench.cluster.roles}
    measured(records=len(pile), settled_s=round(seconds, 1), grown_mb=grown)
    bench.check()
    assert max(grown.values()) < 300


@pytest.mark.parametrize("between", ["desk", "worker", "postgres", "redis"])
def test_a_network_that_is_cut(bench: Bench, under_load, between):
    with under_load():
        bench.proxies[between].cut()
        time.sleep(3)
        bench.proxies[between].heal()


@pytest.mark.parametrize("between", ["desk", "worker", "postgres"])
def test_a_network_that_falls_silent_and_then_breaks(bench: Bench, under_load, between):
    with under_load():
        bench.proxies[between].silence()
        time.sleep(SESSION_S + 3)
        bench.proxies[between].cut()
        bench.proxies[between].heal()


def test_a_worker_that_was_thought_dead_and_goes_on(bench: Bench, under_load):
    worker = bench.cluster.workers[1]
    with under_load(600, 2 * SESSION_S + 4):
        worker.pause()
        time.sleep(SESSION_S + 4)
        worker.resume()


def test_a_random_kill(bench: Bench, under_load, seed):
    choose = Random(seed)
    cluster = bench.cluster
    victims = [cluster.desk, *cluster.workers, bench.kafka, bench.redis, bench.postgres]
    with under_load(120, 2):
        time.sleep(choose.random())
        for victim in choose.sample(victims, choose.choice((1, 1, 1, 2))):
            down_s = choose.random() * 2
            (kill if isinstance(victim, Role) else kill_server)(victim, down_s)


def test_after_all_that_every_table_is_what_it_would_be_embedded(bench: Bench):
    assert bench.differences() == []
