"""People change the rules of a running cluster, through its desk, with workers and brokers that are real."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sites import Site, deposit, site_in, until

PACKS = Path(__file__).parents[2] / "rules/packs"
pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.redis]
RULE = """
id: OWN-1
title: A deposit
dimension: fraud
on: cash.deposit
when: count(7d, where=amount < 100000 CNY) >= 2
points: 5
severity: high
alert: true
cooldown: 1h
status: live
say: "two deposits"
why: So that something hits.
source: Own proposal [D]
verification: D
triage: [Look.]
owner: tests
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    own = tmp_path / "own"
    shutil.copytree(PACKS / "flow", own)
    with site_in(tmp_path, RISKMON_RULES_PACKS=f"[{own}]", RISKMON_RULES_APPROVAL="required") as found:
        found.start("desk")
        found.start("worker")
        found.start_web()
        until(lambda: found.is_ready, "the web role is ready")
        yield found


def rules(site: Site, *arguments: str) -> str:
    done = site.command("rules", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr + site.told("desk")
    return done.stdout


def sent(site: Site, customer: str, number: int) -> None:
    assert site.post("/events", deposit(customer, number)).status_code == 200
    until(lambda: site.journaled(f"cash-{customer}-{number}".encode()), "the event is journaled")


def test_a_rule_comes_into_force_in_a_running_cluster_and_is_taken_back(site: Site) -> None:
    sent(site, "C-1", 0)
    sent(site, "C-1", 1)
    (site.folder / "own/OWN-1.yaml").write_text(RULE)
    rules(site, "propose", "--reason", "deposits", "--as", "ada")
    digest = site.get("/api/rules").json()["proposals"][0]["hash"]
    refused = site.command("rules", "approve", digest[:12], "--as", "ada")
    assert "expected another person" in refused.stderr
    rules(site, "approve", digest[:12], "--as", "bob")
    told = rules(site, "activate", digest[:12], "--as", "ada")
    assert "sees events from" in told, "a cluster's windows begin at the change, and say so"
    sent(site, "C-1", 2)
    assert site.alerts("C-1") == []
    sent(site, "C-1", 3)
    until(lambda: [one["rule"] for one in site.alerts("C-1")] == ["OWN-1"], "the new rule's alert")

    site.stop("desk")
    site.stop("worker")
    site.start("desk")
    site.start("worker")
    rules(site, "rollback", "--reason", "enough", "--as", "bob")
    sent(site, "C-2", 0)
    sent(site, "C-2", 1)
    assert site.alerts("C-2") == []
    assert rules(site, "status").startswith("in force   ")
    assert site.command("audit", "verify").returncode == 0
