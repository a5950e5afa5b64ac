"""Code that feeds what a stage remembers: series before the rules are asked, sightings and markers after."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace

from rules.blocks import INDENT, Block
from rules.echoes import live_alone
from rules.nodes import Node
from rules.plan import MarkerSlot, ScheduleSlot, SequenceSlot, SeriesSlot, SightingsSlot, Slot, TimerSlot
from rules.terms import Scope, Term, conjuncts
from rules.windowed import key_code


def slot_blocks(scope: Scope, place: int, slot: Slot, kind: str) -> tuple[list[Block], list[Block]]:
    """Return the code that feeds a slot before the rules are asked, and after."""
    early, late = _blocks(scope, place, slot, kind)
    heard = live_alone(kind, [slot.signature()]) if early or late else ()
    if heard:
        early, late = _under(heard, early), _under(heard, late)
    return early, late


def heard_kinds(slot: Slot) -> Set[str]:
    """Return the kinds of events that may feed a slot."""
    if isinstance(slot, SeriesSlot | SightingsSlot | MarkerSlot):
        return frozenset(slot.selection.kinds)
    if isinstance(slot, SequenceSlot):
        return {pattern.kind for track in slot.tracks for pattern in track}
    return set() if isinstance(slot, ScheduleSlot) else {one.kind for one in (*slot.awaited, *slot.after)}


def _under(conditions: tuple[str, ...], blocks: Sequence[Block]) -> list[Block]:
    return [replace(block, conditions=(*conditions, *block.conditions)) for block in blocks]


def _blocks(scope: Scope, place: int, slot: Slot, kind: str) -> tuple[list[Block], list[Block]]:
    if isinstance(slot, SeriesSlot):
        return ([_push(scope, place, slot)] if kind in slot.selection.kinds else []), []
    if isinstance(slot, SightingsSlot | MarkerSlot):
        return [], ([_note(scope, place, slot)] if kind in slot.selection.kinds else [])
    if isinstance(slot, SequenceSlot):
        return _steps(scope, place, slot, kind), []
    return ([] if isinstance(slot, ScheduleSlot) else _timers(scope, place, slot, kind)), []


def _where(scope: Scope, condition: Node | None) -> tuple[str, ...]:
    """Return the parts of a condition, cheapest first."""
    if condition is None:
        return ()
    terms = [scope.check(part, "bool") for part in conjuncts(condition)]
    return tuple(term.code for term in sorted(terms, key=lambda term: term.cost))


def _push(scope: Scope, place: int, slot: SeriesSlot) -> Block:
    sums = [_column(scope.check(value)) for value in slot.sums.values()]
    items = [scope.check(value).code for value in slot.items.values()]
    conditions = _where(scope, slot.selection.where)
    guard = next((v for v in [*slot.sums.values(), *slot.items.values()] if v.text() == slot.guard), None)
    if guard is not None:
        conditions = (*conditions, *_present(scope.check(guard)))
    shape = f"{len(slot.sums)}, {slot.square_columns!r}, {len(slot.items)}"
    find = [f"s = S[{place}]", "if s is None:", f"{INDENT}s = S[{place}] = Series({shape})"]
    last = ""
    if slot.key:
        last = f"(k := {key_code(scope, slot.key)}) is not None"
        find = [f"s = part(S, {place}, k, {shape})"]
    push = (
        f"s.push(t, r, ({''.join(f'{code}, ' for code in sums)}), ({''.join(f'{code}, ' for code in items)}))"
    )
    width = len(slot.sums) + 2
    lines = [push, "q = s.rows"]
    if not slot.squares and len(sums) + bool(items) <= 1:
        lines = _inline_items(items, push) if items else _inline_push(sums, push)
    prune = [f"if not len(q) % {32 * width}:", f"{INDENT}s.prune(now - {slot.retain_ms}, {slot.keep_last})"]
    return Block(conditions, (*find, *lines, *prune), last)


def _inline_items(items: Sequence[str], push: str) -> list[str]:
    """Return the lines of `Series.push` for raw values alone, while no index over them is in use."""
    appended = [f"{INDENT}s.items[{n}].append({code})" for n, code in enumerate(items)]
    return [
        "q = s.rows",
        "if not q or t < q[-2] or s.derived is not None:",
        f"{INDENT}{push}",
        "else:",
        f"{INDENT}q.append(t)",
        f"{INDENT}q.append(r)",
        *appended,
    ]


def _present(term: Term) -> tuple[str, ...]:
    return (f"{term.code} is not None",) if term.nullable else ()


def _inline_push(sums: Sequence[str], push: str) -> list[str]:
    """Return the lines of `Series.push` for an event in order, without the call: most events are."""
    lines = ["q = s.rows", "if not q or t < q[-2]:", f"{INDENT}{push}", "else:"]
    if not sums:
        return [*lines, f"{INDENT}q.append(t)", f"{INDENT}q.append(r)"]
    # The sum first: where it outgrows 64 bits nothing else has changed yet.
    return [
        *lines,
        f"{INDENT}try:",
        f"{INDENT * 2}q.append(q[-3] + {sums[0]})",
        f"{INDENT * 2}q.append(t)",
        f"{INDENT * 2}q.append(r)",
        f"{INDENT}except OverflowError:",
        f"{INDENT * 2}{push}",
        f"{INDENT * 2}q = s.rows",
    ]


def _column(term: Term) -> str:
    if term.type == "number":
        return f"micro({term.code})"
    return term.code if term.code.startswith("d.") else f"whole({term.code})"


def _note(scope: Scope, place: int, slot: SightingsSlot | MarkerSlot) -> Block:
    conditions = _where(scope, slot.selection.where)
    if isinstance(slot, MarkerSlot):
        return Block(conditions, (f"if S[{place}] is None or S[{place}] < t: S[{place}] = t",))
    term = scope.check(slot.value)
    return Block((*conditions, *_present(term)), (f"sighted(S, {place}, {term.code}, t)",))


def _steps(scope: Scope, place: int, slot: SequenceSlot, kind: str) -> list[Block]:
    blocks = []
    oldest, width = f"now - {slot.retain_ms}", len(slot.tracks)
    last, found = "", f"tracks(S, {place}, {width})"
    if slot.key:
        last = f"(k := {key_code(scope, slot.key)}) is not None"
        found = f"tracks_of(S, {place}, k, {width}, {oldest})"
    for n, track in enumerate(slot.tracks):
        for pattern in track:
            if pattern.kind == kind:
                step = f"step({found}, {n}, t, r, {oldest})"
                blocks.append(Block(_where(scope, pattern.condition), (step,), last))
    return blocks


def _timers(scope: Scope, place: int, slot: TimerSlot, kind: str) -> list[Block]:
    key = key_code(scope, slot.key) if slot.key else "''"
    lines = []
    end, start = (
        f"cancel_timer(S, {place}, {key}, t, {slot.for_ms})",
        f"start_timer(st, S, {place}, {key}, {slot.due}, r)",
    )
    if slot.unit:
        end, start = f"end_wait(S, {place}, {key}, t)", f"start_wait(st, S, {place}, {key}, {slot.due}, r, t)"
    # In this order: an event may be both what was waited for and the beginning of the next wait.
    for patterns, line in ((slot.awaited, end), (slot.after, start)):
        for pattern in patterns:
            if pattern.kind == kind:
                lines += _if(scope, pattern.condition, line)
    return [Block((), tuple(lines))] if lines else []


def _if(scope: Scope, condition: Node | None, line: str) -> list[str]:
    conditions = _where(scope, condition)
    return [f"if {' and '.join(conditions)}:", INDENT + line] if conditions else [line]
