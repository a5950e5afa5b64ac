"""Lists at work: whether a value is on a list at a time, and by which entry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from monitor.core.conversion import Convert
from monitor.core.tables import Rows
from rules.model import Entry, ListData

if TYPE_CHECKING:
    from monitor.core.names import NameIndex

NO_SCORE = 0.0


class Dated:
    """Texts that are on a list for a time.

    Examples
    --------
    >>> banned = Dated([Entry("x", from_ms=5)])
    >>> banned.holds("x", 4), banned.holds("x", 5), banned.holds("y", 5)
    (False, True, False)
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._by_text: dict[str, list[Entry]] = {}
        for entry in entries:
            self._by_text.setdefault(entry.value, []).append(entry)

    def holds(self, value: str, time_ms: int) -> bool:
        """Return whether a value is on the list at a time."""
        return self.entry(value, time_ms) is not None

    def entry(self, value: str, time_ms: int) -> Entry | None:
        """Return the entry that holds for a value at a time."""
        return next((one for one in self._by_text.get(value, ()) if one.holds(time_ms)), None)


class Prefixes(Dated):
    """Beginnings of texts; of several that fit the longest is told.

    Examples
    --------
    >>> gambling = Prefixes([Entry("79"), Entry("7995")])
    >>> gambling.entry("7995", 0).value, gambling.entry("7991", 0).value, gambling.holds("5411", 0)
    ('7995', '79', False)
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        super().__init__(entries)
        self._sizes = sorted({len(text) for text in self._by_text}, reverse=True)

    def entry(self, value: str, time_ms: int) -> Entry | None:
        """Return the longest beginning of a value that is on the list at a time."""
        for size in self._sizes:
            found = super().entry(value[:size], time_ms) if size <= len(value) else None
            if found is not None:
                return found
        return None


class Names:
    """Names, looked up by likeness."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = tuple(entries)
        self._index: NameIndex | None = None

    def score(self, name: str, time_ms: int) -> float:
        """Return how much the entry most like a name is like it, 0 to 100; 0 where none is."""
        return self.found(name, time_ms)[0]

    def found(self, name: str, time_ms: int) -> tuple[float, Entry | None]:
        """Return the score and the entry most like a name, of those in force at a time."""
        index = self._made()
        score, place = index.best(name)
        if place >= 0 and not self._entries[place].holds(time_ms):
            rest = (one for one in index.ranked(name) if self._entries[one[1]].holds(time_ms))
            score, place = next(rest, (NO_SCORE, -1))
        return (score, self._entries[place]) if place >= 0 else (NO_SCORE, None)

    def _made(self) -> NameIndex:
        if self._index is None:
            # Transliteration takes memory and a third of a second: only where a rule asks for names.
            from monitor.core.names import NameIndex  # noqa: PLC0415

            self._index = NameIndex([(entry.value, *entry.aliases) for entry in self._entries])
        return self._index


_KINDS = {"exact": Dated, "prefix": Prefixes, "names": Names}


def prepared(lists: Mapping[str, ListData], fx: Convert, base_currency: str) -> dict[str, Any]:
    """Return what generated code calls `LISTS`: the texts of plain lists, of others an object that looks.

    Parameters
    ----------
    fx
        Converts money of tables at a time.
    base_currency
        ISO 4217; money of this currency needs no conversion.
    """

    def made(data: ListData) -> Any:
        if data.table is not None:
            return Rows(data.table, fx, base_currency)
        return data.entries if data.is_plain else _KINDS[data.kind](data.all)

    return {name: made(data) for name, data in lists.items()}


def by_entry(lists: Mapping[str, ListData], held: Mapping[str, Any]) -> Callable[[str, Any, int], str | None]:
    """Return what says which entry of a list a value met, as a hit shows it; None where it met none.

    Of names with the score: `张伟 (92, list version 3)`.
    """

    def told(name: str, value: Any, time_ms: int) -> str | None:
        found = held[name]
        if value is None:
            return None
        points, entry = (
            found.found(value, time_ms) if isinstance(found, Names) else (None, found.entry(value, time_ms))
        )
        if entry is None:
            return None
        score = "" if points is None else f"{points:g}, "
        reason = f", {entry.reason}" if entry.reason else ""
        return f"{entry.value} ({score}list version {lists[name].version}{reason})"

    return told
