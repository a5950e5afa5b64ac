"""The engine: events in, assessments out; a pure function of event, state, rulebook and models."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

from monitor.core.answers import again, make_hit, plain_answer
from monitor.core.assessment import Assessment, Hit
from monitor.core.classifier import Classifier, ClassifierVersion
from monitor.core.conversion import Convert, by_day
from monitor.core.echoes import Echoes
from monitor.core.events import ALSO, REVERSAL, Event, taken_back
from monitor.core.features import FEATURES
from monitor.core.features import NAMES as SEEN
from monitor.core.feedback import FEEDBACK
from monitor.core.known import remember, setters
from monitor.core.listed import by_entry, prepared
from monitor.core.models.config import ModelsConfig
from monitor.core.models.ensemble import Ensemble
from monitor.core.models.scale import Scale
from monitor.core.models.version import Version
from monitor.core.notable import lookout
from monitor.core.payments import judge, see_payment
from monitor.core.periods import Periods
from monitor.core.place import PLACES
from monitor.core.rating import Rater
from monitor.core.rerating import ACTION, Rerating
from monitor.core.routes import CUSTOMER, Routes
from monitor.core.runtime import NAMES, evidence
from monitor.core.schedules import arm, first_due, look_up_due, taken_due
from monitor.core.scorer import LEARNS, NOTHING_HEARD, Scorer
from monitor.core.state import Plan, State, restore
from monitor.core.words import Words
from rules.compile import Rulebook
from rules.plan import StagePlan
from rules.vocabulary import Vocabulary


class Engine:
    """Assesses events with one rulebook.

    Parameters
    ----------
    rulebook
        Compiled rules.
    vocabulary
        Kinds, fields and subjects.
    rater
        Turns hits into ratings.
    periods
        The institution's calendar.
    convert
        Converts money in a rule's own currency at the event's date.
    base_currency
        For words.
    grace_ms
        How late an event may come and still count.
    models
        How populations are learnt and combined; None: not at all.
    """

    def __init__(
        self,
        rulebook: Rulebook,
        vocabulary: Vocabulary,
        rater: Rater,
        periods: Periods,
        convert: Convert,
        *,
        base_currency: str = "CNY",
        grace_ms: int = 259_200_000,
        models: ModelsConfig | None = None,
    ) -> None:
        self.rulebook = rulebook
        self.rulebook_hash = rulebook.hash
        self.attaching = frozenset(s for s in rulebook.stages if s in PLACES or rulebook.plans[s].exports)
        self.timed = tuple(s for s in rulebook.stages if s == CUSTOMER or rulebook.plans[s].is_timed)
        self.vocabulary = vocabulary
        self.rater = rater
        self._rerating = Rerating(rater)
        self.periods = periods
        self.grace_ms = grace_ms
        self.models = models
        self._plans = {stage: Plan(plan) for stage, plan in rulebook.plans.items()}
        words = Words(base_currency, periods)
        lists = prepared(rulebook.lists, convert, base_currency)
        space: dict[str, Any] = NAMES | {
            "PERIODS": periods,
            "FX": by_day(convert),
            "LISTS": lists,
            "by_entry": by_entry(rulebook.lists, lists),
            "show": words.show,
            "plain": words.plain,
            "see": self._see,
        }
        exec(compile(rulebook.source, "<rulebook>", "exec"), space)  # noqa: S102  the compiler wrote it
        self._sights = {name: function for name, function in space.items() if name.startswith("sight_")}
        self._functions = {
            (stage, kind): space[f"{stage}__{kind.replace('.', '_')}"]
            for stage, kinds in rulebook.kinds.items()
            for kind in kinds
        }
        self._timers = {stage: space[f"{stage}__timers"] for stage in rulebook.stages}
        self._routes = Routes(rulebook, vocabulary)
        self.scorer = Scorer(vocabulary, periods, models)
        self._echoes = Echoes(vocabulary, rulebook.kinds[CUSTOMER], self._ask_customer, self._rerating)
        self._profile = setters(vocabulary.profile)
        self._account = setters(vocabulary.account)

    def subjects(self, event: Event) -> list[tuple[str, str]]:
        """Return whose state the event touches, (kind, id), in the order of the stages."""
        if event.kind.startswith(ACTION) and event.facts:
            # An action names an alert; whom the alert is about came with it from the desk.
            subject = event.facts["subject"]
            return [(CUSTOMER, event.facts["subject_id"])] if subject == CUSTOMER else []
        return self._routes.subjects(event)

    def scoring_with(
        self, version: bytes | None, populations: Sequence[bytes] = (), scale: bytes | None = None
    ) -> Engine:
        """Return an engine alike that scores by these versions: classifier, populations, scale."""
        packed = None if version is None else ClassifierVersion.of_packed(version)
        # Features may have been added since; a version of other ones says nothing of these.
        fits = packed is not None and packed.features == SEEN
        engine = copy(self)
        engine.scorer = copy(self.scorer)
        engine.scorer.classifier = Classifier(packed) if packed is not None and fits else None
        configs = self.models.populations if self.models else ()
        engine.scorer.ensemble = Ensemble(configs, FEATURES, map(Version.of_packed, populations))
        engine.scorer.lookout = lookout(None if scale is None else Scale.of_packed(scale), self.models)
        return engine

    def new_state(self, kind: str) -> State:
        """Return the state of a subject never seen before."""
        return State(self._plan(kind))

    def restore(self, kind: str, packed: bytes) -> State:
        """Return the state of a snapshot."""
        return restore(self._plan(kind), packed)

    def assess(self, event: Event, kind: str, subject_id: str, state: State) -> Assessment:
        """Answer one event at one stage, changing the state.

        A duplicate gets its first answer again and changes nothing. An event older than the grace
        period is answered as `too_late` and changes nothing but the memory of having seen it.
        """
        ref, time_ms = event.ref, event.time_ms
        answer = Assessment(
            event_id=event.id, ref=ref, kind=event.kind, subject=kind, subject_id=subject_id, time_ms=time_ms
        )
        if ref in state.recent:
            return again(answer, state.recent[ref][1], state.answers.get(ref))
        if time_ms < state.now_ms:
            answer.late = True
            if time_ms < state.now_ms - self.grace_ms:
                answer.too_late = True
                state.remember(ref, 0.0, plain_answer(answer), self.grace_ms)
                return answer
        elif 0 < state.due_ms <= time_ms or 0 < state.schedule_ms <= time_ms:
            self._fire(state, time_ms, answer)
        if time_ms > state.now_ms:
            state.now_ms = time_ms
        if event.kind in FEEDBACK:
            judge(event, kind, state)
        is_passed = _is_passed(event, kind, subject_id)
        if kind == CUSTOMER and not is_passed:
            self._assess_customer(event, state, answer)
        elif not self._take_back(event, state) and not is_passed:
            answer.hits += self._ask(event, kind, state, answer)
            if kind in PLACES and event.kind in LEARNS and self._routes.place(event) == (kind, subject_id):
                see_payment(event, state)
        state.remember(ref, answer.score, plain_answer(answer), self.grace_ms)
        self._set_due(state, state.now_ms)
        return answer

    def tick(self, time_ms: int, kind: str, subject_id: str, state: State) -> list[Assessment]:
        """Fire the subject's timers due by `time_ms`; each change carries the time it fell due.

        Stream time moves to what fell due, not to `time_ms`: an event that is still under way is
        not made late by a clock.
        """
        answer = Assessment(
            event_id="timer", ref=0, kind="tick", subject=kind, subject_id=subject_id, time_ms=time_ms
        )
        self._fire(state, time_ms, answer)
        self._set_due(state, time_ms)
        return [answer] if answer.hits or answer.rating or answer.notices or answer.failures else []

    def feed(self, event: Event, kind: str, subject_id: str, state: State) -> None:
        """Take an event into what a state remembers for the rules, as `assess` does, and say nothing.

        Nothing is rated or scored; each event is to come once.
        """
        is_late = event.time_ms < state.now_ms
        if is_late and event.time_ms < state.now_ms - self.grace_ms:
            return
        if first_due(state):
            self.elapse(event.time_ms, kind, subject_id, state)
        state.now_ms = max(state.now_ms, event.time_ms)
        is_passed = _is_passed(event, kind, subject_id)
        if kind == CUSTOMER and not is_passed:
            self._learn_profile(event.kind, event.data, event.time_ms, state)
        if not self._take_back(event, state) and not is_passed:
            answer = Assessment(
                event_id=event.id, ref=event.ref, kind=event.kind,
                subject=kind, subject_id=subject_id, time_ms=event.time_ms, late=is_late,
            )  # fmt: skip
            is_heard = kind == CUSTOMER and self._echoes.tells_hits
            hits = self._ask(event, kind, state, answer, None if is_heard else _Unheard())
            if kind == CUSTOMER:
                self._echoes.of_event(event, state, answer, hits, 0.0, 0.0)
        self._set_due(state, state.now_ms)

    def elapse(self, time_ms: int, kind: str, subject_id: str, state: State) -> None:
        """Let the timers of rules that fell due by then run out, and say nothing."""
        answer = Assessment(
            event_id="timer", ref=0, kind="tick", subject=kind, subject_id=subject_id, time_ms=time_ms
        )
        self._fire(state, time_ms, answer)

    def rearm(self, state: State) -> None:
        """Set when a state falls due, after its timers were exchanged."""
        look_up_due(state)
        state.set_due()

    # Inside.

    def _set_due(self, state: State, time_ms: int) -> None:
        if state.plan.schedules:
            arm(state, self.periods, time_ms)
        state.set_due()

    def _plan(self, kind: str) -> Plan:
        """Return the layout of a kind of subject; an empty one where no rule asks for the kind any more."""
        return self._plans.get(kind) or Plan(StagePlan(kind))

    def _assess_customer(self, event: Event, state: State, answer: Assessment) -> None:
        data, kind = event.data, event.kind
        changed = self._learn_profile(kind, data, event.time_ms, state)
        if self._take_back(event, state):
            return
        hits = self._ask(event, CUSTOMER, state, answer)
        answer.hits += hits
        heard = self.scorer.score(event, state, answer, hits) if kind in LEARNS else NOTHING_HEARD
        chance = answer.score if self.scorer.classifier else 0.0
        hits += self._echoes.of_event(event, state, answer, hits, heard.oddness, chance, heard.rank)
        since = len(answer.rating)
        self._rerating.on_event(event, state, answer, hits, heard, changed=changed)
        self._echoes.of_ratings(event, state, answer, since)

    def _learn_profile(self, kind: str, data: Any, time_ms: int, state: State) -> bool:
        setters = self._profile.get(kind)
        if setters:
            remember(setters, data, time_ms, state.profile)
        account = self._account.get(kind)
        if account and data.account_id is not None:
            remember(account, data, time_ms, state.accounts.setdefault(data.account_id, {}))
        return setters is not None

    def _take_back(self, event: Event, state: State) -> bool:
        """Undo what the event reverses or corrects; True where nothing else is left to do."""
        target = taken_back(event)
        if target is None:
            return False
        state.forget_event(target)
        return event.data.reversal_of is not None and event.kind != REVERSAL

    def _ask(
        self, event: Event, stage: str, state: State, answer: Assessment, unheard: list[Any] | None = None
    ) -> list[Hit]:
        function = self._functions.get((stage, event.kind))
        if function is None:
            return []
        found: list[Any] = [] if unheard is None else unheard
        failures: list[tuple[int, str]] = []
        function(
            event,
            event.data,
            state.slots,
            event.facts,
            state,
            event.time_ms,
            state.now_ms,
            event.ref,
            answer.late,
            found,
            failures,
        )
        if failures:
            answer.failures += [(self.rulebook.rules[number].id, reason) for number, reason in failures]
        if not found:
            return []
        customer = getattr(event.data, "customer_id", None)
        involved = (customer,) if customer is not None and stage != CUSTOMER else ()
        return [
            make_hit(
                self.rulebook.rules[n], band, sight, answer, event.id, event.ref, event.time_ms, involved
            )
            for n, band, sight in found
        ]

    def _ask_customer(self, event: Event, state: State, answer: Assessment) -> list[Hit]:
        return self._ask(event, CUSTOMER, state, answer)

    def _see(self, found: list[Any], kind: str, *arguments: Any) -> None:
        """Replace (rule, band) by (rule, band, what it saw), before sightings of the event are noted."""
        found.sort()
        for place, (number, band) in enumerate(found):
            try:
                sight = self._sights[f"sight_{number}_{kind.replace('.', '_')}"](*arguments)
            except Exception as error:  # a hit stands even where its words fail
                title = self.rulebook.rules[number].title
                sight = ({"unreadable": repr(error)}, title, evidence((), arguments[7]))
            found[place] = (number, band, sight)

    def _fire(self, state: State, time_ms: int, answer: Assessment) -> None:
        """Let time pass up to `time_ms`: rules' timers and the rating's, in the order they fall due."""
        while 0 < first_due(state) <= time_ms:
            if not 0 < (due := look_up_due(state)) <= time_ms:
                break
            self._rate_by_time(state, due - 1, answer)
            hits = self._expire(state, due, answer)
            state.now_ms = max(state.now_ms, due)
            answer.hits += hits
            if hits and answer.subject == CUSTOMER:
                hits += self._echoes.of_timer(hits, state, answer)
                since = len(answer.rating)
                self._rerating.on_timer(state, due, answer, hits)
                self._echoes.of_ratings(None, state, answer, since)
            look_up_due(state)
        self._rate_by_time(state, time_ms, answer)

    def _rate_by_time(self, state: State, time_ms: int, answer: Assessment) -> None:
        if answer.subject == CUSTOMER:
            since = len(answer.rating)
            self._rerating.tick(state, time_ms, answer)
            self._echoes.of_ratings(None, state, answer, since)

    def _expire(self, state: State, due_ms: int, answer: Assessment) -> list[Hit]:
        hits: list[Hit] = []
        for place, due, ref in taken_due(state, self.periods, due_ms):
            hits += self._timer_hits(state, place, due, ref, answer)
        return hits

    def _timer_hits(self, state: State, place: int, due_ms: int, ref: int, answer: Assessment) -> list[Hit]:
        found: list[Any] = []
        failures: list[tuple[int, str]] = []
        arguments: tuple[Any, ...] = (
            None,
            None,
            state.slots,
            {},
            state,
            due_ms,
            max(state.now_ms, due_ms),
            ref,
            False,
        )
        self._timers[answer.subject](place, *arguments, found, failures)
        answer.failures += [(self.rulebook.rules[number].id, reason) for number, reason in failures]
        self._see(found, "timer", *arguments)
        return [
            make_hit(
                rule := self.rulebook.rules[n],
                band,
                sight,
                answer,
                f"timer:{rule.id}:{due_ms}",
                ref,
                due_ms,
                (),
            )
            for n, band, sight in found
        ]


class _Unheard(list[Any]):
    """Takes hits of the past, of which nobody is told; it stays empty."""

    def append(self, item: Any) -> None:
        """Forget a hit."""


def _is_passed(event: Event, kind: str, subject_id: str) -> bool:
    """Return whether the subject is touched only because the event taken back touched it."""
    return ALSO in event.facts and [kind, subject_id] in event.facts[ALSO]
