// Keyboard, selection and live news. Pages work without it; nothing here is needed to decide an alert.
(() => {
  "use strict";
  const page = document.body;
  document.documentElement.classList.add("js");
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const memory = {
    get: (key) => { try { return sessionStorage.getItem(key); } catch { return null; } },
    set: (key, value) => { try { sessionStorage.setItem(key, value); } catch { /* private mode: goes without */ } },
  };

  // The list: j and k move, the row one is at survives a reload.
  const rows = all("tr.row");
  let at = -1;
  const go = (index) => {
    if (!rows.length) return;
    rows[at]?.classList.remove("at");
    at = Math.max(0, Math.min(rows.length - 1, index));
    rows[at].classList.add("at");
    one("a.open", rows[at]).focus({ preventScroll: true });
    rows[at].scrollIntoView({ block: "nearest" });
    memory.set("at", rows[at].dataset.id);
  };
  rows.forEach((row, index) => row.addEventListener("focusin", () => { if (at !== index) {
    rows[at]?.classList.remove("at"); at = index; row.classList.add("at"); memory.set("at", row.dataset.id);
  } }));
  rows.forEach((row) => row.addEventListener("click", (event) => {
    // A click beside a link opens the alert, but not while text is being selected.
    if (!event.target.closest("a, button, input, th") && String(getSelection()) === "") one("a.open", row).click();
  }));
  const known = rows.findIndex((row) => row.dataset.id === memory.get("at"));
  if (known >= 0) go(known);
  if (page.dataset.live) memory.set("list", location.pathname + location.search);
  if (rows.length) memory.set("order", JSON.stringify(rows.map((row) => row.dataset.id)));

  // Bulk: the bar appears when something is picked and says how much.
  const bulk = one(".bulk");
  const picks = all("input[name=alert]");
  const count = () => {
    const some = picks.filter((box) => box.checked).length;
    bulk?.classList.toggle("some", some > 0);
    const label = one("[data-picked]");
    if (label) label.textContent = some ? String(some) : "";
  };
  picks.forEach((box) => box.addEventListener("change", count));
  one("#pick-all")?.addEventListener("change", (event) => {
    picks.forEach((box) => { box.checked = event.target.checked; });
    count();
  });
  if (bulk) count();

  // News: a banner, never a move of what is being read.
  const banner = one(".live a");
  if (page.dataset.live && banner && "EventSource" in window) {
    const seen = new Set(JSON.parse(banner.dataset.newest || "[]"));
    const source = new EventSource(page.dataset.live);
    source.addEventListener("alerts", (event) => {
      const news = JSON.parse(event.data);
      const fresh = news.newest.filter((alert) => !seen.has(alert.id)).length;
      banner.hidden = fresh === 0;
      banner.textContent = fresh === 1 ? banner.dataset.one
        : banner.dataset.many.replace("{n}", fresh >= news.newest.length ? `${fresh}+` : String(fresh));
      for (const [severity, number] of Object.entries(news.counts)) {
        const place = one(`[data-count="${severity}"]`);
        if (place) { place.textContent = String(number); place.parentElement.classList.toggle("none", number === 0); }
      }
    });
    addEventListener("pagehide", () => source.close());
  }

  // Back leads to the list as it was filtered.
  const back = one("[data-back]");
  if (back && (memory.get("list") || "").startsWith("/?")) back.href = memory.get("list");

  // One alert: j and k go to its neighbours in the list one came from.
  const step = (offset) => {
    const id = page.dataset.alert;
    const order = JSON.parse(memory.get("order") || "[]");
    const next = order[order.indexOf(id) + offset];
    if (order.includes(id) && next) location.assign(`/alerts/${encodeURIComponent(next)}`);
  };
  const openForm = (name) => {
    const form = one(`[data-form="${name}"]`);
    if (!form) return false;
    form.open = true;
    one("select, textarea, input:not([type=hidden])", form)?.focus();
    form.scrollIntoView({ block: "nearest" });
    return true;
  };
  const press = (name) => {
    const button = one(`[data-press="${name}"]`);
    button?.click();
    return Boolean(button);
  };
  const help = one("#help");
  const taker = () => rows[at] && one("[data-press=take-row]", rows[at])?.click();

  const keys = page.dataset.alert
    ? { j: () => step(1), k: () => step(-1), t: () => press("take"), c: () => openForm("close"), n: () => openForm("note"),
        s: () => openForm("snooze"), a: () => press("approve"), u: () => location.assign(back?.href || "/") }
    : page.dataset.rules
    ? { a: () => press("approve"), e: () => press("activate"), r: () => openForm("reject"), b: () => openForm("rollback"),
        p: () => openForm("propose"), u: () => location.assign("/") }
    : { j: () => go(at + 1), k: () => go(at - 1), t: taker, n: () => press("take-next"),
        x: () => { const box = rows[at] && one("input[name=alert]", rows[at]); if (box) { box.checked = !box.checked; count(); } },
        c: () => { if (bulk?.classList.contains("some")) one("select", bulk).focus();
          else if (rows[at]) location.assign(`${one("a.open", rows[at]).href}#close`); },
        "/": () => one("input[name=text]")?.focus() };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey && event.key === "Enter" && event.target.form) { event.preventDefault(); event.target.form.requestSubmit(); return; }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.matches("textarea, select, input:not([type=checkbox])");
    if (event.key === "Enter" && event.target.matches("tr.row input")) { event.preventDefault(); one("a.open", rows[at]).click(); return; }
    if (typing) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (event.key === "?") { event.preventDefault(); help?.open ? help.close() : help?.showModal(); return; }
    if (help?.open) return;
    const act = keys[event.key];
    if (act) { event.preventDefault(); act(); }
  });
  all("[data-help]").forEach((button) => button.addEventListener("click", () => help?.showModal()));
  all("select[data-submit]").forEach((box) => box.addEventListener("change", () => box.form.requestSubmit()));
  if (location.hash.length > 1) openForm(location.hash.slice(1));

  // A check list is a help for the moment: it is remembered in this tab only.
  all(".check-list input").forEach((box) => {
    const key = `check ${page.dataset.alert} ${box.value}`;
    box.checked = memory.get(key) === "1";
    box.addEventListener("change", () => memory.set(key, box.checked ? "1" : "0"));
  });
})();
