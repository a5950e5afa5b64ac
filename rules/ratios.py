"""Aggregates that compare: `cv(amount, 90d)`, `median(amount, 90d)`, `change(balance, 30d)`."""

from __future__ import annotations

from rules.asked import Asked
from rules.terms import WORDS, WRONG, Scope, Term, shared
from rules.windowed import needed, numeric, series, shortened, through, value_of


def cv(scope: Scope, asked: Asked) -> Term:
    """Return the term of the coefficient of variation: standard deviation over average."""
    found = numeric(scope, asked, 1, square=True)
    if found is None:
        return WRONG
    _, window, s, k = found
    span = shared(window.span.format(s=s))
    code = shared(f"coefficient(deviation({s}, {k}, {span}), mean({s}, {k}, {span}))")
    term = Term("number", code, nullable=True, cost=5, spans=(f"({s}, {span})",))
    return shortened(term, asked, f"width({span})")


def median(scope: Scope, asked: Asked) -> Term:
    """Return the term of the median: the quantile 0.5, one of the values."""
    found = _items(scope, asked)
    if found is None:
        return WRONG
    value, s, column, span = found
    code = shared(f"quantile({s}, {column}, 0.5, {span})")
    return shortened(
        Term(value, code, nullable=True, cost=9, spans=(f"({s}, {span})",)), asked, f"width({span})"
    )


def change(scope: Scope, asked: Asked) -> Term:
    """Return the term of the rate of change: by what share of the first value the last is more."""
    found = _items(scope, asked)
    if found is None:
        return WRONG
    _, s, column, span = found
    code = shared(f"change_between(first({s}, {column}, {span}), last({s}, {column}, {span}))")
    term = Term("number", code, nullable=True, cost=4, spans=(f"({s}, {span})",))
    return shortened(term, asked, f"width({span})")


def _items(scope: Scope, asked: Asked) -> tuple[str, str, int, str] | None:
    """Return type, series, column and range of a quantity kept as it is."""
    need = needed(scope, asked, 1)
    window = through(scope, need[1], asked) if need else None
    value = value_of(scope, asked, need[0][0]) if need else WRONG
    if need is None or window is None or not value:
        return None
    if value.type not in ("money", "number", "duration"):
        problem = f"cannot take the {asked.node.function} of {WORDS[value.type]}"
        scope.fail(need[0][0].at, problem, "give money or a number")
        return None
    slot, s = series(scope, asked, need[0][0].text() if value.nullable else "", window, asked.where)
    return value.type, s, slot.column(need[0][0], item=True), shared(window.span.format(s=s))
