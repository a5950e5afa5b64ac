"""What generated functions call for values of periods in a row, oldest first.

A period without a value (an average of no events) gives `None` and is passed over, but a condition
that is missing does not hold. Names and argument order are the contract with `rules.over_periods`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import fsum, sqrt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monitor.core.periods import Periods

QUANTILE_STEPS = MICRO = 1_000_000
MOST_CUTS = 256
"""Windows whose periods are remembered."""
Pieces = tuple[tuple[int, int], ...]


def cut(periods: Periods, unit: str, size: int, whole: int, per: str, time_ms: int) -> Pieces:
    """Return where each period of a window begins and where the next one does, oldest first.

    The window is the `size` units up to the one that holds `time_ms`; with `whole` 1 those before
    it. It is cut where a `per` begins: the first and the last piece may be shorter.
    """
    day_ms = periods.start_ms("day", time_ms)
    found = periods.cuts.get((unit, size, whole, per, day_ms))
    if found is None:
        if len(periods.cuts) >= MOST_CUTS:
            periods.cuts.clear()
        low, high = _ends(periods, unit, size, whole, time_ms)
        found = periods.cuts[unit, size, whole, per, day_ms] = _pieces(periods, per, low, high)
    return found


def _ends(periods: Periods, unit: str, size: int, whole: int, time_ms: int) -> tuple[int, int]:
    if unit == "bd":
        low = periods.business_days_ago(size - 1 + whole, time_ms)
        return low, periods.start_ms("day", time_ms) if whole else periods.next_ms("bd", time_ms)
    low = periods.ago(unit, size - 1 + whole, time_ms)
    return low, periods.start_ms(unit, time_ms) if whole else periods.end_ms(unit, time_ms)


def _pieces(periods: Periods, per: str, low: int, high: int) -> Pieces:
    pieces = []
    while low < high:
        end = min(periods.next_ms(per, low), high)
        pieces.append((low, end))
        low = end
    return tuple(pieces)


def of_each(pieces: Pieces, value: Callable[[int, int], Any]) -> list[Any]:
    """Return the value of each period, oldest first."""
    return [value(low, high) for low, high in pieces]


def in_a_row(pieces: Pieces, holds: Callable[[int, int], Any]) -> int:
    """Return in how many periods up to the running one something held without a break.

    The running one counts where it holds already; where not, it is not over yet and breaks nothing.

    Examples
    --------
    >>> days = ((0, 1), (1, 2), (2, 3), (3, 4))
    >>> in_a_row(days, lambda low, high: low > 0), in_a_row(days, lambda low, high: low in (1, 2))
    (3, 2)
    """
    low, high = pieces[-1]
    count = int(bool(holds(low, high)))
    for low, high in reversed(pieces[:-1]):
        if not holds(low, high):
            break
        count += 1
    return count


# Functions over the values.


def _there(values: Sequence[Any]) -> list[Any]:
    return [value for value in values if value is not None]


def filled(values: Sequence[Any]) -> int:
    """Return how many periods have a value."""
    return len(_there(values))


def highest(values: Sequence[Any]) -> Any:
    """Return the largest value; missing where there is none."""
    return max(_there(values), default=None)


def lowest(values: Sequence[Any]) -> Any:
    """Return the smallest value; missing where there is none."""
    return min(_there(values), default=None)


def together(values: Sequence[Any]) -> Any:
    """Return the sum of the values; missing where there is none."""
    found = _there(values)
    return sum(found) if found else None


def middle(values: Sequence[Any]) -> float | None:
    """Return the average; missing where there is no value."""
    found = _there(values)
    return fsum(found) / len(found) if found else None


def spread(values: Sequence[Any]) -> float | None:
    """Return the population standard deviation; missing where there is no value."""
    found = _there(values)
    if not found or min(found) == max(found):
        return 0.0 if found else None
    mean = fsum(found) / len(found)
    return sqrt(fsum((value - mean) ** 2 for value in found) / len(found))


def unevenness(values: Sequence[Any]) -> float | None:
    """Return the standard deviation over the average; missing where that is 0 or there is no value."""
    return coefficient(spread(values), middle(values))


def coefficient(deviation: float | None, mean: float | None) -> float | None:
    """Return a deviation over the size of a mean; missing where either is or the mean is 0.

    Examples
    --------
    >>> coefficient(2.0, -4.0)
    0.5
    """
    return None if deviation is None or not mean else deviation / abs(mean)


def ranked(values: Sequence[Any], q: float) -> Any:
    """Return the nearest-rank quantile: always one of the values; missing where there is none."""
    found = sorted(_there(values))
    rank = -(-round(q * QUANTILE_STEPS) * len(found) // QUANTILE_STEPS)
    return found[max(rank, 1) - 1] if found else None


def earliest(values: Sequence[Any]) -> Any:
    """Return the value of the oldest period that has one."""
    return next((value for value in values if value is not None), None)


def newest(values: Sequence[Any]) -> Any:
    """Return the value of the newest period that has one."""
    return earliest(values[::-1])


def change_between(first: Any, last: Any) -> float | None:
    """Return by what share of the first the last is more; missing where the first is not above 0.

    Examples
    --------
    >>> change_between(200, 150), change_between(0, 5)
    (-0.25, None)
    """
    return None if first is None or last is None or first <= 0 else (last - first) / first


def change_over(values: Sequence[Any]) -> float | None:
    """Return the change from the oldest value to the newest, as a share of the oldest."""
    return change_between(earliest(values), newest(values))


def steps_down(start: Any, value: Any, step: float) -> int | None:
    """Return by how many whole steps, each a share of the start, a value lies below the start.

    0 where it is not below; missing where start or step are not above 0. Counted in whole
    millionths, so that a loss of exactly 10 % is a whole step of 0.1.

    Examples
    --------
    >>> steps_down(1000, 901, 0.1), steps_down(1000, 900, 0.1), steps_down(1.0, 0.69, 0.1)
    (0, 1, 3)
    """
    whole_start, size = round(start * MICRO), round(step * MICRO)
    if whole_start <= 0 or size <= 0:
        return None
    crossed: int = (whole_start - round(value * MICRO)) * MICRO // (whole_start * size)
    return max(0, crossed)


def falls(values: Sequence[Any]) -> int:
    """Return how often in a row, up to the newest, a value was smaller than the one before.

    Examples
    --------
    >>> falls([5, 9, 7, None, 4]), rises([5, 9, 7, None, 4]), rises([1, 1, 2])
    (2, 0, 1)
    """
    return _run(_there(values)[::-1])


def rises(values: Sequence[Any]) -> int:
    """Return how often in a row, up to the newest, a value was larger than the one before."""
    return _run([-value for value in reversed(_there(values))])


def _run(newest_first: Sequence[Any]) -> int:
    count = 0
    for later, earlier in pairwise(newest_first):
        if not later < earlier:
            break
        count += 1
    return count


def holding(values: Sequence[Any]) -> int:
    """Return in how many periods a condition holds."""
    return sum(1 for value in values if value)


def share_holding(values: Sequence[Any]) -> float | None:
    """Return in what share of all periods a condition holds."""
    return holding(values) / len(values) if values else None


PERIOD_NAMES: dict[str, Any] = {
    function.__name__: function
    for function in (
        cut, of_each, in_a_row, filled, highest, lowest, together, middle, spread, unevenness, coefficient,
        ranked, earliest, newest, change_between, change_over, steps_down, falls, rises, holding,
        share_holding,
    )
}  # fmt: skip
"""What generated code may name."""
