"""One row of a benchmark."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One row."""

    name: str
    value: float
    unit: str
    """U, x, ms, bytes, MB, events/s."""
    reach: float | None = None
    """What it should reach; None where it is only told."""
    more_is_better: bool = False
    note: str = ""

    @property
    def is_reached(self) -> bool | None:
        """Whether the figure is good enough; None where nothing is asked."""
        if self.reach is None:
            return None
        return self.value >= self.reach if self.more_is_better else self.value <= self.reach
