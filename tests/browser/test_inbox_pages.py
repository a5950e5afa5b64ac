"""The pages: what an officer sees and does, without a browser."""

from __future__ import annotations

import re

import pytest

from alerts.lifecycle import Status

ALERT = f"{0:032x}"


def form_token(page: str) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', page)
    assert found
    return found[1]


@pytest.fixture
def send(walk):
    """Send a form as the local officer, with a token from a page; follow to the page it leads to."""

    def post(path, **fields):
        async def steps(client):
            token = form_token((await client.get("/")).text)
            data = {"csrf": token, "once": "k1", **fields}
            return await client.post(path, data=data, follow_redirects=True)

        return walk(steps)

    return post


def test_the_inbox_lists_the_most_urgent_case_first(ask):
    titles = re.findall(r'class="open"[^>]*>([^<]+)', ask("GET", "/").text)
    assert titles == [
        "New device, then a large transfer",
        "Structuring below the reporting threshold",
        "Money passes through within two hours",
        "Instalment overdue, income fell",
        "Employee opened many customers&#39; files",
    ]


def test_alerts_of_a_subject_stand_together(ask):
    text = ask("GET", "/").text
    assert text.count('<tbody class="case">') == 2
    assert "4 alerts" in text


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("severity=high", {0}),
        ("dimension=fraud", {1}),
        ("rule=C-012", {3}),
        ("text=86,000", {1}),
        ("text=E-004", {4}),
        ("mine=1", set()),
        ("status=closed", set()),
        ("status=all", {0, 1, 2, 3, 4}),
        ("page=99", set()),
        ("page=x&status=nonsense", {0, 1, 2, 3, 4}),
    ],
)
def test_filters_narrow_the_list(ask, query, ids):
    found = re.findall(r'data-id="([0-9a-f]+)"', ask("GET", f"/?{query}").text)
    assert set(found) == {f"{n:032x}" for n in ids}


def test_a_snoozed_alert_is_neither_listed_nor_counted(ask, bank, make_alert):
    bank.raise_alerts(make_alert(1, status=Status.SNOOZED, snoozed_until_ms=bank.now_ms() + 1))
    text = ask("GET", "/").text
    assert 'data-count="critical">0<' in text
    assert "New device" not in text


def test_an_empty_inbox_says_so(ask, bank):
    bank.alerts = type(bank)().alerts
    assert "Nothing to decide" in ask("GET", "/").text


def test_pages_of_a_long_list_show_each_alert_once(walk, bank, make_alert):
    bank.raise_alerts(*(make_alert(n) for n in range(250)))

    async def steps(client):
        pages = [(await client.get(f"/?page={n}")).text for n in (1, 2, 3)]
        return [set(re.findall(r'data-id="([0-9a-f]+)"', page)) for page in pages]

    found = walk(steps)
    assert [len(ids) for ids in found] == [100, 100, 50]
    assert len(set.union(*found)) == 250


def test_one_alert_shows_what_a_decision_needs(ask):
    text = ask("GET", f"/alerts/{ALERT}").text
    for needed in (
        "Cash in 148,500.00 CNY in 3 deposits",
        "Cash paid in below the threshold",
        "Order [2016] No. 3 art. 5",
        "5d2f10a9c3e7",
        "50,000.00 CNY",
        "49,100.00 CNY",
        "Li Wei, CN",
        "Compare the deposits with the declared occupation.",
        "New device, then a large transfer",
        "aml confidential",
    ):
        assert needed in text


def test_the_arithmetic_of_the_rating_adds_up_on_the_page(ask):
    text = ask("GET", "/customers/C-100000").text
    points = re.findall(r'<td class="num">([+-]\d+\.\d\d)</td>', text)
    assert f"{sum(float(point) for point in points):.2f}" == "63.42"
    assert "= score 63.42" in text


def test_a_rating_that_does_not_add_up_is_shown_as_such(ask, bank):
    honest = bank.rating
    bank.rating = lambda customer, at_ms=None: {**honest(customer, at_ms), "score": 64.0}
    assert "does not equal the score" in ask("GET", "/customers/C-100000").text


def test_a_customer_without_rating_has_a_page(ask):
    assert "No rating yet" in ask("GET", "/customers/C-none").text


def test_evidence_that_is_no_longer_kept_is_counted(ask, bank):
    del bank.events[-13]
    text = ask("GET", f"/alerts/{ALERT}").text
    assert "2 events, newest first; 1 no longer kept" in text


def test_take_note_close_and_reopen_are_shown_in_the_history(send, bank):
    assert "<b>taken</b> by local" in send(f"/alerts/{ALERT}/take").text
    send(f"/alerts/{ALERT}/note", reason="Called the branch.")
    closed = send(
        f"/alerts/{ALERT}/close", reason="Wedding gifts.", disposition="false_positive.explained"
    ).text
    assert "“false positive: explained”: Wedding gifts." in closed
    assert "Called the branch." in closed
    assert bank.alerts.get(ALERT).status is Status.CLOSED
    assert "<b>open</b>" in send(f"/alerts/{ALERT}/reopen", reason="New facts.").text


def test_sending_a_form_twice_acts_once(send, bank):
    send(f"/alerts/{ALERT}/note", reason="Once.", once="same")
    send(f"/alerts/{ALERT}/note", reason="Once.", once="same")
    assert len(bank.alerts.history(ALERT)) == 1


