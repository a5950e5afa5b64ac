"""Amounts that rules name in another currency, converted at the rate of the event's day."""

from __future__ import annotations

from collections.abc import Callable

Convert = Callable[[int, str, int], int]
"""(amount, currency, time_ms) -> amount in the base currency; the same all day long (UTC)."""
DAY_MS = 86_400_000
MOST = 4_096
"""Amounts remembered; a rulebook names a few, for each day that is still being looked at."""


def by_day(convert: Convert) -> Convert:
    """Return the same conversion, worked out once an amount and day.

    Examples
    --------
    >>> asked = []
    >>> once = by_day(lambda amount, currency, time_ms: asked.append(currency) or 7 * amount)
    >>> once(10, "USD", 5), once(10, "USD", 6), asked
    (70, 70, ['USD'])
    """
    known: dict[tuple[int, str, int], int] = {}

    def converted(amount: int, currency: str, time_ms: int) -> int:
        key = (amount, currency, time_ms // DAY_MS)
        found = known.get(key)
        if found is None:
            if len(known) >= MOST:
                known.clear()
            found = known[key] = convert(amount, currency, time_ms)
        return found

    return converted
