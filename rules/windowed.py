"""What aggregates share: the series they read, through which window, how many events they need."""

from __future__ import annotations

from dataclasses import replace

from rules.asked import Asked
from rules.nodes import Call, Literal, Name, Node, Unary
from rules.plan import Selection, SeriesSlot
from rules.terms import WORDS, WRONG, Scope, Term, conjuncts
from rules.windows import COUNTED, Window, window

EXAMPLES = {
    "count": 'count(24h, where=direction == "out")',
    "sum": "sum(amount, day, of=cash.*)",
    "avg": "avg(amount, 90d, prior=true, min_n=20)",
    "stddev": "stddev(amount, 90d)",
    "zscore": "zscore(amount, 90d, min_n=30)",
    "min": "min(amount, 24h)",
    "max": "max(amount, 24h)",
    "distinct": "distinct(customer_id, 24h, key=device)",
    "first": "first(amount, 30d)",
    "last": "last(balance, 1 events, of=balance.snapshot)",
    "quantile": "quantile(amount, 0.95, 90d)",
    "share": "share(hour(occurred_at) < 6, 30d, min_n=20)",
    "cv": "cv(amount, 90d, min_n=10)",
    "median": "median(amount, 90d)",
    "change": "change(balance, 30d, of=balance.snapshot) <= -0.5",
    "streak": "streak(bd, where=amount >= 40_000 CNY) >= 3",
    "falls": "falls(last(total_assets, of=balance.snapshot), previous(6 months)) >= 3",
    "rises": "rises(count(), 6 weeks) >= 4",
    "known": "known(counterparty.account, 365d)",
    "seen_for": "seen_for(device.device_id, of=(auth.login, payment.transfer)) < 24h",
    "quiet_for": "quiet_for(of=payment.transfer) > 180d",
    "retention": "retention(amount, 7d, min_n=5) < 6h",
    "turned_over": "turned_over(amount, 30d, within=day) >= 0.75",
    "cycle": "not missing(cycle(amount, 7d, within=0.1, length=3))",
    "neighbour": "not missing(neighbour(amount, 90d, at_least=10_000 CNY, among=list.fraud_accounts))",
    "rarity": "rarity((channel, counterparty.country, floor(hour(occurred_at) / 6)), 180d, min_n=50) == 0",
}
"""One example each, shown in hints and in the reference."""


def through(scope: Scope, node: Node | None, asked: Asked) -> Window | None:
    """Return the window an aggregate looks through, or tell what is wrong with it."""
    return window(scope, node, asked.node.function, asked.node.at, lag_ms=asked.lag_ms, is_prior=asked.prior)


def series(
    scope: Scope, asked: Asked, guard: str, window: Window, where: Node | None
) -> tuple[SeriesSlot, str]:
    """Return the slot and the code of the series."""
    made = SeriesSlot(Selection(asked.kinds, where), asked.key, guard)
    identity = f"series {made.selection.text()} by {','.join(asked.key)} if {guard}"
    place = scope.plan.slot(identity, made)
    slot = scope.plan.slots[place]
    assert isinstance(slot, SeriesSlot)
    slot.retain_ms = max(slot.retain_ms, window.retain_ms)
    slot.keep_last = max(slot.keep_last, window.keep_last)
    if not asked.key:
        return slot, f"S[{place}]"
    return slot, f"sub(S[{place}], {key_code(scope, asked.key)})"


def key_code(scope: Scope, key: tuple[str, ...]) -> str:
    """Return the code of the key of the event at hand; missing where any part is."""
    if scope.kind is None:
        return "None"
    carried = scope.vocabulary.kinds[scope.kind].fields
    parts = [
        scope.inside(scope.kind).check(Name(0, name)).code if name in carried else "None" for name in key
    ]
    return parts[0] if len(parts) == 1 else f"joined({', '.join(parts)})"


def value_of(scope: Scope, asked: Asked, node: Node) -> Term:
    """Return the term of an aggregate's value; the same type for every kind it reads."""
    terms = [scope.inside(kind).check(node) for kind in asked.kinds]
    if not all(terms):
        return WRONG
    if len({term.type for term in terms}) > 1:
        return scope.fail(node.at, "the value has different types in different kinds of events")
    nullable = any(term.nullable for term in terms) and not _is_there(asked.where, node)
    return replace(terms[0], nullable=nullable)


def _is_there(where: Node | None, value: Node) -> bool:
    """Return whether a window's condition says itself that the value is not missing.

    Then nothing has to be left out for the value's sake, and values of one window share a series.
    """
    wanted = Unary(0, "not", Call(0, "missing", (value,))).text()
    return where is not None and any(part.text() == wanted for part in conjuncts(where))


def needed(scope: Scope, asked: Asked, values: int) -> tuple[list[Node], Node | None] | None:
    """Return the values and the window an aggregate was given, or tell how many it takes."""
    arguments = [scope.inline(argument) for argument in asked.node.arguments]
    if len(arguments) < values or len(arguments) > values + 1:
        example = EXAMPLES[asked.node.function]
        scope.fail(
            asked.node.at,
            f"{asked.node.function} takes {values} value{'s' * (values != 1)} and a window",
            f"e.g. {example}",
        )
        return None
    if values and isinstance(arguments[0], Literal) and arguments[0].kind in COUNTED:
        problem = f"{asked.node.function} takes the value first, then the window"
        scope.fail(arguments[0].at, problem, f"e.g. {EXAMPLES[asked.node.function]}")
        return None
    return arguments[:values], arguments[values] if len(arguments) > values else None


def shortened(term: Term, asked: Asked, count: str) -> Term:
    """Return the term made missing below `min_n` events; `count` is code of how many there are."""
    if not asked.min_n:
        return term
    return replace(term, code=f"({term.code} if {count} >= {asked.min_n} else None)", nullable=True)


def numeric(scope: Scope, asked: Asked, values: int, *, square: bool) -> tuple[Term, Window, str, int] | None:
    """Return value, window, code of the series and sum column of an aggregate over a quantity."""
    need = needed(scope, asked, values)
    window = through(scope, need[1], asked) if need else None
    if need is None or window is None:
        return None
    value = value_of(scope, asked, need[0][0])
    if not value:
        return None
    if value.type not in ("money", "number", "duration"):
        scope.fail(
            need[0][0].at, f"cannot {asked.node.function} {WORDS[value.type]}", "give money or a number"
        )
        return None
    guard = need[0][0].text() if value.nullable else ""
    slot, s = series(scope, asked, guard, window, asked.where)
    return value, window, s, slot.column(need[0][0], item=False, square=square)
