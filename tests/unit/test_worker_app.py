"""The Faust application of a worker is made as the cluster needs it; no broker is asked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from stage_line import counting

from streams.runners.kafka.connection import Broker
from streams.runners.kafka.topics import Topics
from streams.runners.kafka.worker import build_worker

TOPICS = Topics("bank", 6, ("device", "customer"))


def made(**broker: Any) -> Any:
    async def make() -> Any:
        return build_worker(Broker(bootstrap="a:9092,b:9093", **broker), TOPICS, counting)

    return asyncio.run(make())


def test_it_serves_nothing_creates_nothing_and_keeps_off_the_disk():
    conf = made().conf
    assert (conf.id, conf.web_enabled, conf.topic_allow_declare) == ("bank.workers", False, False)
    assert (conf.topic_disable_leader, conf.stream_wait_empty, conf.table_standby_replicas) == (
        True,
        False,
        0,
    )
    assert conf.processing_guarantee.value == "at_least_once"
    assert [str(url) for url in conf.broker] == ["kafka://a:9092", "kafka://b:9093"]


def test_every_stage_has_a_table_and_an_agent_and_the_customers_read_the_facts():
    app = made()
    assert {table.changelog_topic_name for table in app.tables.values()} == {
        "bank.state.device",
        "bank.state.customer",
    }
    topics = {tuple(agent.get_topic_names()) for agent in app.agents.values()}
    assert topics == {("bank.stage.device",), ("bank.stage.customer", "bank.facts")}


def test_messages_in_queues_survive_a_rebalance():
    async def play() -> None:
        app = build_worker(Broker(bootstrap="a:9092"), TOPICS, counting)
        queue = app.FlowControlQueue(maxsize=10, clear_on_resume=True)
        app.flow_control.resume()
        await queue.put("a message")
        app.flow_control.suspend()
        app.flow_control.resume()
        assert queue.qsize() == 1

    asyncio.run(play())


@pytest.mark.parametrize(
    ("security", "protocol"), [("sasl_plaintext", "SASL_PLAINTEXT"), ("sasl_ssl", "SASL_SSL"), ("ssl", "SSL")]
)
def test_faust_logs_in_as_all_clients_do(security: str, protocol: str):
    credentials = made(security=security, sasl_username="w", sasl_password="p").conf.broker_credentials
    assert credentials.protocol.value == protocol
    if security.startswith("sasl"):
        assert (credentials.username, credentials.mechanism.value) == ("w", "SCRAM-SHA-512")
