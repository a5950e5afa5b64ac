"""A whole cluster in processes of its own with a web role, spoken to over HTTP and the terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from servers import KafkaServer, PostgresServer, RedisServer, Server, steady_port

from monitor.database import connect_postgres

RISKMON = Path(sys.executable).parent / "riskmon"
PROFILE = Path(__file__).parents[1] / "config/profiles/cluster.yaml"
PATIENCE_S = 180
NOW = datetime.now(UTC) - timedelta(hours=2)


def until(holds: Callable[[], Any], what: str) -> Any:
    """What `holds` gives once it gives something true."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            if found := holds():
                return found
        except (httpx.HTTPError, KeyError, IndexError):
            pass
        time.sleep(0.1)
    raise AssertionError(f"not within {PATIENCE_S} s: {what}")


@dataclass
class Site:
    """A cluster of three processes on servers of its own, which a test may kill."""

    folder: Path
    kafka: Server
    postgres: PostgresServer
    redis: RedisServer
    url: str
    profile: Path = PROFILE
    more: dict[str, str] = field(default_factory=dict)
    """Variables besides those that every site needs."""
    roles: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "RISKMON_STORAGE_POSTGRES_URL": self.postgres.database("web"),
            "RISKMON_QUEUE_REDIS_URL": self.redis.url,
            "RISKMON_KAFKA_BOOTSTRAP": self.kafka.address,
            "RISKMON_KAFKA_REPLICATION": "1",
            "RISKMON_KAFKA_PARTITIONS": "2",
            "RISKMON_METRICS_HOST": "127.0.0.1",
            "RISKMON_METRICS_PORT": "0",
            "RISKMON_DATA_DIR": str(self.folder / "data"),
            "RISKMON_RULES_PACKS": "[structuring, flow]",
            **self.more,
        }

    def start(self, role: str, *arguments: str) -> None:
        with (self.folder / f"{role}.log").open("ab") as log:
            command = [RISKMON, role, "--config", self.profile, *arguments]
            self.roles[role] = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)

    def start_web(self) -> None:
        self.start("web", "--port", self.url.rpartition(":")[2])

    def stop(self, role: str) -> int:
        process = self.roles.pop(role)
        process.send_signal(signal.SIGTERM)
        return process.wait(PATIENCE_S)

    def kill(self) -> None:
        for process in self.roles.values():
            process.kill()
            process.wait()

    def told(self, role: str) -> str:
        return (self.folder / f"{role}.log").read_text()

    def command(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """A command of riskmon on this cluster, to its end."""
        return subprocess.run(
            [RISKMON, *arguments, "--config", self.profile],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def get(self, path: str, **rest: Any) -> httpx.Response:
        return httpx.get(self.url + path, timeout=30, **rest)

    def post(self, path: str, body: Any, **rest: Any) -> httpx.Response:
        return httpx.post(self.url + path, json=body, timeout=30, **rest)

    def alerts(self, customer: str) -> list[dict[str, Any]]:
        items = self.get("/api/alerts", params={"status": "all"}).json()["items"]
        return [item for item in items if item["subject_id"] == customer]

    def raise_alert(self, customer: str) -> dict[str, Any]:
        """Let a customer split cash, and give the alert it leads to."""
        days = [(NOW - timedelta(days=3 - n)).isoformat(timespec="milliseconds") for n in range(4)]
        told = [deposit(customer, n, occurred_at=day) for n, day in enumerate(days)]
        taken = self.post("/events", told)
        assert taken.status_code == 200, taken.text
        return until(lambda: self.alerts(customer), f"an alert of {customer}\n{self.told('desk')}")[0]

    def journaled(self, *marks: bytes) -> bool:
        """Whether an event that holds all of these is in the journal."""
        with closing(connect_postgres(self.postgres.database("web"), read_only=True)) as db:
            bodies = [body for (body,) in db.execute("SELECT body FROM journal")]
        return any(all(mark in body for mark in marks) for body in bodies)

    @property
    def is_ready(self) -> bool:
        return self.get("/readyz").is_success


def deposit(customer: str, n: int, **fields: Any) -> dict[str, Any]:
    return {
        "event_id": f"cash-{customer}-{n}",
        "event_type": "cash.deposit",
        "occurred_at": (NOW + timedelta(minutes=n)).isoformat(timespec="milliseconds"),
        "source_system": "core",
        "customer_id": customer,
        "account_id": f"A-{customer}",
        "amount": "48000",
        "currency": "CNY",
        **fields,
    }


@contextmanager
def site_in(folder: Path, **more: str) -> Iterator[Site]:
    """A site whose servers run and whose roles are still to be started; all of it ends with the block.

    Parameters
    ----------
    more
        Variables besides those that every site needs.
    """
    with ExitStack() as stack:
        kafka, redis, postgres = KafkaServer(folder / "kafka"), RedisServer(folder), PostgresServer()
        stack.callback(postgres.remove)
        for server in (kafka, redis, postgres):
            server.start()
            stack.callback(server.stop)
        postgres.create("web")
        site = Site(folder, kafka, postgres, redis, f"http://127.0.0.1:{steady_port()}", more=more)
        stack.callback(site.kill)
        yield site
