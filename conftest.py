"""Lets pytest collect the tests beside the rules: every case of every `*.test.yaml` is a test."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from monitor.core.rating_config import RatingConfig
from monitor.folders import config_folder
from monitor.ruletest import Case, RuleTests, read_cases
from rules.lists import load_lists
from rules.loader import PACKS, load_packs, load_predicates
from rules.vocabulary import load_vocabulary
from streams.rates import Rates

collect_ignore = ["monitor/migrations/env.py"]  # runs inside Alembic alone


@cache
def bench() -> RuleTests:
    """Return all shipped rules, compiled once a session."""
    config = config_folder(None)
    plain = yaml.safe_load((config / "rating.yaml").read_text(encoding="utf-8"))
    lists, rates = config / "lists", Rates.load(config / "lists" / "fx_rates.yaml")
    predicates, rating = load_predicates([PACKS]), RatingConfig.from_plain(plain)
    return RuleTests(load_packs([PACKS]), load_vocabulary(), load_lists(lists), predicates, rating, rates)


def pytest_collect_file(parent: pytest.Collector, file_path: Path) -> pytest.Collector | None:
    """Collect test files of rules."""
    if file_path.name.endswith(".test.yaml"):
        return RuleFile.from_parent(parent, path=file_path)
    return None


class RuleFile(pytest.File):
    """One test file of a rule."""

    def collect(self) -> Iterator[pytest.Item]:
        """Return its cases."""
        for case in read_cases(self.path, load_vocabulary()):
            yield RuleCase.from_parent(self, name=case.name, case=case)


class RuleFailedError(Exception):
    """What the case expected and what the rule said."""


class RuleCase(pytest.Item):
    """One timeline with its expected hits."""

    def __init__(self, *, case: Case, **more: object) -> None:
        super().__init__(**more)  # type: ignore[arg-type]
        self.case = case

    def runtest(self) -> None:
        """Run the timeline."""
        problems = bench().failures(self.case, among_all=True)
        if problems:
            raise RuleFailedError("\n".join(problems))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:
        """Return the difference alone, without a trace."""
        return str(excinfo.value)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return where the case stands."""
        return self.path, self.case.line - 1, f"{self.case.rule}: {self.case.name}"
