"""What may be asked of the values of periods in a row, and what each answer is."""

from __future__ import annotations

from dataclasses import dataclass

from rules.windowed import EXAMPLES

UNITS = ("day", "bd", "week", "month", "quarter", "year")
"""Into what a window may be cut, shorter before longer; `bd` is a business day and the days off after it."""


@dataclass(frozen=True, slots=True)
class How:
    """How an outer function treats the values of the periods."""

    code: str
    gives: str = "same"
    takes: str = "quantity"


OUTER = {
    "max": How("highest"),
    "min": How("lowest"),
    "sum": How("together"),
    "avg": How("middle"),
    "stddev": How("spread"),
    "cv": How("unevenness", "number"),
    "median": How("ranked"),
    "quantile": How("ranked"),
    "first": How("earliest", takes="any"),
    "last": How("newest", takes="any"),
    "change": How("change_over", "number"),
    "falls": How("falls", "number"),
    "rises": How("rises", "number"),
    "count": How("holding", "number", "bool"),
    "share": How("share_holding", "number", "bool"),
}
"""Functions over the values of periods."""
INNER = {
    "count": 0, "sum": 1, "avg": 1, "stddev": 1, "cv": 1, "min": 1, "max": 1, "median": 1, "quantile": 2,
    "first": 1, "last": 1, "change": 1, "distinct": 1, "share": 1,
}  # fmt: skip
"""Aggregates that may be taken of each period, and how many values each takes before its window."""


PERIOD_EXAMPLES = {
    "max": "max(sum(amount), 10bd, per=day)",
    "min": "min(count(), 4 weeks)",
    "sum": "sum(max(amount), month, per=day)",
    "avg": "avg(sum(amount), previous(6 months))",
    "stddev": "stddev(sum(amount), previous(6 months))",
    "cv": 'cv(sum(amount, where=direction == "in"), previous(6 months))',
    "median": "median(count(), 30 days)",
    "quantile": "quantile(sum(amount), 0.9, 90 days)",
    "first": "first(last(total_assets, of=balance.snapshot), 4 months)",
    "last": "last(sum(amount), previous(3 months))",
    "change": "change(last(total_assets, of=balance.snapshot), previous(4 months)) <= -0.2",
    "falls": EXAMPLES["falls"],
    "rises": EXAMPLES["rises"],
    "count": "count(last(balance, of=balance.snapshot) < 0 CNY, 90 days) >= 30",
    "share": 'share(sum(if(direction == "in", amount, -amount)) < 0 CNY, previous(6 months)) >= 0.5',
}
"""One example each, shown in hints and in the reference."""

PERIOD_WORDS = {
    "max": "the highest",
    "min": "the lowest",
    "sum": "all together",
    "avg": "the average",
    "stddev": "the standard deviation of the population",
    "cv": "the coefficient of variation: standard deviation over average",
    "median": "the middle one, of two the lower",
    "quantile": "the nearest-rank quantile: always one of the values",
    "first": "that of the oldest period that has one",
    "last": "that of the newest period that has one",
    "change": "from the oldest to the newest, as a share of the oldest",
    "falls": "how often in a row, up to the newest, it was smaller than the one before",
    "rises": "how often in a row, up to the newest, it was larger than the one before",
    "count": "in how many periods the condition holds",
    "share": "in what share of all periods the condition holds",
}
"""What each gives, in words."""
