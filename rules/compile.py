"""A whole rulebook to generated functions: one for each stage and kind of event.

A function first pushes the event into the series its stage keeps, then attaches what later stages
asked for, then asks every rule, then notes sightings and markers. An aggregate that several rules
ask for is computed at most once, and only when a cheaper condition before it held. What a hit
shows (values, sentence, contributing events) is computed by functions of its own, after a hit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import rules.check as _check  # noqa: F401  fills the table of checks
from rules.blocks import Block, nested
from rules.contents import content_hash
from rules.echoes import ALONE, ECHOES, live_alone
from rules.errors import ExpressionError, Mistake, RuleError, nearest
from rules.feeding import heard_kinds, slot_blocks
from rules.figures import origin
from rules.functions import FUNCTIONS
from rules.grammar import parse
from rules.lookups import met
from rules.model import Expression, ListData, Rule
from rules.nodes import Call, Name, Node
from rules.patterns import is_absence
from rules.plan import StagePlan
from rules.rendering import INDENT, Function, band_lines
from rules.schedules import is_scheduled, schedule_mistakes, waits_for
from rules.stub import stub
from rules.terms import Scope, Term, conjuncts
from rules.vocabulary import Vocabulary

FORMATS = ("percent", "hours", "days", "date", "raw")
"""How a value may be shown in `say`, after a colon."""
TEMPLATE = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rulebook:
    """Rules, checked and compiled: the source of its functions and the layout of states."""

    rules: tuple[Rule, ...]
    """Rules that run (live and shadow), by id; a rule's place here is its number in the code."""
    source: str
    plans: Mapping[str, StagePlan]
    stages: tuple[str, ...]
    """Subjects in the order of their stages; the customer last."""
    kinds: Mapping[str, tuple[str, ...]]
    """Stage to the event kinds it has a function for."""
    lists: Mapping[str, ListData]
    hash: str
    """SHA-256 over rules, statuses, lists, predicates and the base currency."""