def test_snoozing_takes_a_time_and_a_reason(send, bank):
    assert "until" in send(f"/alerts/{ALERT}/snooze", reason="Waits for papers.", hours="24").text
    assert bank.alerts.get(ALERT).status is Status.SNOOZED
    send(f"/alerts/{ALERT}/wake")
    assert bank.alerts.get(ALERT).status is Status.OPEN


def test_closing_without_a_reason_is_refused_and_keeps_what_was_written(send, bank):
    answer = send(f"/alerts/{ALERT}/close", reason="", disposition="duplicate")
    assert answer.status_code == 409
    assert "reason: expected why" in answer.text
    assert '<option value="duplicate" selected>' in answer.text
    assert bank.alerts.get(ALERT).status is Status.OPEN


def test_an_action_the_state_does_not_allow_is_explained(send):
    answer = send(f"/alerts/{ALERT}/wake")
    assert answer.status_code == 409
    assert "it is open, expected snoozed" in answer.text


def test_take_next_takes_the_most_urgent_open_alert_then_the_one_after(send, bank):
    assert "New device" in send("/take-next").text
    assert "Structuring" in send("/take-next", once="k2").text
    assert bank.alerts.get(f"{1:032x}").assignee == "local"


def test_close_and_take_next_leads_to_the_next_alert(send):
    answer = send(f"/alerts/{1:032x}/close", reason="Known.", disposition="duplicate", then="next")
    assert answer.url.path == f"/alerts/{ALERT}"


def test_take_next_with_nothing_left_leads_to_the_inbox(send, bank):
    bank.alerts = type(bank)().alerts
    assert send("/take-next").url.path == "/"


def test_bulk_close_closes_all_with_one_reason(send, bank):
    ids = [f"{n:032x}" for n in range(3)]
    answer = send(
        "/bulk-close", alert=ids, reason="Rule too wide.", disposition="false_positive.rule_too_wide"
    )
    assert answer.url.path == "/"
    assert [bank.alerts.get(i).status for i in ids] == [Status.CLOSED] * 3


def test_bulk_close_says_what_was_not_closed_and_closes_the_rest(send, bank):
    answer = send("/bulk-close", alert=[ALERT, "unknown"], reason="Known.", disposition="duplicate")
    assert answer.status_code == 409
    assert "1 of 2 were closed" in answer.text
    assert bank.alerts.get(ALERT).status is Status.CLOSED


def test_four_eyes_one_proposes_another_who_may_approves(ask, bank):
    bank.four_eyes = frozenset({"high", "critical"})
    body = {"reason": "Salary.", "disposition": "false_positive.explained"}
    path = f"/api/alerts/{ALERT}/close"
    assert ask("POST", path, "olga", json=body).json()["alert"]["status"] == "open"
    page = ask("GET", f"/alerts/{ALERT}", "anna").text
    assert "Waits for a second person." in page
    assert "Approve the closing" in page
    assert "Approve the closing" not in ask("GET", f"/alerts/{ALERT}", "otto").text
    assert ask("POST", path, "olga", json=body).status_code == 409
    assert ask("POST", path, "otto", json=body).status_code == 403
    assert ask("POST", path, "anna", json=body).json()["alert"]["status"] == "closed"


def test_whoever_may_only_read_gets_no_forms(ask):
    text = ask("GET", f"/alerts/{ALERT}", "ida").text
    assert "Your role reads only." in text
    assert 'data-press="take"' not in text
    assert "Take next" not in ask("GET", "/", "ida").text


@pytest.mark.parametrize(
    ("method", "path", "status", "title"),
    [
        ("GET", "/nope", 404, "Not found"),
        ("GET", "/alerts/unknown", 404, "Not found"),
        ("POST", f"/alerts/{ALERT}/explode", 422, "Something is missing"),
        ("PUT", "/", 405, "Not possible here"),
        ("POST", "/take-next", 403, "Not allowed"),
    ],
)
def test_errors_are_pages_in_the_usual_clothes(ask, method, path, status, title):
    answer = ask(method, path)
    assert answer.status_code == status
    assert f"<h1>{title}</h1>" in answer.text
    assert '<a class="brand" href="/">riskmon</a>' in answer.text


def test_a_form_that_is_too_large_is_refused(ask):
    assert ask("POST", "/take-next", content=b"x" * 600_000).status_code == 413


def test_when_nothing_can_be_taken_the_officer_is_told(send, bank):
    bank.is_down = True
    answer = send(f"/alerts/{ALERT}/take")
    assert answer.status_code == 503
    assert "the store is full" in answer.text
    assert answer.headers["retry-after"] == "5"


def test_a_failure_of_ours_is_a_page_with_headers_and_a_line_in_the_log(ask, bank, caplog):
    bank.rating = lambda customer, at_ms=None: 1 / 0
    answer = ask("GET", "/customers/C-1")
    assert answer.status_code == 500
    assert "ZeroDivisionError" not in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "request_failed" in caplog.text


def test_status_shows_figures_and_dead_letters(ask, bank):
    bank.reasons = ["recovery: 40 % of the journal read"]
    text = ask("GET", "/status").text
    for needed in ("1,752,118", "431.5", "malformed", "not ready", "recovery: 40 %"):
        assert needed in text


def test_looking_up_a_customer_leads_to_the_page(ask):
    assert ask("GET", "/customers?id=C%2F1+2").headers["location"] == "/customers/C%2F1%202"
    assert ask("GET", "/customers/C%2F1%202").status_code == 200
    assert ask("GET", "/customers").headers["location"] == "/"
