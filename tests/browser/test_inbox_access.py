"""Who gets in, who may do what, and what a hostile page or a hostile text can do: nothing."""

from __future__ import annotations

import re

import pytest

from alerts.inbox.access import Gate, User, token_sha256
from alerts.inbox.settings import UnsafeBindingError, WebSettings, check_binding

ALERT = f"{0:032x}"
OPEN_ALERT = f"{1:032x}"

ALLOWED = {
    ("GET", "/"): {"vera", "olga", "anna", "ida"},
    ("GET", f"/alerts/{OPEN_ALERT}"): {"vera", "olga", "anna", "ida"},
    ("GET", "/customers/C-1"): {"vera", "olga", "anna", "ida"},
    ("GET", "/status"): {"olga", "anna", "ida", "adam"},
    ("GET", "/api/alerts"): {"vera", "olga", "anna", "ida"},
    ("GET", "/api/ratings/C-1"): {"vera", "olga", "anna", "ida"},
    ("GET", "/api/dead-letters"): {"olga", "anna", "ida", "adam"},
    ("POST", f"/api/alerts/{OPEN_ALERT}/take"): {"olga", "anna"},
    ("POST", "/events"): {"core"},
}


def form_token(page: str) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', page)
    assert found
    return found[1]


@pytest.mark.parametrize(("method", "path"), ALLOWED)
@pytest.mark.parametrize("name", ["vera", "olga", "anna", "ida", "adam", "core"])
def test_each_role_may_do_its_own_work_only(ask, caplog, method, path, name):
    answer = ask(
        method, path, name, content=b'{"event_id":"1","event_type":"x"}' if path == "/events" else None
    )
    assert answer.status_code == (200 if name in ALLOWED[method, path] else 403)
    if answer.status_code == 403:
        assert f"access_denied status=403 user={name}" in caplog.text


def test_a_program_without_a_token_gets_401_and_it_is_logged(ask, caplog):
    answer = ask("POST", "/events", users=True, content=b"{}")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "access_denied status=401" in caplog.text


def test_an_unknown_token_is_nobody(ask):
    assert ask("GET", "/api/alerts", users=True, headers={"Authorization": "Bearer guess"}).status_code == 401


def test_a_person_without_a_session_is_led_to_the_sign_in(ask):
    answer = ask("GET", "/status", users=True)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/status")


def test_signing_in_with_the_token_opens_a_session_until_signing_out(walk):
    async def steps(client):
        page = await client.get("/login?next=/status")
        fields = {"csrf": form_token(page.text), "token": "token-olga", "next": "/status"}
        entered = await client.post("/login", data=fields)
        assert (entered.status_code, entered.headers["location"]) == (303, "/status")
        cookie = entered.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        inbox = await client.get("/")
        assert "olga" in inbox.text
        await client.post("/logout", data={"csrf": form_token(inbox.text)})
        assert (await client.get("/")).status_code == 303

    walk(steps, users=True)


def test_a_wrong_token_is_refused_and_logged(walk, caplog):
    async def steps(client):
        page = await client.get("/login")
        answer = await client.post("/login", data={"csrf": form_token(page.text), "token": "guess"})
        assert answer.status_code == 401
        assert "No user has this token" in answer.text

    walk(steps, users=True)
    assert "sign_in_failed" in caplog.text


def test_signing_in_does_not_lead_to_another_site(walk):
    async def steps(client):
        page = await client.get("/login?next=//evil.example/")
        fields = {"csrf": form_token(page.text), "token": "token-olga", "next": "https://evil.example"}
        assert (await client.post("/login", data=fields)).headers["location"] == "/"

    walk(steps, users=True)


def test_a_session_is_over_when_altered_late_or_when_the_token_was_replaced():
    olga = User(name="olga", roles=frozenset({"officer"}), token_sha256=token_sha256("a"))
    gate = Gate([olga], hours=1)
    cookie = gate.session(olga, now_s=1000)
    assert gate.by_session(cookie, now_s=1000) == olga
    assert gate.by_session(cookie, now_s=1000 + 3600) is None
    assert gate.by_session(cookie[:-1] + "x", now_s=1000) is None
    assert gate.by_session("nonsense", now_s=1000) is None
    assert Gate([olga], hours=1).by_session(cookie, now_s=1000) is None


def test_a_form_without_its_token_changes_nothing(ask, bank):
    answer = ask("POST", f"/alerts/{ALERT}/take", data={"once": "1"})
    assert answer.status_code == 403
    assert bank.alerts.get(ALERT).assignee is None


def test_the_token_of_another_visitor_is_refused(walk, bank):
    async def steps(client):
        token = form_token((await client.get("/")).text)
        client.cookies.clear()
        await client.get("/")
        answer = await client.post(f"/alerts/{ALERT}/take", data={"csrf": token, "once": "1"})
        assert answer.status_code == 403

    walk(steps)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example"])
