"""A parsed file read key by key: what is wrong is collected, so that all of it is told at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class Page:
    """A mapping of the file, read key by key; what is wrong is collected, not raised."""

    def __init__(self, plain: Any, path: str, mistakes: list[str]) -> None:
        self.mistakes = mistakes
        self.path = path
        self.used: set[str] = set()
        self.plain: Mapping[str, Any] = plain if isinstance(plain, Mapping) else {}
        if not isinstance(plain, Mapping):
            self.wrong("", f"expected a mapping, was {plain!r}", "write `key: value` lines")

    def wrong(self, key: str, problem: str, hint: str) -> None:
        """Note a mistake at a key; the empty key is the page as a whole."""
        joint = ": " if self.path.endswith((".yaml", ".yml")) else "."
        place = f"{self.path}{joint}{key}" if key else self.path
        self.mistakes.append(f"{place}: {problem}\n  hint: {hint}")

    def page(self, key: str, *, optional: bool = False) -> Page:
        """Return the mapping at a key."""
        self.used.add(key)
        joint = ": " if self.path.endswith((".yaml", ".yml")) else "."
        value = self.plain.get(key, {}) if optional else self._value(key, {}, "a mapping")
        return Page(value, f"{self.path}{joint}{key}", self.mistakes)

    def number(self, key: str, low: float, high: float, default: float | None = None) -> float:
        """Return the number at a key, within bounds; the lower bound where it is wrong."""
        value = self._value(
            key, low if default is None else default, f"a number from {low:g} to {high:g}", default
        )
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            self.wrong(key, f"expected a number from {low:g} to {high:g}, was {value!r}", "write a number")
            return low
        return float(value)

    def text(self, key: str, choices: Sequence[str] = (), default: str | None = None) -> str:
        """Return the text at a key; the first choice where it is wrong."""
        expected = " or ".join(choices) if choices else "a text"
        value = self._value(key, choices[0] if choices else "", expected, default)
        if not isinstance(value, str) or (choices and value not in choices):
            self.wrong(key, f"expected {expected}, was {value!r}", f"write {expected}")
            return choices[0] if choices else ""
        return value

    def items(self, key: str, *, optional: bool = False) -> list[Any]:
        """Return the list at a key."""
        value = self._value(key, [], "a list", [] if optional else None)
        if not isinstance(value, list):
            self.wrong(key, f"expected a list, was {value!r}", "write [a, b]")
            return []
        return value

    def texts(self, key: str, choices: Sequence[str] = (), *, optional: bool = True) -> frozenset[str]:
        """Return the texts listed at a key."""
        expected = f"any of {', '.join(choices)}" if choices else "texts"
        found = self.items(key, optional=optional)
        wrong = [one for one in found if not isinstance(one, str) or (choices and one not in choices)]
        if wrong:
            self.wrong(key, f"expected {expected}, was {wrong[0]!r}", f"write [{(choices or ('a',))[0]}]")
        return frozenset(one for one in found if one not in wrong)

    def scalars(self, key: str) -> frozenset[Any]:
        """Return the texts, numbers and truths listed at a key."""
        found = self.items(key)
        wrong = [one for one in found if not isinstance(one, str | int | float | bool)]
        if wrong:
            self.wrong(key, f"expected texts or numbers, was {wrong[0]!r}", "write [a, 1]")
        return frozenset(one for one in found if one not in wrong)

    def whole(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """Return the whole number at a key, within bounds."""
        value = self.number(key, low, high, default)
        if value != int(value):
            self.wrong(key, f"expected a whole number, was {value!r}", f"write {int(value)}")
        return int(value)

    def flag(self, key: str, default: bool) -> bool:
        """Return the truth at a key."""
        self.used.add(key)
        value = self.plain.get(key, default)
        if not isinstance(value, bool):
            self.wrong(key, f"expected true or false, was {value!r}", "write true or false")
            return default
        return value

    def close(self) -> None:
        """Note every key that nobody asked for."""
        for key in self.plain:
            if key not in self.used:
                self.wrong(str(key), "unknown key", f"expected one of {', '.join(sorted(self.used))}")

    def _value(self, key: str, stand_in: Any, expected: str, default: Any = None) -> Any:
        self.used.add(key)
        if key in self.plain:
            return self.plain[key]
        if default is None:
            self.wrong(key, "missing", f"write {expected}")
            return stand_in
        return default
