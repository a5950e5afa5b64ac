"""The functions an expression may call, apart from aggregates.

Each says its parameter types, its result and the code it becomes; `{0}` is the first argument. A
missing argument makes the result missing, except where `handles_missing` says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function of the language."""

    name: str
    parameters: tuple[str, ...]
    """Types; `any` takes all, `same` the type of the first argument."""
    result: str
    """A type; `same` = the type of the first `any` argument."""
    code: str
    about: str
    example: str
    handles_missing: bool = False
    may_be_missing: bool = False
    """True where the result may be missing though no argument is."""


FUNCTIONS = {
    function.name: function
    for function in (
        Function(
            name="hour",
            parameters=("time",),
            result="number",
            code="\x01PERIODS.hour({0})\x02",
            about="hour of the institution's clock, 0 to 23",
            example="hour(occurred_at) < 6",
        ),
        Function(
            name="weekday",
            parameters=("time",),
            result="number",
            code="PERIODS.weekday({0}) + 1",
            about="local day of the week, Monday 1 to Sunday 7",
            example="weekday(occurred_at) >= 6",
        ),
        Function(
            name="is_business_day",
            parameters=("time",),
            result="bool",
            code="PERIODS.is_business_day({0})",
            about="neither a weekend nor a holiday",
            example="not is_business_day(occurred_at)",
        ),
        Function(
            name="business_days",
            parameters=("time",),
            result="number",
            code="PERIODS.business_days({0}, t)",
            about="business days begun since the day of a time, at most 400 days back",
            example="business_days(booked_date) > 1",
        ),
        Function(
            name="age",
            parameters=("time",),
            result="duration",
            code="(t - {0})",
            about="how long before the event a time lies",
            example="age(account.opened_at) <= 15d",
        ),
        Function(
            name="years",
            parameters=("time",),
            result="number",
            code="full_years({0}, t, PERIODS)",
            about="full years from a date to the event",
            example="years(profile.birth_date) >= 60",
        ),
        Function(
            name="abs",
            parameters=("any",),
            result="same",
            code="abs({0})",
            about="without its sign",
            example="abs(zscore(amount, 90d)) >= 4",
        ),
        Function(
            name="floor",
            parameters=("number",),
            result="number",
            code="floor({0})",
            about="largest whole number not above",
            example="floor(3.7) == 3",
        ),
        Function(
            name="larger",
            parameters=("any", "same"),
            result="same",
            code="max({0}, {1})",
            about="the larger of two",
            example="amount >= larger(20000 CNY, 3 * avg(amount, 90d, prior=true))",
        ),
        Function(
            name="smaller",
            parameters=("any", "same"),
            result="same",
            code="min({0}, {1})",
            about="the smaller of two",
            example="smaller(amount, 100 CNY) > 50 CNY",
        ),
        Function(
            name="missing",
            parameters=("any",),
            result="bool",
            code="({0} is None)",
            handles_missing=True,
            about="true where a value was not sent or does not exist",
            example="missing(counterparty.name)",
        ),
        Function(
            name="default",
            parameters=("any", "same"),
            result="same",
            code="either({0}, {1})",
            handles_missing=True,
            about="the first, or the second where the first is missing",
            example='default(profile.pep, "none") != "none"',
        ),
        Function(
            name="contains",
            parameters=("text", "text"),
            result="bool",
            code="({1}.casefold() in {0}.casefold())",
            about="whether a text holds another, whatever the case",
            example='contains(remittance_info, "casino")',
        ),
        Function(
            name="starts_with",
            parameters=("text", "text"),
            result="bool",
            code="{0}.startswith({1})",
            about="whether a text begins with another",
            example='starts_with(mcc, "79")',
        ),
        Function(
            name="matches",
            parameters=("text", "text"),
            result="bool",
            code="matches({0}, {1})",
            about="whether a regular expression is found in a text, whatever the case",
            example='matches(remittance_info, "bet|casino")',
        ),
        Function(
            name="distance_km",
            parameters=("number", "number", "number", "number"),
            result="number",
            code="distance_km({0}, {1}, {2}, {3})",
            about="great-circle distance of two points in degrees: lat, lon, lat, lon",
            example="distance_km(geo.lat, geo.lon, first(geo.lat, 30d), first(geo.lon, 30d)) > 300",
        ),
        Function(
            name="steps_down",
            parameters=("any", "same", "number"),
            result="number",
            code="steps_down({0}, {1}, {2})",
            about="whole steps by which the second lies below the first; a step is a share of the first",
            example="steps_down(first(amount, quarter), amount, 0.1) >= 1",
            may_be_missing=True,
        ),
        Function(
            name="is_multiple",
            parameters=("money", "money"),
            result="bool",
            code="(rest({0}, {1}) == 0)",
            about="whether an amount is a whole multiple of another",
            example="is_multiple(amount, 1000 CNY)",
        ),
    )
}
"""Every function by name."""
