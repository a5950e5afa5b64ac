"""A cluster learns the versions one process learns, and scores every payment with the same one."""

from __future__ import annotations

from random import Random

import pytest
from cluster import Cluster
from reference import cluster_results, differences
from servers import RedisServer

from monitor.testing import record
from streams.ports import Record
from streams.progress import progress_of

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.redis, pytest.mark.slow]

DAY_MS = 86_400_000
RECEIVED_MS = 1_780_000_000_000
"""After every event."""


def card_life(payments: int, days: int):
    """Payments of eighty customers at twenty terminals, two of them copied, disputed a week later."""
    random, told = Random(5), []
    for number in range(payments):
        at_ms = number * days * DAY_MS // payments
        terminal = random.randrange(20)
        is_fraud = terminal < 2 and number > payments // 20
        fields = {"customer_id": f"c{random.randrange(80)}", "terminal_id": f"t{terminal}"}
        amount = f"{random.uniform(5, 80) * (1 + 2 * is_fraud):.2f}"
        told.append((at_ms, record(f"p{number}", "card.authorization", at_ms, amount=amount, **fields)))
        if is_fraud:
            later = at_ms + 7 * DAY_MS
            dispute = record(f"d{number}", "card.chargeback", later, of_event=f"p{number}", **fields)
            told.append((later, dispute))
    return [Record(body, "bank", RECEIVED_MS) for _, body in sorted(told, key=lambda one: one[0])]


def test_versions_take_force_at_the_same_payment(
    new_reference, tmp_path, kafka_bootstrap, kafka_prefix, postgres_url
):
    records = card_life(3_500, 40)
    reference = new_reference()
    for start in range(0, len(records), 300):
        reference.feed(records[start : start + 300])
    progress = progress_of(reference.db)
    assert progress.models
    assert progress.populations
    redis = RedisServer(tmp_path)
    redis.start()
    cluster = Cluster(
        tmp_path,
        kafka=kafka_bootstrap,
        prefix=kafka_prefix,
        postgres=postgres_url,
        redis_url=redis.url,
        partitions=3,
    )
    try:
        cluster.start(2)
        cluster.wait_until_started()
        cluster.write(records[:2500])
        cluster.wait_until_settled()
        cluster.desk.kill()  # its successor goes on with the version in force
        cluster.desk.start()
        cluster.write(records[2500:])
        cluster.wait_until_settled()
        found = cluster_results(postgres_url, cluster.delivered())
    finally:
        cluster.kill()
        redis.stop()
    assert differences(reference.results(), found) == []
