"""What a failed rule test says, and what is said of what no case notices: the text is the interface.

Each file of `rule_tests/` is a rule, `---`, its test file, `---`, and what its author must be told: what
fails, or where all passes, what goes unnoticed. `pytest --update-golden` rewrites what follows.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from monitor.core.rating_config import RatingConfig
from monitor.ruletest import RuleTests, read_cases
from monitor.ruletest.noticing import noticed
from monitor.ruletest.reporting import unnoticed_lines
from rules.errors import RuleError
from rules.loader import read_rule
from rules.vocabulary import load_vocabulary

MESSAGES = Path(__file__).parent / "rule_tests"


def told(rule: str, tests: str, repository: Path, folder: Path) -> str:
    """Return what the author of a rule and its tests is told."""
    (folder / "X-1.test.yaml").write_text(tests, encoding="utf-8")
    config = RatingConfig.from_plain(yaml.safe_load((repository / "config/rating.yaml").read_text("utf-8")))
    try:
        cases = read_cases(Path("X-1.test.yaml"), load_vocabulary())
        rules = [read_rule(Path("X-1.yaml"), rule, "pack")]
        bench = RuleTests(rules, load_vocabulary(), {}, {}, config, None)
        bench.compile()
    except RuleError as error:
        return f"{error}\n"
    problems = [problem for case in cases for problem in bench.failures(case)]
    found = problems or list(unnoticed_lines([noticed(bench, "X-1", cases)]))
    return "\n".join(map(str, found)) + "\n" if found else "all is noticed\n"


@pytest.mark.parametrize("path", sorted(MESSAGES.glob("*.txt")), ids=lambda path: path.stem)
def test_authors_of_rule_tests_are_told_as_written_down(path, request, repository, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rule, tests, expected = path.read_text(encoding="utf-8").split("---\n")
    actual = told(rule, tests, repository, tmp_path)
    if request.config.getoption("--update-golden"):
        path.write_text(f"{rule}---\n{tests}---\n{actual}", encoding="utf-8")
        return
    assert actual == expected
