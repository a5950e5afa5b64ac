"""What the reference says is proved by a test is proved by one that exists."""

from __future__ import annotations

import ast
import re

HEADING = "## What the language says, by demand\n"
ROW = re.compile(r"^\| (?P<demand>[^|]+) \| (?P<expression>.+) \| `(?P<path>[\w/]+\.py)::(?P<test>\w+)` \|$")


def rows(repository):
    text = (repository / "docs" / "rule-language.md").read_text(encoding="utf-8")
    section = text.split(HEADING)[1].split("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("|")][2:]


def test_every_demand_names_a_test_that_exists(repository):
    found = [ROW.match(row) for row in rows(repository)]
    assert [row for row, match in zip(rows(repository), found, strict=True) if match is None] == []
    missing = []
    for match in filter(None, found):
        path = repository / match["path"]
        tree = ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else ast.Module([], [])
        names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        if match["test"] not in names:
            missing.append(f"{match['demand']}: {match['path']}::{match['test']}")
    assert missing == []
    assert len({match["demand"] for match in filter(None, found)}) == len(found)
