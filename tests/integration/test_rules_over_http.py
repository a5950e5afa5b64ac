"""Two people change the rules of a running service, over HTTP and at the terminal; nobody else may."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from alerts.inbox.access import token_sha256

RISKMON = Path(sys.executable).parent / "riskmon"
SHIPPED = Path(__file__).parents[2] / "config"
PATIENCE_S = 90
NOW = datetime.now(UTC) - timedelta(hours=60)
ROLES = {"ada": "officer", "bob": "approver", "eve": "viewer", "feed": "producer", "root": "admin"}
RULE = """
id: OWN-1
title: Many small credits
dimension: fraud
on: payment.transfer
when: count(48h, where=amount < 1000 CNY) >= 5
points: 5
severity: low
status: live
say: "5 small credits"
why: Small credits come before a large debit.
source: Own proposal [D]
verification: D
triage: [Look.]
owner: tests
"""


class Service:
    """A service with users whose tokens are their names, and a pack of its own."""

    def __init__(self, folder: Path) -> None:
        self.config, self.data = folder / "config", folder / "data"
        shutil.copytree(SHIPPED, self.config)
        shutil.copytree(SHIPPED.parent / "rules/packs/structuring", self.config / "own")
        users = "".join(
            f"    - {{name: {name}, roles: [{role}], token_sha256: {token_sha256(name)}}}\n"
            for name, role in ROLES.items()
        )
        settings = f"rules:\n  packs: [{self.config / 'own'}]\nhttp:\n  port: 0\n  users:\n{users}"
        (self.config / "monitor.yaml").write_text(settings)
        self.data.mkdir()

    def start(self) -> None:
        (self.data / "service.json").unlink(missing_ok=True)
        with (self.data / "log").open("wb") as log:
            command = [RISKMON, "run", "--config", self.config / "monitor.yaml", "--data", self.data]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            try:
                port = json.loads((self.data / "service.json").read_text())["port"]
                self.url = f"http://127.0.0.1:{port}"
                httpx.get(f"{self.url}/healthz", timeout=PATIENCE_S)
                return
            except (OSError, ValueError, httpx.HTTPError):
                assert self.process.poll() is None, (self.data / "log").read_text()
                time.sleep(0.1)
        raise AssertionError((self.data / "log").read_text())

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_S)

    def ask(self, who: str, method: str, path: str, body: Any = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {who}"}
        return httpx.request(method, self.url + path, json=body, headers=headers, timeout=PATIENCE_S)

    def rules(self, who: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        place = ["--config", str(self.config / "monitor.yaml"), "--data", str(self.data)]
        return subprocess.run(
            [RISKMON, "rules", *arguments, *place], env={**os.environ, "RISKMON_TOKEN": who},
            capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip

    def page_of(self, who: str) -> tuple[str, httpx.Client]:
        """The page of rules after signing in, and the browser's side of it."""
        client = httpx.Client(base_url=self.url, timeout=PATIENCE_S, follow_redirects=True)
        field = re.compile(r'name="csrf" value="([^"]+)"')
        csrf = field.findall(client.get("/login").text)[0]
        page = client.post("/login", data={"csrf": csrf, "token": who, "next": "/rules"})
        assert page.url.path == "/rules"
        return page.text, client

    def pay(self, n: int) -> list[str]:
        event = {
            "event_id": f"e{n}", "event_type": "payment.transfer", "source_system": "core",
            "customer_id": "c1", "occurred_at": (NOW + timedelta(hours=n)).isoformat(),
            "amount": "900", "currency": "CNY", "direction": "in",
        }  # fmt: skip
        hits: list[str] = self.ask("feed", "POST", "/events", event).json()["items"][0]["hits"]
        return hits


