"""What can never happen by a rule's own words: conditions at odds, dead bands, rules that contradict.

Comparisons with something written out are read as ranges (`rules.ranges`); everything else is taken
as a condition that may or may not hold. So what is told here is certain, and not all is found.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rules.cases import Case, Names, cases
from rules.errors import Mistake
from rules.grammar import MILLISECONDS
from rules.model import SEVERITIES, Expression, Rule
from rules.nodes import Binary, Node, Unary
from rules.ranges import Bounded, Values, both, bounded, possible
from rules.vocabulary import Vocabulary

DURATION = re.compile(r"\b(\d+)ms\b")
Clash = tuple[str, ...]
"""One condition that cannot hold, or two that cannot hold together."""


def unreachable(
    rules: Sequence[Rule], vocabulary: Vocabulary, predicates: Mapping[str, Expression]
) -> list[Mistake]:
    """Return what can never happen in some rules, or contradicts another rule, by the order of the files.

    Parameters
    ----------
    predicates
        Named conditions that the rules share.
    """
    shared = {name: expression.node for name, expression in predicates.items()}
    found: list[Mistake] = []
    groups: dict[tuple[str, str, str], list[_Asked]] = defaultdict(list)
    for rule in rules:
        reach = _Reach(rule, vocabulary, shared)
        found += reach.findings()
        asked = reach.asked()
        if asked is not None and rule.status in ("live", "shadow"):
            groups[rule.subject, rule.dimension, " ".join(sorted(rule.on))].append(asked)
    return sorted({*found, *(mistake for group in groups.values() for mistake in _at_odds(group))})


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a rule without alternatives asks: values by what is compared, and other conditions."""

    rule: Rule
    values: Mapping[str, Values]
    others: frozenset[str]

    @property
    def weight(self) -> tuple[float, int]:
        bands = self.rule.bands
        return max(one.points for one in bands), max(SEVERITIES.index(one.severity) for one in bands)

    def is_met_only_with(self, other: _Asked) -> bool:
        """Return whether whatever meets this meets the other too."""
        return self.others >= other.others and all(
            key in self.values and both(self.values[key], values) == self.values[key]
            for key, values in other.values.items()
        )


def _at_odds(group: Sequence[_Asked]) -> Iterator[Mistake]:
    for strict in group:
        for loose in group:
            if strict is loose or not strict.is_met_only_with(loose):
                continue
            if loose.is_met_only_with(strict):
                if strict.rule.id > loose.rule.id:
                    yield _at(strict.rule, "when", f"asks the same as {loose.rule.id}", "keep one of them")
            elif strict.weight < loose.weight:
                points = f"{strict.weight[0]:g} points against {loose.weight[0]:g}"
                problem = f"asks more than {loose.rule.id}, but weighs less ({points})"
                yield _at(strict.rule, "when", problem, "give the stricter rule no fewer points")


