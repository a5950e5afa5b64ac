"""The inbox in a real browser: keyboard, news, 1,000 alerts, contrast, and life without scripts."""

from __future__ import annotations

import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

from alerts.lifecycle import Status

pytestmark = pytest.mark.browser

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# Every piece of visible text against the nearest painted background behind it (WCAG 2.1, 1.4.3).
CONTRAST = """() => {
  const channels = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const found = channels(getComputedStyle(at).backgroundColor);
      if (found.length < 4 || found[3] > 0.9) return found;
    }
    return [255, 255, 255];
  };
  const weak = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    const text = walker.currentNode.data.trim();
    if (!text || !node.checkVisibility() || node.closest(".visually-hidden, script")) continue;
    const lights = [channels(getComputedStyle(node).color), behind(node)].map(light).sort((a, b) => b - a);
    const ratio = (lights[0] + 0.05) / (lights[1] + 0.05);
    if (ratio < 4.5) weak.push(`${ratio.toFixed(2)} ${text.slice(0, 40)}`);
  }
  return [...new Set(weak)];
}"""


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium, tmp_path):
    """Open pages that collect what goes wrong in them; nothing may, and nothing may leave this machine."""
    contexts, wrong, asked = [], [], []

    def open_one(**options):
        context = chromium.new_context(viewport={"width": 1440, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        return page

    yield open_one
    for number, context in enumerate(contexts):
        context.pages[0].screenshot(path=tmp_path / f"last-{number}.png")
        context.close()
    assert wrong == []
    assert [url for url in asked if not url.startswith("http://127.0.0.1:")] == []


def test_an_alert_is_taken_and_closed_by_keyboard_alone(served, bank, open_page):
    page = open_page()
    page.goto(served)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/alerts/{0:032x}")
    page.keyboard.press("t")
    page.get_by_text("by local").first.wait_for()
    page.wait_for_load_state()  # keys are heard once the page's script has run
    page.keyboard.press("c")
    page.keyboard.type("false positive: expl")
    page.keyboard.press("Tab")
    page.keyboard.type("Wedding gifts, seen in the branch; t and c are only letters here.")
    page.keyboard.press("Control+Enter")
    page.get_by_text("Closed", exact=True).wait_for()
    page.wait_for_load_state()
    closed = bank.alerts.get(f"{0:032x}")
    assert (closed.status, closed.disposition) == (Status.CLOSED, "false_positive.explained")
    assert closed.reason.startswith("Wedding gifts")
    page.keyboard.press("u")
    page.wait_for_url(f"{served}/")
    assert page.locator("tr.row").count() == 4


def test_several_alerts_are_picked_and_closed_with_one_reason(served, bank, open_page):
    page = open_page()
    page.goto(served)
    for key in "jxjx":
        page.keyboard.press(key)
    page.get_by_role("button", name="Close 2").wait_for()
    page.keyboard.press("c")
    page.keyboard.type("dupl")
    page.keyboard.press("Tab")
    page.keyboard.type("Same payee as yesterday.")
    page.keyboard.press("Enter")
    expect(page.locator("tr.row")).to_have_count(3)
    assert bank.alerts.get(f"{1:032x}").reason == "Same payee as yesterday."


def test_keys_take_next_show_help_and_search(served, open_page):
    page = open_page()
    page.goto(served)
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("86,000")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?**text=86%2C000**")
    assert page.locator("tr.row").count() == 1
    page.keyboard.press("n")
    page.wait_for_url(f"**/alerts/{1:032x}")
    assert "by local" in page.locator("aside").inner_text()


def test_a_thousand_open_alerts_are_paged_and_walked(big_served, open_page):
    page = open_page()
    page.goto(big_served)
    assert page.locator("tr.row").count() == 100
    assert "1–100 of 1000" in page.locator(".pages").inner_text()
    for _ in range(60):
        page.keyboard.press("j")
    row = page.locator("tr.row.at")
    assert row.count() == 1
    assert row.bounding_box()["y"] < 900
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.keyboard.press("Enter")
    page.wait_for_url("**/alerts/*")
    first = page.url
    with page.expect_navigation():
        page.keyboard.press("j")
    assert page.url != first
    page.go_back()
    page.keyboard.press("u")
    page.wait_for_url(f"{big_served}/")
    assert page.locator("tr.row.at").count() == 1


def test_back_leads_to_the_list_as_it_was_filtered(served, open_page):
    page = open_page()
    page.goto(f"{served}/?severity=high")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/alerts/*")
    page.keyboard.press("u")
    page.wait_for_url(f"{served}/?severity=high")


def test_news_is_told_without_moving_what_is_read(big_served, big_bank, make_alert, open_page):
    page = open_page()
    with page.expect_request("**/live"):
        page.goto(big_served)
    for _ in range(30):
        page.keyboard.press("j")
    before = page.evaluate("[scrollY, document.querySelector('tr.row.at').dataset.id]")
    big_bank.raise_alerts(*(make_alert(n, opened_ms=big_bank.now_ms()) for n in (5000, 5001, 5002)))
    banner = page.get_by_role("link", name="3 new alerts, show")
    banner.wait_for()
    assert page.evaluate("[scrollY, document.querySelector('tr.row.at').dataset.id]") == before
    assert page.locator("[data-count=critical]").inner_text() == "201"
    banner.click()
    page.get_by_text("1–100 of 1003").wait_for()


def test_a_proposed_closing_shows_that_it_waits(bank, served, open_page, make_alert):
    bank.raise_alerts(
        make_alert(
            0, proposed_by="olga", disposition="duplicate", reason="Seen last week.", status=Status.TAKEN
        )
    )
    page = open_page()
    page.goto(f"{served}/alerts/{0:032x}")
    assert "olga proposes to close as “duplicate”: Seen last week." in page.locator(".note.wait").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_in_both_schemes(served, open_page, scheme):
    page = open_page(color_scheme=scheme)
    for path in ("/", f"/alerts/{0:032x}", "/customers/C-100000", "/status", "/docs"):
        page.goto(served + path)
        assert page.evaluate(CONTRAST) == [], path


@pytest.mark.parametrize("width", [390, 800])
def test_pages_fit_small_screens(served, open_page, width):
    page = open_page()
    page.set_viewport_size({"width": width, "height": 900})
    for path in ("/", f"/alerts/{0:032x}", "/customers/C-100000", "/status"):
        page.goto(served + path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_the_essentials_work_without_scripts(served, bank, open_page):
    page = open_page(java_script_enabled=False)
    page.goto(served)
    page.get_by_role("button", name="Take next").click()
    page.wait_for_url(f"**/alerts/{1:032x}")
    page.get_by_label("How it ended").select_option("true_positive.fraud_confirmed")
    page.get_by_label("Why (kept for the auditor)").fill("The customer denies the transfer.")
    page.get_by_role("button", name="Close", exact=True).click()
    page.get_by_text("Closed", exact=True).wait_for()
    assert bank.alerts.get(f"{1:032x}").disposition == "true_positive.fraud_confirmed"


def test_hostile_data_does_not_run(served, bank, make_alert, hostile, open_page):
    texts = {"title": hostile, "say": hostile, "subject_id": hostile, "case_id": hostile}
    bank.raise_alerts(make_alert(1, **texts))
    page = open_page()
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.goto(served)
    assert page.locator("tr.row a.open").first.inner_text() == hostile
    page.goto(f"{served}/alerts/{1:032x}")
    assert page.locator("h1").inner_text() == hostile
