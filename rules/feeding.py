"""Code that feeds what a stage remembers: series before the rules are asked, sightings and markers after."""

from __future__ import annotations

from collections.abc import Sequence

from rules.aggregates import key_code
from rules.nodes import Filtered, Node
from rules.plan import MarkerSlot, SequenceSlot, SeriesSlot, SightingsSlot, Slot, TimerSlot
from rules.terms import Scope, Term

INDENT = "    "


def slot_lines(scope: Scope, place: int, slot: Slot, kind: str) -> tuple[list[str], list[str]]:
    """Return the lines that feed a slot before the rules are asked, and after."""
    if isinstance(slot, SeriesSlot):
        return (_push_lines(scope, place, slot) if kind in slot.selection.kinds else []), []
    if isinstance(slot, SightingsSlot | MarkerSlot):
        return [], (_note_lines(scope, place, slot) if kind in slot.selection.kinds else [])
    if isinstance(slot, SequenceSlot):
        return _step_lines(scope, place, slot, kind), []
    return _timer_lines(scope, place, slot, kind), []


def _where(scope: Scope, condition: Node | None) -> str:
    return scope.check(condition, "bool").code if condition is not None else ""


def _guarded(conditions: Sequence[str], lines: Sequence[str]) -> list[str]:
    kept = [condition for condition in conditions if condition]
    if not kept:
        return [f"{INDENT}{line}" for line in lines]
    return [f"{INDENT}if {' and '.join(kept)}:", *(f"{INDENT * 2}{line}" for line in lines)]


def _push_lines(scope: Scope, place: int, slot: SeriesSlot) -> list[str]:
    sums = [_column(scope.check(value)) for value in slot.sums.values()]
    items = [scope.check(value).code for value in slot.items.values()]
    conditions = [_where(scope, slot.selection.where)]
    guard = next((v for v in [*slot.sums.values(), *slot.items.values()] if v.text() == slot.guard), None)
    if guard is not None:
        term = scope.check(guard)
        conditions.append(f"{term.code} is not None" if term.nullable else "")
    shape = f"{len(slot.sums)}, {slot.square_columns!r}, {len(slot.items)}"
    find = [f"s = S[{place}]", "if s is None:", f"{INDENT}s = S[{place}] = Series({shape})"]
    if slot.key:
        conditions.append(f"(k := {key_code(scope, slot.key)}) is not None")
        find = [f"s = part(S, {place}, k, {shape})"]
    push = f"s.push(t, r, ({''.join(f'{code}, ' for code in sums)}), ({''.join(f'{code}, ' for code in items)}))"
    simple = not items and not slot.squares and len(sums) <= 1
    lines = _inline_push(sums, push) if simple else [push]
    prune = ["if not len(s.times) & 31:", f"{INDENT}s.prune(now - {slot.retain_ms}, {slot.keep_last})"]
    return _guarded(conditions, [*find, *lines, *prune])


def _inline_push(sums: Sequence[str], push: str) -> list[str]:
    """Return the lines of `Series.push` for an event in order, without the call: most events are."""
    lines = ["q = s.times", "if q and t < q[-1]:", f"{INDENT}{push}", "else:"]
    if sums:
        # The sum first: where it outgrows 64 bits nothing else has changed yet.
        lines += [
            f"{INDENT}try:",
            f"{INDENT * 2}c = s.sums[0]",
            f"{INDENT * 2}c.append(c[-1] + {sums[0]})",
            f"{INDENT * 2}q.append(t)",
            f"{INDENT * 2}s.refs.append(r)",
            f"{INDENT}except OverflowError:",
            f"{INDENT * 2}{push}",
        ]
        return lines
    return [*lines, f"{INDENT}q.append(t)", f"{INDENT}s.refs.append(r)"]


def _column(term: Term) -> str:
    if term.type == "number":
        return f"micro({term.code})"
    return term.code if term.code.startswith("d.") else f"whole({term.code})"


def _note_lines(scope: Scope, place: int, slot: SightingsSlot | MarkerSlot) -> list[str]:
    conditions = [_where(scope, slot.selection.where)]
    if isinstance(slot, MarkerSlot):
        return _guarded(conditions, [f"if S[{place}] is None or S[{place}] < t: S[{place}] = t"])
    term = scope.check(slot.value)
    return _guarded(
        [*conditions, f"{term.code} is not None" if term.nullable else ""],
        [f"sighted(S, {place}, {term.code}, t)"],
    )


def _step_lines(scope: Scope, place: int, slot: SequenceSlot, kind: str) -> list[str]:
    lines = []
    patterns: list[Filtered | None] = [*(step.event for step in slot.sequence.steps), slot.sequence.without]
    for n, pattern in enumerate(patterns):
        if pattern is not None and pattern.kind == kind:
            step = f"step(S, {place}, {n}, {len(slot.sequence.steps)}, t, r, now - {slot.retain_ms + scope.grace_ms})"
            lines += _guarded([_where(scope, pattern.condition)], [step])
    return lines


def _timer_lines(scope: Scope, place: int, slot: TimerSlot, kind: str) -> list[str]:
    key = key_code(scope, slot.key) if slot.key else "''"
    lines = []
    if slot.awaited.kind == kind:
        lines += _guarded([_where(scope, slot.awaited.condition)], [f"cancel_timer(S, {place}, {key}, t, {slot.for_ms})"])
    if slot.after.kind == kind:
        lines += _guarded(
            [_where(scope, slot.after.condition)],
            [f"start_timer(st, S, {place}, {key}, t + {slot.for_ms}, r)"],
        )
    return lines
