"""A rule in words: what it watches, what it remembers, what it asks of the officer."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from monitor.lengths import length_words
from monitor.ruletext_patterns import pattern_sentences
from monitor.ruletext_periods import period_sentences
from rules.compile import Rulebook
from rules.dispositions import DISPOSITIONS
from rules.model import Override, Rule
from rules.plan import MarkerSlot, ScheduleSlot, SequenceSlot, SeriesSlot, SightingsSlot, Slot, TimerSlot
from rules.schedules import is_scheduled

MARKS = {
    "V1": "read in the primary text", "V2": "read in a secondary text", "P": "practitioners' precedent",
    "M": "cited from memory, to be checked", "D": "a proposal, to be calibrated",
}  # fmt: skip
EVENT_BYTES = 16
"""Time and reference of an event in a series; each column takes another 8."""
COLUMN_BYTES = 8
WIDTH = 100


def told(rule: Rule, book: Rulebook) -> str:
    """Return the explanation of a rule; `book` is it compiled alone."""
    return "\n".join(_lines(rule, book))


def _lines(rule: Rule, book: Rulebook) -> Iterator[str]:
    yield f"{rule.id}  {rule.title}"
    yield f"  {rule.dimension}, {rule.status}, version {rule.version}, owner {rule.owner}, {rule.disclosure}"
    yield from _paragraph("why", rule.why)
    yield from _paragraph("source", f"{rule.source} ({rule.verification}: {MARKS[rule.verification]})")
    begins = " (when it begins)" if is_scheduled(rule) else ""
    yield f"  looks at    {', '.join(rule.on)}{begins}, for each {rule.subject}"
    for name, value in rule.let.items():
        yield from _paragraph(f"  {name}", " ".join(value.text.split()))
    yield from _paragraph("hits when", " ".join(rule.when.text.split()))
    for sentence in (*period_sentences(rule), *pattern_sentences(rule)):
        yield from _paragraph("  that is", sentence)
    yield from _figures(rule)
    for band in rule.bands:
        when = f" when {' '.join(band.when.text.split())}" if band.when is not None else ""
        yield f"  gives       {band.points:g} points, {band.severity}{when}"
    asks = "an alert" if rule.alert else "no alert"
    yield f"  asks for    {asks}, again after {length_words(rule.cooldown_ms)}"
    if rule.half_life_ms is not None:
        yield f"  halves      every {length_words(rule.half_life_ms)} in the rating"
    yield from _paragraph("says", rule.say)
    for stage, plan in book.plans.items():
        for slot in plan.slots:
            yield from _paragraph("remembers", f"of each {stage}: {slot_words(slot)}")
    for number, code in enumerate(rule.disposition):
        yield from _paragraph("recommends" if number == 0 else "", f"{code}: {DISPOSITIONS[code]}")
    for number, step in enumerate(rule.triage, start=1):
        yield from _paragraph("officer" if number == 1 else "", f"{number}. {step}")


def paragraphs(label: str, texts: Iterable[str]) -> Iterator[str]:
    """Give lines of an explanation: texts, the first after a label, none wider than the others."""
    for number, text in enumerate(texts):
        yield from _paragraph("" if number else label, text)


def _figures(rule: Rule) -> Iterator[str]:
    for name, parameter in rule.params.items():
        chosen = [f"{segment} {node.text()}" for segment, node in parameter.by_segment.items()]
        yield from _paragraph(f"  param.{name}", "; ".join([parameter.default.text(), *chosen]))
        if parameter.default_from != "rule":
            yield from _paragraph("", f"set by {parameter.default_from}")
        for one in parameter.overrides:
            yield from _paragraph("", f"{one.value.text} for {one.told()}{_span(one)}")


def _span(override: Override) -> str:
    days = [
        f" {word} {datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d}"
        for word, time_ms in (("from", override.from_ms), ("until", override.to_ms))
        if time_ms is not None
    ]
    return "".join(days)


def _paragraph(name: str, text: str) -> list[str]:
    label = f"  {name:<12}" if len(name) < 12 else f"  {name}  "
    return textwrap.wrap(text, WIDTH, initial_indent=label, subsequent_indent=" " * 14)


def slot_words(slot: Slot) -> str:
    """Return what a slot remembers, in words."""
    match slot:
        case SeriesSlot():
            key = f" by {' and '.join(slot.key)}" if slot.key else ""
            last = f" or the last {slot.keep_last}" if slot.keep_last else ""
            return f"{_selection(slot.selection.text())}{key}, for {length_words(slot.retain_ms)}{last}"
        case SightingsSlot():
            return f"first and last time of each {slot.value.text()} in {_selection(slot.selection.text())}"
        case MarkerSlot():
            return f"when there last was {_selection(slot.selection.text())}"
        case SequenceSlot():
            key = f" by {' and '.join(slot.key)}" if slot.key else ""
            return f"steps of a sequence{key}, for {length_words(slot.retain_ms)}"
        case ScheduleSlot():
            return f"when it is asked next: {_calendar(1, slot.unit)} begins"
        case TimerSlot():
            length = _calendar(slot.count, slot.unit) if slot.unit else length_words(slot.for_ms)
            after, awaited = (" or ".join(one.kind for one in ones) for ones in (slot.after, slot.awaited))
            return f"a timer of {length} after {after}, stopped by {awaited}"


def _calendar(count: int, unit: str) -> str:
    return f"{count} {'business day' if unit == 'bd' else unit}{'s' * (count != 1)}"


def _selection(text: str) -> str:
    return text.replace("|", ", ")


def generated(book: Rulebook) -> str:
    """Return the source of a rulebook's functions."""
    return book.source


def heaviest(book: Rulebook) -> tuple[str, int, int]:
    """Return the kind of event that takes most room: its name, bytes and windows, at most.

    Conditions are not looked at: an event that meets none of them takes nothing.
    """
    found: dict[str, tuple[int, int]] = {}
    for plan in book.plans.values():
        for slot in plan.slots:
            if isinstance(slot, SeriesSlot):
                size = EVENT_BYTES + COLUMN_BYTES * (len(slot.sums) + len(slot.squares) + len(slot.items))
                for kind in slot.selection.kinds:
                    total, windows = found.get(kind, (0, 0))
                    found[kind] = total + size, windows + 1
    if not found:
        return "event", 0, 0
    kind = max(found, key=lambda name: (found[name], name))
    return kind, *found[kind]
