"""The API of the desk, its description, probes and metrics."""

from __future__ import annotations

import re

import pytest

ALERT = f"{0:032x}"
CLOSE = {"reason": "Known.", "disposition": "duplicate"}


def test_alerts_are_listed_by_case_with_paging(ask):
    answer = ask("GET", "/api/alerts?limit=2&offset=1").json()
    assert answer["total"] == 5
    assert [item["rule"] for item in answer["items"]] == ["A-124", "A-203"]


def test_references_of_evidence_are_text(ask):
    assert ask("GET", f"/api/alerts/{ALERT}").json()["evidence"] == ["11", "12", "-13"]


def test_one_alert_carries_its_events_and_history(ask):
    ask("POST", f"/api/alerts/{ALERT}/take")
    answer = ask("GET", f"/api/alerts/{ALERT}").json()
    assert [event["event_id"] for event in answer["events"]] == ["cash-1", "cash-2", "cash-3"]
    assert [(step["action"], step["actor"]) for step in answer["history"]] == [("take", "local")]


@pytest.mark.parametrize(
    ("before", "action", "body", "status"),
    [
        ([], "take", None, "taken"),
        (["take"], "release", None, "open"),
        (["take"], "release", {"reason": "Holiday."}, "open"),
        ([], "note", {"reason": "Called."}, "open"),
        ([], "snooze", {"reason": "Papers.", "until": "2027-01-01T00:00:00+08:00"}, "snoozed"),
        ([], "close", CLOSE, "closed"),
    ],
)
def test_each_action_moves_the_alert(ask, before, action, body, status):
    for earlier in before:
        ask("POST", f"/api/alerts/{ALERT}/{earlier}")
    answer = ask("POST", f"/api/alerts/{ALERT}/{action}", json=body)
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["alert"]["status"]) == ("accepted", status)


def test_wake_and_reopen_bring_an_alert_back(ask):
    until = {"reason": "Papers.", "until": "2027-01-01T00:00:00Z"}
    ask("POST", f"/api/alerts/{ALERT}/snooze", json=until)
    assert ask("POST", f"/api/alerts/{ALERT}/wake").json()["alert"]["status"] == "open"
    ask("POST", f"/api/alerts/{ALERT}/close", json=CLOSE)
    answer = ask("POST", f"/api/alerts/{ALERT}/reopen", json={"reason": "New facts."})
    assert answer.json()["alert"]["status"] == "open"


def test_the_same_key_again_is_the_same_action(ask, bank):
    for expected in ("accepted", "duplicate"):
        answer = ask(
            "POST", f"/api/alerts/{ALERT}/note", json={"reason": "A."}, headers={"Idempotency-Key": "k"}
        )
        assert answer.json()["status"] == expected
    assert len(bank.alerts.history(ALERT)) == 1


def test_an_action_the_state_does_not_allow_is_a_conflict(ask):
    answer = ask("POST", f"/api/alerts/{ALERT}/wake")
    assert answer.status_code == 409
    assert "it is open, expected snoozed" in answer.json()["error"]


def test_every_fault_of_a_request_is_named(ask):
    answer = ask("POST", f"/api/alerts/{ALERT}/close", json={"reason": ""})
    assert answer.status_code == 422
    assert {fault["path"] for fault in answer.json()["faults"]} == {"reason", "disposition"}


def test_a_body_that_is_not_json_is_named(ask):
    answer = ask(
        "POST", f"/api/alerts/{ALERT}/note", content=b"{", headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422


def test_a_time_without_offset_is_refused(ask):
    answer = ask("GET", "/api/ratings/C-1?at=2026-01-01T00:00:00")
    assert answer.status_code == 422
    assert answer.json()["faults"][0]["path"] == "at"


def test_an_unknown_alert_is_missing(ask):
    for method, path in (("GET", "/api/alerts/x"), ("POST", "/api/alerts/x/take")):
        answer = ask(method, path)
        assert answer.status_code == 404
        assert answer.json()["error"] == "No alert has the id 'x'."


def test_nothing_can_be_done_while_the_store_is_full(ask, bank):
    bank.is_down = True
    answer = ask("POST", f"/api/alerts/{ALERT}/take")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_bulk_close_answers_for_each_alert(ask):
    answer = ask("POST", "/api/alerts/bulk-close", json={"alerts": [ALERT, "x", ALERT], **CLOSE})
    assert answer.status_code == 409
    assert [(item["id"], item["status"]) for item in answer.json()["items"]] == [
        (ALERT, "accepted"),
        ("x", "refused"),
    ]
    assert answer.json()["closed"] == 1


def test_a_rating_of_the_past_is_asked_for_by_time(ask):
    answer = ask("GET", "/api/ratings/C-1", params={"at": "2026-01-01T00:00:00+08:00"}).json()
    assert answer["time_ms"] == 1_767_196_800_000
    assert round(sum(part["points"] for part in answer["parts"]), 2) == answer["score"]


def test_a_customer_without_rating_is_missing(ask):
    assert ask("GET", "/api/ratings/C-none").status_code == 404


def test_dead_letters_are_listed_with_their_faults(ask):
    answer = ask("GET", "/api/dead-letters?limit=1").json()
    assert answer["by_reason"] == {"bad_field": 3, "malformed": 12}
    assert answer["items"][0]["faults"][0]["path"] == "amount"


def test_probes_tell_the_truth(ask, bank):
    assert ask("GET", "/healthz").json() == {"alive": True, "reasons": []}
    assert ask("GET", "/readyz").status_code == 200
    bank.reasons = ["recovery is not finished"]
    answer = ask("GET", "/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "reasons": ["recovery is not finished"]}
    bank.health = lambda: {"alive": False, "ready": False, "reasons": ["the engine stopped"]}
    assert ask("GET", "/healthz").status_code == 503


def test_probes_and_metrics_need_no_token(ask):
    for path in ("/healthz", "/readyz", "/metrics"):
        assert ask("GET", path, users=True).status_code == 200


def test_metrics_are_prometheus_text(ask):
    answer = ask("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "monitor_events_total 5.0" in answer.text


ACTIONS = ("take", "release", "note", "snooze", "wake", "close", "reopen")
ROUTES = {
    "/events",
    "/api/alerts",
    "/api/alerts/{alert_id}",
    "/api/alerts/bulk-close",
    "/api/ratings/{customer}",
    "/api/ratings/{customer}/grade",
    "/api/ratings/{customer}/limits",
    "/api/ratings/{customer}/rules",
    "/api/rules",
    "/api/rules/precision",
    "/api/rules/steps",
    "/api/rules/{digest}/differences",
    "/api/rules/{digest}/{verb}",
    "/api/dead-letters",
    "/healthz",
    "/readyz",
    "/metrics",
}


def test_the_description_names_every_route_and_its_answers(ask):
    paths = ask("GET", "/openapi.json").json()["paths"]
    assert set(paths) == ROUTES | {f"/api/alerts/{{alert_id}}/{action}" for action in ACTIONS}
    assert set(paths["/events"]["post"]["responses"]) == {"200", "401", "403", "413", "415", "422", "503"}


def test_every_reference_of_the_description_leads_somewhere(ask):
    text = ask("GET", "/openapi.json").text
    schemas = ask("GET", "/openapi.json").json()["components"]["schemas"]
    assert set(re.findall(r"#/components/schemas/(\w+)", text)) <= set(schemas)


def test_the_page_of_the_api_lists_the_routes(ask):
    assert "/api/alerts/bulk-close" in ask("GET", "/docs").text
