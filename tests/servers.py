"""Real servers for tests, each with a folder and a port of its own: started, killed, started again.

A server that was killed comes back on the same port with the data it had acknowledged.
"""

from __future__ import annotations

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

SCRIPTS = Path(__file__).parent.parent / "scripts"
PATIENCE_S = 60
# Below the ports Linux gives to outgoing connections: a client that calls a dead server again and
# again must not be given the server's own port.
PORTS = range(20_000, 32_000)
# Each process of a run side by side has ports of its own: one that is given and not yet listened
# on looks free to all.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_given: set[int] = set()


def steady_port() -> int:
    """A port of loopback that stays free while nobody listens on it; never one given before."""
    while True:
        port = random.choice(PORTS[WORKER::WORKERS])
        if port in _given:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port


def postgres_programs() -> Path | None:
    """The folder of `initdb` and `postgres`; Debian keeps it out of PATH."""
    found = shutil.which("initdb")
    own = [Path(found).resolve().parent] if found else []
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin")) + own
    return folders[-1] if folders else None


def kafka_missing() -> str | None:
    """Why no broker can be had here, or None."""
    if os.environ.get("RISKMON_TEST_KAFKA"):
        return None
    done = subprocess.run([SCRIPTS / "kafka", "check"], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    return f"{done.stderr.strip()}, or name a running broker: RISKMON_TEST_KAFKA=HOST:PORT"


class Server:
    """A process with a folder and a port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = steady_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        """What is run."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether it serves."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def start(self) -> None:
        """Start, and wait until it serves. One that ends at once is tried again: the killed one's
        last children may still hold what it needs."""
        end = time.monotonic() + PATIENCE_S
        while True:
            if self.process is None or self.process.poll() is not None:
                self.process = self._launch()
            time.sleep(0.03)
            if self.process.poll() is None and self.answers():
                return
            if time.monotonic() > end:
                self.kill()
                raise AssertionError(f"{type(self).__name__} did not start:\n{self.told()}")

    def told(self) -> str:
        """The end of what it printed."""
        return "\n".join((self.folder / "log").read_text(errors="replace").splitlines()[-30:])

    def kill(self) -> None:
        """End it as the kernel would, at once."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as a supervisor would."""
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Kill it and start it again, with what it had."""
        self.kill()
        self.start()

    def _launch(self) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _end(self, by: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(by)
            self.process.wait(PATIENCE_S)
            self.process = None


class RedisServer(Server):
    """Redis that writes down every command before it answers."""

    @property
    def url(self) -> str:
        return f"redis://{self.address}/0"

    def command(self) -> list[str]:
        options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--dir", str(self.folder)]
        return ["redis-server", "--port", str(self.port), *options]

    def answers(self) -> bool:
        # While it reads its file it takes connections and refuses commands.
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as client:
                client.sendall(b"PING\r\n")
                return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False


class PostgresServer(Server):
    """PostgreSQL for the user `riskmon`, without password; not durable on power loss.

    It refuses to run as root: then the user `postgres`, or else `nobody`, runs it.
    """

    def __init__(self) -> None:
        # Not below pytest's folder, which only we may enter.
        super().__init__(Path(tempfile.mkdtemp(prefix="riskmon-postgres-")))
        programs = postgres_programs()
        assert programs is not None
        self._programs, self._user = programs, _postgres_user()
        if self._user:
            shutil.chown(self.folder, self._user)
        initdb = [str(programs / "initdb"), "-D", str(self.folder / "data"), "--auth=trust"]
        options = ["--username=riskmon", "--encoding=UTF8", "--locale=C", "--no-sync"]
        done = subprocess.run([*initdb, *options], user=self._user, cwd="/", capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()

    def database(self, name: str) -> str:
        """Where a database is."""
        return f"postgresql://riskmon@{self.address}/{name}"

    def create(self, name: str, template: str = "template1") -> None:
        """Make a database: empty, or a copy of another."""
        self._ask(f"CREATE DATABASE {name} TEMPLATE {template}")

    def drop(self, name: str) -> None:
        """Remove a database, though clients may be connected."""
        self._ask(f"DROP DATABASE {name} WITH (FORCE)")

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",
            "shared_buffers": "32MB",
            "autovacuum": "off",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [str(self._programs / "postgres"), "-D", str(self.folder / "data"), *options]

    def answers(self) -> bool:
        ready = [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(ready, check=False).returncode == 0

    def kill(self) -> None:
        """End it and all its children at once, as the kernel would without memory."""
        if self.process is None:
            return
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for each in (pid, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        super().kill()
        for child in children:
            while Path(f"/proc/{child}").exists():
                time.sleep(0.01)

    def stop(self) -> None:
        """End it, though clients may be connected."""
        self._end(signal.SIGINT)

    def remove(self) -> None:
        """Remove its folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _ask(self, query: str) -> None:
        psql = [str(self._programs / "psql"), "-qAt", "-c", query, self.database("postgres")]
        done = subprocess.run(psql, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def _launch(self) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                self.command(), user=self._user, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )


def _postgres_user() -> str | None:
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


class KafkaServer(Server):
    """One broker, by `scripts/kafka`.

    Parameters
    ----------
    proxied
        (port, port of the proxy in front of it) of further listeners.
    """

    def __init__(self, folder: Path, proxied: Sequence[tuple[int, int]] = ()) -> None:
        super().__init__(folder)
        self._proxied = [text for own, told in proxied for text in ("--proxied", f"{own}:{told}")]

    def start(self) -> None:
        """Start, and wait until it serves."""
        self._script("start", "--port", str(self.port), *self._proxied)

    def stop(self) -> None:
        """End it as a supervisor would."""
        self._script("stop")

    def kill(self) -> None:
        """End it as the kernel would, at once."""
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
            time.sleep(0.01)

    @property
    def pid(self) -> int:
        return int((self.folder / "pid").read_text())

    def _script(self, command: str, *more: str) -> None:
        done = subprocess.run(
            [SCRIPTS / "kafka", command, "--dir", str(self.folder), *more],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
