"""A whole cluster in processes of its own: desk, workers, and what they need of broker and databases."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import redis
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from poisoned import SESSION
from servers import PATIENCE_S, steady_port

from alerts.ports import Message
from streams.entries import Place
from streams.ports import Record
from streams.settlement import PLACE

NIGHTLY = os.environ.get("RISKMON_NIGHTLY") == "1"
"""Whether the long form of the tests is asked for."""
LAUNCHER = Path(__file__).parent / "poisoned.py"
CONTROL = "control"


def until(holds: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """Wait for something; return what `holds` gives once it gives something true."""
    end = time.monotonic() + patience_s
    while not (found := holds()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {patience_s:.0f} s: {what}")
        time.sleep(0.05)
    return found


class Role:
    """A process of the cluster; one that ends by itself is started again, as a supervisor would."""

    def __init__(self, folder: Path, name: str, *arguments: str, session_s: float = 30) -> None:
        self.name = name
        self._environment = {**os.environ, SESSION: str(session_s)}
        self.port = steady_port()
        self.log = folder / f"{name}.log"
        self._command = [sys.executable, str(LAUNCHER), *arguments, "--metrics-port", str(self.port)]
        self.process: subprocess.Popen[bytes] | None = None
        self.left = 0
        """How often it ended by itself."""
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start it; it is of use a little later."""
        with self._lock, self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def look(self) -> None:
        """Start it again where it ended by itself."""
        with self._lock:
            ended = self.process is not None and self.process.poll() is not None
        if ended:
            self.left += 1
            self.start()

    def kill(self) -> None:
        """End it as the kernel would, at once."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End it as a supervisor would; return its status."""
        return self._end(signal.SIGTERM)

    def pause(self) -> None:
        """Let it stand still."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on as if nothing had happened."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def memory_mb(self) -> int:
        """The most memory it ever had, MiB."""
        assert self.process is not None
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = [line for line in text.splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) // 1024

    def told(self) -> str:
        """The end of what it printed."""
        return f"--- {self.name}\n" + "\n".join(self.log.read_text(errors="replace").splitlines()[-25:])

    def _end(self, by: signal.Signals) -> int:
        with self._lock:
            process, self.process = self.process, None
        if process is None:
            return 0
        process.send_signal(by)
        try:
            return process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"{self.name} did not end by {by.name}:\n{self.told()}") from None


class Cluster:
    """Desk and workers, started, killed and started again.

    Parameters
    ----------
    folder
        For settings and logs.
    kafka, prefix
        Address of the broker for the test itself; what the names of topics begin with.
    postgres, redis_url
        An empty database each, for the test itself.
    partitions
        Of each stage.
    through
        Addresses that the roles use instead: `desk_kafka`, `worker_kafka`, `postgres`, `redis`.
    session_s
        How long the brokers wait for a silent worker.
    """

    def __init__(
        self,
        folder: Path,
        *,
        kafka: str,
        prefix: str,
        postgres: str,
        redis_url: str,
        partitions: int,
        through: dict[str, str] | None = None,
        session_s: float = 30,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.kafka, self.postgres, self.redis_url = folder, kafka, postgres, redis_url
        self.prefix = prefix
        places = {"desk_kafka": kafka, "worker_kafka": kafka, "postgres": postgres, "redis": redis_url}
        self._places = {**places, **(through or {})}
        self._partitions, self._session_s = partitions, session_s
        self.desk = self._desk("desk")
        self.workers: list[Role] = []
        self.waiting: list[Role] = []
        """Desks that wait for the first one to end."""
        self._watched = threading.Event()

    def _settings(self, role: str) -> Path:
        places = self._places
        kafka = {"bootstrap": places[f"{role}_kafka"], "prefix": self.prefix, "partitions": self._partitions}
        plain = {
            "storage": {"kind": "postgres", "postgres_url": places["postgres"]},
            "kafka": kafka,
            "queue": {"kind": "redis", "redis_url": places["redis"]},
        }
        path = self.folder / f"{role}.yaml"
        path.write_text(yaml.safe_dump(plain))
        return path

    # Roles.

    def start(self, workers: int = 1) -> None:
        """Start the desk and some workers, and supervise them."""
        threading.Thread(target=self._supervise, daemon=True).start()
        self.desk.start()
        for _ in range(workers):
            self.add_worker()

    def add_desk(self) -> Role:
        """Start one more desk, which cannot work beside the first."""
        desk = self._desk(f"desk-{len(self.waiting) + 2}")
        desk.start()
        self.waiting.append(desk)
        return desk

    def _desk(self, name: str) -> Role:
        return Role(self.folder, name, "desk", "--config", str(self._settings("desk")))

    def add_worker(self) -> Role:
        """Start one more worker."""
        name = f"worker-{len(self.workers) + 1}"
        arguments = ("worker", "--config", str(self._settings("worker")))
        worker = Role(self.folder, name, *arguments, session_s=self._session_s)
        worker.start()
        self.workers.append(worker)
        return worker

    def _supervise(self) -> None:
        while not self._watched.wait(0.2):
            for role in self.roles:
                role.look()

    @property
    def roles(self) -> list[Role]:
        return [self.desk, *self.workers, *self.waiting]

    def kill(self) -> None:
        """End every process at once."""
        self._watched.set()
        for role in self.roles:
            role.kill()

    def told(self) -> str:
        """The end of what every process printed."""
        return "\n".join(role.told() for role in self.roles if role.log.exists())

    # The log of records.

    def write(self, records: Sequence[Record]) -> None:
        """Put records into the log; returns once the broker has them, however long it is away."""
        asyncio.run(self._write(records, 0.0))

    @contextmanager
    def load(self, records: Sequence[Record], seconds: float) -> Iterator[None]:
        """Put records into the log while the body runs, spread over so many seconds; all are there after."""
        failures: list[BaseException] = []

        def work() -> None:
            try:
                asyncio.run(self._write(records, seconds))
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            thread.join()
        if failures:
            raise failures[0]

    async def _write(self, records: Sequence[Record], seconds: float) -> None:
        done, step = 0, max(1, len(records) // 20) if seconds else 500
        end = time.monotonic() + PATIENCE_S + seconds
        while done < len(records):
            producer = AIOKafkaProducer(bootstrap_servers=self.kafka, acks="all", enable_idempotence=True)
            try:
                await producer.start()
                while done < len(records):
                    few = records[done : done + step]
                    await asyncio.gather(*[await self._send(producer, one) for one in few])
                    done += len(few)
                    await asyncio.sleep(seconds * len(few) / len(records))
            except (KafkaError, OSError):
                # Some of them may be in the log already: the log says what the stream is.
                if time.monotonic() > end:
                    raise
                await asyncio.sleep(0.2)
            finally:
                await producer.stop()

    async def _send(self, producer: AIOKafkaProducer, one: Record) -> Any:
        headers = [("source", one.source.encode()), ("received_ms", b"%d" % one.received_ms)]
        return await producer.send(f"{self.prefix}.events", one.body, partition=0, headers=headers)

    def log(self, start: int = 0) -> tuple[list[Record], int]:
        """Return the records of the log from an offset on, and the offset after them."""
        return asyncio.run(self._log(start))

    async def _log(self, start: int) -> tuple[list[Record], int]:
        found: list[Record] = []
        part = TopicPartition(f"{self.prefix}.events", 0)
        async with AIOKafkaConsumer(bootstrap_servers=self.kafka) as consumer:
            end = (await consumer.end_offsets([part]))[part]
            consumer.assign([part])
            consumer.seek(part, start)
            while await consumer.position(part) < end:
                for message in (await consumer.getmany(timeout_ms=500)).get(part, ()):
                    headers = dict(message.headers)
                    if CONTROL not in headers:
                        source, received = headers["source"].decode(), int(headers["received_ms"])
                        found.append(Record(message.value, source, received))
        return found, end

    def end(self) -> int:
        """Return the offset after the last record of the log."""
        return asyncio.run(self._end())

    async def _end(self) -> int:
        part = TopicPartition(f"{self.prefix}.events", 0)
        async with AIOKafkaConsumer(bootstrap_servers=self.kafka) as consumer:
            return int((await consumer.end_offsets([part]))[part])

    # What is committed.

    def settled(self) -> int:
        """Return the offset up to which records are settled; 0 where the database cannot be asked."""
        try:
            with psycopg.connect(self.postgres, connect_timeout=2) as db:
                row = db.execute("SELECT value FROM meta WHERE key = %s", (PLACE,)).fetchone()
        except psycopg.Error:
            return 0
        return msgspec.json.decode(row[0], type=Place).position if row else 0

    def wait_until_settled(self, patience_s: float = 2 * PATIENCE_S) -> None:
        """Wait until every record of the log is settled, and every message delivered."""
        end = self.end()
        try:
            until(lambda: self.settled() >= end, f"records up to {end} are settled", patience_s)
            until(self._is_delivered, "every message is in Redis", patience_s)
        except AssertionError as error:
            raise AssertionError(f"{error}; settled up to {self.settled()}\n{self.told()}") from None

    def wait_until_started(self) -> None:
        """Wait until the desk has its topics and every partition answered its configuration."""
        wanted = "the desk has settled its configuration, which every partition answered"
        try:
            until(self._has_begun, wanted, 2 * PATIENCE_S)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.told()}") from None

    def _has_begun(self) -> bool:
        try:
            with psycopg.connect(self.postgres, connect_timeout=2) as db:
                row = db.execute("SELECT value FROM meta WHERE key = %s", (PLACE,)).fetchone()
        except psycopg.Error:
            return False
        return row is not None and msgspec.json.decode(row[0], type=Place).order > 0

    def _is_delivered(self) -> bool:
        try:
            with psycopg.connect(self.postgres, connect_timeout=2) as db:
                rows = db.execute("SELECT seq, key, body FROM outbox ORDER BY seq DESC").fetchall()
            last = next((seq for seq, key, body in rows if Message(key, False, body).topic == "alerts"), 0)
            keys = self._redis().xrevrange("riskmon:alerts", count=1)
        except (psycopg.Error, redis.RedisError):
            return False
        return int(keys[0][0].split(b"-")[0] if keys else 0) >= last

    def delivered(self) -> list[bytes]:
        """Return the messages in Redis, in order, each as often as it is there."""
        return [fields[b"message"] for _, fields in self._redis().xrange("riskmon:alerts")]

    def _redis(self) -> Any:
        return redis.Redis.from_url(self.redis_url, socket_timeout=5)
