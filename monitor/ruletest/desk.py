"""Cases with officers: through the real processor, desk and ledger, over a database in memory.

Only the rule under test and those the case names `with` are in force, as live rules, so that alerts and
ratings do not depend on what else a pack holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from alerts.desk import Desk, DeskSettings
from alerts.lifecycle import Alert
from alerts.stores.sql import SCHEMA as ALERTS_SCHEMA
from alerts.stores.sql import SqlAlertStore
from monitor.audit.ledger import SCHEMA as LEDGER_SCHEMA
from monitor.audit.ledger import Ledger
from monitor.core.engine import Engine
from monitor.core.show import show_rating
from monitor.ruletest.case import Case, Expected, shown
from monitor.ruletest.judging import same
from monitor.ruletest.timeline import Moment, Timeline, Timelines
from rules.model import Rule
from streams.deadletter import SCHEMA as DEAD_LETTER_SCHEMA
from streams.deadletter import DeadLetters
from streams.ports import Record
from streams.processor import Processor
from streams.stores.sqlite import SqliteStore, open_database

SCHEMAS = (LEDGER_SCHEMA, ALERTS_SCHEMA, DEAD_LETTER_SCHEMA)
CUSTOMER = "c1"


def in_force(case: Case, rules: dict[str, Rule], own: Rule) -> list[Rule]:
    """Return the rules of a case with a desk, live; those it names and nobody knows are left out."""
    others = [rules[name] for name in case.others if name in rules and name != case.rule]
    return [replace(rule, status="live") for rule in (own, *others)]


def desk_failures(engine: Engine, timelines: Timelines, timeline: Timeline) -> list[str]:
    """Return what alerts, ratings and refusals do not have in common with the expected ones."""
    with closing(open_database(":memory:", sync="normal")) as db:
        return list(_Played(db, engine, timelines, timeline).failures())


class _Played:
    """One run of a case through the desk."""

    def __init__(self, db: Any, engine: Engine, timelines: Timelines, timeline: Timeline) -> None:
        for schema in SCHEMAS:
            db.executescript(schema)
        self.db = db
        self.engine = engine
        self.timelines = timelines
        self.timeline = timeline
        self.case = timeline.case
        ledger, store = Ledger(db), SqliteStore(db)
        self.desk = Desk(SqlAlertStore(db), ledger, DeskSettings(four_eyes=self.case.four_eyes))
        self.processor = Processor(engine, timelines.codec, store, self.desk, ledger, DeadLetters(db))

    def failures(self) -> Iterator[str]:
        """Play the timeline; give what is wrong, in the order it happens."""
        waiting = sorted((one for one in self.case.ratings if one.at_ms is not None), key=_at)
        for moment in self.timeline.moments:
            while waiting and self.timeline.start_ms + _at(waiting[0]) < moment.time_ms:
                yield from self._rating(waiting.pop(0))
            yield from self._happen(moment)
        for one in (*waiting, *(one for one in self.case.ratings if one.at_ms is None)):
            yield from self._rating(one)
        if self.case.alerts is not None:
            yield from self._alerts(self.case.alerts)

    def _happen(self, moment: Moment) -> Iterator[str]:
        step = moment.step
        if moment.event is None:
            self.processor.tick(moment.time_ms, at_once=True)
            return
        record = moment.record
        if step.alert_of:
            alert = self._latest(step.alert_of)
            if alert is None:
                yield f"{self.case.file}:{step.line}: {step.alert_of} has raised no alert before this line"
                return
            record = self.timelines.acted(self.timeline, step, alert)
        (outcome,) = self.processor.process([Record(record)])
        problem = outcome.message if outcome.status == "refused" else self._refusal(step.id)
        if outcome.status == "rejected":
            yield f"{self.case.file}:{step.line}: rejected: {outcome.rejection.faults}"
        elif problem and not step.is_refused:
            yield f"{self.case.file}:{step.line}: refused: {problem}"
        elif step.is_refused and not problem:
            yield f"{self.case.file}:{step.line}: expected to be refused, was carried out"

    def _latest(self, rule: str) -> str | None:
        query = "SELECT id FROM alerts WHERE rule = ? ORDER BY opened_ms DESC, id LIMIT 1"
        row = self.db.execute(query, (rule,)).fetchone()
        return None if row is None else str(row[0])

    def _refusal(self, event_id: str) -> str:
        """Return why a decision about a rating was refused; empty where it was not."""
        query = "SELECT body FROM ledger WHERE kind = 'rating_notice' ORDER BY seq DESC LIMIT 5"
        for (body,) in self.db.execute(query):
            notice = json.loads(body)
            if notice["cause"] == event_id and notice["action"] == "refused":
                return str(notice["problem"])
        return ""

    def _alerts(self, expected: Sequence[Expected]) -> Iterator[str]:
        place = f"{self.case.file}:{self.case.expect_line}: {self.case.name}"
        wanted = sorted(expected, key=_at)
        others = {one.more["rule"] for one in wanted if "rule" in one.more}
        found = [one for one in self._all_alerts() if one.rule in {self.case.rule, *others}]
        times = [shown(one.opened_ms - self.timeline.start_ms) for one in found]
        if [shown(_at(one)) for one in wanted] != times:
            yield "\n".join(
                [
                    place,
                    f"  expected alerts: {', '.join(shown(_at(one)) for one in wanted) or 'none'}",
                    f"  was:             {', '.join(times) or 'none'}",
                    *(f"  + {when}  {_told(one)}" for when, one in zip(times, found, strict=True)),
                ]
            )
            return
        for one, alert, when in zip(wanted, found, times, strict=True):
            for name, text in one.more.items():
                was = _said(alert, name)
                if not same(was, text):
                    yield f"{place}\n  {name} of the alert at {when}\n  - {text}\n  + {was}"

    def _all_alerts(self) -> list[Alert]:
        ids = [row[0] for row in self.db.execute("SELECT id FROM alerts ORDER BY opened_ms, rule, id")]
        return [self.desk.alert(one) for one in ids]

    def _rating(self, expected: Expected) -> Iterator[str]:
        customer = expected.more.get("customer", CUSTOMER)
        last_ms = max((moment.time_ms for moment in self.timeline.moments), default=self.timeline.start_ms)
        now_ms = last_ms if expected.at_ms is None else self.timeline.start_ms + expected.at_ms
        place = f"{self.case.file}:{expected.line}: {self.case.name}"
        when = shown(now_ms - self.timeline.start_ms)
        found = self._rated(customer, now_ms)
        for name, text in expected.more.items():
            if name == "customer":
                continue
            was = found[0] if name == "grade" else found[1]
            if was != text:
                lines = "\n".join(f"    {line}" for line in found[2])
                yield f"{place}\n  {name} of the rating at {when}\n  - {text}\n  + {was}\n{lines}".rstrip()

    def _rated(self, customer: str, now_ms: int) -> tuple[str, str, list[str]]:
        """Return grade and score of a customer, and the parts that make the score."""
        self.processor.close()
        query = "SELECT packed FROM states WHERE kind = 'customer' AND id = ?"
        row = self.db.execute(query, (customer,)).fetchone()
        state = self.engine.restore("customer", row[0]) if row else None
        if state is None or state.rating is None or state.rating.grade is None:
            return "none", "none", []
        self.engine.rater.tick(state.rating, now_ms, customer_id=customer)
        rating = show_rating(self.engine.rater, state.rating, now_ms)
        parts = [f"{part['name']} {part['points']:g}" for part in rating.parts]
        return str(rating.grade), f"{rating.composite.score:g}", parts


def _at(one: Expected) -> int:
    return one.at_ms or 0


def _told(alert: Alert) -> str:
    hits = f"{alert.hits} hit{'s' * (alert.hits != 1)}"
    return f"{alert.rule} {alert.severity} {alert.status}, {hits}: {alert.say}"


def _said(alert: Alert, name: str) -> str:
    if name == "subject":
        return alert.subject_id
    value = getattr(alert, name)
    return "none" if value is None else str(value)
