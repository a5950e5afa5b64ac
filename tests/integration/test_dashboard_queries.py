"""Every query of every dashboard has an answer: a real Prometheus scrapes a running monitor."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import yaml
from servers import steady_port

pytestmark = pytest.mark.prometheus

CONFIG = Path(__file__).parents[2] / "config"
RISKMON = Path(sys.executable).parent / "riskmon"
PATIENCE_S = 120
NAMES = {"$__rate_interval": "10s", "$rule": ".*"}


def until(found: Callable[[], Any]) -> Any:
    """What `found` gives once it gives something."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            if value := found():
                return value
        except (OSError, ValueError, KeyError, StopIteration, httpx.HTTPError):
            pass
        time.sleep(0.2)
    pytest.fail(f"nothing came of {found.__name__}")


@pytest.fixture(scope="module")
def processes() -> Iterator[Callable[..., None]]:
    """Starts a process that is ended with the module."""
    started: list[subprocess.Popen[bytes]] = []

    def start(folder: Path, *command: object) -> None:
        with (folder / f"log-{len(started)}").open("wb") as log:
            started.append(subprocess.Popen(list(map(str, command)), stdout=log, stderr=log))

    yield start
    for process in reversed(started):
        process.kill()  # what it holds is thrown away
        process.wait()


@pytest.fixture(scope="module")
def monitor(tmp_path_factory, processes) -> str:
    """Address of a monitor of a simulated bank, one alert of which an officer has closed."""
    data = tmp_path_factory.mktemp("data")
    first = (datetime.now(UTC).date() - timedelta(days=10)).isoformat()
    bank = {"customers": 300, "seed": 7, "start": first, "zone": "Asia/Shanghai"}
    (data / "simulation.json").write_text(json.dumps(bank))
    processes(data, RISKMON, "run", "--simulate", "--data", data, "--port", 0)

    def address() -> str:
        return f"http://127.0.0.1:{json.loads((data / 'service.json').read_text())['port']}"

    url = until(address)

    def closed() -> bool:
        """Close the first alert that takes one person."""
        found = httpx.get(f"{url}/api/alerts", timeout=30).json()["items"]
        alert = next(alert for alert in found if alert["severity"] not in ("high", "critical"))
        said = {"disposition": "true_positive", "reason": "seen with own eyes"}
        return httpx.post(f"{url}/api/alerts/{alert['id']}/close", json=said, timeout=30).is_success

    until(closed)
    return url


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory, processes, monitor) -> str:
    """Address of a Prometheus with the rules of this project, in a hurry."""
    folder = tmp_path_factory.mktemp("prometheus")
    config = yaml.safe_load((CONFIG / "prometheus" / "prometheus-embedded.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(CONFIG / "prometheus" / "rules" / "*.yml")]
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [monitor.removeprefix("http://")]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{steady_port()}"
    processes(
        folder,
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--log.level=warn",
    )
    return f"http://{address}"


def answer(prometheus: str, query: str) -> list[Any]:
    asked = httpx.get(f"{prometheus}/api/v1/query", params={"query": query}, timeout=30).json()
    assert asked["status"] == "success", f"{query}: {asked.get('error')}"
    result: list[Any] = asked["data"]["result"]
    return result


def pay_in(monitor: str) -> None:
    """Send a deposit: the simulated bank may have sent its past before the first scrape, and then be slow."""
    deposit = {
        "event_id": uuid4().hex,
        "event_type": "cash.deposit",
        "occurred_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "source_system": "core",
        "customer_id": "C-1",
        "account_id": "A-1",
        "amount": "120",
        "currency": "CNY",
    }
    assert httpx.post(f"{monitor}/events", json=[deposit], timeout=30).json()["accepted"] == 1


def queries(file: Path) -> Iterator[tuple[str, str]]:
    """Title of the panel and query, with what Grafana would fill in."""
    for panel in json.loads(file.read_text(encoding="utf-8"))["panels"]:
        for target in panel.get("targets", ()):
            query = target["expr"]
            for name, value in NAMES.items():
                query = query.replace(name, value)
            assert "$" not in query, query
            yield panel["title"], query


@pytest.mark.parametrize(
    "file", sorted((CONFIG / "grafana" / "dashboards").glob("*.json")), ids=lambda f: f.stem
)
def test_every_panel_has_data(monitor, prometheus, file):
    waiting = dict.fromkeys(queries(file))

    def answered() -> bool:
        """Ask what had no answer yet: rates need counters that grow, recording rules a round."""
        pay_in(monitor)
        for title, query in list(waiting):
            if answer(prometheus, query):
                del waiting[title, query]
        return not waiting

    try:
        until(answered)
    except pytest.fail.Exception:
        pytest.fail("no data: " + "; ".join(f"{title}: {query}" for title, query in waiting))


def test_variables_of_dashboards_have_values(prometheus):
    rules = CONFIG / "grafana" / "dashboards" / "rules.json"
    (variable,) = [
        one for one in json.loads(rules.read_text())["templating"]["list"] if one["type"] == "query"
    ]
    metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"]).groups()

    def told() -> bool:
        """Nothing is told right after a scrape that took too long."""
        return len({series["metric"][label] for series in answer(prometheus, metric)}) > 50

    assert until(told)


def test_the_alerting_rules_are_loaded_and_evaluate(prometheus):
    def is_pending() -> bool:
        groups = httpx.get(f"{prometheus}/api/v1/rules", timeout=30).json()["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        assert {rule["health"] for rule in rules} <= {"ok", "unknown"}
        return "RiskmonVerificationOld" in {rule["name"] for rule in rules if rule.get("state") == "pending"}

    assert until(is_pending)