class _Compiler:
    def __init__(
        self,
        vocabulary: Vocabulary,
        lists: Mapping[str, ListData],
        base_currency: str,
        grace_ms: int,
        predicates: Mapping[str, Expression],
    ) -> None:
        self.vocabulary = vocabulary
        self.lists = lists
        self.base_currency = base_currency
        self.grace_ms = grace_ms
        self.predicates = {name: expression.node for name, expression in predicates.items()}
        self.plans: dict[str, StagePlan] = {"customer": StagePlan("customer")}
        self.mistakes: list[Mistake] = []
        self.conditions: dict[tuple[str, str], list[Block]] = {}
        self.timers: dict[str, list[str]] = {}
        self.sights: list[str] = []

    def scope(self, rule: Rule, kind: str | None, place: Expression) -> Scope:
        def wrong(at: int, problem: str, hint: str) -> None:
            line, column = place.place(at)
            self.mistakes.append(Mistake(place.file, line, column, problem, hint))

        lets = {name: expression.node for name, expression in rule.let.items()}
        return Scope(
            vocabulary=self.vocabulary,
            plans=self.plans,
            lists=self.lists,
            base_currency=self.base_currency,
            grace_ms=self.grace_ms,
            rule=rule,
            stage=rule.subject,
            kind=kind,
            wrong=wrong,
            predicates=self.predicates,
            lets=lets,
        )

    def rule(self, number: int, rule: Rule) -> None:
        kinds = self.rule_kinds(rule)
        if not kinds and not is_scheduled(rule):
            return
        rule = replace(rule, on=kinds or rule.on)
        if rule.subject not in self.vocabulary.subjects or self.vocabulary.subjects[rule.subject].within:
            owners = [name for name, subject in self.vocabulary.subjects.items() if subject.within is None]
            hint = nearest(rule.subject, owners) or f"one of {', '.join(owners)}"
            self.wrong(rule, "subject", f"unknown subject {rule.subject!r}", hint)
            return
        # A stage is there though no rule remembers anything of its subjects.
        self.plans.setdefault(rule.subject, StagePlan(rule.subject))
        if not kinds or any(is_absence(part) for part in conjuncts(rule.when.node)):
            self.timed(number, rule)
            return
        for kind in kinds:
            self.condition(number, rule, kind)

    def rule_kinds(self, rule: Rule) -> tuple[str, ...]:
        found: list[str] = []
        if is_scheduled(rule):
            for problem, hint in schedule_mistakes(rule):
                self.wrong(rule, "on", problem, hint)
            return ()
        for pattern in rule.on:
            kinds = self.vocabulary.match(pattern)
            if not kinds:
                self.wrong(
                    rule,
                    "on",
                    f"unknown event kind {pattern!r} in `on`",
                    nearest(pattern, self.vocabulary.kinds),
                )
            found.extend(kinds)
        subject = self.vocabulary.subjects.get(rule.subject)
        if subject is not None:
            for kind in found:
                if subject.field not in self.vocabulary.kinds[kind].fields:
                    self.wrong(
                        rule,
                        "on",
                        f"{kind} names no {rule.subject} (it has no {subject.field})",
                        "take another subject or event",
                    )
                elif kind in ECHOES and rule.subject != "customer":
                    problem = f"a {rule.subject} hears of no {kind}: {ALONE}"
                    self.wrong(rule, "on", problem, "set `subject: customer`")
        return tuple(sorted(set(found)))

    def wrong(self, rule: Rule, key: str, problem: str, hint: str) -> None:
        line, column = rule.places.get(key, (1, 1))
        self.mistakes.append(Mistake(rule.file, line, column, problem, hint))

    def condition(self, number: int, rule: Rule, kind: str) -> None:
        scope = self.scope(rule, kind, rule.when)
        self.lets(rule, kind)
        term = scope.check(rule.when.node, "bool")
        choices = self.choices(rule, kind)
        if not term:
            return
        parts = sorted(
            (scope.check(part, "bool") for part in conjuncts(rule.when.node)), key=lambda p: p.cost
        )
        valid = _validity(rule).removesuffix(" and ")
        asked = [rule.when.text, *(expression.text for expression in rule.let.values())]
        conditions = (*([valid] if valid else []), *live_alone(kind, asked), *(part.code for part in parts))
        block = Block(conditions, tuple(band_lines(number, choices, 0)), guarded=number)
        self.conditions.setdefault((rule.subject, kind), []).append(block)
        self.sight(number, rule, kind)

    def timed(self, number: int, rule: Rule) -> None:
        """Compile a rule that waits: it is asked when its timer runs out, never for an event."""
        scope = self.scope(rule, None, rule.when)
        place, parts = waits_for(scope, rule)
        self.lets(rule, None)
        codes = [scope.check(part, "bool").code for part in parts]
        if place is None:
            return
        condition = " and ".join(codes) or "True"
        lines = self.timers.setdefault(rule.subject, [])
        lines.append(
            f"{INDENT}if place == {place}:\n{INDENT * 2}try:\n{INDENT * 3}if {_validity(rule)}{condition}:"
        )
        lines.extend(band_lines(number, self.choices(rule, None), 4))
        lines.append(f"{INDENT * 2}except Exception as x:\n{INDENT * 3}failures.append(({number}, repr(x)))")
        self.sight(number, rule, None)

    def lets(self, rule: Rule, kind: str | None) -> None:
        """Check every let on its own, so that mistakes in it are told at its place."""
        for name, expression in rule.let.items():
            inner = self.scope(rule, kind, expression)
            if name in self.vocabulary.fields:
                inner.fail(0, f"the let {name!r} hides the field of that name", "give it another name")
            inner.lets.pop(name)
            inner.check(expression.node)

    def choices(self, rule: Rule, kind: str | None) -> list[str]:
        """Return the code of each band's condition."""
        scopes = [(band, self.scope(rule, kind, band.when or rule.when)) for band in rule.bands]
        return [scope.check(band.when.node, "bool").code if band.when else "True" for band, scope in scopes]

    def sight(self, number: int, rule: Rule, kind: str | None) -> None:
        """Generate what a hit of this rule on this kind shows."""
        scope = self.scope(rule, kind, rule.when)
        quiet = replace(scope, wrong=lambda at, problem, hint: None)
        shown = {name: quiet.check(Name(0, name)) for name in rule.let}
        shown |= {f"param.{name}": quiet.check(Name(0, f"param.{name}")) for name in rule.params}
        shown |= {f"param.{name} from": told for name in rule.params if (told := origin(quiet, name))}
        term = quiet.check(rule.when.node)
        shown |= {
            name: quiet.check(Name(0, name)) for name in _fields_of(rule.when.node, self.vocabulary, rule)
        }
        for node in (rule.when.node, *(one.node for one in rule.let.values())):
            shown |= met(quiet, node)
        function = Function(f"sight_{number}_{_identifier(kind or 'timer')}")
        pairs = ", ".join(f"{name!r}: plain({t.code}, {t.type!r})" for name, t in shown.items() if t)
        spans = [*term.spans, *(span for t in shown.values() if t for span in t.spans)]
        listed = ", ".join(dict.fromkeys(spans))
        function.lines.append(f"{INDENT}saw = {{{pairs}}}")
        function.lines.append(f"{INDENT}say = {self.sentence(rule, kind)}")
        people = f", involved([{listed}])" if rule.subject != "customer" else ""
        function.lines.append(f"{INDENT}return saw, say, evidence([{listed}], r){people}")
        self.sights.append(function.render("e, d, S, F, st, t, now, r, late"))

    def sentence(self, rule: Rule, kind: str | None) -> str:
        """Return code that joins the parts of `say`."""
        parts, end = [], 0
        for match in TEMPLATE.finditer(rule.say):
            parts.append(repr(rule.say[end : match.start()]))
            parts.append(self.shown(rule, kind, match.group(1), match.start(1)))
            end = match.end()
        parts.append(repr(rule.say[end:]))
        return f"''.join(({', '.join(parts)},))"

    def shown(self, rule: Rule, kind: str | None, text: str, at: int) -> str:
        before, colon, style = text.rpartition(":")
        is_styled = bool(colon) and style.strip() in FORMATS
        expression, style = (before, style) if is_styled else (text, "")
        scope = self.scope(rule, kind, rule.say_place)
        shifted = replace(scope, wrong=lambda where, problem, hint: scope.wrong(at + where, problem, hint))
        try:
            term: Term = shifted.check(parse(expression))
        except ExpressionError as error:
            scope.fail(at + error.at, f"say: {error.problem}", error.hint)
            return "''"
        return f"show({term.code}, {term.type!r}, {style.strip()!r})"

    def stage_functions(self, stage: str) -> dict[str, str]:
        """Return the functions of a stage by the kinds for which it has something to do, in their order."""
        plan = self.plans[stage]
        heard = [heard_kinds(slot) for slot in plan.slots]
        some = {kind for owner, kind in self.conditions if owner == stage}.union(plan.exports, *heard)
        places = {kind: [n for n, kinds in enumerate(heard) if kind in kinds] for kind in some}
        made = {
            kind: self.stage_function(stage, kind, places[kind])
            for kind in self.vocabulary.kinds
            if kind in some
        }
        return {kind: source for kind, source in made.items() if source is not None}

    def stage_function(self, stage: str, kind: str, heard: Sequence[int]) -> str | None:
        """Return the function of a stage for a kind that feeds some slots; None where nothing is done."""
        plan = self.plans[stage]
        conditions = self.conditions.get((stage, kind), [])
        function = Function(f"{stage}__{_identifier(kind)}")
        scope = Scope(
            vocabulary=self.vocabulary,
            plans=self.plans,
            lists=self.lists,
            base_currency=self.base_currency,
            grace_ms=self.grace_ms,
            rule=stub(kind),
            stage=stage,
            kind=kind,
            wrong=lambda at, problem, hint: None,
            predicates=self.predicates,
        )
        before, after, inside = [], [], scope.inside(kind)
        for place in heard:
            early, late = slot_blocks(inside, place, plan.slots[place], kind)
            before += early
            after += late
        function.lines += nested(before)
        for name, code in plan.exports.get(kind, {}).items():
            function.lines.append(f"{INDENT}F[{name!r}] = {code}")
        function.lines += nested(conditions)
        if conditions:
            function.lines.append(
                f"{INDENT}if hits:\n{INDENT * 2}see(hits, {kind!r}, e, d, S, F, st, t, now, r, late)"
            )
        function.lines += nested(after)
        return function.render("e, d, S, F, st, t, now, r, late, hits, failures") if function.lines else None


