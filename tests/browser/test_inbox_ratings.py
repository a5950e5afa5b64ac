"""Ratings in the inbox: explained to each reader, and decided by people."""

from __future__ import annotations

import re

import pytest

GRADE = "/api/ratings/C-1/grade"
WHY = {"reason": "court file"}


@pytest.mark.parametrize(
    ("audience", "line"),
    [
        ("officer", "without A-124: 13, score 31.55"),
        ("auditor", "parameters 1, mode noisy_or"),
        ("customer", "The assessment follows from what we know. You can object to it."),
    ],
)
def test_a_rating_is_explained_to_each_reader(ask, audience, line):
    answer = ask("GET", "/api/ratings/C-1", params={"as": audience}).json()
    assert answer["as"] == audience
    assert line in answer["lines"]
    assert line in ask("GET", "/customers/C-1").text


@pytest.mark.parametrize("audience", ["officer", "auditor"])
def test_who_may_not_see_confidential_alerts_gets_the_customers_text_alone(ask, audience):
    answer = ask("GET", "/api/ratings/C-1", "vera", params={"as": audience})
    assert (answer.status_code, answer.json()["error"]) == (
        403,
        f"Your role does not allow the {audience}'s explanation.",
    )
    assert ask("GET", "/api/ratings/C-1", "vera", params={"as": "customer"}).status_code == 200
    plain = ask("GET", "/api/ratings/C-1", "vera").json()
    assert not {"detail", "proposals"} & set(plain)
    page = ask("GET", "/customers/C-1", "vera").text
    assert "A-124" not in page
    assert "olga" not in page
    assert "Set the grade by hand" not in page


def test_an_unknown_reader_is_refused(ask):
    assert ask("GET", "/api/ratings/C-1", params={"as": "press"}).status_code == 422


def test_a_decision_tells_what_became_of_it(ask):
    answer = ask("POST", GRADE, json={"grade": 14, **WHY}).json()
    assert (answer["status"], answer["decision"]["actor"]) == ("proposed", "local")
    refused = ask("POST", GRADE, json={"grade": 11, **WHY})
    assert (refused.status_code, refused.json()["error"]) == (
        409,
        "grade: expected another than 11, which it is",
    )


@pytest.mark.parametrize(
    ("path", "said", "event"),
    [
        ("grade", {"grade": None}, {"event_type": "rating.override"}),
        (
            "limits",
            {"name": "confirmed_mule"},
            {"event_type": "rating.limit_imposed", "limit_name": "confirmed_mule"},
        ),
        ("limits", {"name": "x", "lift": True}, {"event_type": "rating.limit_lifted", "limit_name": "x"}),
        ("rules", {"rule": "A-1"}, {"event_type": "rating.rule_suppressed", "rule": "A-1"}),
        ("rules", {"rule": "A-1", "restore": True}, {"event_type": "rating.rule_restored", "rule": "A-1"}),
    ],
)
def test_a_decision_is_an_event_of_its_person(ask, bank, path, said, event):
    assert ask("POST", f"/api/ratings/C-1/{path}", "otto", json={**said, **WHY}).status_code == 200
    sent = bank.decided_events[-1]
    assert sent["actor"] == "otto"
    assert event.items() <= sent.items()


def test_agreeing_takes_the_right_to_approve(ask, caplog):
    proposed = {"grade": 13, **WHY}  # what olga proposed
    assert ask("POST", GRADE, "otto", json=proposed).status_code == 403
    assert "access_denied status=403 user=otto action=approve" in caplog.text
    assert ask("POST", GRADE, "anna", json=proposed).status_code == 200


@pytest.mark.parametrize("name", ["vera", "ida", "adam", "core"])
def test_who_only_reads_decides_nothing(ask, name):
    assert ask("POST", GRADE, name, json={"grade": 14, **WHY}).status_code == 403


def test_a_decision_needs_a_reason_and_a_customer_with_a_rating(ask):
    assert ask("POST", GRADE, json={"grade": 14}).status_code == 422
    assert ask("POST", "/api/ratings/C-none/grade", json={"grade": 14, **WHY}).status_code == 404


@pytest.mark.parametrize("kind", ["rating.override", "rating.limit_lifted", "rating.rule_suppressed"])
def test_a_producer_cannot_act_in_a_persons_name(ask, kind):
    answer = ask("POST", "/events", json={"event_id": "1", "event_type": kind}).json()
    assert answer["refused"] == 1


def test_a_proposal_is_shown_to_whom_may_approve_it(ask):
    assert "Why you agree" in ask("GET", "/customers/C-1", "anna").text
    assert "Why you agree" not in ask("GET", "/customers/C-1", "olga").text
    assert "the file explains it" in ask("GET", "/customers/C-1", "olga").text


def send(ask, name, **fields):
    answer = ask("GET", "/customers/C-1", name)
    token = re.search(r'name="csrf" value="([0-9a-f]+)"', answer.text)
    assert token
    return ask(
        "POST",
        "/customers/C-1/decide",
        name,
        data={"csrf": token[1], "once": "k", "kind": "rating.override", **fields},
        headers={"Cookie": "; ".join(f"{name}={value}" for name, value in answer.cookies.items())},
    )


def test_the_form_sets_a_grade_and_leads_back(ask, bank):
    answer = send(ask, "olga", value="14", reason="court file", days="30")
    assert (answer.status_code, answer.headers["location"]) == (303, "/customers/C-1")
    assert bank.decided_events[-1]["grade"] == 14


def test_a_refused_form_says_why_and_keeps_what_was_written(ask):
    answer = send(ask, "olga", value="11", reason="court file", days="30")
    assert answer.status_code == 409
    assert "expected another than 11" in answer.text
    assert "court file</textarea>" in answer.text


def test_a_form_without_its_token_changes_nothing(ask, bank):
    assert ask("POST", "/customers/C-1/decide", "olga", data={"kind": "rating.override"}).status_code == 403
    assert bank.decided_events == []
