"""Tables at work: the value of a column, by key and time."""

from __future__ import annotations

from typing import Any

from monitor.core.conversion import Convert
from rules.model import Row, Table
from rules.tables import value_of


class Rows:
    """The rows of a table, ready to be asked.

    Parameters
    ----------
    table
        As its file says it.
    fx
        Converts money in another currency at a time.
    base_currency
        ISO 4217; money of this currency needs no conversion.

    Examples
    --------
    >>> risk = Table(("country",), (("country", "text"), ("score", "number")), (Row(("IR", "100"), None, 5),))
    >>> rows = Rows(risk, lambda amount, unit, time_ms: amount, "CNY")
    >>> rows.cell(1, 4, "IR"), rows.cell(1, 5, "IR"), rows.cell(1, 4, "CH")
    (100, None, None)
    """

    def __init__(self, table: Table, fx: Convert, base_currency: str) -> None:
        self._fx, self._base_currency = fx, base_currency
        places = [table.place(name) for name in table.key]
        types = [type_ for _, type_ in table.columns]
        self._rows: dict[tuple[Any, ...], list[tuple[Row, list[Any]]]] = {}
        for row in table.rows:
            pairs = zip(types, row.cells, strict=True)
            values = [None if text is None else value_of(type_, text) for type_, text in pairs]
            self._rows.setdefault(tuple(values[place] for place in places), []).append((row, values))

    def cell(self, column: int, time_ms: int, *key: Any) -> Any:
        """Return the value of a column in the row of a key that holds at a time; None where there is none."""
        for row, values in self._rows.get(key, ()):
            if (row.from_ms is None or row.from_ms <= time_ms) and (row.to_ms is None or time_ms < row.to_ms):
                value = values[column]
                return self._converted(value, time_ms) if isinstance(value, tuple) else value
        return None

    def _converted(self, money: tuple[int, str], time_ms: int) -> int:
        amount, unit = money
        return amount if unit == self._base_currency else self._fx(amount, unit, time_ms)