def _validity(rule: Rule) -> str:
    low = f"t >= {rule.valid_from_ms} and " if rule.valid_from_ms is not None else ""
    high = f"t < {rule.valid_to_ms} and " if rule.valid_to_ms is not None else ""
    return low + high


def _identifier(kind: str) -> str:
    return kind.replace(".", "_")


def _fields_of(node: Node, vocabulary: Vocabulary, rule: Rule) -> list[str]:
    """Return fields and profile names a condition reads outside its windows."""
    if isinstance(node, Name):
        head = node.name.partition(".")[0]
        readable = node.name in vocabulary.fields or head in ("profile", "account")
        return [node.name] if readable and node.name not in rule.let else []
    children: list[Node] = []
    for name in ("left", "right", "operand"):
        child = getattr(node, name, None)
        children += [child] if child is not None else []
    if isinstance(node, Call) and node.function in FUNCTIONS:
        children += node.arguments
    return list(dict.fromkeys(name for child in children for name in _fields_of(child, vocabulary, rule)))


def compile_rulebook(
    rules: Sequence[Rule],
    vocabulary: Vocabulary,
    lists: Mapping[str, ListData],
    *,
    base_currency: str = "CNY",
    grace_ms: int = 259_200_000,
    predicates: Mapping[str, Expression] | None = None,
) -> Rulebook:
    """Check and compile rules.

    Parameters
    ----------
    rules
        Drafts and retired rules are checked, not compiled.
    base_currency
        ISO 4217; money in the rules is converted to it at the event's date.
    grace_ms
        How late an event may come and still count.

    Raises
    ------
    RuleError
        With every mistake of every rule.
    """
    compiler = _Compiler(vocabulary, lists, base_currency, grace_ms, predicates or {})
    running = tuple(
        sorted((rule for rule in rules if rule.status in ("live", "shadow")), key=lambda rule: rule.id)
    )
    for number, rule in enumerate(running):
        compiler.rule(number, rule)
    if compiler.mistakes:
        raise RuleError(compiler.mistakes)
    _check_resting(compiler, [rule for rule in rules if rule not in running])
    stages = (*sorted(stage for stage in compiler.plans if stage != "customer"), "customer")
    functions = {stage: compiler.stage_functions(stage) for stage in stages}
    return Rulebook(
        rules=running,
        source=_source(compiler, functions),
        plans=compiler.plans,
        stages=stages,
        kinds={stage: tuple(made) for stage, made in functions.items()},
        lists=dict(lists),
        hash=content_hash(running, lists, base_currency, compiler.predicates),
    )