def approved_on_the_page(service: Service, digest: str) -> None:
    page, client = service.page_of("bob")
    assert "small credits" in page
    assert "No payment that a rule hit was judged yet." in page
    assert service.ask("bob", "GET", "/api/rules/precision").json() == []
    assert "OWN-1" in page, "what it would change is there to be read"
    form = page.partition(f'action="/rules/{digest}/approve"')[2].partition("</form>")[0]
    fields = dict(re.findall(r'name="(csrf|once)" value="([^"]+)"', form))
    stale = client.post(f"/rules/{digest}/approve", data=fields | {"csrf": "x"})
    assert stale.status_code == 403
    assert "Approved by" in client.post(f"/rules/{digest}/approve", data=fields).text
    client.close()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    made = Service(tmp_path)
    made.start()
    yield made
    made.stop()


def test_two_people_put_a_rule_into_force_and_one_undoes_it(service: Service) -> None:
    assert [service.pay(n) for n in range(6)] == [[]] * 6
    (service.config / "own/OWN-1.yaml").write_text(RULE)
    proposed = service.rules("ada", "propose", "--reason", "small credits")
    assert proposed.returncode == 0, proposed.stderr
    (proposal,) = service.ask("ada", "GET", "/api/rules").json()["proposals"]
    digest, path = proposal["hash"], f"/api/rules/{proposal['hash']}"
    assert (proposal["author"], proposal["changes"]) == ("ada", "1 rule added")
    assert any("OWN-1" in line for line in service.ask("bob", "GET", f"{path}/differences").json()["lines"])

    for who, verb, status in (
        ("ada", "approve", 403), ("eve", "approve", 403), ("root", "activate", 403), ("feed", "propose", 403),
        ("nobody", "activate", 401), ("ada", "activate", 409), ("bob", "activate", 409),
    ):  # fmt: skip
        answer = service.ask(who, "POST", f"{path}/{verb}", {})
        assert answer.status_code == status, (who, verb, answer.text)
    smuggled = {
        "event_id": "x", "event_type": "rules.approved", "occurred_at": NOW.isoformat(),
        "source_system": "c", "configuration": digest, "actor": "bob",
    }  # fmt: skip
    assert service.ask("feed", "POST", "/events", smuggled).json()["refused"] == 1
    assert service.pay(6) == []

    page, client = service.page_of("ada")
    client.close()
    assert f'action="/rules/{digest}/approve"' not in page, "nobody is shown what they may not press"
    approved_on_the_page(service, digest)
    assert service.ask("ada", "POST", f"{path}/activate", {}).status_code == 200
    assert service.pay(7) == ["OWN-1"], "filled from the journal, without a restart"
    assert f'hash="{digest[:12]}"' in httpx.get(f"{service.url}/metrics", timeout=PATIENCE_S).text

    back = service.rules("ada", "rollback", "--reason", "too many")
    assert back.returncode == 0, back.stderr
    assert service.pay(8) == []
    told = [one["action"] for one in service.ask("eve", "GET", "/api/rules/steps").json()]
    assert told == ["rolled_back", "activated", "approved", "proposed", "taken"]
    proven = subprocess.run(
        [RISKMON, "audit", "verify", "--data", service.data], capture_output=True, check=False
    )
    assert proven.returncode == 0, proven.stdout

    service.stop()
    service.start()
    assert "rules propose" in " ".join(service.ask("ada", "GET", "/readyz").json()["reasons"])
    assert service.ask("ada", "GET", "/api/rules").json()["waiting"] == digest
    assert service.pay(9) == []


def test_rules_with_mistakes_or_failing_tests_are_not_proposed(service: Service) -> None:
    own = service.config / "own/OWN-1.yaml"
    own.write_text(RULE.replace("count(", "cuont("))
    mistaken = service.rules("ada", "propose", "--reason", "why")
    assert mistaken.returncode != 0
    assert "OWN-1.yaml" in mistaken.stdout + mistaken.stderr
    own.write_text(RULE)
    (service.config / "own/OWN-1.test.yaml").write_text(
        "defaults: {kind: payment.transfer, direction: in}\n"
        "cases:\n  - name: one is enough\n    events: [{at: +0m, amount: 900}]\n    expect: {hits: [+0m]}\n"
    )
    failing = service.rules("ada", "propose", "--reason", "why")
    assert failing.returncode == 1
    assert "tests beside the rules fail" in failing.stdout
    assert service.ask("ada", "GET", "/api/rules").json()["proposals"] == []
