"""The catalogue of rules: what each watches, by which regulation, and whether events come that feed it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from monitor.ruletext import MARKS
from rules.echoes import ECHOES
from rules.model import Expression, Rule
from rules.needs import Needs, needs
from rules.vocabulary import Vocabulary
from streams.mapping_shapes import MappingFile

STATES = ("fed", "partly fed", "not fed", "unknown")
ELSEWHERE = (
    (
        "MD-952",
        "A model's features or scores drifted",
        "RiskmonModelDrift",
        "index of 0.25 and more, in the ledger too",
    ),
    ("MD-958", "A rule hits far more often", "RiskmonRuleLoud", "an hour against the day before"),
    ("MD-958", "A rule fell silent", "RiskmonRuleSilent", "a day without hits after ten a day"),
    ("MD-958", "A rule is mostly wrong", "RiskmonRulePrecisionLow", "below 2 of 100, from 50 verdicts on"),
    (
        "O-710",
        "This monitor rejects records",
        "RiskmonDeadLettersRising",
        "beside the rule, which reads the source's counts",
    ),
)
"""What is watched by metrics, because no event tells it: id, what, alert of Prometheus, figures."""
FLOOD = 0.2
"""A rule that lacks events and alerts for so large a share of all customers alerts because it lacks them."""
OWN = ECHOES | {"tick"}
"""Kinds that the monitor itself makes."""


@dataclass(slots=True)
class Feed:
    """Which events come, and which fields they carry."""

    kinds: Counter[str] = field(default_factory=Counter)
    """Kind to the number of events, or of shapes of a mapping."""
    fields: dict[str, set[str]] = field(default_factory=dict)
    """Kind to the fields seen of it."""
    title: str = ""

    def add(self, kind: str, names: Iterable[str]) -> None:
        """Note an event, or a shape, and the fields it carries."""
        self.kinds[kind] += 1
        self.fields.setdefault(kind, set()).update(names)

    @classmethod
    def of_mappings(cls, mappings: Sequence[MappingFile]) -> Feed:
        """Return what mapping files make."""
        feed = cls(title="the mapping files")
        for mapping in mappings:
            for event in (event for shape in mapping.shapes for event in shape.events):
                feed.add(event.kind.name, (spec.field for spec in event.fields))
        return feed

    @classmethod
    def of_events(cls, events: Iterable[Mapping[str, Any]], title: str) -> Feed:
        """Return what some events carry, as decoded records."""
        feed = cls(title=title)
        for event in events:
            feed.add(str(event.get("event_type")), _carried(event))
        return feed


def _carried(event: Mapping[str, Any], above: str = "") -> Iterable[str]:
    for name, value in event.items():
        if isinstance(value, dict):
            yield from _carried(value, f"{above}{name}.")
        elif value is not None:
            yield f"{above}{name}"


@dataclass(frozen=True, slots=True)
class Line:
    """One rule of the catalogue."""

    rule: Rule
    needs: Needs
    state: str
    """One of `STATES`; `unknown` where no feed was asked about."""
    absent_kinds: tuple[str, ...]
    absent_fields: tuple[str, ...]


def catalogue(
    rules: Sequence[Rule], vocabulary: Vocabulary, predicates: Mapping[str, Expression], feed: Feed | None
) -> list[Line]:
    """Return every rule with what it needs, and what of it comes; by pack and id."""
    ordered = sorted(rules, key=lambda rule: (rule.pack, rule.id))
    return [_line(rule, needs(rule, vocabulary, predicates), vocabulary, feed) for rule in ordered]


def flooding(lines: Sequence[Line], alerts: Mapping[str, int], customers: int) -> list[str]:
    """Return a sentence for each rule that lacks events and alerted for a fifth of all customers or more.

    A rule that asks whether something is missing finds it missing everywhere where no source tells it.

    Parameters
    ----------
    lines
        From `catalogue`, with a feed.
    alerts
        Number of alerts by rule.
    """
    return [
        f"{line.rule.id} ({line.rule.title}): {alerts[line.rule.id]:,} alerts; "
        f"the source never tells {', '.join(line.absent_kinds)}"
        for line in lines
        if line.absent_kinds and alerts.get(line.rule.id, 0) >= max(1.0, customers * FLOOD)
    ]


def _line(rule: Rule, wanted: Needs, vocabulary: Vocabulary, feed: Feed | None) -> Line:
    if feed is None:
        return Line(rule, wanted, "unknown", (), ())
    come, needed = set(feed.kinds) | OWN, wanted.looks_at | wanted.remembers
    absent = sorted(needed - come)
    carried = {name for kind in come & needed for name in feed.fields.get(kind, ())}
    carried |= {name for kind in OWN & come & needed for name in vocabulary.kinds[kind].fields}
    # Of profile and account: whatever kind sets them.
    carried |= {name for names in feed.fields.values() for name in names if name in _remembered(vocabulary)}
    missing = sorted(wanted.fields - carried - {"customer_id"}) if feed.fields else []
    if wanted.looks_at and not wanted.looks_at & come:
        return Line(rule, wanted, "not fed", tuple(absent), ())
    state = "partly fed" if absent or missing else "fed"
    return Line(rule, wanted, state, tuple(absent), tuple(missing))


def _remembered(vocabulary: Vocabulary) -> set[str]:
    known = (*vocabulary.profile.values(), *vocabulary.account.values())
    return {one.source or one.name for one in known}


def markdown(lines: Sequence[Line], feed: Feed | None = None) -> str:
    """Return the catalogue as a page: by pack, by kind of event, and what is not fed."""
    parts = ["# The catalogue of rules", "", _totals(lines), ""]
    if feed is not None:
        parts += _unfed(lines, feed)
    for pack in dict.fromkeys(line.rule.pack for line in lines):
        own = [line for line in lines if line.rule.pack == pack]
        parts += [f"## {pack}", "", *_table(_head(feed), [_row(line, feed) for line in own]), ""]
    parts += _watched_elsewhere() if feed is None else []
    return "\n".join([*parts, *_by_kind(lines)]) + "\n"


def _watched_elsewhere() -> list[str]:
    """Return what is no rule: figures of the monitor itself, which Prometheus alerts on."""
    rows = [
        [f"`{id_}`", what, f"[{alert}](runbook.md#{alert.lower()})", how]
        for id_, what, alert, how in ELSEWHERE
    ]
    head = ["id", "says", "alert", "when"]
    return [
        "## Watched by metrics",
        "",
        "No event tells these, so no rule can; see [metrics](metrics.md).",
        "",
        *_table(head, rows),
        "",
    ]


def _totals(lines: Sequence[Line]) -> str:
    statuses = Counter(line.rule.status for line in lines)
    marks = Counter(line.rule.verification for line in lines)
    told = ", ".join(f"{count} {name}" for name, count in sorted(statuses.items()))
    verified = "; ".join(f"{name} ({MARKS[name]}): {marks[name]}" for name in MARKS if marks[name])
    return (
        f"{len(lines)} rules ({told}). How well their figures are verified: {verified}.\n"
        "A rule whose figures are not read in a law's text is never to be cited as law."
    )


def _head(feed: Feed | None) -> list[str]:
    head = ["rule", "says", "looks at", "dimension", "points", "status", "recommends", "disclosure", "source"]
    return [*head, "fed"] if feed is not None else head


def _row(line: Line, feed: Feed | None) -> list[str]:
    rule = line.rule
    points = " / ".join(f"{band.points:g}" for band in rule.bands)
    row = [
        f"`{rule.id}`", rule.title, ", ".join(rule.on), rule.dimension, points, rule.status,
        " ".join(rule.disposition), rule.disclosure, f"{rule.source} ({rule.verification})",
    ]  # fmt: skip
    if feed is None:
        return row
    absent = ", ".join([*line.absent_kinds, *line.absent_fields])
    return [*row, line.state + (f": without {absent}" if absent else "")]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    told = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in [list(head), ["---"] * len(head), *told]]


def _unfed(lines: Sequence[Line], feed: Feed) -> list[str]:
    states = Counter(line.state for line in lines)
    found = [f"{states[state]} {state}" for state in STATES if states[state]]
    silent = [line for line in lines if line.state == "not fed"]
    rows = [[f"`{line.rule.id}`", line.rule.title, ", ".join(line.absent_kinds)] for line in silent]
    told = [f"## Fed by {feed.title}", "", f"{', '.join(found)}.", ""]
    return [*told, *_table(["not fed", "says", "waits for"], rows), ""] if silent else told


def _by_kind(lines: Sequence[Line]) -> list[str]:
    kinds = sorted({kind for line in lines for kind in line.needs.looks_at | line.needs.remembers})
    rows = [
        [
            f"`{kind}`",
            " ".join(line.rule.id for line in lines if kind in line.needs.looks_at),
            " ".join(line.rule.id for line in lines if kind in line.needs.remembers),
        ]
        for kind in kinds
    ]
    return ["## By kind of event", "", *_table(["event", "rules that look", "rules that remember"], rows)]


def plain(line: Line) -> dict[str, Any]:
    """Return a line as plain data."""
    rule = line.rule
    return {
        "pack": rule.pack, "id": rule.id, "title": rule.title, "status": rule.status,
        "dimension": rule.dimension, "source": rule.source, "verification": rule.verification,
        "disclosure": rule.disclosure, "disposition": list(rule.disposition),
        "looks_at": sorted(line.needs.looks_at), "remembers": sorted(line.needs.remembers),
        "fields": sorted(line.needs.fields), "state": line.state, "absent_kinds": list(line.absent_kinds),
        "absent_fields": list(line.absent_fields),
    }  # fmt: skip
