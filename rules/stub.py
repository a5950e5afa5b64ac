"""A rule that says nothing: for code that belongs to a stage, not to a rule."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from rules.model import Expression, Rule
from rules.nodes import Name

_NOWHERE = Expression("", Name(0, ""), "", ((1, 1),))
_STUB_RULE = Rule(
    id="", title="", dimension="fraud", subject="customer", on=(), let={}, when=_NOWHERE, params={},
    bands=(), status="live", alert=False, cooldown_ms=0, say="", say_place=_NOWHERE, why="", source="",
    verification="D", triage=(), disposition=(), disclosure="internal", owner="", valid_from_ms=None,
    valid_to_ms=None, pack="", file="", version="", plain={},
)  # fmt: skip


@cache
def stub(kind: str) -> Rule:
    """Return a rule about a kind of event, for what a stage remembers whoever asks for it."""
    return replace(_STUB_RULE, on=(kind,), dimension="fraud")
