"""A cluster writes byte for byte what the embedded monitor writes, whatever its partitions and workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from bankstream import BankStream
from cluster import NIGHTLY, Cluster
from reference import Reference, Results, cluster_results, differences
from servers import RedisServer

from streams.ports import Record

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.redis, pytest.mark.slow]
SLICES, LENGTH = (200, 200) if NIGHTLY else (40, 75)


@dataclass(frozen=True)
class Told:
    """A stream, and what the embedded monitor made of it."""

    records: list[Record]
    results: Results


@pytest.fixture(scope="module")
def told(new_reference: Callable[[], Reference]) -> Told:
    reference = new_reference()
    stream, records = BankStream(reference), []
    for _ in range(SLICES):
        few = stream.next(LENGTH)
        reference.feed(few)
        records += few
    return Told(records, reference.results())


@pytest.fixture
def new_cluster(
    kafka_bootstrap: str, kafka_prefix: str, postgres_url: str, tmp_path: Path
) -> Iterator[Callable[[int], Cluster]]:
    """Make a cluster with empty databases."""
    made: list[Cluster] = []
    redis = RedisServer(tmp_path)
    redis.start()

    def make(partitions: int) -> Cluster:
        made.append(
            Cluster(
                tmp_path,
                kafka=kafka_bootstrap,
                prefix=kafka_prefix,
                postgres=postgres_url,
                redis_url=redis.url,
                partitions=partitions,
            )
        )
        return made[-1]

    yield make
    for cluster in made:
        cluster.kill()
    redis.stop()


def test_the_stream_holds_what_is_hard(told: Told):
    counts = dict(told.results["progress"][3:])
    steps = {step[3] for step in told.results["alert_steps"]}
    assert min(counts[name] for name in ("alerts", "duplicates", "late", "refused", "rejected")) > 5
    assert {"take", "note", "close", "snooze", "wake"} <= steps
    assert any(facts and b"also" in facts for _, _, _, _, facts, _, _ in told.results["journal"])


@pytest.mark.parametrize(("partitions", "workers"), [(1, 1), (1, 2), (3, 1), (3, 2), (12, 1), (12, 3)])
def test_a_cluster_says_what_the_embedded_monitor_says(new_cluster, told: Told, partitions, workers):
    cluster = new_cluster(partitions)
    cluster.start(workers)
    cluster.wait_until_started()
    cluster.write(told.records)
    cluster.wait_until_settled()
    found = cluster_results(cluster.postgres, cluster.delivered())
    assert differences(told.results, found) == []
    assert [role.left for role in cluster.roles] == [0] * (workers + 1)
