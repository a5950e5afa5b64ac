"""Rules under test: timelines in virtual time, what they cover, and what they would not notice."""

from __future__ import annotations

from monitor.ruletest.case import Case
from monitor.ruletest.reading import read_cases
from monitor.ruletest.running import RuleTests, find_tests

__all__ = ["Case", "RuleTests", "find_tests", "read_cases"]
