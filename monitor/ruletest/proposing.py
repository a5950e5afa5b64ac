"""New cases for what goes unnoticed: found by changing the cases there are, one thing at a time.

What a proposed case expects is what the rule says today: a person must read it before it is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from monitor.core.assessment import Hit
from monitor.core.engine import Engine
from monitor.ruletest.case import Case
from monitor.ruletest.changing import Changes, figures
from monitor.ruletest.noticing import KINDS, unnoticed
from monitor.ruletest.playing import play
from monitor.ruletest.running import RuleTests
from monitor.ruletest.variants import Subject, Variant
from rules.errors import Mistake, RuleError

MOST_TRIED = 1_500
"""Changed cases that are tried for one rule."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A case, what the rule says to it, and what it would notice."""

    case: Case
    hits: tuple[Hit, ...]
    start_ms: int
    notices: tuple[Mistake, ...]


def proposals(
    bench: RuleTests, rule: str, cases: Sequence[Case], tried: Callable[[int], None] = lambda count: None
) -> Iterator[Proposal]:
    """Give cases that notice what the cases of a rule do not; none for what no single change shows.

    Parameters
    ----------
    tried
        Called with the number of changed cases tried so far, of `MOST_TRIED` at most.
    """
    subject = Subject(bench.rules[rule], bench.predicates)
    usable = [case for case in cases if not case.needs_desk and not case.params]
    missed = [one for one in _missed(bench, subject, cases) if one.told.file == subject.rule.file]
    ordered = sorted(usable, key=lambda case: (not case.hits, len(case.steps)))
    changes = Changes(bench.vocabulary, figures(subject))
    count = 0
    for base in ordered:
        beside = bench.beside(base)
        own = bench.alone([subject.rule, *beside], base.lists)
        engines = [
            (one, bench.alone([one.subject.rule, *beside], base.lists, one.subject.predicates))
            for one in missed
        ]
        for case in changes.of(base):
            count += 1
            if not engines or count > MOST_TRIED:
                return
            tried(count)
            found = _noticing(bench, case, own, engines)
            if found is not None:
                yield found
                engines = [(one, engine) for one, engine in engines if one.told not in found.notices]
                missed = [one for one, _ in engines]


def _missed(bench: RuleTests, subject: Subject, cases: Sequence[Case]) -> list[Variant]:
    timelines = [one for case in cases if not (one := bench.timelines.of(case)).problems]
    variants = [one for kind in KINDS.values() for one in kind(subject)]
    return [one for one in variants if unnoticed(bench, one, timelines)]


def _noticing(
    bench: RuleTests, case: Case, own: Engine, engines: Sequence[tuple[Variant, Engine]]
) -> Proposal | None:
    try:
        timeline = bench.timelines.of(case)
    except (ValueError, RuleError):
        return None
    if timeline.problems:
        return None
    played = play(own, timeline)
    if played.problems:
        return None
    said = _told(played.hits)
    notices = []
    for variant, engine in engines:
        other = play(engine, timeline)
        if not other.problems and _told(other.hits) != said:
            notices.append(variant.told)
    if not notices:
        return None
    return Proposal(case, tuple(played.hits), timeline.start_ms, tuple(notices))


def _told(hits: Sequence[Hit]) -> list[tuple[int, float, str]]:
    return [(hit.time_ms, hit.points, hit.severity) for hit in hits]
