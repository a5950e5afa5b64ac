"""Named streams of randomness: every use has its own, so adding one never shifts another.

A stream depends on the seed and its names alone: not on the process, on `PYTHONHASHSEED` or on what
was drawn before.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from hashlib import blake2b
from itertools import accumulate
from math import exp
from random import Random


def number(seed: int, *names: str | int) -> int:
    """Return 64 bits that belong to `seed` and `names`.

    Examples
    --------
    >>> number(7, "customer", 1) == number(7, "customer", 1)
    True
    >>> number(7, "customer", 1) == number(7, "customer", 2)
    False
    """
    text = "\x1f".join(map(str, (seed, *names)))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def stream(seed: int, *names: str | int) -> Random:
    """Return a fresh stream that belongs to `seed` and `names`."""
    return Random(number(seed, *names))


def shares(weights: Sequence[float]) -> tuple[float, ...]:
    """Return the running shares of `weights`, for `choose`.

    Examples
    --------
    >>> shares([1, 1, 2])
    (0.25, 0.5, 1.0)
    """
    total = sum(weights)
    return tuple(part / total for part in accumulate(weights))


def zipf(size: int, exponent: float = 1.1) -> tuple[float, ...]:
    """Return running shares where the n-th thing is drawn in proportion to `n ** -exponent`."""
    return shares([n**-exponent for n in range(1, size + 1)])


def choose(rng: Random, table: tuple[float, ...]) -> int:
    """Draw a position in a table of running shares."""
    return min(bisect(table, rng.random()), len(table) - 1)


def count(rng: Random, mean: float) -> int:
    """Draw how often something happens that happens `mean` times on average (Poisson).

    Meant for small means: takes time in proportion to the answer.
    """
    limit = exp(-mean)
    drawn = 0
    left = rng.random()
    while left > limit:
        left *= rng.random()
        drawn += 1
    return drawn


def cents_around(rng: Random, median_cents: int, sigma: float) -> int:
    """Draw an amount, log-normal around its median, at least one cent."""
    return max(1, int(median_cents * exp(sigma * rng.gauss(0.0, 1.0))))
