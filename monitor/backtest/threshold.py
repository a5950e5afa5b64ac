"""A threshold of a rule moved in steps: the same rule several times, with other figures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from rules.errors import nearest
from rules.grammar import MILLISECONDS

_FIGURE: Final = re.compile(
    r"(?<![\w.])(?P<number>[0-9][0-9_]*(?:\.[0-9]+)?)(?P<unit> +[A-Z]{3}|ms|bd|[smhdwy])?(?![\w.])"
)
_BY: Final = re.compile(r"(?P<size>[0-9]+(?:\.[0-9]+)?) *(?P<percent>%)?")


class ThresholdError(ValueError):
    """A threshold cannot be moved so; the message says what to write instead."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A rule with one figure of its own."""

    id: str
    step: int
    """0 as it stands; negative: a smaller figure."""
    figure: str
    """The threshold as it would be written."""
    content: Mapping[str, Any]
    overrides: Mapping[str, Any]
    """What the institution sets for its parameters."""


@dataclass(frozen=True, slots=True)
class By:
    """How far a step goes: a share of the figure, or so much of its unit."""

    size: Decimal
    is_share: bool

    @classmethod
    def of(cls, text: str) -> By:
        """Read `10%` or `500`.

        Examples
        --------
        >>> By.of("10%"), By.of("500")
        (By(size=Decimal('0.1'), is_share=True), By(size=Decimal('500'), is_share=False))

        Raises
        ------
        ThresholdError
            It is neither.
        """
        found = _BY.fullmatch(text.strip())
        if not found or not Decimal(found["size"]):
            raise ThresholdError(f"--by: expected a share or a size, was {text!r}\n  hint: write 10% or 500")
        size = Decimal(found["size"])
        return cls(size / 100, is_share=True) if found["percent"] else cls(size, is_share=False)


def moved(figure: str, step: int, by: By) -> str | None:
    """Return a figure some steps away; None where nothing above zero is left.

    A whole number without a unit stays whole and moves by one at least; a duration keeps milliseconds.

    Examples
    --------
    >>> moved("20000 CNY", -1, By.of("10%")), moved("5", 1, By.of("10%")), moved("24h", 1, By.of("50%"))
    ('18000 CNY', '6', '36h')
    >>> moved("0.7", 2, By.of("0.1")), moved("3", -4, By.of("1")) is None
    ('0.9', True)
    """
    found = _FIGURE.fullmatch(figure.strip())
    assert found is not None
    number, unit = Decimal(found["number"].replace("_", "")), found["unit"] or ""
    size = number * by.size if by.is_share else by.size
    if (not unit or unit == "bd") and number == number.to_integral_value():
        size = max(Decimal(1), size.to_integral_value())
    value = number + step * size
    if value <= 0:
        return None
    if unit in MILLISECONDS and unit != "ms" and value != value.to_integral_value():
        value, unit = (value * MILLISECONDS[unit]).to_integral_value(), "ms"
    return f"{value.normalize():f}{unit}"


def variants(
    content: Mapping[str, Any], overrides: Mapping[str, Any], name: str, text: str, steps: int, by: By
) -> list[Variant]:
    """Return a rule with its threshold moved up to `steps` steps down and up, in the order of the figures.

    Parameters
    ----------
    overrides
        What the institution sets for the rule's parameters, as in `parameters.yaml`.
    name
        A parameter; all its values (of segments, and the institution's) move together. Empty where
        `text` is meant.
    text
        A comparison as the rule writes it, with one figure in it: `times >= 5`.

    Raises
    ------
    ThresholdError
        There is no such parameter or comparison, or it has no figure.
    """
    figure = _parameter(content, name) if name else _comparison(content, text)
    found = []
    for step in range(-steps, steps + 1):
        after = moved(figure, step, by)
        if after is not None:
            changed = _with_parameter(content, name, step, by) if name else _with_text(content, text, after)
            identity = f"{content['id']}.{step + steps:02d}"
            changed |= {"id": identity, "title": f"{content['title']} ({identity})", "status": "live"}
            ours = _moved_overrides(overrides, name, step, by)
            found.append(Variant(identity, step, after, changed, ours))
    return found


def _parameter(content: Mapping[str, Any], name: str) -> str:
    params = content.get("params") or {}
    if name not in params:
        hint = nearest(name, params) or f"its parameters: {', '.join(params) or 'none; name a comparison'}"
        raise ThresholdError(f"{content['id']}: no parameter {name!r}\n  hint: {hint}")
    first = next(iter(_figures(params[name])), None)
    if first is None:
        raise ThresholdError(f"{content['id']}: param {name!r} is no figure\n  hint: only figures can move")
    return first


def _figures(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        ordered = sorted(value.items(), key=lambda item: item[0] != "default")
        return [figure for _, inner in ordered for figure in _figures(inner)]
    if isinstance(value, list):
        return [figure for inner in value for figure in _figures(inner)]
    return [str(value)] if _FIGURE.fullmatch(str(value).strip()) else []


def _with_parameter(content: Mapping[str, Any], name: str, step: int, by: By) -> dict[str, Any]:
    def move(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: move(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [move(inner) for inner in value]
        is_figure = _FIGURE.fullmatch(str(value).strip())
        return (moved(str(value), step, by) or value) if is_figure else value

    changed = deepcopy(dict(content))
    changed["params"][name] = move(changed["params"][name])
    return changed


def _moved_overrides(overrides: Mapping[str, Any], name: str, step: int, by: By) -> dict[str, Any]:
    def move(one: Any) -> Any:
        value = one["value"] if isinstance(one, Mapping) else one
        is_figure = _FIGURE.fullmatch(str(value).strip())
        after = (moved(str(value), step, by) or value) if is_figure else value
        return {**one, "value": after} if isinstance(one, Mapping) else after

    changed = dict(overrides)
    if name in changed:
        values = changed[name]
        changed[name] = [move(one) for one in values] if isinstance(values, list) else move(values)
    return changed


def _comparison(content: Mapping[str, Any], text: str) -> str:
    places = [one for one in _texts(content) if text in one]
    count = sum(one.count(text) for one in places)
    if count != 1:
        said = "is not written there" if not count else f"is written {count} times there"
        hint = f"its conditions: {'; '.join(_texts(content))}"
        raise ThresholdError(f"{content['id']}: {text!r} {said}\n  hint: {hint}")
    figures = [found[0] for found in _FIGURE.finditer(text)]
    if len(figures) != 1:
        hint = "name a comparison with one figure, e.g. 'times >= 5'"
        raise ThresholdError(f"{content['id']}: {text!r} has {len(figures)} figures\n  hint: {hint}")
    return figures[0]


def _texts(content: Mapping[str, Any]) -> list[str]:
    """Return every condition of a rule."""
    found = [content["when"], *(content.get("let") or {}).values()]
    return found + [band["when"] for band in content.get("bands") or () if "when" in band]


def _with_text(content: Mapping[str, Any], text: str, figure: str) -> dict[str, Any]:
    after = _FIGURE.sub(figure, text)

    def change(value: Any) -> Any:
        return value.replace(text, after) if isinstance(value, str) else value

    changed = deepcopy(dict(content))
    changed["when"] = change(changed["when"])
    changed["let"] = {name: change(value) for name, value in (changed.get("let") or {}).items()}
    if not changed["let"]:
        del changed["let"]
    for band in changed.get("bands") or ():
        if "when" in band:
            band["when"] = change(band["when"])
    return changed


def names_of(found: Sequence[Variant]) -> tuple[str, ...]:
    """Return the ids of variants, in order."""
    return tuple(variant.id for variant in found)
