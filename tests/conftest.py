"""What every test may rely on: search effort, and honest skips where a server is missing."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from hypothesis import HealthCheck, settings
from servers import KafkaServer, PostgresServer, RedisServer, kafka_missing, postgres_programs
from xdist.scheduler.loadfile import LoadFileScheduling

# No deadline and no complaint about slowness: a loaded machine must not fail a test.
UNTIMED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("quick", max_examples=50, **UNTIMED)
settings.register_profile("ci", max_examples=100, derandomize=True, print_blob=True, **UNTIMED)
settings.register_profile("nightly", max_examples=5_000, print_blob=True, **UNTIMED)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


THRESHOLDS = gc.get_threshold()

PROGRAMS: dict[str, tuple[str, Callable[[], object]]] = {
    "redis": ("redis-server", lambda: shutil.which("redis-server")),
    "prometheus": ("prometheus", lambda: shutil.which("prometheus") and shutil.which("promtool")),
    "postgres": ("PostgreSQL", postgres_programs),
    "browser": ("chromium", lambda: shutil.which("chromium")),
}
"""Marker to what it needs and how to see that it is there."""


@cache
def missing(marker: str) -> str | None:
    """Why tests with this marker cannot run here, or None."""
    if marker == "kafka":
        return kafka_missing()
    needed, find = PROGRAMS.get(marker, ("", lambda: True))
    return None if find() else f"{needed} is not installed (`make services` installs it)"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite what golden files expect")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    markers = sorted({mark.name for item in items for mark in item.iter_markers()})
    reasons = {marker: reason for marker in markers if (reason := missing(marker))}
    if reasons and os.environ.get("RISKMON_TEST_SERVERS") == "all":
        raise pytest.UsageError("\n".join(reasons.values()))
    for item in items:
        for marker in sorted(reasons.keys() & {mark.name for mark in item.iter_markers()}):
            item.add_marker(pytest.mark.skip(reason=reasons[marker]))


class Together(LoadFileScheduling):  # type: ignore[misc]
    """Tests dealt out to processes: file by file, rule packs whole, all that needs Kafka to one process."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        if "/cluster/" in file or "kafka" in file or "test_cluster_" in file:
            return "kafka"
        return file.rpartition("/")[0] if file.endswith(".yaml") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    return Together(config, log)


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """Collect garbage as Python does: a service looks at what is young alone, for as long as it runs."""
    yield
    gc.set_threshold(*THRESHOLDS)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the working tree."""
    return Path(__file__).parent.parent


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis of this session."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_url(redis_server: RedisServer) -> str:
    """Its first database; tests share it, so each takes names of its own."""
    return redis_server.url


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL of this session."""
    server = PostgresServer()
    server.start()
    yield server
    server.stop()
    server.remove()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """An empty database of the test's own; removed after it."""
    name = f"t{uuid4().hex[:12]}"
    postgres_server.create(name)
    yield postgres_server.database(name)
    postgres_server.drop(name)


@pytest.fixture(scope="session")
def migrated_template(postgres_server: PostgresServer) -> str:
    """The name of a database with the newest schema, to be copied."""
    from monitor.migrations import migrate  # few tests need it, and it takes its time

    postgres_server.create("migrated")
    migrate(postgres_server.database("migrated"))
    return "migrated"


@pytest.fixture
def migrated_url(postgres_server: PostgresServer, migrated_template: str) -> Iterator[str]:
    """A database of the test's own, empty, with the newest schema; removed after it."""
    name = f"t{uuid4().hex[:12]}"
    postgres_server.create(name, migrated_template)
    yield postgres_server.database(name)
    postgres_server.drop(name)


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker: the one named by RISKMON_TEST_KAFKA, else one of this session."""
    if named := os.environ.get("RISKMON_TEST_KAFKA"):
        yield named
        return
    server = KafkaServer(tmp_path_factory.mktemp("kafka"))
    server.start()
    yield server.address
    server.stop()


@pytest.fixture
def kafka_prefix(kafka_bootstrap: str) -> Iterator[str]:
    """What the names of the test's topics begin with; they are removed after it."""
    prefix = f"t{uuid4().hex[:12]}"
    yield prefix
    asyncio.run(remove_topics(kafka_bootstrap, prefix))


async def remove_topics(bootstrap: str, prefix: str) -> None:
    """Remove the topics whose names begin so."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        mine = [name for name in await admin.list_topics() if name.startswith(prefix)]
        if mine:
            await admin.delete_topics(mine)
    finally:
        await admin.close()
