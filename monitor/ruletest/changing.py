"""Cases like the ones there are, each with one thing changed: where new cases are looked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from typing import Any

from monitor.ruletest.case import Case, Step, offset_ms, shown
from monitor.ruletest.variants import Subject
from monitor.ruletest.written import decimal
from rules.nodes import Literal, Name
from rules.vocabulary import Field, Vocabulary
from rules.walking import walk

CENT = Fraction(1, 100)
EVENTS_MOST = 40
"""Longer cases are not changed: what comes of it nobody reads."""
COPIES_MS = 1_000
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures a rule names, around which its answers change."""

    money: tuple[Fraction, ...]
    numbers: tuple[Fraction, ...]
    lengths_ms: tuple[int, ...]
    scales: Mapping[str, Fraction]
    """Segment to how many times the usual figure its own is."""
    texts: tuple[str, ...]
    foreign: tuple[tuple[Fraction, str], ...]
    """Money that names its currency."""
    read: frozenset[str]
    """Names that the conditions read."""


def figures(subject: Subject) -> Figures:
    """Return the figures in the conditions and parameters of a rule, each once."""
    rule = subject.rule
    nodes = [node for _, one, _ in subject.expressions() for _, node in walk(one.node)]
    scales: dict[str, Fraction] = {}
    for parameter in rule.params.values():
        nodes += [parameter.default, *parameter.by_segment.values()]
        usual = _value(parameter.default)
        for segment, node in parameter.by_segment.items():
            value = _value(node)
            if value is not None and usual:
                scales[segment] = value / usual
    literals = [node for node in nodes if isinstance(node, Literal)]
    lengths = {int(one.value) for one in literals if one.kind == "duration"}
    lengths |= {node.within_ms for node in nodes if getattr(node, "within_ms", 0)}
    for one in literals:
        if one.kind == "business_days":
            days = int(one.value)
            lengths |= {DAY_MS * count for count in range(days - 1, days + days // 2 + 3)}
    return Figures(
        money=_values(literals, "money"), numbers=_values(literals, "number"),
        lengths_ms=tuple(sorted(lengths)), scales=scales,
        texts=tuple(sorted({str(one.value) for one in literals if one.kind == "text"})),
        foreign=tuple(sorted({(_value(one) or CENT, one.unit) for one in literals if one.kind == "money"})),
        read=frozenset(node.name for node in nodes if isinstance(node, Name)),
    )  # fmt: skip


def _value(node: Any) -> Fraction | None:
    return node.value if isinstance(node, Literal) and isinstance(node.value, Fraction) else None


def _values(literals: list[Literal], kind: str) -> tuple[Fraction, ...]:
    return tuple(
        sorted({one.value for one in literals if one.kind == kind and isinstance(one.value, Fraction)})
    )


class Changes:
    """Gives cases with one thing changed, simple changes first; the same ones every time."""

    def __init__(self, vocabulary: Vocabulary, figures: Figures) -> None:
        self._vocabulary = vocabulary
        self._figures = figures

    def of(self, case: Case) -> Iterator[Case]:
        """Give the cases one change away, and those of other segments with figures to match."""
        if len(case.steps) > EVENTS_MOST:
            return
        case = replace(case, name="")
        yield case
        yield from self._near(case)
        for segment, scale in sorted(self._figures.scales.items()):
            other = self._scaled(case, segment, scale)
            yield other
            yield from self._near(other)

    def _near(self, case: Case) -> Iterator[Case]:
        for place, step in enumerate(case.steps):
            if step.kind and not step.alert_of:
                for word, new in chain(self._values_of(step), self._times_of(case, step)):
                    yield _with(case, place, new, f"{word} at {shown(step.at_ms)}")
                yield from self._fewer_and_more(case, place, step)
                yield from self._later(case, place, step)
        yield from self._told(case)

    def _values_of(self, step: Step) -> Iterator[tuple[str, Step]]:
        kind = self._vocabulary.kinds[step.kind]
        names = dict.fromkeys(
            [*step.values, *(one for one in ("amount", "direction") if one in kind.required)]
        )
        for name in names:
            if name in ("customer_id", "occurred_at") or name not in self._vocabulary.fields:
                continue
            for text in self._texts(self._vocabulary.fields[name], str(step.values.get(name, ""))):
                yield f"{name} {text}", replace(step, values={**step.values, name: text})
            if name in step.values:
                left = {one: text for one, text in step.values.items() if one != name}
                yield f"no {name}", replace(step, values=left)
        if {"amount", "currency"} <= set(kind.fields):
            for value, unit in self._figures.foreign:
                for amount in (value, value - CENT, value + CENT):
                    given = {**step.values, "amount": decimal(amount), "currency": unit}
                    yield f"{decimal(amount)} {unit}", replace(step, values=given)

    def _texts(self, field: Field, text: str) -> Iterator[str]:
        """Give other values of a field: around the rule's figures, and around what it is."""
        if field.type in ("money", "number", "count"):
            yield from self._amounts(field.type, _number(text))
        elif field.type == "bool":
            yield "false" if text == "true" else "true"
        elif field.values:
            yield from (value for value in field.values if value != text)
        elif field.type in ("text", "id", "country", "currency"):
            yield from (one for one in self._figures.texts if one != text)
            yield "XX" if field.type == "country" else "other"
        elif field.type in ("time", "date", "duration"):
            sign = "-" if offset_ms(text) is None or text.startswith("-") else "+"
            for length_ms in self._lengths():
                yield shown(length_ms if sign == "+" else -length_ms)

    def _amounts(self, kind: str, here: Fraction | None) -> Iterator[str]:
        unit = CENT if kind == "money" else Fraction(1)
        known = self._figures.money if kind == "money" else self._figures.numbers
        shares = [one for one in self._figures.numbers if 0 < one < 100 and one != 1]
        found = [value + sign * unit for value in known for sign in (0, -1, 1)]
        if here is not None:
            found += [here + sign * unit for sign in (-1, 1)]
            found += [here * one + sign * unit for one in shares for sign in (0, -1, 1)]
            found += [here / one + sign * unit for one in shares for sign in (0, -1, 1)]
        found += [value * one + sign * unit for value in known for one in shares for sign in (0, -1, 1)]
        if kind == "number":
            found += [value + sign * Fraction(1, 1000) for value in known for sign in (-1, 1)]
        for value in dict.fromkeys(found):
            if (
                value >= 0
                and (kind != "count" or value.denominator == 1)
                and (value * 10_000).denominator == 1
            ):
                yield decimal(value)

    def _times_of(self, case: Case, step: Step) -> Iterator[tuple[str, Step]]:
        ends = sorted({one.at_ms for one in case.steps if one.kind}, reverse=True)[:2]
        for end_ms in ends:
            for length_ms in self._lengths():
                if end_ms - length_ms != step.at_ms:
                    at_ms = end_ms - length_ms
                    yield f"moved to {shown(at_ms)}", replace(step, at_ms=at_ms)

    def _lengths(self) -> Iterator[int]:
        """Give the rule's lengths, and what lies within one of their units of them."""
        for length_ms in self._figures.lengths_ms:
            unit = next(ms for ms in (86_400_000, 3_600_000, 60_000, 1_000, 1) if length_ms % ms == 0)
            unit = unit // 24 if unit == length_ms else unit
            for more in (0, -1, 1, -unit // 2, unit // 2):
                yield length_ms + more

    def _fewer_and_more(self, case: Case, place: int, step: Step) -> Iterator[Case]:
        kinds = (*case.steps[:place], *case.steps[place + 1 :])
        if any(one.kind for one in kinds):
            yield _named(case, f"without the event at {shown(step.at_ms)}", steps=kinds)
        again = replace(step, id=f"{step.id}-more")
        earlier = replace(again, at_ms=step.at_ms - COPIES_MS)
        steps = (*case.steps[:place], earlier, *case.steps[place:])
        yield _named(case, f"one more before {shown(step.at_ms)}", steps=steps)
        for word, other in self._values_of(earlier):
            what = f"{word} in one more before {shown(step.at_ms)}"
            if not any(digit.isdigit() for digit in word):
                yield _named(case, what, steps=(*case.steps[:place], other, *case.steps[place:]))

    def _later(self, case: Case, place: int, step: Step) -> Iterator[Case]:
        """Give the case with an event and all after it as much later as the rule's lengths say."""
        for before in [case.steps[one] for one in sorted({place - 1, 0})] if place else ():
            for length_ms in self._lengths():
                more = before.at_ms + length_ms - step.at_ms
                if more > 0 and before.kind:
                    moved = tuple(replace(one, at_ms=one.at_ms + more) for one in case.steps[place:])
                    what = f"from {shown(step.at_ms)} on, {shown(length_ms)[1:]} after {shown(before.at_ms)}"
                    yield _named(case, what, steps=(*case.steps[:place], *moved))

    def _told(self, case: Case) -> Iterator[Case]:
        """Give the case with something else known of the customer or the account."""
        for name in ("profile", "account"):
            values: Mapping[str, Any] = getattr(case, name)
            known: Mapping[str, Field] = getattr(self._vocabulary, name)
            for one, text in values.items():
                for other in self._texts(known[one], str(text)) if one in known else ():
                    yield _named(case, f"{name}.{one} {other}", **{name: {**values, one: other}})

    def _scaled(self, case: Case, segment: str, scale: Fraction) -> Case:
        fields = self._vocabulary.fields
        steps = []
        for step in case.steps:
            values = dict(step.values)
            for name, text in values.items():
                number = _number(str(text)) if name in fields and fields[name].type == "money" else None
                if number is not None and (number * scale * 10_000).denominator == 1:
                    values[name] = decimal(number * scale)
            steps.append(replace(step, values=values))
        profile = {**case.profile, "segment": segment}
        return _named(case, segment, steps=tuple(steps), profile=profile)


def _named(case: Case, what: str, **changes: Any) -> Case:
    """Return a changed case, named after what was changed."""
    return replace(case, name=f"{case.name}, {what}" if case.name else what, **changes)


def _with(case: Case, place: int, step: Step, what: str) -> Case:
    steps = (*case.steps[:place], step, *case.steps[place + 1 :])
    return _named(case, what, steps=steps)


def _number(text: str) -> Fraction | None:
    try:
        return Fraction(text.replace("_", ""))
    except ValueError:
        return None
