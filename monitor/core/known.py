"""What is remembered of a customer and of accounts: the last values that certain events carried."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from rules.vocabulary import Field

Setter = tuple[str, Callable[[Any], Any], bool]
"""Name, how to read it from an event, and whether the event's time stands in for it."""


def setters(known: Mapping[str, Field]) -> dict[str, list[Setter]]:
    """Return for each kind of event which remembered values it sets."""
    found: dict[str, list[Setter]] = {}
    for field in known.values():
        for kind in field.kinds:
            found.setdefault(kind, []).append(
                (field.name, attrgetter(field.source or field.name), field.value_of == "time")
            )
    return found


def remember(wanted: list[Setter], data: Any, time_ms: int, known: dict[str, Any]) -> None:
    """Take over the values an event carries; what it does not carry stays as it was."""
    for name, read, is_timed in wanted:
        value = read(data)
        if value is not None:
            known[name] = value
        elif is_timed:
            known.setdefault(name, time_ms)
