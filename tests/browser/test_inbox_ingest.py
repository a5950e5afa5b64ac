"""POST /events: what producers get, for every shape of body."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.inbox.ingest import EventsOut
from alerts.inbox.records import split

GOOD = b'{"event_id":"tx-1","event_type":"payment.transfer","amount":1.10}'
OTHER = b'{"event_id":"tx-2","event_type":"payment.transfer"}'
BAD = b'{"event_id":"tx-3"}'


def test_one_object_is_accepted(ask, bank):
    answer = ask("POST", "/events", content=GOOD)
    assert answer.status_code == 200
    assert answer.json()["items"] == [
        {"index": 0, "status": "accepted", "event_id": "tx-1", "hits": ["A-124"], "score": 0.25,
         "faults": [], "message": ""}
    ]  # fmt: skip


def test_answers_are_as_described(ask):
    for body in (GOOD, BAD, b"[" + GOOD + b"," + BAD + b"]"):
        answer = ask("POST", "/events", content=body)
        assert EventsOut.model_validate_json(answer.content, strict=True, extra="forbid").items


def test_the_bytes_of_an_item_reach_the_monitor_unchanged(ask, bank):
    ask("POST", "/events", content=b"[ " + GOOD + b" ,\n" + OTHER + b"]")
    assert bank.bodies == [GOOD, OTHER]


def test_a_duplicate_is_a_success(ask):
    answer = ask("POST", "/events", content=b"[" + GOOD + b"," + GOOD + b"]")
    assert answer.status_code == 200
    assert [item["status"] for item in answer.json()["items"]] == ["accepted", "duplicate"]


@pytest.mark.parametrize(
    "body", [b"[" + b",".join([GOOD, BAD, b"7", OTHER]) + b"]", b"\n".join([GOOD, BAD, b"{", OTHER])]
)
def test_good_items_are_kept_next_to_bad_ones(ask, bank, body):
    answer = ask("POST", "/events", content=body)
    assert answer.status_code == 422
    assert [item["status"] for item in answer.json()["items"]] == [
        "accepted",
        "rejected",
        "rejected",
        "accepted",
    ]
    assert answer.json()["items"][1]["faults"][0]["path"] == "event_type"
    assert bank.bodies == [GOOD, OTHER]


def test_lines_are_independent_whatever_the_first_one_is(ask, bank):
    kind = {"Content-Type": "application/x-ndjson; charset=utf-8"}
    answer = ask("POST", "/events", content=b"garbage\r\n\r\n" + GOOD + b"\r\n", headers=kind)
    assert [item["status"] for item in answer.json()["items"]] == ["rejected", "accepted"]


def test_a_broken_array_is_one_rejected_record(ask, bank):
    answer = ask("POST", "/events", content=b"[" + GOOD + b",")
    assert answer.status_code == 422
    assert answer.json()["rejected"] == 1
    assert bank.bodies == []


def test_an_object_over_several_lines_is_one_event(ask):
    body = orjson.dumps(orjson.loads(GOOD), option=orjson.OPT_INDENT_2)
    assert ask("POST", "/events", content=body).json()["accepted"] == 1


def test_an_empty_body_is_refused(ask):
    answer = ask("POST", "/events", content=b" \n")
    assert answer.status_code == 422
    assert "expected an event, was empty" in answer.json()["error"]


def test_an_empty_array_is_refused(ask):
    assert ask("POST", "/events", content=b"[]").status_code == 422


def test_a_body_above_the_limit_is_refused_unread(ask, bank):
    answer = ask("POST", "/events", content=b" " * (16 * 1024 * 1024 + 1))
    assert answer.status_code == 413
    assert "16,777,216" in answer.json()["error"]


def test_a_compressed_body_is_refused(ask):
    answer = ask("POST", "/events", content=GOOD, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 415


def test_a_full_store_says_when_to_come_back(ask, bank):
    bank.is_down = True
    answer = ask("POST", "/events", content=GOOD)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert answer.json()["error"] == "the store is full"


def test_a_producer_cannot_act_in_an_officers_name(ask, bank):
    forged = b'{"event_id":"x","event_type":"alert.closed","alert_id":"1","actor":"olga"}'
    answer = ask("POST", "/events", "core", content=b"[" + forged + b"," + GOOD + b"]")
    assert answer.status_code == 422
    assert [item["status"] for item in answer.json()["items"]] == ["refused", "accepted"]
    assert bank.bodies == [GOOD]


@given(
    st.lists(
        st.dictionaries(
            st.text(), st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
        )
    )
)
def test_splitting_an_array_gives_its_items(items):
    bodies = [
        orjson.dumps(item)
        for item in items
        if all(abs(v) < 2**63 for v in item.values() if isinstance(v, int))
    ]
    assert split(b"[" + b",\n".join(bodies) + b"]") == bodies


@given(st.binary())
def test_no_bytes_stop_the_splitter(body):
    records = split(body)
    assert split(body, lines=True) is not None
    assert all(isinstance(record, bytes) and record for record in records)
    assert bool(records) == bool(body.strip()) or body.strip().startswith(b"[")


def test_deep_nesting_is_one_bad_record():
    body = b"[" * 100_000
    assert split(body) == [body]