def test_another_sites_page_cannot_send_anything(ask, bank, origin):
    event = b'{"event_id":"1","event_type":"x"}'
    assert ask("POST", "/events", content=event, headers={"Origin": origin}).status_code == 403
    assert ask("POST", f"/api/alerts/{ALERT}/take", headers={"Origin": origin}).status_code == 403
    assert bank.bodies == []


def test_our_own_page_may_send(ask):
    assert ask("POST", f"/api/alerts/{ALERT}/take", headers={"Origin": "http://localhost"}).status_code == 200


def test_without_users_a_foreign_name_of_this_machine_is_refused(ask):
    assert ask("GET", "/", headers={"Host": "evil.example"}).status_code == 403
    assert ask("GET", "/", headers={"Host": "127.0.0.1:8600"}).status_code == 200


def test_listening_to_other_machines_without_users_is_refused():
    with pytest.raises(UnsafeBindingError, match=r"0\.0\.0\.0: no users are configured"):
        check_binding("0.0.0.0", WebSettings())


def test_listening_to_other_machines_with_users_is_allowed():
    user = User(name="olga", roles=frozenset({"officer"}), token_sha256=token_sha256("a"))
    check_binding("0.0.0.0", WebSettings(users=(user,)))


def test_a_user_with_an_unknown_role_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown role boss\nhint: write one of viewer, officer"):
        User(name="olga", roles=frozenset({"boss"}), token_sha256="")


def test_a_token_in_clear_is_not_a_hash():
    with pytest.raises(ValueError, match="token_sha256 is not a SHA-256 hash") as caught:
        User(name="olga", roles=frozenset({"viewer"}), token_sha256="secret")
    assert "secret" not in str(caught.value)


def test_who_may_not_see_confidential_alerts_finds_no_trace_of_them(ask):
    inbox = ask("GET", "/?status=all", "vera").text
    assert "New device" in inbox
    assert "Structuring" not in inbox
    assert "Structuring" not in ask("GET", f"/alerts/{OPEN_ALERT}", "vera").text
    assert "Structuring" not in ask("GET", "/customers/C-100000", "vera").text
    assert "A-124" not in ask("GET", "/api/ratings/C-100000", "vera").text
    assert "Structuring" not in ask("GET", "/api/alerts", "vera").text
    assert ask("GET", f"/alerts/{ALERT}", "vera").status_code == 404
    assert ask("GET", f"/api/alerts/{ALERT}", "vera").status_code == 404


def test_a_confidential_alert_warns_the_officer(ask):
    assert "tipping-off" in ask("GET", f"/alerts/{ALERT}", "olga").text
    assert "tipping-off" not in ask("GET", f"/alerts/{OPEN_ALERT}", "olga").text


def test_reading_a_customer_or_an_alert_is_recorded(ask, bank):
    ask("GET", "/customers/C-7", "ida")
    ask("GET", f"/alerts/{ALERT}", "ida")
    ask("GET", "/api/ratings/C-8", "vera")
    ask("GET", f"/api/alerts/{ALERT}", "ida")
    assert bank.reads == [
        ("ida", "customer:C-7", "page"),
        ("ida", f"alert:{ALERT}", "page"),
        ("vera", "customer:C-8", "api"),
        ("ida", f"alert:{ALERT}", "api"),
    ]


def test_data_is_text_wherever_it_is_shown(ask, bank, make_alert, hostile):
    texts = {"title": hostile, "say": hostile, "subject_id": hostile, "rule": hostile, "assignee": hostile}
    hidden = {
        "saw": {hostile: hostile},
        "triage": (hostile,),
        "customers": (hostile, "C-2"),
        "reason": hostile,
    }
    bank.raise_alerts(make_alert(99, **texts, **hidden, proposed_by=hostile, disposition="duplicate"))
    bank.events[11] = {
        "event_id": hostile,
        "event_type": hostile,
        hostile: {hostile: hostile},
        "amount": hostile,
    }
    pages = [
        "/",
        f"/?text={hostile}&rule={hostile}",
        f"/alerts/{99:032x}",
        "/status",
        f"/customers/{hostile}",
        f"/{hostile}",
    ]
    for path in pages:
        text = ask("GET", path).text
        assert "<script>alert" not in text, path
        assert "<img" not in text, path
        assert "&lt;script&gt;" in text or path == pages[-1], path


def test_every_answer_forbids_scripts_of_others_and_framing(ask):
    for path in ("/", "/nope", "/healthz", "/static/inbox.css"):
        headers = ask("GET", path).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe-inline" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
    assert ask("GET", "/").headers["cache-control"] == "no-store"


def test_pages_have_no_inline_script_or_style_and_no_foreign_address(ask):
    for path in ("/", f"/alerts/{ALERT}", "/customers/C-1", "/status", "/docs"):
        text = ask("GET", path).text
        assert not re.search(r"<script(?! src=\"/static/)|<style| style=| on[a-z]+=\"", text), path
        assert not re.search(r"(src|href)=\"(https?:)?//", text), path
