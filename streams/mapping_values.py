"""Values of rows to values of records: exact amounts, times with a zone, tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from streams.faults import Fault
from streams.mapping_shapes import Moment

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_FINEST = Decimal("0.0001")
_EPOCHS = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}
"""Microseconds of one unit."""
_CACHED = 1 << 14
"""Different times of one column kept parsed; days repeat."""
_TRUTHS = {
    "1": True, "true": True, "y": True, "yes": True, "t": True,
    "0": False, "false": False, "n": False, "no": False, "f": False,
}  # fmt: skip
_ABSENT = object()

Time = tuple[str, int]
"""RFC 3339 text and epoch milliseconds."""


class Unmappable(Exception):  # noqa: N818 - it is no failure: the row becomes a dead letter
    """A row that cannot become an event."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


def reach(row: Any, path: Sequence[str]) -> Any:
    """Return what lies at a path of names and list places, or None.

    Examples
    --------
    >>> reach({"Dbtr": {"Acct": [{"IBAN": "DE1"}]}}, ("Dbtr", "Acct", "0", "IBAN"))
    'DE1'
    >>> reach({"Dbtr": None}, ("Dbtr", "Nm")) is None
    True
    """
    for step in path:
        if isinstance(row, Mapping):
            row = row.get(step)
        elif isinstance(row, list) and step.isdecimal() and int(step) < len(row):
            row = row[int(step)]
        else:
            return None
    return row


def looked_up(field: str, table: Mapping[str, Any], value: Any, default: Any) -> Any:
    """Return the table's answer for a value; the default stands for empty and unknown values."""
    if value is None:
        return default
    found = table.get(value if type(value) is str else str(value), _ABSENT)
    if found is not _ABSENT:
        return found
    if default is not None:
        return default
    raise Unmappable(Fault(field, f"{value!r} is not in the lookup table", "add it, or give a default"))


def cents(value: Any) -> str:
    """Return a number of cents as a decimal text.

    Examples
    --------
    >>> cents(5716), cents("5"), cents(-150)
    ('57.16', '0.05', '-1.50')
    """
    if type(value) is int and value >= 0:
        return f"{value // 100}.{value % 100:02d}"
    return f"{_decimal('amount', value) / 100:.2f}"


def money(field: str, scale: str) -> Callable[[Any], str]:
    """Return the function from a column to a decimal text, times `scale`, at most four decimals.

    Examples
    --------
    >>> money("amount", "1")(163.3), money("amount", "1000")("0.5"), money("amount", "1")(8033)
    ('163.3', '500.0', '8033')
    """
    factor = Decimal(scale)

    def convert(value: Any) -> str:
        if factor == 1 and type(value) is int:
            return str(value)
        exact = _decimal(field, value) * factor
        exponent = exact.as_tuple().exponent
        if isinstance(exponent, int) and exponent < -4:
            exact = exact.quantize(_FINEST, ROUND_HALF_EVEN)
        return format(exact, "f")

    return convert


def number(field: str, scale: str) -> Callable[[Any], float]:
    """Return the function from a column to a number, times `scale`."""
    factor = Decimal(scale)
    return lambda value: float(_decimal(field, value) * factor)


def _decimal(field: str, value: Any) -> Decimal:
    if isinstance(value, bool):
        raise Unmappable(Fault(field, f"{value!r} is no amount"))
    text = repr(value) if isinstance(value, float) else str(value).strip()
    try:
        exact = Decimal(text)
    except InvalidOperation:
        exact = Decimal("NaN")
    if not exact.is_finite() or not text.isascii() or "_" in text:
        raise Unmappable(Fault(field, f"{value!r} is no amount", "expected digits with a decimal point"))
    return exact


def _whole(field: str) -> Callable[[Any], int]:
    def convert(value: Any) -> int:
        exact = _decimal(field, value)
        if exact != exact.to_integral_value():
            raise Unmappable(Fault(field, f"{value!r} is no whole number"))
        return int(exact)

    return convert


def _truth(field: str) -> Callable[[Any], bool]:
    def convert(value: Any) -> bool:
        found = value if isinstance(value, bool) else _TRUTHS.get(str(value).strip().lower())
        if found is None:
            raise Unmappable(Fault(field, f"{value!r} is neither true nor false", "use a lookup"))
        return found

    return convert


