"""A desk with real alerts in a real store, a small bank of events, and the inbox over it."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any

import httpx
import orjson
import pytest
from fastapi import FastAPI
from servers import steady_port

from alerts.desk import ACTIONS
from alerts.inbox.access import User, token_sha256
from alerts.inbox.app import build_app
from alerts.inbox.classifier_card import ClassifierFacts
from alerts.inbox.model_card import CardFacts
from alerts.inbox.server import build_server
from alerts.inbox.service import Fault, Outcome, UnavailableError
from alerts.inbox.settings import WebSettings
from alerts.lifecycle import ActionNotAllowedError, Alert, act
from alerts.ports import Step
from alerts.stores.sql import SCHEMA, SqlAlertStore
from monitor.core.classifier import ClassifierVersion
from monitor.core.feature import Feature
from monitor.core.models.calibration import Reliability
from monitor.core.models.version import Version

NOW_MS = 1_774_000_000_000
HOUR_MS = 3_600_000
HOSTILE = "<script>alert('x')</script>\"'&<img src=x onerror=alert(1)>"

HOURS = {"critical": 1, "high": 16, "medium": 40, "low": 72, "info": 120}

RULES = [
    ("A-124", "Structuring below the reporting threshold", "high", "compliance", "aml_confidential"),
    ("F-031", "New device, then a large transfer", "critical", "fraud", "fraud_notify"),
    ("A-203", "Money passes through within two hours", "medium", "compliance", "aml_confidential"),
    ("C-012", "Instalment overdue, income fell", "low", "credit", "internal"),
    ("I-007", "Employee opened many customers' files", "info", "infosec", "internal"),
]
SAYS = [
    "Cash in 148,500.00 CNY in 3 deposits within 26 h, each below 50,000.00; usual month: 4,200.00.",
    "First log-in from device d-881 (Android, remote control on), 9 min later 86,000.00 CNY to a new payee.",
    "92 % of 310,000.00 CNY received at 14:02 left again by 15:41, to 4 payees, 3 of them new.",
    "Instalment of 3,150.00 CNY 12 days overdue; salary of the last 2 months 41 % below usual.",
    "31 customers' files read in 40 min, 27 of them without a task; usual: 6 an hour.",
]


def an_alert(n: int = 0, **changes: Any) -> Alert:
    """Return the n-th alert of the test bank."""
    rule, title, severity, dimension, disclosure = RULES[n % 5]
    subject = "employee" if n % 5 == 4 else "customer"
    subject_id = f"E-{n % 40:03d}" if subject == "employee" else f"C-{100_000 + n // 5 * 7 % 4000}"
    opened_ms = NOW_MS - (n * 977_000) % (60 * HOUR_MS) - 60_000
    facts: dict[str, Any] = {
        "id": f"{n:032x}",
        "case_id": f"case-{subject_id}",
        "subject": subject,
        "subject_id": subject_id,
        "rule": rule,
        "version": "5d2f10a9c3e7",
        "title": title,
        "severity": severity,
        "dimension": dimension,
        "priority": {"critical": 80, "high": 63, "medium": 42, "low": 20, "info": 8}[severity] - n % 7,
        "grade": {0: 11, 1: 10, 2: 12}.get(n % 5),
        "event_id": f"tx-{n}",
        "opened_ms": opened_ms,
        "changed_ms": opened_ms,
        "due_ms": opened_ms + HOURS[severity] * HOUR_MS,
        "last_hit_ms": opened_ms,
        "hits": 1 + n % 3,
        "say": SAYS[n % 5],
        "saw": {"cash_in_26h": "148,500.00 CNY", "deposits": 3, "usual_month": "4,200.00 CNY",
                "is_new_payee": True, "param.threshold": "50,000.00 CNY", "param.window": "48h"},
        "evidence": (11, 12, -13),
        "triage": ("Compare the deposits with the declared occupation.",
                   "Look for other accounts fed the same way.",
                   "Ask the branch who brought the cash."),
        "disclosure": disclosure,
        "customers": (subject_id,) if subject == "customer" else ("C-100007", "C-100014"),
    }  # fmt: skip
    return Alert(**facts | changes)


def an_event(n: int) -> dict[str, Any]:
    """Return a cash deposit of the journal."""
    return {
        "event_id": f"cash-{n}",
        "event_type": "cash.deposit",
        "occurred_at": f"2026-03-{18 + n % 3:02d}T10:{n % 60:02d}:00+08:00",
        "customer_id": "C-100000",
        "account_id": "acc-4711",
        "direction": "in",
        "amount": f"49{n}00.00",
        "currency": "CNY",
        "channel": "branch",
        "counterparty": {"name": "Li Wei", "country": "CN"},
    }


def a_rating(customer_id: str, at_ms: int) -> dict[str, Any]:
    """Return a rating whose parts add up to 63.42."""
    parts = [
        ("Inherent risk", "inherent", 9.0),
        ("A-124 Structuring below the reporting threshold", "rule", 31.87),
        ("A-203 Money passes through within two hours", "rule", 14.05),
        ("Unusual for this customer", "model", 9.75),
        ("Known public body", "ceiling", -1.25),
    ]
    scores = [(40, 12.0, 14), (31, 17.5, 14), (22, 26.1, 13), (12, 24.0, 13), (5, 44.8, 12), (1, 58.3, 12)]
    return {
        "customer_id": customer_id,
        "time_ms": at_ms,
        "score": 63.42,
        "grade": 11,
        "previous_grade": 12,
        "parts": [{"name": name, "kind": kind, "points": points} for name, kind, points in parts],
        "review_ms": at_ms + 365 * 24 * HOUR_MS,
        "customer": ["The assessment follows from what we know. You can object to it."],
        "detail": {
            "officer": ["rating 11 (medium-high), score 63.42 of 100", "without A-124: 13, score 31.55"],
            "auditor": ["rating 11 (medium-high), score 63.42 of 100", "parameters 1, mode noisy_or"],
        },
        "proposals": [
            {
                "kind": "rating.override",
                "value": 13,
                "actor": "olga",
                "reason": "the file explains it",
                "time_ms": at_ms,
                "until_ms": None,
            },
        ],
        "history": [
            {"time_ms": at_ms - days * 24 * HOUR_MS, "score": score, "grade": grade}
            for days, score, grade in scores
        ],
    }


def a_model() -> CardFacts:
    """Return a version trained on two features, with verdicts on what it scored."""
    version = Version(
        model="unusual",
        segment="private",
        number=7,
        detector="densities",
        parameters={"bins": 5, "cuts": 0, "window": 1000, "fading": 0.9},
        seed=1,
        features=("amount", "gone<b>"),
        limits=((0.0, 10.0), (0.0, 1.0)),
        from_ms=NOW_MS - 30 * 24 * HOUR_MS,
        to_ms=NOW_MS - HOUR_MS,
        learnt=28_411,
        passed_over=97,
        medians=(5.0, 0.25),
        counts=((5, 30, 120, 40, 5), (150, 40, 8, 1, 1)),
        scores=tuple(n / 400 for n in range(201)),
        learned=[],
    )
    parts = [
        Reliability(predicted=share, observed=found, count=200)
        for share, found in ((0.1, 0.02), (0.5, 0.31), (0.9, 0.85))
    ]
    amount = Feature(name="amount", unit="number", curve="log", words="amount is {value}")
    return CardFacts(
        version=version,
        threshold=0.8125,
        alerts_a_day=20,
        reliability=parts,
        in_use=True,
        features=(amount,),
    )


def a_classifier() -> ClassifierFacts:
    """Return a version of two trees, with what came of its chances."""
    version = ClassifierVersion(
        number=3,
        features=("amount", "gone<b>"),
        base=-1000,
        trees=[[0, 5.0, -100, 300], [1, 0.5, 0, 100]],
        offset=-2000,
        from_ms=NOW_MS - 30 * 24 * HOUR_MS,
        to_ms=NOW_MS - HOUR_MS,
        frauds=1_234,
        genuine=20_480,
    )
    parts = [Reliability(predicted=0.25, observed=0.2, count=400)]
    amount = Feature(name="amount", unit="number", curve="log", words="amount is {value}")
    return ClassifierFacts(
        version=version,
        threshold=0.625,
        alerts_a_day=20,
        reliability=parts,
        in_use=True,
        features=(amount,),
    )


class Bank:
    """The monitor as the inbox sees it: a real alert store, and just enough around it."""

    def __init__(self, four_eyes: frozenset[str] = frozenset()) -> None:
        connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        connection.executescript(SCHEMA)
        self.alerts = SqlAlertStore(connection)
        self.four_eyes = four_eyes
        self.events = {11: an_event(1), 12: an_event(2), -13: an_event(3)}
        self.taken: dict[str, Outcome] = {}
        self.bodies: list[bytes] = []
        self.reads: list[tuple[str, str, str]] = []
        self.wakers: list[Callable[[], None]] = []
        self.reasons: list[str] = []
        self.decisions: dict[str, Any] = {}
        self.decided_events: list[Mapping[str, Any]] = []
        self.is_down = False
        self.apps: dict[WebSettings, FastAPI] = {}

    def now_ms(self) -> int:
        return NOW_MS

    def raise_alerts(self, *alerts: Alert) -> None:
        """Put alerts into the store and tell whoever listens."""
        self.alerts.put(alerts)
        for wake in self.wakers:
            wake()

    async def ingest(self, records: Sequence[bytes], source: str) -> list[Outcome]:
        self._check()
        return [self._take(record) for record in records]

    def _take(self, record: bytes) -> Outcome:
        try:
            event = orjson.loads(record)
            known = {name: event[name] for name in ("event_id", "event_type") if name in event}
        except (orjson.JSONDecodeError, TypeError):
            return _rejected("", "expected a JSON object, was something else")
        if len(known) < 2:
            return _rejected("event_type", "expected a kind of event, was not sent")
        status = "duplicate" if known["event_id"] in self.taken else "accepted"
        self.bodies += [record] if status == "accepted" else []
        outcome = Outcome(status=status, event_id=known["event_id"], hits=("A-124",), score=0.25)
        self.taken[known["event_id"]] = outcome
        return outcome

    async def act(self, event: Mapping[str, Any]) -> Outcome:
        self._check()
        if event["event_id"] in self.taken:
            return Outcome(status="duplicate", event_id=event["event_id"])
        if event["event_type"].startswith("rating."):
            return self._decide(event)
        until = event.get("until")
        said = {
            "actor": event["actor"],
            "reason": event.get("reason", ""),
            "disposition": event.get("disposition"),
            "until_ms": NOW_MS + HOUR_MS if until and until > "2026-03-20T09:46:41" else None,
        }
        old = self.alerts.get(event["alert_id"])
        assert old is not None
        action = ACTIONS[event["event_type"]]
        try:
            new = act(old, action, time_ms=NOW_MS, four_eyes=self.four_eyes, **said)
        except ActionNotAllowedError as error:
            return Outcome(status="refused", event_id=event["event_id"], message=str(error))
        step = Step(old.id, NOW_MS, action.value, said["actor"], said["reason"], said["disposition"], None)
        self.alerts.add_steps([step])
        self.raise_alerts(new)
        self.taken[event["event_id"]] = Outcome(status="accepted", event_id=event["event_id"])
        return self.taken[event["event_id"]]

    def _decide(self, event: Mapping[str, Any]) -> Outcome:
        self.decided_events.append(event)
        is_wrong = event.get("grade") == 11
        told = {"problem": "grade: expected another than 11, which it is"} if is_wrong else {}
        action = "refused" if is_wrong else "proposed"
        self.decisions[event["event_id"]] = {"action": action, "actor": event["actor"]} | told
        self.taken[event["event_id"]] = Outcome(status="accepted", event_id=event["event_id"])
        return self.taken[event["event_id"]]

    def event(self, ref: int) -> Mapping[str, Any] | None:
        return self.events.get(ref)

    def rule(self, rule_id: str, version: str) -> Any:
        why = "Cash paid in below the threshold, again and again, is how reporting is avoided."
        source = "Order [2016] No. 3 art. 5; domain catalogue D.2"
        return {"title": rule_id, "why": why, "source": source, "params": {}}

    def rating(self, customer_id: str, at_ms: int | None = None) -> Any:
        return None if customer_id == "C-none" else a_rating(customer_id, at_ms or NOW_MS)

    def decided(self, customer_id: str, event_id: str) -> Any:
        return self.decisions.get(event_id)

    def customer_hits(self, customer_id: str, limit: int = 50) -> list[Any]:
        return [
            {"time_ms": NOW_MS - n * 5 * HOUR_MS, "rule": RULES[n][0], "version": "5d2f",
             "title": RULES[n][1], "say": SAYS[n], "severity": RULES[n][2], "points": 25.0,
             "status": "shadow" if n == 2 else "live"}
            for n in range(4)
        ]  # fmt: skip

    def dead_letters(self, limit: int = 50) -> list[Any]:
        fault = {"path": "amount", "problem": f"expected a number, was {HOSTILE!r}", "hint": ""}
        letter = {
            "id": "1",
            "received_ms": NOW_MS,
            "source": "http",
            "reason": "bad_field",
            "faults": [fault],
        }
        return [letter]

    def dead_letter_counts(self) -> Mapping[str, int]:
        return {"bad_field": 3, "malformed": 12}

    def status(self) -> Mapping[str, int | float | str | None]:
        return {"events": 1_752_118, "events_per_second": 431.5, "last_commit_ms": NOW_MS, "queue_waiting": 3}

    def models(self) -> Sequence[CardFacts]:
        return [a_model()]

    def model(self, digest: str) -> CardFacts | None:
        found = a_model()
        return found if found.version.hash == digest else None

    def classifiers(self) -> Sequence[ClassifierFacts]:
        return [a_classifier()]

    def health(self) -> Any:
        return {"alive": True, "ready": not self.reasons, "reasons": self.reasons}

    def metrics(self) -> bytes:
        return b"# TYPE monitor_events_total counter\nmonitor_events_total 5.0\n"

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        self.wakers.append(wake)
        return lambda: self.wakers.remove(wake)

    def record_access(self, actor: str, subject: str, what: str) -> None:
        self.reads.append((actor, subject, what))

    def _check(self) -> None:
        if self.is_down:
            raise UnavailableError("the store is full")


def _rejected(path: str, problem: str) -> Outcome:
    return Outcome(status="rejected", faults=(Fault(path=path, problem=problem, hint="send an event"),))


def a_user(name: str, *roles: str) -> User:
    """Return a user whose token is `token-<name>`."""
    return User(name=name, roles=frozenset(roles), token_sha256=token_sha256(f"token-{name}"))


USERS = (
    a_user("vera", "viewer"),
    a_user("olga", "officer"),
    a_user("otto", "officer"),
    a_user("anna", "approver"),
    a_user("ida", "auditor"),
    a_user("adam", "admin"),
    a_user("core", "producer"),
)


@asynccontextmanager
async def visit(bank: Bank, settings: WebSettings, name: str = "") -> AsyncIterator[httpx.AsyncClient]:
    """Open the inbox in this process, as a user with a bearer token or as nobody."""
    headers = {"Authorization": f"Bearer token-{name}"} if name else {}
    if settings not in bank.apps:
        bank.apps[settings] = build_app(bank, settings)
    transport = httpx.ASGITransport(bank.apps[settings], raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
        yield client


@pytest.fixture
def bank() -> Bank:
    """A bank with five alerts, one a rule."""
    found = Bank()
    found.raise_alerts(*(an_alert(n) for n in range(5)))
    return found


@pytest.fixture
def make_alert() -> Callable[..., Alert]:
    return an_alert


@pytest.fixture
def ask(bank: Bank) -> Callable[..., httpx.Response]:
    """Send one request, by default as the local officer, and give the answer."""

    def send(method: str, path: str, name: str = "", users: bool = False, **rest: Any) -> httpx.Response:
        settings = WebSettings(users=USERS if users or name else (), four_eyes=bank.four_eyes)

        async def once() -> httpx.Response:
            async with visit(bank, settings, name) as client:
                return await client.request(method, path, **rest)

        return asyncio.run(once())

    return send


@pytest.fixture
def walk(bank: Bank) -> Callable[[Callable[[httpx.AsyncClient], Awaitable[Any]]], Any]:
    """Run several requests of one visitor, cookies kept; `users` asks for signing in."""

    def run(steps: Callable[[httpx.AsyncClient], Awaitable[Any]], users: bool = False) -> Any:
        async def all_steps() -> Any:
            settings = WebSettings(users=USERS if users else (), four_eyes=bank.four_eyes)
            async with visit(bank, settings) as client:
                return await steps(client)

        return asyncio.run(all_steps())

    return run


@pytest.fixture
def hostile() -> str:
    """Text that would run as a script on a page that forgets to escape."""
    return HOSTILE


@pytest.fixture
def big_bank() -> Bank:
    """A bank with 1,000 open alerts."""
    found = Bank()
    found.raise_alerts(*(an_alert(n) for n in range(1000)))
    return found


@contextmanager
def serve(bank: Bank, port: int) -> Iterator[str]:
    """Serve the inbox on a real port for a while; gives its address."""
    server = build_server(build_app(bank, WebSettings(four_eyes=bank.four_eyes)), "127.0.0.1", port)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.handle_exit(signal.SIGINT, None)
        thread.join(30)
        assert not thread.is_alive(), "the server did not stop"


@pytest.fixture
def serving(bank: Bank) -> Callable[[], AbstractContextManager[str]]:
    """Serve the bank's inbox inside a `with` block; leaving it stops the server."""
    return lambda: serve(bank, steady_port())


@pytest.fixture
def served(serving: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """The address of the bank's inbox."""
    with serving() as address:
        yield address


@pytest.fixture
def big_served(big_bank: Bank) -> Iterator[str]:
    """The address of the inbox with 1,000 open alerts."""
    with serve(big_bank, steady_port()) as address:
        yield address
