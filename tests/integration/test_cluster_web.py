"""The web role with real desk, worker, broker and databases: over HTTP, in a browser, at the terminal."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from playwright.sync_api import sync_playwright
from sites import Site, deposit, site_in, until

from monitor.testing import configuration

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.redis]

EXPLAINED = "false_positive.explained"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_in(tmp_path_factory.mktemp("web")) as found:
        found.start_web()
        until(lambda: found.get("/healthz").is_success, "the web role serves")
        # Before any desk ran there are neither topics nor tables: it says so and waits.
        assert found.get("/readyz").json()["ready"] is False
        assert found.post("/events", deposit("C-0", 0)).status_code == 503
        found.start("desk")
        found.start("worker")
        until(lambda: found.is_ready, "the web role is ready")
        yield found


# -- events


def test_a_bad_event_is_told_with_every_fault_and_becomes_a_dead_letter(site):
    bad = deposit("C-bad", 1, amount="-5", currency="XYZ")
    answer = site.post("/events", [deposit("C-bad", 0), bad])
    assert answer.status_code == 422
    told = answer.json()["items"]
    assert [item["status"] for item in told] == ["accepted", "rejected"]
    assert {fault["path"] for fault in told[1]["faults"]} == {"amount", "currency"}
    (letter,) = until(lambda: site.get("/api/dead-letters").json()["items"], "a dead letter")
    assert {fault["path"] for fault in letter["faults"]} == {"amount", "currency"}


def test_an_event_that_is_too_large_for_the_topic_is_told_and_its_neighbours_are_kept(site):
    large = deposit("C-large", 1, description="x" * 1_100_000)
    answer = site.post("/events", [deposit("C-large", 0), large])
    assert [item["status"] for item in answer.json()["items"]] == ["accepted", "rejected"]
    assert "expected at most" in answer.json()["items"][1]["faults"][0]["problem"]


def test_nobody_acts_in_an_officers_name_by_sending_events(site):
    event = {"event_id": "x", "event_type": "alert.taken", "alert_id": "1f", "actor": "ada"}
    assert site.post("/events", event).json()["items"][0]["status"] == "refused"


# -- officers


def test_an_action_is_carried_out_once_and_what_is_not_allowed_is_refused_with_the_reason(site):
    alert = site.raise_alert("C-act")
    first = site.post(f"/api/alerts/{alert['id']}/take", {}, headers={"Idempotency-Key": "k1"})
    again = site.post(f"/api/alerts/{alert['id']}/take", {}, headers={"Idempotency-Key": "k1"})
    other = site.post(f"/api/alerts/{alert['id']}/take", {}, headers={"Idempotency-Key": "k2"})
    assert (first.json()["status"], first.json()["alert"]["status"]) == ("accepted", "taken")
    assert again.json()["status"] == "duplicate"
    assert other.status_code == 409
    assert "it is taken by local, expected open" in other.json()["error"]
    history = site.get(f"/api/alerts/{alert['id']}").json()["history"]
    assert [step["action"] for step in history] == ["take"]


def test_pages_show_rules_and_ratings_of_the_configuration_in_force(site):
    alert = site.raise_alert("C-page")
    (rule,) = [rule for rule in configuration("structuring").rules or () if rule.id == alert["rule"]]
    page = unescape(site.get(f"/alerts/{alert['id']}").text)
    assert alert["triage"][0] in page
    assert " ".join(rule.why.split())[:60] in " ".join(page.split())
    customer = unescape(site.get("/customers/C-page").text)
    assert rule.title in customer
    assert site.get("/api/ratings/C-page").json()["grade"] == 14
    assert "seconds since commit" in site.get("/status").text.lower()


def test_a_look_at_an_alert_is_journaled(site):
    alert = site.raise_alert("C-look")
    site.get(f"/alerts/{alert['id']}")
    until(lambda: site.journaled(b'"data.access"', alert["id"].encode()), "the look is in the journal")


@pytest.mark.browser
def test_an_open_page_is_told_of_an_alert_which_is_taken_and_closed_by_keyboard(site, tmp_path):
    with sync_playwright() as playwright:
        arguments = ["--headless", "--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(60_000)
        with page.expect_request("**/live"):
            page.goto(site.url)
        alert = site.raise_alert("C-news")
        page.get_by_role("link", name=re.compile("new alerts?, show")).click()
        page.goto(f"{site.url}/alerts/{alert['id']}")
        page.keyboard.press("t")
        page.get_by_text("by local").first.wait_for()
        page.wait_for_load_state()  # keys are heard once the page's script has run
        page.keyboard.press("c")
        page.keyboard.type("false positive: expl")
        page.keyboard.press("Tab")
        page.keyboard.type("Salary of March.")
        page.screenshot(path=tmp_path / "alert.png")
        page.keyboard.press("Control+Enter")
        page.get_by_text("Closed", exact=True).wait_for()
        for name, path in (("inbox", "/"), ("customer", "/customers/C-news"), ("status", "/status")):
            page.goto(site.url + path)
            page.screenshot(path=tmp_path / f"{name}.png", full_page=True)
        browser.close()
    assert [alert["status"] for alert in site.alerts("C-news") if alert["disposition"]] == ["closed"]


# -- the terminal


def test_commands_read_the_cluster_and_act_through_its_desk(site, tmp_path):
    alert = site.raise_alert("C-term")
    short = alert["id"][:8]
    assert short[:4] in site.command("alerts", "list").stdout
    assert "is taken by ada" in site.command("alerts", "take", short, "--as", "ada").stdout
    refused = site.command("alerts", "take", short, "--as", "bob")
    assert refused.returncode == 2
    assert "it is taken by ada, expected open" in refused.stderr
    closing = ["--disposition", EXPLAINED, "--reason", "salary", "--as", "ada"]
    assert "is closed" in site.command("alerts", "close", short, *closing).stdout
    assert "grade" in site.command("rating", "show", "C-term", "--json").stdout
    shown = json.loads(site.command("audit", "show", alert["id"], "--json").stdout)
    assert {entry["kind"] for entry in shown["entries"]} >= {"alert"}
    pack = tmp_path / "pack.json"
    assert site.command("audit", "export", short, "--out", pack).returncode == 0
    assert alert["id"] in pack.read_text()
    tail = site.command("alerts", "tail", "--no-follow")
    assert "closed" in tail.stdout


def test_the_whole_cluster_is_proven_from_the_terminal(site):
    site.raise_alert("C-proof")
    done = site.command("audit", "verify", "--json")
    assert json.loads(done.stdout)["findings"] == []
    assert done.returncode == 0


def test_a_dead_letter_is_repaired_and_sent_again_from_the_terminal(site, tmp_path):
    site.post("/events", deposit("C-fix", 1, amount="-7"))

    def waiting() -> list[Any]:
        listed = json.loads(site.command("deadletter", "list", "--json").stdout)["items"]
        return [letter for letter in listed if letter["event_id"] == "cash-C-fix-1"]

    (letter,) = until(waiting, "the dead letter")
    fix = tmp_path / "fix.jsonl"
    fix.write_text(json.dumps({"id": letter["id"], "record": deposit("C-fix", 1)}))
    done = site.command("deadletter", "redrive", str(letter["id"]), "--fix", fix)
    assert "redriven 1, still waiting 0" in done.stdout, done.stderr
    until(lambda: site.get("/api/ratings/C-fix").is_success, "the repaired event rates its customer")
    assert waiting() == []


# -- when something is away


def test_without_database_events_are_taken_pages_say_why_and_all_comes_back_by_itself(site):
    alert = site.raise_alert("C-db")
    site.postgres.kill()
    try:
        assert site.post("/events", deposit("C-db", 9)).status_code == 200
        page = site.get("/api/alerts")
        assert page.status_code == 503
        assert "database" in page.json()["error"]
        assert page.headers["Retry-After"]
        until(lambda: not site.is_ready, "it says that it is not ready")
        assert "database" in site.get("/readyz").json()["reasons"][0]
    finally:
        site.postgres.start()
    until(lambda: site.is_ready, "it is ready again")
    taken = until(
        lambda: (done := site.post(f"/api/alerts/{alert['id']}/take", {})).is_success and done,
        "an action is carried out again",
    )
    assert taken.json()["alert"]["status"] == "taken"


def test_without_broker_events_are_refused_with_the_reason_and_taken_again_by_itself(site):
    site.kafka.kill()
    try:
        answer = site.post("/events", deposit("C-broker", 0))
        assert answer.status_code == 503
        assert answer.json()["error"].startswith("broker: ")
        assert answer.headers["Retry-After"]
        until(lambda: not site.is_ready, "it says that it is not ready")
        assert site.get("/api/alerts").is_success
    finally:
        site.kafka.start()
    until(lambda: site.is_ready, "it is ready again")
    assert site.raise_alert("C-broker")


def test_an_action_that_the_desk_has_not_come_to_is_under_way_and_carried_out_once(site):
    alert = site.raise_alert("C-desk")
    key = {"Idempotency-Key": "patient"}
    assert site.stop("desk") == 0
    answer = site.post(f"/api/alerts/{alert['id']}/take", {}, headers=key)
    assert answer.status_code == 503
    assert "under way" in answer.json()["error"]
    site.start("desk")
    until(lambda: site.alerts("C-desk")[0]["status"] == "taken", "the desk carried it out")
    again = site.post(f"/api/alerts/{alert['id']}/take", {}, headers=key)
    assert again.json()["status"] == "duplicate"
    assert len(site.get(f"/api/alerts/{alert['id']}").json()["history"]) == 1


# -- signals; last


def test_a_signal_ends_every_role_in_order(site):
    assert {role: site.stop(role) for role in ("web", "worker", "desk")} == {"web": 0, "worker": 0, "desk": 0}
    assert "riskmon web: stopped" in site.told("web")
