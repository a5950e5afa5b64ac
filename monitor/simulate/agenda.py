"""What was begun on one day and ends on a later one."""

from __future__ import annotations

from typing import Any

LONGEST = 12
"""Days ahead of today an entry may lie, at most: what a simulation taken up in the middle relives."""

Entry = tuple[str, float, str, dict[str, Any]]
"""Kind, second of the day, source system, fields."""


class Agenda:
    """Entries by day and owner; each is taken once, on its day."""

    def __init__(self) -> None:
        self._days: dict[int, dict[str, list[Entry]]] = {}

    def put(
        self, day: int, owner: str, kind: str, second: float, source: str, fields: dict[str, Any]
    ) -> None:
        """Note an event for a later day."""
        self._days.setdefault(day, {}).setdefault(owner, []).append((kind, second, source, fields))

    def take(self, day: int) -> dict[str, list[Entry]]:
        """Return the entries of a day by owner, and forget them."""
        return self._days.pop(day, {})
