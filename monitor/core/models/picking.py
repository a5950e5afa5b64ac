"""Some numbers of a whole vector, picked once for whoever asks for the same vector again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import itemgetter


class Picker:
    """Picks numbers by their places.

    The version that scores and the successor that learns see the same vector one after the other;
    the same object in gives the same object out, by which detectors know it again.

    Parameters
    ----------
    places
        Of the numbers, in the order wanted.

    Examples
    --------
    >>> picker, vector = Picker((2, 0)), (1.0, 2.0, 3.0)
    >>> picker(vector), picker(vector) is picker(vector)
    ((3.0, 1.0), True)
    """

    __slots__ = ("_found", "_pick", "_seen")

    def __init__(self, places: tuple[int, ...]) -> None:
        # One number alone is not given as a tuple.
        self._pick = itemgetter(*places) if len(places) > 1 else lambda x: (x[places[0]],)
        self._seen: Sequence[float] | None = None
        self._found: tuple[float, ...] = ()

    def __call__(self, x: Sequence[float]) -> tuple[float, ...]:
        """Return the numbers picked."""
        if x is self._seen:
            return self._found
        self._found = self._pick(x)
        # A list may be another one the next time.
        self._seen = x if type(x) is tuple else None
        return self._found


@lru_cache(maxsize=64)
def picker(places: tuple[int, ...]) -> Picker:
    """Return the picker of some places; everybody gets the same."""
    return Picker(places)
