"""What the tests of rules notice: every variant of a rule against the rule's own cases."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, field

from monitor.ruletest.case import Case
from monitor.ruletest.coverage import forced
from monitor.ruletest.judging import differences
from monitor.ruletest.mutation import mutants
from monitor.ruletest.parameters import with_params
from monitor.ruletest.playing import play
from monitor.ruletest.running import RuleTests
from monitor.ruletest.timeline import Timeline
from monitor.ruletest.variants import Subject, Variant
from monitor.ruletest.workers import bench_here, cases_here, workers
from rules.errors import Mistake, RuleError

KINDS = {"conditions": forced, "thresholds": mutants}
"""What is asked of the cases: sub-conditions decided, thresholds held at their edge."""


@dataclass(slots=True)
class Noticed:
    """How much of one rule its cases notice."""

    rule: str
    pack: str
    asked: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    """Variants by kind."""
    missed: dict[str, list[Mistake]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    """Variants that no case notices, by kind, in the order of the file."""
    shared: list[Mistake] = field(default_factory=list)
    """Variants of what other rules share, a predicate, that a case did notice."""


def noticed(bench: RuleTests, rule: str, cases: Sequence[Case]) -> Noticed:
    """Return what the cases of a rule notice of its variants."""
    subject = Subject(bench.rules[rule], bench.predicates)
    found = Noticed(rule, subject.rule.pack)
    timelines = [one for case in cases if not (one := bench.timelines.of(case)).problems]
    for kind, variants in KINDS.items():
        for variant in variants(subject):
            missed = unnoticed(bench, variant, timelines)
            if missed is None:
                continue
            found.asked[kind] += 1
            if missed:
                found.missed[kind].append(variant.told)
            elif variant.told.file != subject.rule.file:
                found.shared.append(variant.told)
    for mistakes in found.missed.values():
        mistakes.sort()
    return found


def unnoticed(bench: RuleTests, variant: Variant, timelines: Sequence[Timeline]) -> bool | None:
    """Return whether every case passes with the variant as with the rule; None where it is no rule."""
    try:
        usual = bench.alone([variant.subject.rule], {}, variant.subject.predicates)
    except RuleError:
        return None
    for timeline in timelines:
        case, engine = timeline.case, usual
        if case.lists or case.params or case.others:
            rule = with_params(variant.subject.rule, case)
            engine = bench.alone([rule, *bench.beside(case)], case.lists, variant.subject.predicates)
        played = play(engine, timeline)
        if played.problems or differences(timeline, played.hits):
            return False
    return True


def everything_noticed(
    bench: RuleTests, cases: Mapping[str, Sequence[Case]], jobs: int, done: Callable[[str], None]
) -> list[Noticed]:
    """Return what the cases of all rules notice, by pack and rule, worked out by some processes.

    Parameters
    ----------
    cases
        By rule.
    jobs
        How many processes; 1 for this one.
    done
        Called with the id of each rule that is finished.
    """
    results = _here(bench, cases, done) if jobs == 1 else list(_apart(bench, cases, jobs, done))
    return sorted(_merged(results), key=lambda one: (one.pack, one.rule))


def _here(
    bench: RuleTests, cases: Mapping[str, Sequence[Case]], done: Callable[[str], None]
) -> list[Noticed]:
    found = []
    for rule, own in cases.items():
        found.append(noticed(bench, rule, own))
        done(rule)
    return found


def _apart(
    bench: RuleTests, cases: Mapping[str, Sequence[Case]], jobs: int, done: Callable[[str], None]
) -> Iterator[Noticed]:
    with workers(bench, cases, jobs) as pool:
        waiting = {pool.submit(_work, rule): rule for rule in cases}
        for future in as_completed(waiting):
            yield future.result()
            done(waiting[future])


def _work(rule: str) -> Noticed:
    return noticed(bench_here(), rule, cases_here(rule))


def _merged(results: Sequence[Noticed]) -> Sequence[Noticed]:
    """Return the results where what rules share is noticed once the cases of any of them notice it."""
    shared = {mistake for one in results for mistake in one.shared}
    for one in results:
        for kind, mistakes in one.missed.items():
            one.missed[kind] = [mistake for mistake in mistakes if mistake not in shared]
    return results
