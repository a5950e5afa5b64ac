"""Lengths of time in words."""

from __future__ import annotations

UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"))


def length_words(length_ms: int) -> str:
    """Return a length of time in its largest whole unit.

    Examples
    --------
    >>> length_words(172_800_000), length_words(90_000)
    ('2 d', '90 s')
    """
    for size, name in UNITS:
        if length_ms >= size and length_ms % size == 0:
            return f"{length_ms // size} {name}"
    return f"{length_ms} ms"
