"""A real Prometheus scrapes our text and answers questions about it."""

import json
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from servers import steady_port

from alerts.inbox.operations import METRICS_TYPE
from monitor.levels import Readings
from monitor.metrics import PrometheusSensor

pytestmark = pytest.mark.prometheus


@pytest.fixture
def sensor() -> PrometheusSensor:
    sensor = PrometheusSensor(
        lambda: Readings(open_alerts={("high", "open"): 2}, customers={10: 1}, states={"customer": (1, 900)})
    )
    for _ in range(5):
        sensor.on_event("payment.transfer")
    sensor.on_rating(10)
    sensor.on_late(too_late=False)
    sensor.on_failure("A-124")
    sensor.on_batch(5, 0.01)
    sensor.on_commit(0.002)
    return sensor


@pytest.fixture
def target(sensor) -> Iterator[str]:
    """HOST:PORT of a server that renders the sensor."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = sensor.render()
            self.send_response(200)
            self.send_header("Content-Type", METRICS_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep the test's output quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def prometheus(target, tmp_path) -> Iterator[str]:
    """Address of a Prometheus that scrapes the target every second."""
    config = tmp_path / "prometheus.yml"
    config.write_text(
        f"scrape_configs: [{{job_name: riskmon, scrape_interval: 1s, scrape_timeout: 1s, "
        f"static_configs: [{{targets: ['{target}']}}]}}]\n"
    )
    address = f"127.0.0.1:{steady_port()}"
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address={address}",
        "--log.level=warn",
    ]
    with (tmp_path / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield f"http://{address}"
        finally:
            process.terminate()
            process.wait(timeout=30)


def comes_to(prometheus: str, query: str, expected: float) -> bool:
    """Ask until this is the answer: the first scrape takes a moment, or is given up on a busy machine."""
    address = f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    value = None
    for _ in range(600):
        try:
            with urllib.request.urlopen(address, timeout=60) as answer:
                result = json.load(answer)["data"]["result"]
        except OSError:
            result = []
        value = float(result[0]["value"][1]) if result else None
        if value == expected:
            return True
        time.sleep(0.1)
    pytest.fail(f"{query}: expected {expected}, was {value}")


def test_promtool_finds_nothing_to_complain_about(sensor):
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=sensor.render(), capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_prometheus_scrapes_what_the_sensor_counted(prometheus):
    assert comes_to(prometheus, 'up{job="riskmon"}', 1)
    assert comes_to(prometheus, 'riskmon_events_total{kind="payment.transfer"}', 5)
    assert comes_to(prometheus, 'riskmon_open_alerts{severity="high"}', 2)
    assert comes_to(prometheus, "riskmon_batch_events_sum / riskmon_batch_events_count", 5)
    assert comes_to(prometheus, "count(riskmon_build_info)", 1)