def _source(compiler: _Compiler, functions: Mapping[str, Mapping[str, str]]) -> str:
    """Return the generated code: functions of every stage and kind, of its timers, and what hits show."""
    made = [code for of_stage in functions.values() for code in of_stage.values()]
    for stage in functions:
        timers = Function(f"{stage}__timers", compiler.timers.get(stage, []))
        made.append(timers.render("place, e, d, S, F, st, t, now, r, late, hits, failures"))
    return "\n\n".join([*made, *dict.fromkeys(compiler.sights)])


def every_mistake(
    error: RuleError, vocabulary: Vocabulary, lists: Mapping[str, ListData],
    predicates: Mapping[str, Expression] | None = None,
) -> RuleError:  # fmt: skip
    """Return the error with what checking the rules that could be read tells besides."""
    try:
        compile_rulebook(error.readable, vocabulary, lists, predicates=predicates)
    except RuleError as more:
        return RuleError([*error.mistakes, *more.mistakes])
    return error


def _check_resting(compiler: _Compiler, resting: Sequence[Rule]) -> None:
    """Check drafts and retired rules in a compiler of their own, so that they leave no slots."""
    predicates = {name: Expression("", node, "", ((1, 1),)) for name, node in compiler.predicates.items()}
    apart = _Compiler(
        compiler.vocabulary, compiler.lists, compiler.base_currency, compiler.grace_ms, predicates
    )
    for number, rule in enumerate(resting):
        apart.rule(number, rule)
    if apart.mistakes:
        raise RuleError(apart.mistakes)
