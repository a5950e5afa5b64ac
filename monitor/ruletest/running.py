"""Rules under test: timelines in virtual time through the real codec and the real engine.

Every case runs with its rule alone, each state packed and restored before it is asked and each event
sent once more: a rule that answers otherwise after a restart or to a duplicate fails. A case that hits
runs once more, late: see `monitor.ruletest.generated`. A case with officers runs through the desk too.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from monitor.core.assessment import Hit
from monitor.core.engine import Engine
from monitor.core.periods import Periods
from monitor.core.rating import Rater
from monitor.core.rating_config import RatingConfig
from monitor.ruletest.case import Case
from monitor.ruletest.difference import timeline_lines
from monitor.ruletest.generated import lateness_problems, order_problems
from monitor.ruletest.judging import differences
from monitor.ruletest.parameters import with_params
from monitor.ruletest.playing import Played, play
from monitor.ruletest.probing import why_not
from monitor.ruletest.timeline import Timeline, Timelines
from rules.compile import Rulebook, compile_rulebook
from rules.errors import Mistake, RuleError
from rules.model import Expression, ListData, Override, Rule
from rules.parameters import overridden, overrides_text
from rules.vocabulary import Vocabulary
from streams.codec import Codec
from streams.rates import Exchange, Rates

Lists = Mapping[str, ListData]


class RuleTests:
    """The rules of some packs, ready to be tested.

    Drafts and retired rules are tested as shadow rules, so that a rule is tested before it runs.

    They are compiled when the first case is run, or by `compile`.

    Parameters
    ----------
    overrides
        What the institution sets for the parameters of rules; a case may set its own instead.

    Raises
    ------
    RuleError
        Where an override fits no parameter of its rule.
    """

    def __init__(
        self, rules: Sequence[Rule], vocabulary: Vocabulary, lists: Mapping[str, ListData],
        predicates: Mapping[str, Expression], rating: RatingConfig, rates: Rates | None, *,
        base_currency: str = "CNY", zone: str = "Asia/Shanghai", overrides: Sequence[Override] = (),
    ) -> None:  # fmt: skip
        more: dict[str, Any] = {"base_currency": base_currency, "zone": zone, "overrides": overrides}
        self.arguments = (rules, lists, predicates, rating, rates, more)
        """What another process makes the same of; every process has the same vocabulary."""
        awake = [rule if rule.status == "live" else replace(rule, status="shadow") for rule in rules]
        self.rules = {rule.id: rule for rule in overridden(awake, overrides, are_all=False)}
        self.vocabulary = vocabulary
        self.lists = lists
        self.predicates = predicates
        self.base_currency = base_currency
        self.periods = Periods(zone)
        self.codec = Codec(vocabulary, base_currency, rates)
        self.timelines = Timelines(vocabulary, base_currency, self.codec, self.periods)
        self.rater = Rater(rating)
        self._exchange = Exchange(base_currency, rates)
        self._engines: dict[object, Engine] = {}

    @cached_property
    def rulebook(self) -> Rulebook:
        """All rules, compiled together."""
        return self.compiled(list(self.rules.values()), self.predicates)

    def compile(self, only: Container[str] | None = None) -> None:
        """Compile each rule alone now, or some of them, where that was not done yet.

        Raises
        ------
        RuleError
            With every mistake of the rules.
        """
        mistakes: list[Mistake] = []
        for rule in (one for one in self.rules.values() if only is None or one.id in only):
            try:
                self._own(rule, {}, {})
            except RuleError as error:
                mistakes += error.mistakes
        if mistakes:
            raise RuleError(mistakes)

    def failures(self, case: Case, *, among_all: bool = False) -> list[str]:
        """Return what is wrong with the rule by this case: nothing where it passes.

        Each is `file:line: what`, with what was expected and what was there.

        Parameters
        ----------
        among_all
            Besides, the rule must answer among all others as it does alone.
        """
        problems = self._failures(case, among_all=among_all)
        if problems and (hint := self.told_figures(case)):
            problems[-1] += f"\n  hint: {hint}"
        return problems

    def told_figures(self, case: Case) -> str:
        """Return what to do about a failing case that passes with the figures of the rule's own file.

        Empty where the institution sets none of them, or they do not matter.
        """
        rules = [self.rules[name] for name in {case.rule, *case.others} if name in self.rules]
        if not any(overrides_text(rule) for rule in rules) or self._as_written.failures(case):
            return ""
        return (
            "it passes with the rule's own figures, and parameters.yaml sets others: expect what these make,"
            " or set figures of its own, e.g. params: {minimum: 5000 CNY}"
        )

    @cached_property
    def _as_written(self) -> RuleTests:
        """The same rules with the figures of their own files."""
        rules, lists, predicates, rating, rates, more = self.arguments
        own = {**more, "overrides": ()}
        return RuleTests(rules, self.vocabulary, lists, predicates, rating, rates, **own)

    def _failures(self, case: Case, *, among_all: bool) -> list[str]:
        if case.rule not in self.rules:
            return [f"{case.place}: no rule {case.rule!r} among those tested"]
        unknown = [name for name in case.others if name not in self.rules]
        if unknown:
            return [f"{case.place}: with: no rule {', '.join(unknown)} among those tested"]
        timeline = self.timelines.of(case)
        if timeline.problems:
            return list(timeline.problems)
        try:
            own = self.own(case)
        except RuleError as error:
            return [str(mistake) for mistake in error.mistakes]
        played = play(own, timeline, restarts=True)
        problems = played.problems or differences(timeline, played.hits)
        if problems:
            return self._explained(own, timeline, played, problems)
        problems = []
        if played.hits:
            for law in (lateness_problems, order_problems):
                problems += law(self.timelines, own, timeline, played.hits, lambda one: play(own, one).hits)
        if among_all and not case.params:
            problems += self._among_all(timeline, played)
        return problems + (self._desk_failures(timeline) if case.needs_desk else [])

    def _explained(self, own: Engine, timeline: Timeline, played: Played, problems: list[str]) -> list[str]:
        """Return problems with the timeline below, and whether a restart or a duplicate makes them."""
        plain = play(own, timeline)
        if not plain.problems and not differences(timeline, plain.hits):
            problems.append(f"{timeline.case.place}: it passes without restarts and duplicates")
        if not played.problems:
            problems[-1] = "\n".join([problems[-1], *self._timeline_lines(timeline, played.hits)])
        return problems

    def _among_all(self, timeline: Timeline, played: Played) -> list[str]:
        case = timeline.case
        among = play(self.engine(case.lists), timeline)
        if among.problems or _bare(among.hits) != _bare(played.hits):
            return [f"{case.place}: {case.name}: answers otherwise among all rules"]
        return []

    def _timeline_lines(self, timeline: Timeline, hits: Sequence[Hit]) -> Iterator[str]:
        expected = {hit.at_ms for hit in timeline.case.hits}
        came = {hit.time_ms - timeline.start_ms for hit in hits}
        yield from timeline_lines(timeline, hits, why_not(self, timeline) if expected - came else {})

    def _desk_failures(self, timeline: Timeline) -> list[str]:
        # With its databases it takes longer to import than a rule to test: few cases have officers.
        from monitor.ruletest.desk import desk_failures, in_force  # noqa: PLC0415

        case = timeline.case
        own = with_params(self.rules[case.rule], case)
        engine = self.alone(in_force(case, self.rules, own), case.lists)
        return desk_failures(engine, self.timelines, timeline)

    def own(self, case: Case) -> Engine:
        """Return the engine of the rule and those it is tested `with`, with lists and figures of the case."""
        return self._own(with_params(self.rules[case.rule], case), case.lists, case.params, self.beside(case))

    def beside(self, case: Case) -> list[Rule]:
        """Return the rules that the case names `with`, as they are."""
        return [self.rules[name] for name in sorted({*case.others} - {case.rule})]

    def _own(
        self, rule: Rule, lists: Lists, params: Mapping[str, str], beside: Sequence[Rule] = ()
    ) -> Engine:
        others = tuple(other.id for other in beside)
        key = (rule.id, frozenset(lists.items()), frozenset(params.items()), others)
        if key not in self._engines:
            self._engines[key] = self.alone([rule, *beside], lists)
        return self._engines[key]

    def engine(self, lists: Lists) -> Engine:
        """Return the engine of all rules with some lists replaced."""
        key = frozenset(lists.items())
        if key not in self._engines:
            self._engines[key] = self._engine(self.rulebook, lists, self.predicates)
        return self._engines[key]

    def alone(
        self, rules: Sequence[Rule], lists: Lists, predicates: Mapping[str, Expression] | None = None
    ) -> Engine:
        """Return an engine of these rules and no others.

        Raises
        ------
        RuleError
            With their mistakes.
        """
        chosen = self.predicates if predicates is None else predicates
        return self._engine(self.compiled(rules, chosen), lists, chosen)

    def compiled(
        self, rules: Sequence[Rule], predicates: Mapping[str, Expression], lists: Lists | None = None
    ) -> Rulebook:
        """Return rules compiled together, with the lists as they are where no others are given."""
        return compile_rulebook(
            rules, self.vocabulary, self.lists if lists is None else lists, base_currency=self.base_currency,
            predicates=predicates,
        )  # fmt: skip

    def _engine(self, book: Rulebook, lists: Lists, predicates: Mapping[str, Expression]) -> Engine:
        changed = {name: replace(data, version="test") for name, data in lists.items()}
        for name, data in changed.items():
            kind = data.kind or (self.lists[name].kind if name in self.lists else "exact")
            changed[name] = replace(data, kind=kind)
        standing = {**book.lists, **changed}
        if any(
            name in book.lists and book.lists[name].is_plain != standing[name].is_plain for name in changed
        ):
            # What looks into a list is compiled for what it holds.
            book = self.compiled(book.rules, predicates, standing)
        return Engine(
            replace(book, lists=standing), self.vocabulary, self.rater, self.periods,
            self._exchange.units, base_currency=self.base_currency,
        )  # fmt: skip


def _bare(hits: Sequence[Hit]) -> list[Hit]:
    """Return hits without the mark of lateness where it depends on all rules: which events an entity sees."""
    return [hit if hit.subject == "customer" else replace(hit, late=False) for hit in hits]
