"""Processes that test rules side by side: each has the rules and cases of the one that started it."""

from __future__ import annotations

import copyreg
import gc
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

from monitor.ruletest.case import Case
from monitor.ruletest.running import RuleTests
from rules.errors import Mistake, RuleError
from rules.vocabulary import load_vocabulary

FEW = 16
"""So few rules are tested before another process has come up."""
Work = Mapping[str, Sequence[Case]]
"""Cases by rule."""
_BENCH: list[tuple[RuleTests, Work]] = []
"""The rules and cases of a worker process; set once when it starts."""


@contextmanager
def workers(bench: RuleTests, work: Work, jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Give processes in which `bench_here` has the same rules, and `cases_here` the cases."""
    # Out of the collector's sight: looking through what is read would copy all of it to every process.
    gc.freeze()
    try:
        with ProcessPoolExecutor(jobs, initializer=_begin, initargs=(bench, work)) as pool:
            yield pool
    finally:
        gc.unfreeze()


def bench_here() -> RuleTests:
    """Return the rules of this worker."""
    return _BENCH[0][0]


def cases_here(rule: str) -> Sequence[Case]:
    """Return the cases of a rule that this worker was started with."""
    return _BENCH[0][1][rule]


def _begin(bench: RuleTests, work: Work) -> None:
    _BENCH.append((bench, work))


def _same(rules: Any, lists: Any, predicates: Any, rating: Any, rates: Any, more: Any) -> RuleTests:
    return RuleTests(rules, load_vocabulary(), lists, predicates, rating, rates, **more)


# A process that is forked has the rules already; one that is spawned makes the same.
copyreg.pickle(RuleTests, lambda bench: (_same, bench.arguments))


@dataclass(frozen=True, slots=True)
class _Tested:
    """What one rule's cases told."""

    failures: Sequence[list[str]]
    """By case."""
    mistakes: Sequence[Mistake]


def all_failures(bench: RuleTests, cases: Sequence[Case], jobs: int) -> list[list[str]]:
    """Return what is wrong with the rules by each case, in the order of the cases.

    Parameters
    ----------
    jobs
        How many processes; this one alone where it is 1, or the rules are few.

    Raises
    ------
    RuleError
        With every mistake of all rules, those without cases included.
    """
    by_rule: dict[str, list[int]] = {rule: [] for rule in bench.rules}
    for number, case in enumerate(cases):
        by_rule.setdefault(case.rule, []).append(number)
    work = {rule: [cases[number] for number in numbers] for rule, numbers in by_rule.items()}
    tested = list(_here(bench, work) if jobs == 1 or len(work) <= FEW else _apart(bench, work, jobs))
    mistakes = [mistake for one in tested for mistake in one.mistakes]
    if mistakes:
        raise RuleError(mistakes)
    numbered = zip(
        chain.from_iterable(by_rule.values()),
        chain.from_iterable(one.failures for one in tested),
        strict=True,
    )
    return [failures for _, failures in sorted(numbered)]


def _here(bench: RuleTests, work: Work) -> Iterator[_Tested]:
    return (_tested(bench, rule, own) for rule, own in work.items())


def _apart(bench: RuleTests, work: Work, jobs: int) -> Iterator[_Tested]:
    with workers(bench, work, jobs) as pool:
        yield from pool.map(_work, work, chunksize=4)


def _work(rule: str) -> _Tested:
    return _tested(bench_here(), rule, cases_here(rule))


def _tested(bench: RuleTests, rule: str, cases: Sequence[Case]) -> _Tested:
    try:
        bench.compile([rule])
    except RuleError as error:
        return _Tested([], error.mistakes)
    return _Tested([bench.failures(case) for case in cases], [])
