"""Spans of time for which something holds."""

from __future__ import annotations


def overlap(one: tuple[int | None, int | None], other: tuple[int | None, int | None]) -> bool:
    """Return whether two spans of time have a moment in common; None is without end.

    Examples
    --------
    >>> overlap((None, 5), (5, None)), overlap((0, 6), (5, None)), overlap((None, None), (1, 2))
    (False, True, True)
    """
    return (other[1] is None or one[0] is None or one[0] < other[1]) and (
        one[1] is None or other[0] is None or other[0] < one[1]
    )
