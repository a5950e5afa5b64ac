"""The windows aggregates look through: from `24h`, `10bd`, `month` or `since(kind)` to code.

A duration (`24h`, `30d`) is `(now - w, now]` with `now` the subject's stream time; `10bd` starts at
local midnight of the tenth business day back (today counts); `day`, `week`, `month`, `quarter`,
`year` are the period of the event's own time, `previous(month)` the whole one before; `5 events` the
last five; `3 months` the running month and the two before it, `previous(3 months)` the three before
it; `since(kind[condition])` everything after the last such event, at most 365 days back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

from rules.errors import nearest
from rules.nodes import Call, Filtered, Literal, Name, Node
from rules.plan import MarkerSlot, Selection
from rules.terms import Scope, shared

DAY_MS = 86_400_000
PERIODS = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}
"""Calendar periods and their longest length in days."""
MEAN_DAYS = {"day": 1.0, "week": 7.0, "month": 30.5, "quarter": 91.5, "year": 366.0}
LONGEST_DAYS = 400
"""No window looks back farther."""
SINCE_DAYS = 365
LOW, HIGH = "low_ms", "high_ms"
"""Names of the bounds of the period whose value is asked for, in generated code."""
CARRIED_MS = 92 * DAY_MS
"""How long before a period its `last` value may have been told."""
COUNTED = ("duration", "business_days", "events", "periods")
EXAMPLE = "e.g. 24h, 30d, 10bd, day, month, 3 months, previous(month), 5 events, since(kind)"


@dataclass(frozen=True, slots=True)
class Window:
    """A window as the compiler sees it."""

    cut: str
    """Code of the time before the first (`t` is event time, `now` stream time); empty for others."""
    span: str
    """Code of the index range over series `{s}`."""
    retain_ms: int
    keep_last: int = 0


def window(
    scope: Scope, node: Node | None, function: str, at: int, *, lag_ms: int = 0, is_prior: bool = False
) -> Window | None:
    """Return the window a node names, or tell what is wrong with it."""
    if node is None and scope.period_ms:
        one = _of_period(scope, function)
        return replace(one, span=f"prior({{s}}, {one.span}, t, r)") if is_prior else one
    if node is None:
        scope.fail(at, f"{function} needs a window", EXAMPLE)
        return None
    if isinstance(node, Literal) and node.kind in COUNTED:
        found = _counted(scope, node, lag_ms, is_prior=is_prior)
    else:
        found = _calendar(scope, node)
    if found is None:
        return None
    if found.retain_ms > (LONGEST_DAYS * DAY_MS + scope.grace_ms):
        scope.fail(
            node.at, f"a window looks back at most {LONGEST_DAYS} days", "take a shorter window or lag"
        )
        return None
    if lag_ms and not (isinstance(node, Literal) and node.kind == "duration"):
        scope.fail(node.at, "only a window of hours or days can lag", "e.g. avg(amount, 90d, lag=1d)")
        return None
    if is_prior and "latest(" not in found.span:
        return replace(found, cut="", span=f"prior({{s}}, {found.span}, t, r)")
    return found


def _of_period(scope: Scope, function: str) -> Window:
    """Return the window of an aggregate that is taken of each period of an outer window."""
    if function == "last":
        # What was told last stands until something else is told: balances, holdings.
        low = f"{LOW} - {CARRIED_MS + 1}"
        return Window("", f"between({{s}}, {low}, {HIGH} - 1)", scope.period_ms + CARRIED_MS)
    return Window("", f"between({{s}}, {LOW} - 1, {HIGH} - 1)", scope.period_ms)


def _calendar(scope: Scope, node: Node) -> Window | None:
    found: Window | None = None
    if isinstance(node, Name) and node.name in PERIODS:
        start = shared(f'PERIODS.start_ms("{node.name}", t)')
        end = shared(f'PERIODS.end_ms("{node.name}", t)')
        days = PERIODS[node.name]
        found = Window("", f"between({{s}}, {start} - 1, {end} - 1)", days * DAY_MS + scope.grace_ms)
    elif isinstance(node, Call) and node.function == "previous" and len(node.arguments) == 1:
        found = _previous(scope, node.arguments[0])
    elif isinstance(node, Call) and node.function == "since" and len(node.arguments) == 1:
        return _since(scope, node.arguments[0])
    if found is None:
        scope.fail(node.at, f"{_shown(node)} is no window", EXAMPLE)
    return found


def _counted(scope: Scope, node: Literal, lag_ms: int, *, is_prior: bool) -> Window | None:
    size = int(node.value)
    if size <= 0:
        scope.fail(node.at, "a window of nothing", "write a positive length")
        return None
    if node.kind == "events":
        return Window(
            "", f"latest({{s}}, {size}, {'r' if is_prior else 'None'}, t)", scope.grace_ms, size + 1
        )
    if node.kind == "business_days":
        # Today is one of them; ten business days span at most ten weekdays, weekends and a week of holidays.
        cut = shared(f"PERIODS.business_days_ago({size - 1}, now) - 1")
        return Window(cut, f"after({{s}}, {cut})", (size * 2 + 14) * DAY_MS)
    if node.kind == "periods":
        low, end = shared(f'PERIODS.ago("{node.unit}", {size - 1}, t)'), f'PERIODS.end_ms("{node.unit}", t)'
        return Window("", f"between({{s}}, {low} - 1, {shared(end)} - 1)", periods_ms(scope, node, size))
    if lag_ms:
        low, high = f"now - {size + lag_ms}", f"now - {lag_ms}"
        return Window("", f"between({{s}}, {low}, {high})", size + lag_ms)
    return Window(f"now - {size}", f"after({{s}}, now - {size})", size)


def periods_ms(scope: Scope, node: Literal, size: int) -> int:
    """Return how long events of so many periods are kept; a day may have an hour more."""
    if node.kind == "business_days":
        return (size * 2 + 14) * DAY_MS + scope.grace_ms
    # Months are 31 days, but twelve of them a year.
    days = min(size * PERIODS[node.unit], size * MEAN_DAYS[node.unit] + 2) + 1
    return ceil(days) * DAY_MS + scope.grace_ms


def _previous(scope: Scope, node: Node) -> Window | None:
    if isinstance(node, Literal) and node.kind in ("periods", "business_days") and int(node.value) > 0:
        size = int(node.value)
        low = f'PERIODS.ago("{node.unit}", {size}, t)'
        high = f'PERIODS.start_ms("{node.unit}", t)'
        if node.kind == "business_days":
            low, high = (f"PERIODS.business_days_ago({n}, now)" for n in (size, 0))
        span = f"between({{s}}, {shared(low)} - 1, {shared(high)} - 1)"
        return Window("", span, periods_ms(scope, node, size + 1))
    if not isinstance(node, Name) or node.name not in PERIODS:
        return None
    this = shared(f'PERIODS.start_ms("{node.name}", t)')
    start = f'PERIODS.start_ms("{node.name}", {this} - 1)'
    return Window(
        "", f"between({{s}}, {start} - 1, {this} - 1)", 2 * PERIODS[node.name] * DAY_MS + scope.grace_ms
    )


def _since(scope: Scope, node: Node) -> Window | None:
    pattern = (
        node
        if isinstance(node, Filtered)
        else Filtered(node.at, node.name, None)
        if isinstance(node, Name)
        else None
    )
    if pattern is None:
        scope.fail(node.at, "since takes a kind of event", "e.g. count(since(auth.login))")
        return None
    place = marker(scope, pattern)
    if place is None:
        return None
    year = f"now - {SINCE_DAYS * DAY_MS}"
    cut = f"({year} if S[{place}] is None else max(S[{place}], {year}))"
    return Window(cut, f"after({{s}}, {cut})", SINCE_DAYS * DAY_MS)


def marker(scope: Scope, pattern: Filtered) -> int | None:
    """Return the slot that remembers when such an event was last seen."""
    kinds = scope.vocabulary.match(pattern.kind)
    if not kinds:
        scope.fail(
            pattern.at, f"unknown event kind {pattern.kind!r}", nearest(pattern.kind, scope.vocabulary.kinds)
        )
        return None
    if pattern.condition is not None:
        checked = [scope.inside(kind).check(pattern.condition, "bool") for kind in kinds]
        if not all(checked):
            return None
    made = MarkerSlot(Selection(kinds, pattern.condition))
    return scope.plan.slot(made.signature(), made)


def _shown(node: Node) -> str:
    return repr(node.name) if isinstance(node, Name) else "this"
