"""Rules under test: timelines in virtual time, what they cover, and what they would not notice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitor.ruletest.case import Case
from monitor.ruletest.reading import find_tests, read_cases

if TYPE_CHECKING:
    from monitor.ruletest.running import RuleTests

__all__ = ["Case", "RuleTests", "find_tests", "read_cases"]


def __getattr__(name: str) -> Any:
    """Import what runs cases when it is asked for: who reads them needs no engine."""
    if name != "RuleTests":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from monitor.ruletest.running import RuleTests  # noqa: PLC0415

    return RuleTests
