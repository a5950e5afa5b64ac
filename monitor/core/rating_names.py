"""Names and values in the parameters of ratings that no event could ever match: told, not silently idle."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from monitor.core.page import Page
from rules.vocabulary import Field, Vocabulary

PROFILE = "profile"
"""The one trigger of a review that is no kind of event."""
_PLAIN: Mapping[str, type] = {"bool": bool, "count": int, "text": str, "id": str, "country": str}


def check_names(page: Page, vocabulary: Vocabulary) -> None:
    """Note every field, segment, stage, kind and value of a parsed rating file that the vocabulary lacks."""
    plain = page.plain
    for key, known in (
        ("segments", vocabulary.fields["segment"].values),
        ("stages", vocabulary.fields["lifecycle"].values),
        ("review_triggers_days", (PROFILE, *vocabulary.kinds)),
    ):
        for name in _mapping(plain.get(key)):
            _know(page, f"{key}.{name}", name, known)
    items = _mapping(_mapping(plain.get("inherent")).get("items"))
    for name, item in items.items():
        place, own = f"inherent.items.{name}", _mapping(item)
        if own.get("field"):
            _values(page, vocabulary, place, own["field"], _mapping(own.get("scores")))
    for place, own in _limits(plain):
        for field, values in _mapping(own.get("profile")).items():
            _values(page, vocabulary, f"{place}.profile.{field}", field, values)


def _limits(plain: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for group in ("floors", "ceilings"):
        for name, own in _mapping(plain.get(group)).items():
            yield f"{group}.{name}", _mapping(own)


def _values(page: Page, vocabulary: Vocabulary, place: str, name: Any, values: Any) -> None:
    """Check a profile field, and that it can have the values that are asked for."""
    if not _know(page, place, name, vocabulary.profile):
        return
    field = vocabulary.profile[name]
    for value in values if isinstance(values, list | Mapping) else ():
        expected = _expected(field, value)
        if expected:
            page.wrong(place, f"expected {expected}, was {value!r}", f"{name} can have no other value")


def _expected(field: Field, value: Any) -> str:
    """Return what a value should have been; empty where the field can have it."""
    if field.values:
        return "" if value in field.values else f"one of {', '.join(field.values)}"
    wanted = _PLAIN.get(field.type)
    if wanted is None or type(value) is wanted:
        low, high = field.min, field.max
        outside = type(value) is int and not (low or value) <= value <= (high or value)
        return f"a number from {low:g} to {high:g}" if outside else ""
    return {bool: "true or false", int: "a whole number", str: "a text"}[wanted]


def _know(page: Page, place: str, name: Any, known: Collection[str]) -> bool:
    if name in known:
        return True
    near = get_close_matches(str(name), known, 1)
    hint = f"did you mean {near[0]!r}?" if near else "see rules/vocabulary"
    page.wrong(place, f"unknown name {name!r}", hint)
    return False


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
