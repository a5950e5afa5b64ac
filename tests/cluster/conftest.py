"""Clusters of real processes for tests, and what their recoveries cost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cluster import NIGHTLY
from poisoned import cure, poison
from reference import Reference

from monitor.configuration import Configuration
from monitor.settings import Settings
from monitor.testing import configuration

ROOT = Path(__file__).parents[2]
FAULTS = ROOT / "var" / "faults.json"
"""Where the measured recoveries are kept."""
_MEASURED: list[dict[str, object]] = []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give `seed` to the tests that ask for one: few, or at night many."""
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(100 if NIGHTLY else 10))


@pytest.fixture(scope="session")
def shipped() -> Configuration:
    """The shipped configuration with all packs."""
    return configuration(settings=Settings())


@pytest.fixture(scope="module")
def new_reference(
    shipped: Configuration, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Reference]]:
    """Make embedded monitors, closed after the module; their engine fails where the cluster's does."""
    made: list[Reference] = []

    def make() -> Reference:
        made.append(Reference(tmp_path_factory.mktemp("reference"), Settings(), shipped))
        return made[-1]

    poison()
    yield make
    cure()
    for reference in made:
        reference.close()


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Keep figures of a test for its summary and for `var/faults.json`."""

    def keep(**figures: object) -> None:
        _MEASURED.append({"test": request.node.name, **figures})

    return keep


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell the figures and keep them."""
    if not _MEASURED:
        return
    terminalreporter.section("recoveries")
    for one in _MEASURED:
        told = "  ".join(f"{name} {value}" for name, value in one.items() if name != "test")
        terminalreporter.write_line(f"{one['test']}: {told}")
    FAULTS.parent.mkdir(exist_ok=True)
    FAULTS.write_text(json.dumps(_MEASURED, indent=1) + "\n")
