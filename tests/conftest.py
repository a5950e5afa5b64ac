"""What every test may rely on: search effort, free ports, and honest skips where a server is missing."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# No deadline and no complaint about slowness: a loaded machine must not fail a test.
UNTIMED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("quick", max_examples=50, **UNTIMED)
settings.register_profile("ci", max_examples=200, derandomize=True, print_blob=True, **UNTIMED)
settings.register_profile("nightly", max_examples=5_000, print_blob=True, **UNTIMED)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def postgres_programs() -> Path | None:
    """The folder of `initdb` and `postgres`; Debian keeps it out of PATH."""
    found = shutil.which("initdb")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin")) + ([Path(found).parent] if found else [])
    return folders[-1] if folders else None


SERVERS: dict[str, tuple[str, Callable[[], object]]] = {
    "redis": ("redis-server", lambda: shutil.which("redis-server")),
    "prometheus": ("prometheus", lambda: shutil.which("prometheus") and shutil.which("promtool")),
    "postgres": ("PostgreSQL", postgres_programs),
    "browser": ("chromium", lambda: shutil.which("chromium")),
}
"""Marker to what it needs and how to see that it is there."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite what golden files expect")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skips = {
        marker: pytest.mark.skip(reason=f"{needed} is not installed (`make services` installs it)")
        for marker, (needed, find) in SERVERS.items()
        if not find()
    }
    for item in items:
        for marker in sorted(skips.keys() & {mark.name for mark in item.iter_markers()}):
            item.add_marker(skips[marker])


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Give a port of 127.0.0.1 on which nothing listens; another one each call."""
    given: set[int] = set()

    def take() -> int:
        while True:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = int(probe.getsockname()[1])
            if port not in given:
                given.add(port)
                return port

    return take


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the working tree."""
    return Path(__file__).parent.parent
