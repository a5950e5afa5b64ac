"""How the garbage of processes that hold states is collected."""

from __future__ import annotations

import gc


def calm_collector() -> None:
    """Let the garbage collector look at what is young alone.

    States are many, live long and hold no cycles: to look at all of them holds everything up, for a
    second with 5,000 customers in memory. What requests leave behind is found while it is young.
    """
    gc.set_threshold(10_000, 5, 1_000_000_000)
