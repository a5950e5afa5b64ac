"""What tests against an oracle share: an engine of few rules, and a stream of events played to it.

A step of a stream is a mapping: `what` comes (a kind of event; "again" sends one of the last ten once
more, "reverse" takes one of the last five back, which one says `pick`), how far `ahead_ms` of the newest
its time would be and how `late_ms` it comes, and whether the state is written and read (`restart`)
before. All streams have one customer, "c".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from monitor.core.assessment import Assessment
from monitor.core.engine import Engine
from monitor.core.periods import Periods
from monitor.core.rating import Rater
from monitor.core.rating_config import RatingConfig
from rules.compile import compile_rulebook
from rules.loader import read_rule
from rules.model import ListData
from rules.vocabulary import load_vocabulary
from streams.codec import Codec, encode

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
GRACE_MS = 72 * HOUR_MS
CODEC = Codec(load_vocabulary(), "EUR")
CONFIG = Path(__file__).parents[1] / "config"
RULE = """
id: {name}
title: {name}
dimension: compliance
on: {on}
let:
{lets}
when: {when}
points: 1
severity: info
status: live
say: hit
why: x
source: x
triage: x
owner: x
"""

Step = Mapping[str, Any]


def rule_showing(
    lets: Mapping[str, str], *, on: str = "payment.transfer", when: str = "amount >= 0 EUR", name: str = "T-1"
) -> str:
    """The text of a rule whose hits show what its lets are; with this `when`, it hits on every payment."""
    written = "\n".join(f"  {let}: '{expression}'" for let, expression in lets.items())
    return RULE.format(name=name, on=on, when=when, lets=written)


def engine_of(
    *texts: str,
    lists: Mapping[str, ListData] | None = None,
    zone: str = "Europe/Berlin",
    holidays: frozenset[date] = frozenset(),
) -> Engine:
    """An engine with these rules in force, in euros and with a grace period of three days."""
    vocabulary = load_vocabulary()
    rules = [read_rule(Path(f"{text.split()[1]}.yaml"), text, "test") for text in texts]
    book = compile_rulebook(rules, vocabulary, lists or {}, base_currency="EUR", grace_ms=GRACE_MS)
    rating = yaml.safe_load((CONFIG / "rating.yaml").read_text(encoding="utf-8"))
    return Engine(
        book,
        vocabulary,
        Rater(RatingConfig.from_plain(rating)),
        Periods(zone, holidays),
        lambda units, *_: units,
        base_currency="EUR",
        grace_ms=GRACE_MS,
    )


def event_of(name: str, kind: str, time_ms: int, **fields: Any) -> dict[str, Any]:
    """An event as its source would write it; fields that are None are left out."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)
    plain = {"event_id": name, "event_type": kind, "occurred_at": moment.isoformat(), "customer_id": "c"}
    return plain | {key: value for key, value in fields.items() if value is not None}


@dataclass(frozen=True)
class Accepted:
    """An event that counts, and what the engine said to it."""

    step: Step
    place: int
    kind: str
    time_ms: int
    now_ms: int
    """The time of the newest event accepted so far."""
    undone: int | None
    """The place of the event that this one takes back."""
    answer: Assessment

    @property
    def saw(self) -> dict[str, Any]:
        """What the lets of the only hit were."""
        (hit,) = self.answer.hits
        return dict(hit.saw)


def accepted(
    engine: Engine,
    start_ms: int,
    stream: Iterable[Step],
    fields: Callable[[str, Step], Mapping[str, Any]],
    *,
    lasting: Iterable[str] = (),
) -> Iterator[Accepted]:
    """Play a stream to the customer; give every event that is neither too late nor a duplicate.

    No rule may fail, only what is older than the grace period may be too late, and what comes again must
    be answered as before.

    Parameters
    ----------
    fields
        What an event of a kind carries, by its step.
    lasting
        Kinds that are never taken back.
    """
    state, latest_ms, now_ms = engine.new_state("customer"), start_ms, -1
    sent: dict[int, tuple[bytes, Assessment]] = {}
    there: list[int] = []
    for place, step in enumerate(stream):
        if step["restart"]:
            due_ms, state = state.due_ms, engine.restore("customer", state.pack())
            state.due_ms = due_ms
        if step["what"] == "again" and sent:
            body, before = sent[_picked(list(sent)[-10:], step)]
            answer = engine.assess(CODEC.decode(body), "customer", "c", state)
            assert answer.duplicate
            assert [hit.saw for hit in answer.hits] == [hit.saw for hit in before.hits]
            continue
        latest_ms += step["ahead_ms"]
        time_ms = latest_ms - step["late_ms"]
        kind = step["what"] if "." in step["what"] else "payment.transfer"
        undone = _picked(there[-5:], step) if step["what"] == "reverse" and there else None
        more = {} if undone is None else {"reversal_of": f"e{undone}"}
        body = encode(event_of(f"e{place}", kind, time_ms, **fields(kind, step), **more))
        answer = engine.assess(CODEC.decode(body), "customer", "c", state)
        sent[place] = body, answer
        assert answer.failures == []
        assert answer.too_late == (time_ms < now_ms - GRACE_MS)
        if answer.too_late:
            continue
        now_ms = max(now_ms, time_ms)
        if undone is not None:
            there.remove(undone)
        elif kind not in lasting:
            there.append(place)
        yield Accepted(step, place, kind, time_ms, now_ms, undone, answer)


def _picked(places: list[int], step: Step) -> int:
    return places[step["pick"] % len(places)]
