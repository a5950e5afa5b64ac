"""Sequences: steps in order, some of them, steps left out, or events in any order; all of one device or card.

An event takes one step of a sequence. Limits are exclusive: a step exactly 24 hours after the one
before is not `within 24h`. Events of one time may follow each other either way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from rules.errors import nearest
from rules.nodes import AnyOf, Filtered, Node, Sequence, Step
from rules.patterns import inlined, is_pattern
from rules.plan import SequenceSlot
from rules.terms import WRONG, Scope, Term, allowed
from rules.windowed import key_code
from rules.windows import DAY_MS, LONGEST_DAYS

Track = tuple[Filtered, ...]


@dataclass(frozen=True, slots=True)
class _Held:
    """A slot, and where the event at hand finds its tracks."""

    found: str
    key: str
    """Code of the event's own value of `same`; empty without."""


def sequence(scope: Scope, node: Node) -> Term:
    """Return the term of a sequence: true when the event at hand completes it (or: left steps out)."""
    assert isinstance(node, Sequence)
    steps, count = node.steps, len(node.steps)
    if node.least and not 2 <= node.least <= count:
        return scope.fail(node.at, f"expected 2 to {count} of {count} steps, was {node.least}")
    without: Track = (node.without,) if node.without else ()
    plain = replace(node, least=0, is_skipped=False)
    # What comes last is at hand when it is asked for: nobody looks back at it.
    tracks = [*(step.events for step in steps[:-1]), (), without]
    held = _held(scope, plain, tracks, [*steps[-1].events], sum(step.within_ms for step in steps))
    if held is None or not _is_watched(scope, steps[-1].events):
        return WRONG
    least = node.least or count
    limits = tuple(step.within_ms for step in steps)
    asked, spans = [], []
    for n in range(least - 1, count):
        here = _here(scope, steps[n].events)
        if here:
            arguments = f"({held.found}, {limits!r}, {least}, {n}, t, r)"
            asked.append(f"{here} and {_known(held, node)}completed{arguments}")
            spans.append(f"steps{arguments}")
    if not asked:
        return Term("bool", "False", cost=0)
    return Term("bool", f"({' or '.join(asked)})", cost=5, spans=() if node.is_skipped else tuple(spans))


def any_of(scope: Scope, node: Node) -> Term:
    """Return the term of events in any order: true when with the event at hand there are enough."""
    assert isinstance(node, AnyOf)
    count = len(node.events)
    if not 2 <= node.least <= count:
        return scope.fail(node.at, f"expected 2 to {count} of {count} kinds of events, was {node.least}")
    tracks: list[Track] = [(event,) for event in node.events]
    held = _held(scope, replace(node, least=0), tracks, [], node.within_ms)
    if held is None:
        return WRONG
    if not any(event.kind in scope.rule.on for event in node.events):
        kind = node.events[0].kind
        return scope.fail(node.at, "the rule looks at none of these events", f"add one: on: {kind}")
    here = _here(scope, node.events)
    if not here:
        return Term("bool", "False", cost=0)
    arguments = f"({held.found}, {node.within_ms}, {node.least}, t)"
    return Term("bool", f"({here} and gathered{arguments})", cost=5, spans=(f"gathering{arguments}",))


def _known(held: _Held, node: Sequence) -> str:
    if not node.is_skipped:
        return ""
    # Without the value nobody can tell whether it is the same.
    return f"{held.key} is not None and not " if held.key else "not "


def _held(
    scope: Scope, node: Sequence | AnyOf, tracks: list[Track], last: list[Filtered], retain_ms: int
) -> _Held | None:
    """Return where the events of the tracks are kept, or tell what is wrong."""
    if scope.is_where:
        scope.fail(node.at, "a window's condition cannot hold a sequence")
        return None
    patterns = [*(pattern for track in tracks for pattern in track), *last]
    if not all([is_pattern(scope, pattern) for pattern in patterns]):  # noqa: C419
        return None
    if retain_ms > LONGEST_DAYS * DAY_MS:
        scope.fail(node.at, f"a sequence looks back at most {LONGEST_DAYS} days", "take shorter limits")
        return None
    key = _fields(scope, node)
    if key is None or not all([_carries(scope, pattern, key) for pattern in patterns]):  # noqa: C419
        return None
    written = [tuple(inlined(scope, pattern) for pattern in track) for track in tracks]
    text = _inlined(scope, replace(node, same=key)).text()
    made = SequenceSlot(text, tuple(written), retain_ms + scope.grace_ms, key)
    place = scope.plan.slot(made.signature(), made)
    if not key:
        return _Held(f"S[{place}]", "")
    own = key_code(scope, key)
    return _Held(f"sub(S[{place}], {own})", own)


def _fields(scope: Scope, node: Sequence | AnyOf) -> tuple[str, ...] | None:
    """Return the fields that are the same throughout, or tell which there is not."""
    known = scope.vocabulary.subjects
    fields = [known[name].field if name in known else name for name in node.same]
    for name in fields:
        if name not in scope.vocabulary.fields:
            hint = nearest(name, [*known, *scope.vocabulary.fields])
            scope.fail(node.at, f"unknown field {name!r} in `same`", hint)
            return None
        if not allowed(scope, node.at, name):
            return None
    return tuple(fields)


def _carries(scope: Scope, pattern: Filtered, key: tuple[str, ...]) -> bool:
    for name in key:
        if name not in scope.vocabulary.kinds[pattern.kind].fields:
            hint = "every step must carry what is the same"
            scope.fail(pattern.at, f"{pattern.kind} has no field {name!r}", hint)
            return False
    return True


def _inlined(scope: Scope, node: Sequence | AnyOf) -> Sequence | AnyOf:
    if isinstance(node, AnyOf):
        return replace(node, events=tuple(inlined(scope, event) for event in node.events))
    steps = tuple(
        Step(tuple(inlined(scope, one) for one in step.events), step.within_ms) for step in node.steps
    )
    return replace(node, steps=steps, without=inlined(scope, node.without) if node.without else None)


def _is_watched(scope: Scope, last: Track) -> bool:
    for event in last:
        if event.kind not in scope.rule.on:
            problem = f"the rule does not look at {event.kind}, the last step"
            scope.fail(event.at, problem, f"add it: on: {event.kind}")
            return False
    return True


def _here(scope: Scope, events: Track) -> str:
    """Return the code of whether the event at hand is one of these; empty where its kind is none."""
    own = [event for event in events if event.kind == scope.kind]
    codes = [
        scope.inside(event.kind).check(event.condition, "bool").code
        if event.condition is not None
        else "True"
        for event in own
    ]
    return f"({' or '.join(codes)})" if len(codes) > 1 else "".join(codes)
