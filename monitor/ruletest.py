"""Rules under test: timelines in virtual time through the real codec and the real engine.

Every case runs twice, the second time with each state packed and restored before every event: a
rule that answers differently after a restart fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from monitor.core.assessment import Assessment, Hit
from monitor.core.engine import Engine
from monitor.core.events import Event
from monitor.core.periods import Periods
from monitor.core.rating import Rater
from monitor.core.rating_config import RatingConfig
from monitor.core.state import State
from monitor.ruletest_file import Case, ExpectedHit, Step, offset_ms, read_cases
from rules.compile import compile_rulebook
from rules.model import Expression, ListData, Rule
from rules.vocabulary import Field, Vocabulary
from streams.codec import Codec, Rejection, encode
from streams.rates import Exchange, Rates

__all__ = ["Case", "RuleTests", "find_tests", "read_cases"]

BEFORE_MS = 1_000
"""The profile of a case is told so long before its start."""
DEFAULTS = {"customer_id": "c1", "direction": "out", "amount": "100"}
BY_TYPE = {
    "id": "{name}-1", "text": "{name}", "money": "100", "count": "1", "number": "1", "country": "CN",
    "bool": "false",
}  # fmt: skip
"""What stands in for a required field that a case leaves out."""
UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))


class RuleTests:
    """The rules of some packs, ready to be tested.

    Drafts and retired rules are tested as shadow rules, so that a rule is tested before it runs.

    Raises
    ------
    RuleError
        With every mistake of the rules.
    """

    def __init__(
        self, rules: Sequence[Rule], vocabulary: Vocabulary, lists: Mapping[str, ListData],
        predicates: Mapping[str, Expression], rating: RatingConfig, rates: Rates | None, *,
        base_currency: str = "CNY", zone: str = "Asia/Shanghai",
    ) -> None:  # fmt: skip
        awake = [rule if rule.status == "live" else replace(rule, status="shadow") for rule in rules]
        self.rulebook = compile_rulebook(
            awake, vocabulary, lists, base_currency=base_currency, predicates=predicates
        )
        self.vocabulary = vocabulary
        self.base_currency = base_currency
        self.periods = Periods(zone)
        self._rater = Rater(rating)
        self._exchange = Exchange(base_currency, rates)
        self._codec = Codec(vocabulary, base_currency, rates)
        self._engines: dict[Any, Engine] = {}

    def failures(self, case: Case) -> list[str]:
        """Return what is wrong with the rule by this case: nothing where it passes.

        Each is `file:line: what`, with what was expected and what was there.
        """
        if case.rule not in {rule.id for rule in self.rulebook.rules}:
            return [f"{case.place}: no rule {case.rule!r} among those tested"]
        problems: list[str] = []
        hits = self._run(case, problems, restarts=False)
        if problems:
            return problems
        again = self._run(case, problems, restarts=True)
        problems += _differences(case, self._start_ms(case), hits)
        if again != hits:
            problems.append(f"{case.place}: {case.name}: answers differ after a restart")
        return problems

    def engine(self, lists: Mapping[str, frozenset[str]]) -> Engine:
        """Return the engine with some lists replaced."""
        key = tuple(sorted((name, tuple(sorted(entries))) for name, entries in lists.items()))
        if key not in self._engines:
            changed = {name: ListData(name, "test", entries) for name, entries in lists.items()}
            book = replace(self.rulebook, lists={**self.rulebook.lists, **changed})
            self._engines[key] = Engine(
                book, self.vocabulary, self._rater, self.periods, self._exchange.units,
                base_currency=self.base_currency,
            )  # fmt: skip
        return self._engines[key]

    def _start_ms(self, case: Case) -> int:
        return int(case.start.replace(tzinfo=self.periods.zone).timestamp() * 1000)

    def _run(self, case: Case, problems: list[str], *, restarts: bool) -> list[Hit]:
        engine = self.engine(case.lists)
        states: dict[tuple[str, str], State] = {}
        first: dict[tuple[str, str, str], Assessment] = {}
        records: dict[str, bytes] = {}
        hits: list[Hit] = []
        for step in (*self._past(case), *case.steps):
            if restarts:
                states = {who: _restarted(engine, who[0], state) for who, state in states.items()}
            if not step.kind and not step.again:
                time_ms = self._start_ms(case) + step.at_ms
                for (kind, subject_id), state in states.items():
                    for answer in engine.tick(time_ms, kind, subject_id, state):
                        hits += self._own(case, step, answer, problems)
                continue
            event = self._event(case, step, records, problems)
            if event is None:
                return hits
            for kind, subject_id in engine.subjects(event):
                state = states.setdefault((kind, subject_id), engine.new_state(kind))
                answer = engine.assess(event, kind, subject_id, state)
                known = first.setdefault((event.id, kind, subject_id), answer)
                if known is answer:
                    hits += self._own(case, step, answer, problems)
                elif [one.say for one in known.hits] != [one.say for one in answer.hits]:
                    problems.append(f"{case.file}:{step.line}: the duplicate got another answer")
        return hits

    def _own(self, case: Case, step: Step, answer: Assessment, problems: list[str]) -> list[Hit]:
        line = step.line or case.line
        problems += [
            f"{case.file}:{line}: the rule failed: {why}"
            for rule, why in answer.failures
            if rule == case.rule
        ]
        return [hit for hit in answer.hits if hit.rule == case.rule]

    def _event(self, case: Case, step: Step, records: dict[str, bytes], problems: list[str]) -> Event | None:
        if step.again and step.again not in records:
            problems.append(f"{case.file}:{step.line}: no event {step.again!r} before this line")
            return None
        record = records[step.again] if step.again else self._record(case, step)
        records[step.again or step.id] = record
        event = self._codec.decode(record)
        if isinstance(event, Rejection):
            problems += [f"{case.file}:{step.line}: {fault}" for fault in event.faults]
            return None
        return event

    def _past(self, case: Case) -> list[Step]:
        """Return the events that tell the profile and the account of a case."""
        customers = {str(step.values.get("customer_id", "c1")) for step in case.steps if step.kind}
        told = [*_told(case.profile, self.vocabulary.profile, "customer.created")]
        told += [
            (kind, {**values, "account_id": "a1"})
            for kind, values in _told(case.account, self.vocabulary.account, "account.opened")
        ]
        return [
            Step(
                line=case.line,
                at_ms=-BEFORE_MS,
                kind=kind,
                id=f"{kind}-{who}",
                values={**values, "customer_id": who},
            )
            for who in sorted(customers)
            for kind, values in told
        ]

    def _record(self, case: Case, step: Step) -> bytes:
        start_ms = self._start_ms(case)
        kind = self.vocabulary.kinds[step.kind]
        values = dict(step.values)
        if case.account and "account_id" in kind.fields:
            values.setdefault("account_id", "a1")
        for name in sorted(kind.required - {"event_id", "event_type", "occurred_at"} - values.keys()):
            values[name] = self._stand_in(self.vocabulary.fields[name])
        plain: dict[str, Any] = {
            "event_id": step.id, "event_type": step.kind, "occurred_at": _time(start_ms + step.at_ms),
        }  # fmt: skip
        for name, text in values.items():
            outer, dot, inner = name.partition(".")
            holder = plain.setdefault(outer, {}) if dot else plain
            holder[inner if dot else name] = _value(self.vocabulary.fields[name], text, start_ms)
        return encode(plain)

    def _stand_in(self, field: Field) -> str:
        if field.type == "currency":
            return self.base_currency
        if field.name in DEFAULTS:
            return DEFAULTS[field.name]
        return field.values[0] if field.values else BY_TYPE[field.type].format(name=field.name)


def find_tests(folders: Iterable[Path]) -> list[Path]:
    """Return the test files of some folders; a path of a file is taken as it is."""
    found: list[Path] = []
    for folder in folders:
        found += [folder] if folder.is_file() else sorted(folder.rglob("*.test.yaml"))
    return found


def _told(
    values: Mapping[str, Any], known: Mapping[str, Field], usual: str
) -> list[tuple[str, dict[str, Any]]]:
    """Return kinds of events with the fields that set some remembered values."""
    found: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        field = known[name]
        kind = usual if usual in field.kinds else field.kinds[0]
        found.setdefault(kind, {})[field.source or name] = value
    return [(kind, found[kind]) for kind in sorted(found, key=lambda one: (one != usual, one))]


def _restarted(engine: Engine, kind: str, state: State) -> State:
    restored = engine.restore(kind, state.pack())
    restored.due_ms = state.due_ms
    return restored


def _time(time_ms: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)).isoformat(
        timespec="milliseconds"
    )


def _value(field: Field, text: Any, start_ms: int) -> Any:
    """Return a value as the record carries it."""
    if field.type == "list_of_text" or isinstance(text, list):
        return text if isinstance(text, list) else [text]
    match field.type:
        case "count":
            return int(text.replace("_", ""))
        case "number":
            return float(text)
        case "bool":
            return text == "true"
        case "money":
            return text.replace("_", "")
        case "duration":
            return f"PT{(offset_ms(f'+{text}') or 0) / 1000:g}S"
        case "time" | "date":
            offset = offset_ms(text)
            if offset is None:
                return text
            moment = _time(start_ms + offset)
            return moment if field.type == "time" else moment[:10]
        case _:
            return text


def _shown(offset: int) -> str:
    """Return an offset as the file writes it.

    Examples
    --------
    >>> _shown(5_400_000), _shown(0), _shown(-1_000)
    ('+1h30m', '+0m', '-1s')
    """
    rest, parts = abs(offset), ""
    for unit, size in UNITS:
        count, rest = divmod(rest, size)
        parts += f"{count}{unit}" if count else ""
    return ("-" if offset < 0 else "+") + (parts or "0m")


def _differences(case: Case, start_ms: int, hits: Sequence[Hit]) -> list[str]:
    """Return what the hits do not have in common with the expected ones."""
    place = f"{case.file}:{case.expect_line}: {case.name}"
    expected = [_shown(hit.at_ms) for hit in case.hits]
    actual = [_shown(hit.time_ms - start_ms) for hit in hits]
    if expected != actual:
        said = [f"    {when}: {hit.say}" for when, hit in zip(actual, hits, strict=True)]
        listed = [
            f"  expected hits: {', '.join(expected) or 'none'}",
            f"  was:           {', '.join(actual) or 'none'}",
        ]
        return ["\n".join([place, *listed, *said])]
    wanted = list(case.hits)
    if wanted:
        wanted[-1] = ExpectedHit(at_ms=wanted[-1].at_ms, more={**case.last, **wanted[-1].more})
    elif case.last:
        return [f"{place}: says {', '.join(case.last)} of a hit, but expects none"]
    return [
        f"{place}\n  {name} of the hit at {_shown(one.at_ms)}\n"
        f"    expected: {text}\n    was:      {_said(hit, name)}"
        for one, hit in zip(wanted, hits, strict=True)
        for name, text in one.more.items()
        if not _same(_said(hit, name), text)
    ]


def _said(hit: Hit, name: str) -> str:
    if name == "late":
        return str(hit.late).lower()
    if name == "subject":
        return hit.subject_id
    return f"{hit.points:g}" if name == "points" else str(getattr(hit, name))


def _same(actual: str, expected: str) -> bool:
    return " ".join(actual.split()) == " ".join(expected.split())
