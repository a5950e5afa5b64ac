"""Above and below the line: what a threshold would do where it does not stand, and samples to look at.

All variants of a rule run at once, each with its own windows, alerts and cooldowns, and meet the same
officers' actions. Samples are drawn by hashing: whoever has the journal, the rule and the seed
draws the same ones.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from monitor.backtest.job import Job, Origin, Period
from monitor.backtest.outcome import Outcome, outcome_of, quality
from monitor.backtest.past import Past
from monitor.backtest.report import moment
from monitor.backtest.run import run
from monitor.backtest.threshold import By, ThresholdError, Variant, names_of, variants
from monitor.backtest.verdicts import Verdicts, verdicts_of
from monitor.configuration import Configuration, compiled
from monitor.database import Database
from rules.echoes import ECHOES

Key = tuple[str, str, int]
"""Subject, event and time of a hit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Which threshold of which rule is moved, and how much is drawn."""

    rule: str
    param: str = ""
    comparison: str = ""
    """Where it is no parameter: the comparison as it is written."""
    steps: int = 5
    by: str = "10%"
    sample: int = 20
    """Hits drawn above the line, and as many below it."""
    seed: int = 1


def moved_line(
    db: Database,
    origin: Origin,
    configuration: Configuration,
    period: Period,
    line: Line,
    progress: Callable[[str, int, int], None] = lambda name, done, total: None,
) -> dict[str, Any]:
    """Return the figures of every step, and the samples.

    Raises
    ------
    ThresholdError
        There is no such rule or threshold.
    """
    content = _content(configuration, line.rule)
    text = orjson.dumps(content).decode()
    if any(kind in text or f"{kind.partition('.')[0]}.*" in text for kind in ECHOES):
        hint = "change it in a folder and back-test that: `rules backtest --with FOLDER`"
        raise ThresholdError(f"{line.rule}: hears what other rules find, also its own steps\n  hint: {hint}")
    overrides = configuration.plain.get("parameters", {}).get(content["id"], {})
    found = variants(content, overrides, line.param, line.comparison, line.steps, By.of(line.by))
    changed = _only(configuration, found)
    compiled(changed)
    with TemporaryDirectory(prefix="riskmon-sample-") as folder:
        job = Job(
            name=line.rule,
            origin=origin,
            archive=changed.archive,
            period=period,
            scratch=Path(folder) / "steps.db",
            aliases={line.rule: names_of(found)},
        )
        run(job, lambda done, total: progress(line.rule, done, total))
        verdicts = verdicts_of(db, Past(db), period, configuration)
        with closing(sqlite3.connect(job.scratch)) as scratch:
            told = _told(scratch, found, line, period, verdicts)
    head = f"{period.last_seq} {_hash_at(db, period.last_seq)}"
    told = {"rule": line.rule, "version": _version(configuration, line.rule), "journal": head, **told}
    return {**told, "hash": sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()}


def _content(configuration: Configuration, rule: str) -> Mapping[str, Any]:
    for entry in configuration.plain["rules"]:
        if entry["content"]["id"].casefold() == rule.casefold():
            content: Mapping[str, Any] = entry["content"]
            return content
    hint = "rules in force can be sampled: put a new one into force as shadow first"
    raise ThresholdError(f"no rule {rule!r} in force\n  hint: {hint}")


def _version(configuration: Configuration, rule: str) -> str:
    text = orjson.dumps(_content(configuration, rule), option=orjson.OPT_SORT_KEYS)
    return sha256(text).hexdigest()[:12]


def _only(configuration: Configuration, found: Sequence[Variant]) -> Configuration:
    """Return a configuration with the variants alone: rules do not hear of each other, but for echoes."""
    entries = [
        {"pack": "steps", "file": f"{variant.id}.yaml", "content": variant.content} for variant in found
    ]
    plain = {**configuration.plain, "rules": entries}
    set_here = {variant.id: variant.overrides for variant in found if variant.overrides}
    if set_here:
        plain["parameters"] = {**plain["parameters"], **set_here}
    return Configuration(plain)


def _hash_at(db: Database, seq: int) -> str:
    row = db.execute("SELECT hash FROM journal WHERE seq = ?", (seq,)).fetchone()
    return bytes(row[0]).hex()[:16] if row else ""


def _told(
    scratch: sqlite3.Connection,
    found: Sequence[Variant],
    line: Line,
    period: Period,
    verdicts: Verdicts,
) -> dict[str, Any]:
    for (rule, kind, name), closings in list(verdicts.closings.items()):
        if rule == line.rule:
            verdicts.closings |= {(variant.id, kind, name): closings for variant in found}
    outcome = outcome_of(scratch, period, verdicts)
    keys = [_keys(scratch, variant.id) for variant in found]
    at = next(number for number, variant in enumerate(found) if variant.step == 0)
    below, above = _bands(keys, at)
    known = _Known(verdicts, {alert.id: alert.verdict for alert in outcome.alerts if alert.is_own})
    return {
        "threshold": line.param or line.comparison,
        "period": {"from": moment(period.from_ms), "to": moment(period.to_ms)},
        "seed": line.seed,
        "steps": [_step(variant, outcome, period, verdicts) for variant in found],
        "above": list(_drawn(scratch, found, above, line, known)),
        "below": list(_drawn(scratch, found, below, line, known)),
        "above_in_all": sum(len(band) for _, band in above),
        "below_in_all": sum(len(band) for _, band in below),
    }


def _step(variant: Variant, outcome: Outcome, period: Period, verdicts: Verdicts) -> dict[str, Any]:
    alerts = outcome.by_rule().get(variant.id, [])
    ours = quality(alerts, verdicts.confirmed)
    return {
        "step": variant.step,
        "figure": variant.figure,
        "hits": outcome.hits.get(variant.id, 0),
        "customers": len(outcome.alerted.get(variant.id, ())),
        "alerts_a_day": round(ours.alerts / period.days, 4),
        **ours.plain(),
    }


def _keys(scratch: sqlite3.Connection, rule: str) -> set[Key]:
    query = "SELECT subject, event, time_ms FROM found_hits WHERE rule = ?"
    # An absence names its rule in the event: the same one is another of each variant.
    return {
        (subject, event.replace(rule, ""), time_ms)
        for subject, event, time_ms in scratch.execute(query, (rule,))
    }


Bands = list[tuple[int, set[Key]]]
"""Steps from the line outward: place of the variant whose figure they meet, and hits of that step."""


def _bands(keys: Sequence[set[Key]], at: int) -> tuple[Bands, Bands]:
    """Return the hits just below the line and just above it, a band a step, the nearest first.

    Below are hits that only a wider figure gives, above those that a narrower one loses. Which side is
    the wider one follows from the hits.
    """
    is_upward = len(keys[-1]) > len(keys[0])
    wider, narrower = (1, -1) if is_upward else (-1, 1)
    below: Bands = []
    above: Bands = []
    seen = set(keys[at])
    for place in _outward(at, wider, len(keys)):
        below.append((place, keys[place] - seen))
        seen |= keys[place]
    held = set(keys[at])
    for place in _outward(at, narrower, len(keys)):
        above.append((at, held - keys[place]))
        held &= keys[place]
    return below, above


def _outward(at: int, direction: int, count: int) -> Iterator[int]:
    place = at + direction
    while 0 <= place < count:
        yield place
        place += direction


def _drawn(
    scratch: sqlite3.Connection,
    found: Sequence[Variant],
    bands: Bands,
    line: Line,
    known: _Known,
) -> Iterator[dict[str, Any]]:
    """Give hits drawn from the bands in turn; a second one of a subject only once each had one."""
    queues = {number: (place, _shuffled(band, line)) for number, (place, band) in enumerate(bands, start=1)}
    whom: set[str] = set()
    drawn = 0
    while any(waiting for _, waiting in queues.values()) and drawn < line.sample:
        before = drawn
        for number, (place, waiting) in queues.items():
            key = next((one for one in waiting if one[0] not in whom), None)
            if key is not None and drawn < line.sample:
                whom.add(key[0])
                waiting.remove(key)
                drawn += 1
                yield {"band": number, **_shown(scratch, found[place], key, known)}
        if drawn == before:
            whom.clear()


def _shuffled(band: set[Key], line: Line) -> list[Key]:
    def place(key: Key) -> bytes:
        return sha256(orjson.dumps([line.seed, line.rule, *key])).digest()

    return sorted(band, key=place)


@dataclass(frozen=True, slots=True)
class _Known:
    verdicts: Verdicts
    alerts: Mapping[str, bool | None]
    """Alert to the verdict about itself."""

    def of(self, scratch: sqlite3.Connection, rule: str, ref: int) -> bool | None:
        """Return what an event turned out to be, else how an alert was closed that counted it."""
        if ref in self.verdicts.events:
            return self.verdicts.events[ref]
        query = (
            "SELECT alerts.id FROM alert_hits JOIN alerts ON alerts.id = alert_hits.alert_id"
            " WHERE alert_hits.ref = ? AND alerts.rule = ? ORDER BY alerts.id"
        )
        rows = scratch.execute(query, (ref, rule)).fetchall()
        return next((self.alerts[name] for (name,) in rows if name in self.alerts), None)


def _shown(scratch: sqlite3.Connection, variant: Variant, key: Key, known: _Known) -> dict[str, Any]:
    subject, _, time_ms = key
    query = (
        "SELECT event, ref, say, saw FROM found_hits WHERE rule = ? AND subject = ? AND time_ms = ?"
        " ORDER BY event"
    )
    rows = scratch.execute(query, (variant.id, subject, time_ms)).fetchall()
    event, ref, say, saw = next(row for row in rows if row[0].replace(variant.id, "") == key[1])
    verdict = known.of(scratch, variant.id, ref)
    return {
        "subject": subject,
        "time": moment(time_ms),
        "event": event,
        "say": say,
        "saw": orjson.loads(saw),
        "verdict": None if verdict is None else ("confirmed" if verdict else "refuted"),
    }