class _Reach:
    """One rule, looked into."""

    def __init__(self, rule: Rule, vocabulary: Vocabulary, shared: Mapping[str, Node]) -> None:
        self.rule = rule
        self.vocabulary = vocabulary
        lets = {name: expression.node for name, expression in rule.let.items()}
        self.names = Names({**shared, **lets}, rule.params)
        self.segments = sorted({"", *(s for one in rule.params.values() for s in one.by_segment)})

    def asked(self) -> _Asked | None:
        """Return what the rule asks, or None where it has alternatives."""
        found = cases(self.names.written_out(self.rule.when.node))
        if len(found) != 1 or not found[0]:
            return None
        values: dict[str, Values] = {}
        others = set()
        for atom in found[0]:
            said = None if atom.is_negated else bounded(atom.node, self.vocabulary)
            if said is None:
                others.add(atom.text())
            else:
                values[said.key] = both(values.get(said.key, said.values), said.values)
        return _Asked(self.rule, values, frozenset(others))

    def findings(self) -> Iterator[Mistake]:
        """Give what can never hold for customers of any segment."""
        when = self.rule.when
        clashes = {segment: self._clash(when.node, segment) for segment in self.segments}
        dead = {segment: clash for segment, clash in clashes.items() if clash is not None}
        for segment, clash in dead.items() if len(dead) < len(clashes) else list(dead.items())[:1]:
            whose = f" for {segment or 'ordinary'} customers" if len(dead) < len(clashes) else ""
            what = " and ".join(map(readable, clash))
            problem = f"{what} can never hold{' together' * (len(clash) > 1)}{whose}"
            yield self._of_when(clash[-1], problem, "correct one of the values: nothing would hit")
        if len(dead) < len(clashes):
            yield from self._always()
            yield from self._bands([segment for segment in self.segments if segment not in dead])

    def _of_when(self, text: str, problem: str, hint: str) -> Mistake:
        """Return a mistake at a condition of `when`; at its start where the condition is in a let."""
        when = self.rule.when
        atoms = (atom.node for case in cases(when.node) for atom in case)
        own = next((node for node in atoms if self.names.written_out(node).text() == text), when.node)
        return Mistake(when.file, *when.place(start(own)), problem, hint)

    def _bands(self, segments: Sequence[str]) -> Iterator[Mistake]:
        bands = self.rule.bands
        for n, band in enumerate(bands):
            reasons = [self._passed(n, segment) for segment in segments]
            if all(reasons):
                place = (
                    (band.when.file, *band.when.place(0)) if band.when else (self.rule.file, *self._line())
                )
                problem = f"band {n + 1} is never reached: {reasons[0]}"
                yield Mistake(*place, problem, "change its condition or drop it")
        if any(self._passed(len(bands), segment) is None for segment in segments):
            problem = "what meets `when` but no band is no hit"
            yield _at(self.rule, "bands", problem, "add a last band without `when`, or ask for it in `when`")

    def _line(self) -> tuple[int, int]:
        return self.rule.places.get("bands", (1, 1))

    def _passed(self, n: int, segment: str) -> str | None:
        """Return why nothing that meets `when` comes to band `n`; None where something may."""
        bands, node = self.rule.bands, self.rule.when.node
        own = bands[n].when if n < len(bands) else None
        if own is not None:
            node = Binary(0, "and", node, own.node)
            if self._clash(node, segment) is not None:
                return "`when` leaves nothing for it"
        for before in bands[:n]:
            if before.when is None:
                return "a band before it takes all that is left"
            node = Binary(0, "and", node, Unary(0, "not", before.when.node))
        return "the bands before it take all of it" if n and self._clash(node, segment) is not None else None

    def _always(self) -> Iterator[Mistake]:
        """Give comparisons that always hold."""
        written = cases(self.names.written_out(self.rule.when.node))
        for atom in (atom for case in written for atom in case):
            said = None if atom.is_negated else bounded(atom.node, self.vocabulary)
            able = possible(said.subject, self.vocabulary) if said is not None else None
            if said is None or able is None or type(able) is not type(said.values):
                continue
            if both(able, said.values) == able:
                hint = "drop it, or ask for another value"
                yield self._of_when(said.text, f"{readable(said.text)} holds always", hint)

    def _clash(self, node: Node, segment: str) -> Clash | None:
        """Return why a condition can never hold; None where it may."""
        found = [self._clash_in(case) for case in cases(self.names.written_out(node, segment))]
        return found[0] if all(clash is not None for clash in found) else None

    def _clash_in(self, case: Case) -> Clash | None:
        asked = {atom.node.text() for atom in case if not atom.is_negated}
        seen: dict[str, tuple[Bounded, Values]] = {}
        # What is asked first: a denied comparison says something only of a value that is there.
        for atom in sorted(case, key=lambda one: one.is_negated):
            if atom.is_negated and atom.node.text() in asked:
                return (atom.node.text(), atom.text())
            said = bounded(atom.node, self.vocabulary, is_negated=atom.is_negated)
            if said is None or (atom.is_negated and said.key not in seen):
                continue
            before, values = seen.get(said.key, (None, possible(said.subject, self.vocabulary)))
            values = said.values if values is None else both(values, said.values)
            if values.is_empty:
                return (said.text,) if before is None else (before.text, said.text)
            seen[said.key] = before or said, values
        return None


def readable(text: str) -> str:
    """Return the canonical text of a condition as a person would write it.

    Examples
    --------
    >>> readable("(seen_for(device.device_id) < 86400000ms)")
    'seen_for(device.device_id) < 1d'
    """
    text = text[1:-1] if text.startswith("(") and text.endswith(")") else text
    return DURATION.sub(lambda found: _length(int(found[1])), text)


def _length(length_ms: int) -> str:
    units = ("w", "d", "h", "m", "s", "ms")
    unit = next(one for one in units if length_ms % MILLISECONDS[one] == 0)
    return f"{length_ms // MILLISECONDS[unit]}{unit}"


def start(node: Node) -> int:
    """Return where the text of a node begins: an operator between two begins with the first."""
    return min(node.at, start(node.left)) if isinstance(node, Binary) else node.at


def _at(rule: Rule, key: str, problem: str, hint: str) -> Mistake:
    return Mistake(rule.file, *rule.places.get(key, (1, 1)), problem, hint)