def _texts(field: str) -> Callable[[Any], list[str]]:
    def convert(value: Any) -> list[str]:
        if isinstance(value, list):
            return [str(one) for one in value]
        raise Unmappable(Fault(field, f"expected a list, was {value!r}"))

    return convert


CONVERTERS: dict[str, Callable[[str], Callable[[Any], Any]]] = {
    "count": _whole,
    "number": lambda field: number(field, "1"),
    "bool": _truth,
    "list_of_text": _texts,
}
"""Types that need more than `str`: from a field's name to the function of its column."""


# ------------------------------------------------------------------------------------------ times


def to_time(field: str, moment: Moment) -> Callable[[Any], Time]:
    """Return the function from a column to RFC 3339 text and epoch milliseconds.

    Examples
    --------
    >>> to_time("occurred_at", Moment("format", "%y%m%d", "Europe/Prague"))(930101)
    ('1993-01-01T00:00:00+01:00', 725842800000)
    >>> to_time("occurred_at", Moment("days_from", "2020-01-01"))(2)
    ('2020-01-03T00:00:00+00:00', 1578009600000)
    """
    if moment.how == "iso":
        return _iso(field, ZoneInfo(moment.zone))
    read = _reader(field, moment)

    @lru_cache(_CACHED)
    def convert(value: Any) -> Time:
        found = read(value)
        return found.isoformat(), (found - _EPOCH) // _MILLISECOND

    return convert


def to_date(field: str, moment: Moment) -> Callable[[Any], str]:
    """Return the function from a column to `YYYY-MM-DD`, in the moment's zone.

    Examples
    --------
    >>> to_date("maturity", Moment("format", "%y%m%d"))("930705")
    '1993-07-05'
    """
    read = _reader(field, moment)
    zone = ZoneInfo(moment.zone)

    @lru_cache(_CACHED)
    def convert(value: Any) -> str:
        return read(value).astimezone(zone).date().isoformat()

    return convert


def _iso(field: str, zone: ZoneInfo) -> Callable[[Any], Time]:
    def convert(value: Any) -> Time:
        found = _parsed(field, value, zone)
        ms = (found - _EPOCH) // _MILLISECOND
        if type(value) is str and len(value) > 19 and value[10] == "T" and value[13] == value[16] == ":":
            return (value if value[-1] == "Z" or value[-3] == ":" else found.isoformat()), ms
        return found.isoformat(), ms

    return convert


def _parsed(field: str, value: Any, zone: ZoneInfo) -> datetime:
    if type(value) is str:
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            hint = "expected 2026-03-02T09:15:27+08:00; other forms need `time`"
            raise Unmappable(Fault(field, f"{value!r} is no time", hint)) from None
    elif isinstance(value, datetime):
        found = value
    elif isinstance(value, date):
        found = datetime.combine(value, time())
    else:
        raise Unmappable(Fault(field, f"{value!r} is no time", "numbers need `time: epoch_s` or another way"))
    return found if found.tzinfo is not None else found.replace(tzinfo=zone)


def _reader(field: str, moment: Moment) -> Callable[[Any], datetime]:
    zone = ZoneInfo(moment.zone)
    match moment.how:
        case "iso":
            return lambda value: _parsed(field, value, zone)
        case "format":
            return _formatted(field, moment.detail, zone)
        case "days_from" | "seconds_from":
            return _counted(field, moment, zone)
        case _:
            return _since_epoch(field, _EPOCHS[moment.how])


def _formatted(field: str, form: str, zone: ZoneInfo) -> Callable[[Any], datetime]:
    def read(value: Any) -> datetime:
        try:
            found = datetime.strptime(str(value), form)  # noqa: DTZ007 - the zone follows
        except ValueError:
            raise Unmappable(Fault(field, f"{value!r} is no time of the form {form!r}")) from None
        return found if found.tzinfo is not None else found.replace(tzinfo=zone)

    return read


def _counted(field: str, moment: Moment, zone: ZoneInfo) -> Callable[[Any], datetime]:
    start = datetime.combine(date.fromisoformat(moment.detail), time(), zone)
    unit = timedelta(days=1) if moment.how == "days_from" else timedelta(seconds=1)
    whole = _whole(field)
    return lambda value: start + whole(value) * unit


def _since_epoch(field: str, microseconds: int) -> Callable[[Any], datetime]:
    return lambda value: _EPOCH + timedelta(microseconds=int(_decimal(field, value) * microseconds))
