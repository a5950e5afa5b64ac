"""Other accounts of a customer, parted series; and how often a value was there before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from monitor.core.windows import Series

if TYPE_CHECKING:
    Span = tuple[int, int]


def neighbour(
    parts: Mapping[str, Series] | None, k: int, cut_ms: int, least: int, among: Callable[[str], bool]
) -> str | None:
    """Return the account, of those looked for, that most was moved with after `cut_ms`.

    None where with none of them at least `least` was moved. Of accounts alike the first by name. All
    accounts the customer dealt with are looked at; those in question only are summed up.

    Examples
    --------
    >>> parts = {"x": Series(sums=1), "y": Series(sums=1)}
    >>> parts["x"].push(10, 1, (500,)); parts["y"].push(20, 2, (700,))
    >>> neighbour(parts, 0, 0, 500, {"x", "z"}.__contains__), neighbour(parts, 0, 10, 500, {"x"}.__contains__)
    ('x', None)
    """
    best, most = None, least - 1
    for account in sorted(filter(among, parts or ())):
        series = (parts or {})[account]
        moved = series.total(k, series.after(cut_ms), len(series))
        if moved > most:
            best, most = account, moved
    return best


def moved_with(
    parts: Mapping[str, Series] | None, account: str | None, cut_ms: int
) -> tuple[Series | None, Span]:
    """Return the payments with an account after `cut_ms`, as a series and a range: for evidence."""
    series = parts.get(account) if parts and account is not None else None
    return (None, (0, 0)) if series is None else (series, (series.after(cut_ms), len(series)))


def rarity(s: Series | None, c: int, value: Any, span: Span) -> float | None:
    """Return the share of a range in which raw column `c` has a value, 0 to 1; missing where it is empty."""
    if s is None or value is None or span[0] >= span[1]:
        return None
    return s.items[c][span[0] : span[1]].count(value) / (span[1] - span[0])


def combined(*values: object) -> str:
    r"""Return several values as one text, a missing one as an empty part.

    Examples
    --------
    >>> combined("a", None, 3) == "a\x1f\x1f3"
    True
    """
    return "\x1f".join("" if value is None else str(value) for value in values)


NEIGHBOURS: dict[str, Any] = {
    "neighbour": neighbour, "moved_with": moved_with, "rarity": rarity, "combined": combined,
}  # fmt: skip
"""What generated code may call of this module."""
